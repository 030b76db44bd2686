"""Monitors over HTTP, and what they tell."""

import httpx
import pytest
from sqlalchemy import text

from hazina import ids
from hazina.pg import SERVICE, Database
from hazina.standard.clock import MovableClock
from ledger.account.rules import of_user
from ledger.monitor import actions
from ledger.posting.actions import Book

from ..people import Bearer, Person, grant, welcome  # noqa: TID252

pytestmark = pytest.mark.anyio


@pytest.fixture
async def amina(db: Database) -> Person:
    """Somebody without coins."""
    return await welcome(db)


class TestMonitor:
    async def test_tells_once_when_a_line_is_crossed(
        self,
        http: httpx.AsyncClient,
        db: Database,
        book: Book,
        *,
        amina: Person,
        bearer: Bearer,
        clock: MovableClock,
    ) -> None:
        account = str(of_user(amina.id).id)
        watched = {"account_id": account, "op": "above", "threshold": 10}
        hers = bearer(amina.id)
        made = await http.post("/ledger/v1/monitors", json=watched, headers=hers)
        for coins in (9, 1, 5):
            await grant(db, book, amina, coins)

        told = [await actions.tell(db, clock()) for _ in range(2)]

        assert (made.status_code, told) == (201, [1, 0])
        async with db.reading(SERVICE) as tx:
            rows = await tx.execute(
                text("""select key, convert_from(payload, 'utf8')::jsonb as fact from outbox
                        where type = 'ledger.balance.crossed'""")
            )
            (row,) = rows.all()
        assert row.key == account
        assert row.fact == watched | {"monitor_id": made.json()["id"], "before": 9, "after": 10}

    async def test_is_seen_and_ended_by_who_may_read_the_account(
        self, http: httpx.AsyncClient, *, amina: Person, bearer: Bearer
    ) -> None:
        watched = {"account_id": str(of_user(amina.id).id), "op": "below", "threshold": 1}
        hers, others = bearer(amina.id), bearer(ids.new())
        made = (await http.post("/ledger/v1/monitors", json=watched, headers=hers)).json()
        path = f"/ledger/v1/monitors/{made['id']}"

        refused = [
            await http.post("/ledger/v1/monitors", json=watched, headers=others),
            await http.delete(path, headers=others),
        ]
        lists = [
            (await http.get("/ledger/v1/monitors", headers=headers)).json()["data"]
            for headers in (hers, others)
        ]
        ended = [await http.delete(path, headers=hers) for _ in range(2)]

        assert [answer.json()["code"] for answer in refused] == [
            "account.unknown",
            "monitor.unknown",
        ]
        assert lists == [[made], []]
        assert [answer.status_code for answer in ended] == [204, 404]
