"""Each promise that is checked for every service is seen to fail where it is broken."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from fastapi import APIRouter
from sqlalchemy import Column, MetaData, Table, Text

from hazina.chassis import Clock, Service, Wire
from hazina.chassis.render import ValidationFailed
from hazina.outbox import ConsumedEvent, Event
from hazina.pg import Database, migrations
from hazina.standard import (
    Mint,
    MovableClock,
    ServiceDatabase,
    Signer,
    UnderTest,
    agreement,
    databases,
)
from hazina.standard.sample.app import build
from hazina.standard.sample.note.events import NoteWritten
from hazina.standard.sample.settings import Settings
from hazina.standard.suite import Standard

CONTRACT = json.loads(
    (Path(__file__).parent / "contracts/events/sample.note.written.v1.json").read_text()
)


class Inherited(Standard):
    """The suite, to be asked in person."""

    __test__ = False


@pytest.fixture
def broken(postgres: str, worker: str, under_test: UnderTest) -> Iterator[Any]:
    """A database of one's own to break, and a superuser to break it."""
    worker = f"broken_{worker}"
    database = databases.prepare(postgres, under_test.name, under_test.migrations, worker)
    with psycopg.connect(database.admin_url, autocommit=True) as admin:
        admin.execute("set search_path = sample")
        yield database, admin


class TestRowSecurity:
    @pytest.mark.parametrize(
        "fault",
        [
            "alter table note no force row level security",
            "alter table note disable row level security",
            "create table loose (id int)",
            """drop policy reading on note; drop policy adding on note;
               drop policy changing on note; drop policy removing on note""",
        ],
    )
    def test_is_missed(self, broken: Any, fault: str) -> None:
        database, admin = broken
        Inherited().test_forces_row_security_on_every_table(database)
        admin.execute(fault)

        with pytest.raises(AssertionError, match="open_tables"):
            Inherited().test_forces_row_security_on_every_table(database)

    def test_of_a_table_that_is_guarded_needs_no_reason(self, broken: Any) -> None:
        class Excused(Inherited):
            open_tables = {"note": "No reason at all."}  # noqa: RUF012  a class of this test

        with pytest.raises(AssertionError):
            Excused().test_forces_row_security_on_every_table(broken[0])


class TestComments:
    def test_are_missed(self, broken: Any) -> None:
        database, admin = broken
        Inherited().test_describes_every_table(database)
        admin.execute("comment on table note is null")

        with pytest.raises(AssertionError):
            Inherited().test_describes_every_table(database)


class TestTheRole:
    @pytest.mark.parametrize(
        ("fault", "repair"),
        [
            ("alter role sample bypassrls", "alter role sample nobypassrls"),
            ("grant create on schema sample to sample", "select"),
        ],
    )
    def test_may_not_grow(self, broken: Any, fault: str, repair: str) -> None:
        database, admin = broken
        admin.execute(fault)
        try:
            with pytest.raises(AssertionError):
                Inherited().test_lets_its_role_do_no_more_than_it_must(database)
        finally:
            admin.execute(repair)  # roles are the whole server's


class TestMigrations:
    def test_that_differ_from_the_tables_are_noticed(
        self, database: ServiceDatabase, under_test: UnderTest
    ) -> None:
        described = under_test.described().metadata
        more = MetaData()
        for table in described.tables.values():
            table.to_metadata(more)
        more.tables["note"].append_column(Column("mood", Text))
        Table("diary", more, Column("id", Text, primary_key=True))

        def differ(metadata: MetaData) -> list[object]:
            return migrations.differences(
                database.owner_url, metadata, ours=metadata.tables.__contains__
            )

        assert differ(described) == []
        assert len(differ(more)) == 2


class TestProducedEvents:
    def test_agree_with_their_contract(self) -> None:
        assert not list(agreement.produced_differences(NoteWritten, CONTRACT))

    @pytest.mark.parametrize(
        "changed",
        [
            {"type": "sample.note.written.v2"},
            {"examples": []},
            {"examples": [{"id": "nonsense"}]},
            {"examples": [CONTRACT["examples"][0] | {"more": 1}]},
            {"schema": CONTRACT["schema"] | {"required": ["id"]}},
        ],
    )
    def test_differ_where_the_contract_was_changed(self, changed: dict[str, Any]) -> None:
        assert self.told(NoteWritten, CONTRACT | changed)

    def test_differ_where_the_event_was_changed(self) -> None:
        class Longer(Event, type="other.note.written", version=1, key="id"):
            id: UUID
            user_id: UUID
            text: str

        contract = CONTRACT | {"type": "other.note.written.v1"}

        assert any("schema differs" in said for said in self.told(Longer, contract))

    def told(self, event: type[Event], contract: dict[str, Any]) -> list[str]:
        return list(agreement.produced_differences(event, contract))


class TestConsumedEvents:
    def test_expect_only_what_is_promised(self) -> None:
        class Hopeful(ConsumedEvent, type="sample.note.written.v1"):
            user_id: UUID
            mood: str

        found = list(agreement.consumed_differences(Hopeful, CONTRACT))

        assert any("mood" in difference for difference in found)
        assert len(found) == 2  # not promised, and the example does not have it


class TestEmptying:
    def test_takes_back_what_tests_did_and_not_what_migrations_did(
        self, database: ServiceDatabase
    ) -> None:
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            admin.execute("set search_path = sample")
            admin.execute("insert into note_count values (gen_random_uuid(), 1)")
            admin.execute("delete from colour where code = 1")
            admin.execute("insert into colour values (9, 'beige')")

            database.empty()

            assert admin.execute("select count(*) from note_count").fetchone() == (0,)
            assert admin.execute("select code from colour order by code").fetchall() == [(1,), (2,)]
            assert admin.execute("select count(*) from outbox_shard").fetchone() == (4,)


liar = APIRouter(prefix="/sample/v1")


class Word(Wire):
    """A word."""

    word: str


@liar.post("/picky")
async def post_picky(ask: Word) -> Word:
    """Say nothing of a limit, and have one."""
    raise ValidationFailed(errors=[])


@liar.post("/weak")
async def post_weak(ask: Word) -> Word:
    """Break down when asked anything."""
    raise RuntimeError(ask.word)


def build_liar(settings: Settings, db: Database, clock: Clock) -> Service:
    """Build the sample service with two addresses that it should not have."""
    return replace(build(settings, db, clock), routers=[liar])


class TestWithstanding:
    @pytest.mark.parametrize(("path", "said"), [("picky", "right shape"), ("weak", "Server error")])
    def test_is_not_for_a_service_that(  # noqa: PLR0917  fixtures
        self,
        path: str,
        said: str,
        settings: Settings,
        clock: MovableClock,
        signer: Signer,
        token: Mint,
        tmp_path: Path,
    ) -> None:
        class Narrow(Inherited):
            fuzz_more = ("--include-path", f"/sample/v1/{path}", "--phases", "fuzzing")

        with pytest.raises(AssertionError, match=said):
            Narrow().test_withstands_every_request(
                under_test=UnderTest("sample", Settings, build_liar),
                settings=settings,
                clock=clock,
                signer=signer,
                token=token,
                tmp_path=tmp_path,
            )
