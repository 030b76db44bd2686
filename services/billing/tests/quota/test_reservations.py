import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from billing.quota import jobs
from hazina import ids
from hazina.pg import Database
from hazina.standard import MovableClock

from ..given import org, rows  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio

URL = "/billing/v1/quota/reservations"


class Member:
    """Somebody who reserves in an organisation on Free, with 96 of 100 records used."""

    def __init__(self, http: httpx.AsyncClient, bearer: Any, org_id: Any) -> None:
        self.http, self.bearer, self.org_id = http, bearer, org_id
        self.user_id = ids.new()
        self.attempts = 0

    async def post(self, url: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
        self.attempts += 1
        headers = {
            **self.bearer(self.user_id, self.org_id),
            "Idempotency-Key": key or f"a{self.attempts}",
        }
        return await self.http.post(url, json=body, headers=headers)

    async def consume(self, quantity: int) -> httpx.Response:
        body = {"org_id": str(self.org_id), "feature": "max_records", "quantity": quantity}
        return await self.post("/billing/v1/quota/consume", body)

    async def reserve(self, quantity: int, key: str | None = None, **more: Any) -> httpx.Response:
        body = {"org_id": str(self.org_id), "feature": "max_records", "quantity": quantity, **more}
        return await self.post(URL, body, key)

    async def settle(self, id: str, quantity: int, *, final: bool) -> httpx.Response:
        return await self.post(f"{URL}/{id}/settle", {"quantity": quantity, "final": final})


@pytest.fixture
async def member(http: httpx.AsyncClient, db: Database, bearer: Any) -> Member:
    """A member of an organisation that has 4 records left."""
    made = Member(http, bearer, await org(db))
    assert (await made.consume(96)).status_code == 200
    return made


async def window(db: Database) -> tuple[int, int]:
    [row] = await rows(db, "select used, reserved from quota_windows")
    return row.used, row.reserved


class TestPostReservation:
    async def test_sets_aside_what_is_left(
        self, member: Member, db: Database, clock: MovableClock
    ) -> None:
        answer = await member.reserve(3)

        assert answer.status_code == 201
        said = answer.json()
        assert (said["amount"], said["settled"]) == (3, 0)
        assert said["expires_at"] == (clock.now + timedelta(seconds=60)).isoformat().replace(
            "+00:00", "Z"
        )
        assert (said["access"]["reserved"], said["access"]["remaining"]) == (3, 1)
        assert await window(db) == (96, 3)
        assert (await member.consume(2)).status_code == 409
        assert (await member.consume(1)).status_code == 200

    async def test_refuses_more_than_is_left_but_gives_a_part_when_asked(
        self, member: Member, db: Database
    ) -> None:
        whole = await member.reserve(5)
        part = await member.reserve(5, partial=True)
        nothing = await member.reserve(5, partial=True)

        assert (whole.status_code, whole.json()["remaining"]) == (409, 4)
        assert (part.status_code, part.json()["amount"]) == (201, 4)
        assert (nothing.status_code, nothing.json()["code"]) == (409, "quota.level_full")
        assert await window(db) == (96, 4)

    async def test_asked_twice_sets_aside_once(self, member: Member, db: Database) -> None:
        answers = await asyncio.gather(*(member.reserve(2, key="k") for _ in range(5)))

        assert len({answer.json()["id"] for answer in answers}) == 1
        assert await window(db) == (96, 2)

    async def test_never_promises_more_than_there_is_under_a_crowd(
        self, member: Member, db: Database
    ) -> None:
        answers = await asyncio.gather(
            *(member.reserve(1) if n % 2 else member.consume(1) for n in range(24))
        )

        assert sum(answer.status_code in {200, 201} for answer in answers) == 4
        assert sum(await window(db)) == 100


class TestPostSettlement:
    async def test_counts_parts_and_frees_the_rest(self, member: Member, db: Database) -> None:
        id = (await member.reserve(4)).json()["id"]

        first = await member.settle(id, 1, final=False)
        assert await window(db) == (97, 3)
        last = await member.settle(id, 2, final=True)

        assert (first.json()["status"], first.json()["settled"]) == ("open", 1)
        assert last.json() == {
            "id": id,
            "amount": 4,
            "settled": 3,
            "status": "settled",
            "overrun": 0,
        }
        assert await window(db) == (99, 0)
        [raw] = await rows(db, "select sum(quantity) from usage_events")
        assert raw[0] == 99

    async def test_gives_it_all_back_when_nothing_was_used(
        self, member: Member, db: Database
    ) -> None:
        id = (await member.reserve(4)).json()["id"]

        await member.settle(id, 0, final=True)

        assert await window(db) == (96, 0)
        assert len(await rows(db, "select from usage_events")) == 1

    async def test_counts_more_than_was_promised(self, member: Member, db: Database) -> None:
        id = (await member.reserve(4)).json()["id"]

        answer = await member.settle(id, 7, final=True)

        assert (answer.json()["overrun"], await window(db)) == (3, (103, 0))

    async def test_refuses_what_was_settled_for_good(self, member: Member, db: Database) -> None:
        id = (await member.reserve(4)).json()["id"]
        await member.settle(id, 1, final=True)

        again = await member.settle(id, 1, final=True)

        assert (again.status_code, again.json()["code"]) == (409, "quota.reservation_closed")
        assert await window(db) == (97, 0)

    async def test_settled_by_many_at_once_ends_once(self, member: Member, db: Database) -> None:
        id = (await member.reserve(4)).json()["id"]

        answers = await asyncio.gather(*(member.settle(id, 4, final=True) for _ in range(6)))

        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
        assert await window(db) == (100, 0)

    async def test_knows_no_reservation_of_another_organisation(
        self, member: Member, http: httpx.AsyncClient, bearer: Any, db: Database
    ) -> None:
        id = (await member.reserve(4)).json()["id"]
        stranger = Member(http, bearer, await org(db))

        answer = await stranger.settle(id, 4, final=True)

        assert (answer.status_code, answer.json()["code"]) == (404, "quota.reservation_unknown")


class TestExpire:
    async def test_frees_what_was_not_used_in_time(
        self, member: Member, db: Database, clock: MovableClock
    ) -> None:
        id = (await member.reserve(3, ttl_s=5)).json()["id"]
        await member.settle(id, 1, final=False)

        assert await jobs.expire(db, clock.now + timedelta(seconds=4)) == 0
        assert await jobs.expire(db, clock.now + timedelta(seconds=5)) == 1
        assert await jobs.expire(db, clock.now + timedelta(seconds=9)) == 0

        assert await window(db) == (97, 0)

    async def test_counts_what_comes_too_late_as_overrun_of_nothing_held(
        self, member: Member, db: Database, clock: MovableClock
    ) -> None:
        id = (await member.reserve(4, ttl_s=5)).json()["id"]
        await jobs.expire(db, clock.now + timedelta(seconds=5))

        answer = await member.settle(id, 4, final=True)

        assert (answer.status_code, answer.json()["status"]) == (200, "settled")
        assert await window(db) == (100, 0)

    async def test_is_done_once_by_many_workers(
        self, member: Member, db: Database, clock: MovableClock
    ) -> None:
        for _ in range(4):
            await member.reserve(1, ttl_s=5)

        late = clock.now + timedelta(seconds=5)
        done = await asyncio.gather(*(jobs.expire(db, late) for _ in range(4)))

        assert sum(done) == 4
        assert await window(db) == (96, 0)
