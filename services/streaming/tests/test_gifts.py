import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from hazina import ids
from hazina.chassis import Service
from hazina.pg import Actor, Database
from hazina.standard import MovableClock
from streaming.gift import consumers

from .given import Somebody, heard, heard_by, rows

pytestmark = pytest.mark.anyio

Hear = Callable[..., Awaitable[None]]


@pytest.fixture
def hear(app: FastAPI, db: Database, clock: MovableClock) -> Hear:
    """Has the service hear facts of the ledger."""

    async def hear(type: str, *facts: dict[str, Any]) -> None:
        if type == REVERSED:
            await heard_by(consumers.take_back, db, clock(), consumers.GiftReversed, *facts)
        else:
            await heard(app, db, clock(), type, *facts)

    return hear


def gift(
    sender: UUID, recipient: UUID, coins: int, at: datetime, stream_id: str | None = None
) -> dict[str, Any]:
    """A gift as the ledger tells of it."""
    return {
        "gift_id": ids.new(),
        "sender_id": sender,
        "recipient_id": recipient,
        "gift_type_id": ids.new(),
        "gift_type": "lion",
        "quantity": 1,
        "coin_amount": coins,
        "streamer_revenue": coins * 7 // 10,
        "platform_revenue": coins - coins * 7 // 10,
        "stream_id": stream_id,
        "box_id": None,
        "combo_id": None,
        "sent_at": at,
        "transaction_id": ids.new(),
    }


SENT, REVERSED = "ledger.gift.sent.v1", "ledger.gift.reversed.v1"


