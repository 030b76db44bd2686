"""The whole story, chapter by chapter, in the order of `hazina demo`."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hazina_local.story import coins, people, stage
from hazina_local.story.world import (
    Json,
    Person,
    World,
    eventually,
    expect,
    new_trace_id,
)

PRICE = 100  # coins of the gift
SHARE = 70  # of them for who receives it
PUBLISHED_MS = 200  # what is promised
PUBLISHED_MS_MAX = 1_000  # what even a machine that is busy with other work must keep
VANISHED_S_MAX = 45
EVERY_SERVICE = {"identity", "billing", "ledger", "crypto", "streaming"}

CheckBooks = Callable[[], Awaitable[tuple[bool, str]]]


@dataclass(frozen=True)
class Told:
    """One sentence of the story that came true, and what changed."""

    chapter: str
    sentence: str
    took_ms: float
    facts: dict[str, Any] = field(default_factory=dict)
    trace_id: str = ""


@dataclass
class Cast:
    """Who and what the chapters so far have brought to the stage."""

    amina: Person = field(init=False)
    juma: Person = field(init=False)
    stream_id: str = ""
    box_id: str = ""
    version: int = 0  # of the box's publish state


async def tell(world: World, check_books: CheckBooks) -> AsyncIterator[Told]:
    """Play every chapter; `Wrong` at the first sentence that is not true.

    `check_books` runs the ledger's own check and gives whether it passed, with its words.
    """
    traced = await has_traces(world)
    cast = Cast()
    async for told in sign_up(world, cast, traced=traced):
        yield told
    async for told in buy(world, cast.amina):
        yield told
    async with (
        stage.connected(world, cast.juma) as host,
        stage.connected(world, cast.amina) as viewer,
    ):
        async for told in perform(world, cast, host, viewer):
            yield told
        async for told in give(world, cast, viewer, traced=traced):
            yield told
        async for told in vanish(world, cast, host, viewer):
            yield told
    began = time.perf_counter()
    balanced, words = await check_books()
    expect(balanced, f"every balance equals the sum of its entries: {words}")
    yield _told("8 books", "Every balance equals the sum of its entries", began, check=words)


async def sign_up(world: World, cast: Cast, *, traced: bool) -> AsyncIterator[Told]:
    """Chapter 1: Amina and Juma sign up, and every service has made room for them."""
    chapter = "1 sign up"
    began = time.perf_counter()
    trace_id = new_trace_id()
    cast.amina = await people.sign_up(world, "Amina", trace_id=trace_id)
    home = await people.has_a_home(world, cast.amina)
    yield _told(chapter, "Amina signed up and has a home in five services", began, **home)

    began = time.perf_counter()
    cast.juma = await people.sign_up(world, "Juma")
    home = await people.has_a_home(world, cast.juma)
    yield _told(chapter, "Juma signed up and has a home in five services", began, **home)

    if traced:
        began = time.perf_counter()
        trace = await whole_trace(world, trace_id, EVERY_SERVICE)
        services = sorted({row["service"] for row in trace["rows"]})
        sentence = "One request, five services, one trace"
        yield _told(chapter, sentence, began, trace_id=trace_id, services=services)


async def buy(world: World, amina: Person) -> AsyncIterator[Told]:
    """Chapter 2: Amina buys 500 coins; the payment is announced three times, and counts once."""
    began = time.perf_counter()
    purchase = await coins.start_purchase(world, amina)
    expect(purchase["status"] == "pending", "a purchase waits for its payment", purchase)
    before = await coins.balances(world, amina)
    expect(before["coin_balance"] == 0, "nothing is credited before it is paid", before)
    yield _told("2 coins", "Amina chose 500 coins; nothing is hers yet", began, coin_balance=0)

    began = time.perf_counter()
    body = coins.payment_succeeded(purchase)
    _, forged = await coins.deliver(world, body, secret="whsec_of_a_thief")  # noqa: S106
    expect(forged.get("code") == "webhook.signature_invalid", "a forgery is refused", forged)
    await coins.deliver_three_times(world, body)
    after = await coins.balances(world, amina)
    expect(after["coin_balance"] == coins.COINS, "three deliveries are one payment", after)
    sentence = (
        "Stripe's webhook came three times, twice at once, and a forged one: she has 500 coins"
    )
    yield _told("2 coins", sentence, began, coin_balance=f"0 → {after['coin_balance']}")


async def perform(
    world: World, cast: Cast, host: stage.Socket, viewer: stage.Socket
) -> AsyncIterator[Told]:
    """Chapter 3: Juma is live for nobody, and unpublished; Amina joins, and he is published."""
    began = time.perf_counter()
    cast.stream_id, cast.box_id = await stage.go_live(world, cast.juma)
    await host.subscribe(f"ctl:{cast.box_id}")
    state = await stage.publish_state(world, cast.juma, cast.box_id)
    expect(state["is_published"] is False, "nobody watches: not published", state)
    yield _told("3 live", "Juma is live with a video box; nobody watches, so it is off", began)

    began = time.perf_counter()
    joined, took_ms = await stage.watch(viewer, cast.box_id)
    expect(joined["is_published"] is True, "the first viewer sees it published", joined)
    order = await host.hear(
        f"ctl:{cast.box_id}",
        lambda data: data.get("type") == "publish" and data["is_published"],
        what="Juma's camera is told to publish",
    )
    expect(took_ms <= PUBLISHED_MS_MAX, f"published within {PUBLISHED_MS_MAX} ms", f"{took_ms:.0f}")
    cast.version = order["version"]
    done = {"box_id": cast.box_id, "version": cast.version, "state": "publishing"}
    acknowledged = await host.ask(rpc={"method": "publish.ack", "data": done})
    expect(acknowledged["rpc"]["data"]["in_sync"] is True, "his app is in step", acknowledged)
    late = "" if took_ms <= PUBLISHED_MS else f" (a busy machine: {PUBLISHED_MS} ms are promised)"
    sentence = f"Amina watches: published {took_ms:.0f} ms later, and Juma's camera is told{late}"
    yield _told("3 live", sentence, began, is_published="false → true", reason=order["reason"])


async def give(
    world: World, cast: Cast, viewer: stage.Socket, *, traced: bool
) -> AsyncIterator[Told]:
    """Chapter 4: a gift of 100 coins moves money, totals, the leaderboard and the chat."""
    began = time.perf_counter()
    await viewer.subscribe(f"stream:{cast.stream_id}")
    trace_id = new_trace_id()
    stage_of = {"stream_id": cast.stream_id, "box_id": cast.box_id}
    key = f"gift-{trace_id}"
    gift = await coins.give(
        world, cast.amina, cast.juma, coins=PRICE, trace_id=trace_id, key=key, **stage_of
    )
    again = await coins.give(world, cast.amina, cast.juma, coins=PRICE, key=key, **stage_of)
    expect(again["id"] == gift["id"], "the same key is the same gift", again)
    split = (gift["coin_amount"], gift["streamer_revenue"], gift["platform_revenue"])
    expect(split == (PRICE, SHARE, PRICE - SHARE), "the gift is split 70 to 30", gift)
    amina, juma = await coins.balances(world, cast.amina), await coins.balances(world, cast.juma)
    expect(amina["coin_balance"] == coins.COINS - PRICE, "Amina paid once", amina)
    expect(juma["earnings_balance"] == SHARE, "Juma earned his share once", juma)
    yield _told(
        "4 gift",
        "Amina gave a gift of 100 coins, and asked twice with one key",
        began,
        amina_coins=f"{coins.COINS} → {amina['coin_balance']}",
        juma_earnings=f"0 → {juma['earnings_balance']}",
        platform=f"+{gift['platform_revenue']}",
    )

    began = time.perf_counter()
    shown = await viewer.hear(
        f"stream:{cast.stream_id}",
        lambda data: data.get("type") == "gift" and _gift_of(data)["gift_id"] == gift["id"],
        what="chat shows the gift",
    )
    totals = await _totals(world, cast)
    board = await _board(world, cast)
    yield _told(
        "4 gift",
        "Chat, gift totals and the leaderboard show it",
        began,
        trace_id=trace_id,
        chat_seq=shown.get("seq"),
        stream_coins=f"0 → {totals['coins']}",
        leaderboard=f"1. {board['data'][0]['display_name']} {board['data'][0]['coins']}",
    )
    if traced:
        began = time.perf_counter()
        trace = await whole_trace(world, trace_id, {"gateway", "ledger", "streaming"})
        waits = next(
            row["waits"] for row in trace["rows"] if row["service"] == "streaming" and row["waits"]
        )
        said = {f"{name}_wait": f"{ms:.1f} ms" for name, ms in waits.items()}
        sentence = "The gift's whole path is one trace"
        yield _told("4 gift", sentence, began, trace_id=trace_id, **said)


async def vanish(
    world: World, cast: Cast, host: stage.Socket, viewer: stage.Socket
) -> AsyncIterator[Told]:
    """Chapter 7: Amina is gone without a word; the camera goes off by itself."""
    viewer.fall_silent()
    began = time.perf_counter()
    order = await host.hear(
        f"ctl:{cast.box_id}",
        lambda data: data.get("type") == "publish" and data["version"] > cast.version,
        what="Juma's camera is told to stop",
        within_s=VANISHED_S_MAX,
    )
    took_s = time.perf_counter() - began
    expect(order["is_published"] is False, "his camera is told to stop", order)
    state = await stage.publish_state(world, cast.juma, cast.box_id)
    expect(state["is_published"] is False, "the box is not published any more", state)
    expect(took_s <= VANISHED_S_MAX, f"within {VANISHED_S_MAX} s", f"{took_s:.1f}")
    sentence = f"Amina closed the app without a word: unpublished after {took_s:.1f} s"
    yield _told("7 silence", sentence, began, is_published="true → false", reason=order["reason"])


async def has_traces(world: World) -> bool:
    """Whether this stack shows traces behind its gateway."""
    return (await world.http.get("/_dev/traces")).status_code == 200  # noqa: PLR2004


async def whole_trace(world: World, trace_id: str, services: set[str]) -> Json:
    """Read a trace once all these services are in it, and what they heard is drawn with waits."""

    def whole(found: Json | None) -> bool:
        return found is not None and services <= {row["service"] for row in found["rows"]}

    found = await eventually(
        f"a trace through {', '.join(sorted(services))}",
        lambda: world.find(f"/_dev/traces/{trace_id}?format=json"),
        whole,
        within_s=15,
    )
    # The last service to export may have told half of its part.
    await asyncio.sleep(1)
    assert found is not None
    return await world.get(f"/_dev/traces/{trace_id}?format=json")


async def _totals(world: World, cast: Cast) -> Json:
    return await eventually(
        "the stream's gift totals",
        lambda: world.get(f"/streaming/v1/streams/{cast.stream_id}/gifts/totals", cast.juma),
        lambda found: found["coins"] == PRICE,
    )


async def _board(world: World, cast: Cast) -> Json:
    return await eventually(
        "Amina leads the stream's leaderboard",
        lambda: world.get(f"/streaming/v1/streams/{cast.stream_id}/leaderboard", cast.juma),
        lambda found: (
            bool(found["data"])
            and (found["data"][0]["profile_id"], found["data"][0]["coins"])
            == (cast.amina.user_id, PRICE)
        ),
    )


def _gift_of(data: Json) -> Json:
    """The gift in a chat message, wherever the message carries it."""
    return data.get("gift") or data


def _told(
    chapter: str, sentence: str, began: float, *, trace_id: str = "", **facts: object
) -> Told:
    return Told(chapter, sentence, (time.perf_counter() - began) * 1e3, dict(facts), trace_id)
