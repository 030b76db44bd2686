"""What can be done in a chat: open, speak, read, and be told in order."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hazina.auth import Caller
from hazina.pg import SERVICE, Database, Transaction, after_commit
from hazina.problems import Unavailable
from streaming.channel import rules as channels
from streaming.channel.actions import Hub
from streaming.channel.rules import Frame
from streaming.channel.rules import Sequence as Order
from streaming.chat import rules, store
from streaming.chat.rules import Message
from streaming.profile import actions as profiles

logger = logging.getLogger("streaming.chat")

GAP_WAIT_S = 0.05  # how long a missing number may be on its way before its row is read
RECOVERED_MAX = 300  # messages that a returning client is given
DAYS_AHEAD = 7


class Rooms:
    """The rooms that somebody in this process listens to, each told in the order of its numbers."""

    def __init__(self, db: Database, hub: Hub) -> None:
        """Listen to nothing yet."""
        self.db = db
        self.hub = hub
        self._orders: dict[UUID, Order] = {}
        self._filling: dict[UUID, asyncio.Task[None]] = {}

    async def enter(
        self, caller: Caller, stream_id: UUID, since: int | None
    ) -> tuple[int, list[Message] | None]:
        """Follow a room; give its last number and what was said after `since`.

        The list is None when more was missed than is given again. Call it after the listener has
        been added to the channel, so that nothing falls between.
        """
        order = self._orders.setdefault(stream_id, Order())
        async with self.db.reading(caller.actor) as tx:
            last = await store.last_seq(tx, stream_id)
            missed: list[Message] | None = []
            if since is not None and since != last:
                room = await store.read_room(tx, stream_id)
                fits = 0 <= last - since <= RECOVERED_MAX
                missed = await store.list_after(tx, room, since, RECOVERED_MAX) if fits else None
        self.hub.spread(order.start(last))
        return last, missed

    def leave(self, stream_id: UUID) -> None:
        """Stop following a room that nobody listens to any more."""
        if not self.hub.heard(f"stream:{stream_id}"):
            self._orders.pop(stream_id, None)

    def tell(self, messages: Sequence[Message]) -> None:
        """Tell messages that are committed, in order, encoded once."""
        for message in messages:
            order = self._orders.get(message.stream_id)
            if order is None:
                continue
            self.hub.spread(order.add(frame_of(message)))
            if order.gap is not None and message.stream_id not in self._filling:
                filling = asyncio.create_task(self._fill(message.stream_id))
                self._filling[message.stream_id] = filling

    async def _fill(self, stream_id: UUID) -> None:
        """Wait a moment for a missing number, then read the rows."""
        try:
            await asyncio.sleep(GAP_WAIT_S)
            order = self._orders.get(stream_id)
            gap = None if order is None else order.gap
            if order is None or gap is None:
                return
            first, last = gap
            async with self.db.reading(SERVICE) as tx:
                room = await store.read_room(tx, stream_id)
                found = await store.list_after(tx, room, first - 1, last - first + 1)
            for message in found:
                self.hub.spread(order.add(frame_of(message)))
        except Unavailable:
            logger.warning("a gap in a chat waits for the database")
        finally:
            del self._filling[stream_id]


async def open_in(tx: Transaction, stream_id: UUID, at: datetime) -> None:
    """Open the chat of a new stream."""
    await store.open_room(tx, stream_id, at.date())


async def say(
    db: Database,
    rooms: Rooms,
    caller: Caller,
    stream_id: UUID,
    *,
    body: str,
    client_msg_id: str | None,
    at: datetime,
) -> Message:
    """Say something in a stream's chat; the same `client_msg_id` gives the first answer."""
    profile_id = caller.require_user()
    said = rules.clean(body)
    async with db.transaction(SERVICE) as tx:
        room = await store.read_room(tx, stream_id, lock=True)
        if client_msg_id is not None:
            done = await store.find_said(tx, room, profile_id, client_msg_id)
            if done is not None:
                return done
        speaker = await store.read_speaker(tx, room, profile_id)

        rules.speak(room, speaker, at)

        number = (await store.take_numbers(tx, {stream_id: 1}))[stream_id]
        new = store.NewMessage(
            number.day,
            stream_id,
            number.first,
            profile_id,
            "message",
            at,
            said,
            client_msg_id=client_msg_id,
        )
        await store.add_messages(tx, [new])
        made = (await store.list_after(tx, room, number.first - 1, 1))[0]
        after_commit(tx, lambda: rooms.tell([made]))
    return made