class TestSent:
    async def test_moves_totals_chat_and_board(
        self,
        *,
        app: FastAPI,
        db: Database,
        clock: MovableClock,
        hear: Hear,
        juma: Somebody,
        amina: Somebody,
        neema: Somebody,
    ) -> None:
        stream_id, _ = await juma.goes_live()
        await hear(
            SENT,
            gift(amina.id, juma.id, 100, clock(), stream_id),
            gift(neema.id, juma.id, 150, clock(), stream_id),
            gift(amina.id, juma.id, 60, clock(), stream_id),
        )

        totals = await juma.get(f"/streams/{stream_id}/gifts/totals")
        assert (totals["coins"], totals["gifts"]) == (310, 3)
        assert totals["recent_gifts"] == {"count_60s": 3, "coins_60s": 310}
        assert totals["by_recipient"] == [{"recipient_id": str(juma.id), "coins": 310, "gifts": 3}]
        recent = await juma.get(f"/streams/{stream_id}/gifts/recent")
        assert {row["coin_amount"] for row in recent["data"]} == {60, 150, 100}
        assert (await juma.get(f"/profiles/{juma.id}"))["total_gifts_received"] == 310
        assert (await juma.get(f"/profiles/{amina.id}"))["total_gifts_sent"] == 160
        chat = await juma.get(f"/streams/{stream_id}/chat")
        assert [(m["seq"], m["kind"], m["gift"]["coin_amount"]) for m in chat["data"]] == [
            (1, "gift", 100),
            (2, "gift", 150),
            (3, "gift", 60),
        ]

        await rank(app, db, clock)
        board = await amina.get(f"/streams/{stream_id}/leaderboard")
        assert [(r["rank"], r["profile_id"], r["coins"]) for r in board["data"]] == [
            (1, str(amina.id), 160),
            (2, str(neema.id), 150),
        ]
        assert board["me"] == {"rank": 1, "coins": 160, "gifts": 2}
        for path, person, coins in (
            ("/leaderboards/supporters?window=day", amina.id, 160),
            ("/leaderboards/streamers?window=week", juma.id, 310),
            (f"/profiles/{juma.id}/leaderboard?window=all", amina.id, 160),
        ):
            top = (await neema.get(path))["data"][0]
            assert (top["profile_id"], top["coins"]) == (str(person), coins), path

    async def test_twice_counts_once(
        self, clock: MovableClock, hear: Hear, juma: Somebody, amina: Somebody
    ) -> None:
        stream_id, _ = await juma.goes_live()
        fact = gift(amina.id, juma.id, 100, clock(), stream_id)
        await hear(SENT, fact)
        await hear(SENT, fact, fact)

        assert (await juma.get(f"/streams/{stream_id}/gifts/totals"))["coins"] == 100
        assert (await juma.get(f"/streams/{stream_id}/chat"))["last_seq"] == 1

    async def test_with_a_forged_stream_gets_no_exposure_there(
        self, clock: MovableClock, hear: Hear, juma: Somebody, amina: Somebody, neema: Somebody
    ) -> None:
        stream_id, _ = await juma.goes_live()

        await hear(SENT, gift(amina.id, neema.id, 900, clock(), stream_id))

        assert (await juma.get(f"/streams/{stream_id}/gifts/totals"))["coins"] == 0
        assert (await juma.get(f"/streams/{stream_id}/chat"))["data"] == []
        assert (await juma.get(f"/streams/{stream_id}/gifts/recent"))["data"] == []
        assert (await juma.get(f"/profiles/{neema.id}"))["total_gifts_received"] == 900

    @pytest.mark.parametrize(("late_s", "coins"), [(60, 100), (61, 0)])
    async def test_counts_for_a_minute_after_the_end(
        self,
        *,
        clock: MovableClock,
        hear: Hear,
        juma: Somebody,
        amina: Somebody,
        late_s: int,
        coins: int,
    ) -> None:
        stream_id, _ = await juma.goes_live()
        ended = await juma.post(f"/streams/{stream_id}/end")
        at = datetime.fromisoformat(ended["ended_at"]) + timedelta(seconds=late_s)

        await hear(SENT, gift(amina.id, juma.id, 100, at, stream_id))

        assert (await juma.get(f"/streams/{stream_id}/gifts/totals"))["coins"] == coins

    async def test_is_seen_only_by_the_two_outside_of_streams(
        self,
        *,
        db: Database,
        clock: MovableClock,
        hear: Hear,
        juma: Somebody,
        amina: Somebody,
        neema: Somebody,
    ) -> None:
        await hear(SENT, gift(amina.id, juma.id, 100, clock()))

        seen = {}
        for name, one in (("sender", amina), ("recipient", juma), ("stranger", neema)):
            async with db.reading(Actor("user", one.id, one.org_id)) as tx:
                seen[name] = (await tx.execute(text("select count(*) from gift_feed"))).scalar_one()
        assert seen == {"sender": 1, "recipient": 1, "stranger": 0}

    async def test_by_hundreds_at_once_adds_up(
        self, db: Database, clock: MovableClock, hear: Hear, juma: Somebody
    ) -> None:
        stream_id, _ = await juma.goes_live()
        senders = [ids.new() for _ in range(7)]
        batches = [
            [gift(senders[n % 7], juma.id, n + 1, clock(), stream_id) for n in range(100)]
            for _ in range(4)
        ]

        await asyncio.gather(*(hear(SENT, *batch) for batch in batches))

        assert (await juma.get(f"/streams/{stream_id}/gifts/totals"))["coins"] == 4 * 5050
        (row,) = await rows(
            db, "select sum(coins) as coins from gift_totals where scope = 'stream'"
        )
        assert row.coins == 4 * 5050
        seqs = await rows(db, "select seq from chat_messages order by seq")
        assert [row.seq for row in seqs] == list(range(1, 401))


class TestReversed:
    async def test_takes_off_what_was_added(
        self,
        *,
        app: FastAPI,
        db: Database,
        clock: MovableClock,
        hear: Hear,
        juma: Somebody,
        amina: Somebody,
    ) -> None:
        stream_id, _ = await juma.goes_live()
        kept, taken = (gift(amina.id, juma.id, n, clock(), stream_id) for n in (100, 40))
        await hear(SENT, kept, taken)
        await hear(REVERSED, {"gift_id": taken["gift_id"]})
        await hear(REVERSED, {"gift_id": taken["gift_id"]})

        totals = await juma.get(f"/streams/{stream_id}/gifts/totals")
        assert (totals["coins"], totals["gifts"]) == (100, 1)
        assert (await juma.get(f"/profiles/{amina.id}"))["total_gifts_sent"] == 100
        (sums,) = await rows(
            db, "select distinct coins, gifts from gift_totals where profile_id = :id", id=amina.id
        )
        assert tuple(sums) == (100, 1)
        chat = await juma.get(f"/streams/{stream_id}/chat")
        assert [m["gift"]["reversed"] for m in chat["data"]] == [False, True]

    async def test_before_sent_adds_nothing(
        self, clock: MovableClock, hear: Hear, juma: Somebody, amina: Somebody
    ) -> None:
        stream_id, _ = await juma.goes_live()
        fact = gift(amina.id, juma.id, 100, clock(), stream_id)

        await hear(REVERSED, {"gift_id": fact["gift_id"]})
        await hear(SENT, fact)

        assert (await juma.get(f"/streams/{stream_id}/gifts/totals"))["coins"] == 0
        assert (await juma.get(f"/streams/{stream_id}/chat"))["last_seq"] == 0
        assert (await juma.get(f"/profiles/{juma.id}"))["total_gifts_received"] == 0