async def history(
    db: Database,
    caller: Caller,
    stream_id: UUID,
    *,
    since: int | None,
    most: int,
    backwards: bool,
) -> tuple[int, list[Message]]:
    """Give a room's last number, and what was said after `since` or, backwards, before it."""
    async with db.reading(caller.actor) as tx:
        room = await store.read_room(tx, stream_id)
        last = await store.last_seq(tx, stream_id)
        if backwards:
            before = last + 1 if since is None else since
            return last, (await store.list_before(tx, room, before, most))[::-1]
        return last, await store.list_after(tx, room, since or 0, most)


async def add_gifts_in(
    tx: Transaction, rooms: Rooms, gifts: Sequence[Mapping[str, Any]]
) -> dict[UUID, int]:
    """Have gifts appear in their streams' chats; give each one's number by gift id.

    The rooms stay locked until `tx` ends; after it listeners are told.
    """
    counts: dict[UUID, int] = {}
    for gift in gifts:
        counts[gift["stream_id"]] = counts.get(gift["stream_id"], 0) + 1
    if not counts:
        return {}
    numbers = await store.take_numbers(tx, counts)
    people = await profiles.people_in(tx, {gift["sender_id"] for gift in gifts})
    given: dict[UUID, int] = dict.fromkeys(counts, 0)
    new: list[store.NewMessage] = []
    told: list[Message] = []
    for gift in gifts:
        stream_id, sender = gift["stream_id"], gift["sender_id"]
        taken = numbers[stream_id]
        seq = taken.first + given[stream_id]
        given[stream_id] += 1
        shown = json.dumps(gift["shown"])
        new.append(
            store.NewMessage(taken.day, stream_id, seq, sender, "gift", gift["at"], gift=shown)
        )
        told.append(
            Message(
                stream_id=stream_id,
                seq=seq,
                kind="gift",
                profile_id=sender,
                display_name=people[sender].display_name,
                supporter=False,
                body=None,
                gift=gift["shown"],
                client_msg_id=None,
                created_at=gift["at"],
            )
        )
    await store.add_messages(tx, new)
    after_commit(tx, lambda: rooms.tell(told))
    return {gift["gift_id"]: message.seq for gift, message in zip(gifts, told, strict=True)}


async def mark_reversed_in(tx: Transaction, messages: Sequence[tuple[UUID, int]]) -> None:
    """Mark gifts in chats as taken back."""
    if messages:
        await store.mark_reversed(tx, messages)


async def prepare_days(db: Database, now: datetime) -> int:
    """Make the places for chats of the coming days."""
    made = 0
    async with db.transaction(SERVICE) as tx:
        for ahead in range(DAYS_AHEAD + 1):
            made += await store.make_day(tx, (now + timedelta(days=ahead)).date())
    return made


def frame_of(message: Message) -> Frame:
    """Encode a message once, for all who listen."""
    return channels.publication(f"stream:{message.stream_id}", data_of(message), offset=message.seq)


def data_of(message: Message) -> dict[str, Any]:
    """Show a message as sockets are told it."""
    kind = "gift" if message.kind == "gift" else "chat"
    return {
        "type": kind,
        "stream_id": message.stream_id,
        "seq": message.seq,
        "kind": message.kind,
        "profile_id": message.profile_id,
        "display_name": message.display_name,
        "supporter": message.supporter,
        "body": message.body,
        "gift": message.gift,
        "client_msg_id": message.client_msg_id,
        "created_at": message.created_at,
        "deleted": message.deleted,
    }