class TestBoards:
    async def test_begin_anew_on_sunday_at_midnight(
        self,
        *,
        app: FastAPI,
        db: Database,
        clock: MovableClock,
        hear: Hear,
        juma: Somebody,
        amina: Somebody,
        neema: Somebody,
    ) -> None:
        now = clock()
        monday = now.replace(hour=0, minute=0, second=0, microsecond=0)
        monday += timedelta(days=7 - monday.weekday())
        await hear(
            SENT,
            gift(amina.id, juma.id, 100, monday - timedelta(microseconds=1)),
            gift(neema.id, juma.id, 50, monday),
        )
        clock.move(seconds=(monday - now).total_seconds())
        await rank(app, db, clock)

        week = await amina.get("/leaderboards/supporters?window=week")
        every = await amina.get("/leaderboards/supporters?window=all")
        assert [(r["profile_id"], r["coins"]) for r in week["data"]] == [(str(neema.id), 50)]
        assert week["me"] is None
        assert datetime.fromisoformat(week["window_start"]) == monday
        assert [r["coins"] for r in every["data"]] == [100, 50]

    async def test_say_when_nothing_moved(
        self,
        *,
        app: FastAPI,
        db: Database,
        clock: MovableClock,
        hear: Hear,
        juma: Somebody,
        amina: Somebody,
    ) -> None:
        stream_id, _ = await juma.goes_live()
        path = f"/streams/{stream_id}/leaderboard"
        await hear(SENT, gift(amina.id, juma.id, 1, clock(), stream_id))
        assert await rank(app, db, clock) > 0
        assert await rank(app, db, clock) == 0
        tag = (await amina.ask("GET", path)).headers["ETag"]
        headers = {"Authorization": f"Bearer {amina.token()}", "If-None-Match": tag}
        again = await amina._http.get(f"/streaming/v1{path}", headers=headers)
        await hear(SENT, gift(amina.id, juma.id, 1, clock(), stream_id))
        await rank(app, db, clock)
        later = await amina._http.get(f"/streaming/v1{path}", headers=headers)

        assert (again.status_code, later.status_code) == (304, 200)

    async def test_put_the_earlier_first_among_equals(
        self,
        *,
        app: FastAPI,
        db: Database,
        clock: MovableClock,
        hear: Hear,
        juma: Somebody,
        amina: Somebody,
        neema: Somebody,
    ) -> None:
        stream_id, _ = await juma.goes_live()
        at = clock()
        await hear(
            SENT,
            gift(amina.id, juma.id, 10, at + timedelta(seconds=2), stream_id),
            gift(neema.id, juma.id, 10, at + timedelta(seconds=1), stream_id),
        )
        await rank(app, db, clock)

        board = await juma.get(f"/streams/{stream_id}/leaderboard")
        assert [r["profile_id"] for r in board["data"]] == [str(neema.id), str(amina.id)]
        assert board["me"] is None


async def rank(app: FastAPI, db: Database, clock: MovableClock) -> int:
    """Compute every board; give how many moved."""
    moved = 0
    for timer in app.state.service.timers:
        if timer.name.startswith("rank_") and timer.name != "rank_everything":
            moved += await timer.run(db, clock())
    return moved


class TestHears:
    async def test_gifts_and_their_reversals(self, service: Service) -> None:
        heard = {event for source in service.sources for event in source.handlers}

        assert {consumers.GiftSent, consumers.GiftReversed} <= heard
