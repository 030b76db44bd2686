"""The commands of the protocol, each answered in the order in which it came."""

import logging
from typing import Any
from uuid import UUID

from hazina.auth import Caller, Forbidden, ImpersonationReadOnly, TokenInvalid
from hazina.chassis.render import STATUS
from hazina.problems import Kind, Problem
from streaming.box import actions as boxes
from streaming.box.rules import STATE_BY_ACK, BoxNotYours
from streaming.channel.rules import Channel, parse
from streaming.chat import actions as chat
from streaming.chat.rules import BODY_MAX
from streaming.presence.actions import command_of, state_of
from streaming.presence.rules import BoxFacts
from streaming.socket import rules
from streaming.socket.actions.connection import Connection
from streaming.socket.rules import Close, Command, Refused

logger = logging.getLogger("streaming.socket")

MEMBERS_MAX = 100  # above it there are numbers and no names
NAME_MAX = 64


async def take(connection: Connection, command: Command) -> None:
    """Answer one command, or close the socket of a client that cannot be talked to."""
    if connection.closing is not None:
        return
    in_time = connection.bucket.take(connection.house.monotonic())
    if not in_time:
        connection.strikes += 1
        if connection.strikes > rules.STRIKES_MAX:
            connection.close(Close.RATE)
    if command.is_pong:
        if in_time:
            await _take_pong(connection)
    elif connection.caller is None and command.connect is None:
        connection.close(Close.BAD_REQUEST)
    else:
        await _reply(connection, command, in_time=in_time)


async def _reply(connection: Connection, command: Command, *, in_time: bool) -> None:
    """Answer a command, or say why not."""
    try:
        if not in_time:
            raise rules.too_many_requests()  # noqa: TRY301
        await _answer(connection, command)
    except Refused as no:
        connection.send(rules.refusal(command.id, no.code, no.message, temporary=no.temporary))
    except Problem as no:
        temporary = no.kind in {Kind.SPENT, Kind.UNAVAILABLE}
        connection.send(rules.refusal(command.id, STATUS[no.kind], no.code, temporary=temporary))
        if command.connect is not None and not temporary:
            connection.close(Close.TOKEN)
    except Exception:
        logger.exception("command failed", extra={"connection": str(connection.id)})
        connection.send(rules.refusal(command.id, 100, "internal server error", temporary=True))


async def _take_pong(connection: Connection) -> None:
    await connection.pong()
    if connection.caller is not None:
        await _require_standing(connection)


async def _require_standing(connection: Connection) -> None:
    """Close the socket of a login that was ended or may not be believed any more."""
    try:
        await connection.verifier.verify(connection.token)
    except TokenInvalid:
        pass  # it has only grown old: the clock of the socket deals with that
    except Problem as no:
        if no.kind is Kind.UNAUTHENTICATED:
            connection.close(Close.TOKEN)


async def _answer(connection: Connection, command: Command) -> None:
    """Do what a command asks; `subscribe` answers for itself, as what follows must come after."""
    match command:
        case Command(connect=rules.Connect() as ask):
            result, kind = await _connect(connection, ask.token), "connect"
        case Command(refresh=rules.Refresh() as ask):
            result, kind = await _refresh(connection, ask.token), "refresh"
        case Command(subscribe=rules.Subscribe() as ask):
            await _subscribe(connection, command.id, ask)
            return
        case Command(unsubscribe=rules.InChannel(channel)):
            result, kind = _unsubscribe(connection, channel), "unsubscribe"
        case Command(presence=rules.InChannel(channel)):
            result, kind = await _presence(connection, channel), "presence"
        case Command(presence_stats=rules.InChannel(channel)):
            result, kind = await _presence_stats(connection, channel), "presence_stats"
        case Command(history=rules.History() as ask):
            result, kind = await _history(connection, ask), "history"
        case Command(publish=rules.Publish() as ask):
            result, kind = await _publish(connection, ask), "publish"
        case Command(rpc=rules.Rpc() as ask):
            result, kind = {"data": await _rpc(connection, ask)}, "rpc"
        case _:
            raise rules.bad_request()
    connection.send(rules.reply(command.id, kind, result))


# --- who is there -----------------------------------------------------------------------------


async def _connect(connection: Connection, token: str) -> dict[str, Any]:
    if connection.caller is not None:
        raise rules.bad_request()
    caller = await connection.verifier.verify(token)
    caller.require_user()
    ttl = _take_token(connection, caller, token)
    connection.start_pinging()
    house = connection.house
    return {
        "client": str(connection.id),
        "version": "hazina",
        "ping": round(house.ping_every_s) or 1,
        "pong": True,
        "expires": True,
        "ttl": ttl,
    }


async def _refresh(connection: Connection, token: str) -> dict[str, Any]:
    caller = await connection.verifier.verify(token)
    if caller.user_id != _caller(connection).user_id:
        raise Forbidden
    ttl = _take_token(connection, caller, token)
    return {"client": str(connection.id), "version": "hazina", "expires": True, "ttl": ttl}


def _take_token(connection: Connection, caller: Caller, token: str) -> int:
    connection.caller, connection.token = caller, token
    connection.expires_at = rules.expiry(token)
    return max(1, connection.expires_at - int(connection.house.clock().timestamp()))


def _caller(connection: Connection) -> Caller:
    assert connection.caller is not None, "commands are taken once it is known who is there"
    return connection.caller


def _acting(connection: Connection) -> Caller:
    """Give the caller of something that leaves a trace; staff who only look may not."""
    caller = _caller(connection)
    if caller.impersonator is not None:
        raise ImpersonationReadOnly
    return caller


# --- channels ---------------------------------------------------------------------------------


async def _subscribe(connection: Connection, id: int, ask: rules.Subscribe) -> None:
    channel = _subscribable(connection, ask.channel)
    connection.open(ask.channel)
    position = 0
    after: list[dict[str, Any]] = []
    try:
        match channel.kind:
            case "box":
                result, after = await _watch(connection, channel)
            case "stream":
                result, position = await _follow(connection, channel, ask)
            case "ctl":
                result, after = await _command(connection, channel)
            case _:
                if channel.id != _caller(connection).user_id:
                    raise Forbidden  # noqa: TRY301
                result = {}
    except BaseException:
        connection.leave_channel(ask.channel)
        raise
    connection.send(rules.reply(id, "subscribe", result))
    for data in after:
        connection.send(rules.pushed(ask.channel, data))
    connection.opened(ask.channel, position)


def _subscribable(connection: Connection, name: str) -> Channel:
    channel = parse(name)
    if channel is None:
        raise rules.unknown_channel()
    if name in connection.channels:
        raise rules.already_subscribed()
    if len(connection.channels) >= rules.CHANNELS_MAX:
        raise rules.limit_exceeded()
    if channel.kind == "box" and len(connection.viewings) >= rules.BOXES_MAX:
        raise rules.limit_exceeded()
    return channel


async def _watch(
    connection: Connection, channel: Channel
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Subscribing to a box is watching it; its streamer only looks on."""
    presence = connection.house.presence
    caller = _acting(connection)
    facts = await presence.read_box(caller, channel.id)
    if facts.streamer_id == caller.user_id:
        state = state_of(facts, presence.count(facts).viewers)
        shown = {
            "is_published": facts.is_published,
            "publish_version": facts.publish_version,
            "viewer_count": state["viewer_count"],
        }
        return {"data": shown}, [state]
    session, made = await presence.join(caller, channel.id)
    connection.viewings[str(channel)] = (session, session.generation)
    shown = {
        "session_id": made.session_id,
        "generation": made.generation,
        "is_published": made.is_published,
        "publish_version": made.publish_version,
        "viewer_count": made.viewer_count,
    }
    return {"data": shown}, [state_of(session.box.facts, made.viewer_count)]


async def _follow(
    connection: Connection, channel: Channel, ask: rules.Subscribe
) -> tuple[dict[str, Any], int]:
    """Listen to a stream's chat and gifts; what was missed is given again, all of it or none."""
    epoch = channel.id.hex[: rules.EPOCH_LENGTH]
    # A client that never had a place in this stream begins here.
    known = ask.recover and ask.epoch in {"", epoch}
    since = ask.offset if known else None
    rooms = connection.house.rooms
    last, missed = await rooms.enter(_caller(connection), channel.id, since)
    found = missed or []
    result: dict[str, Any] = {
        "recoverable": True,
        "positioned": True,
        "epoch": epoch,
        "offset": last,
    }
    if ask.recover:
        whole = missed is not None and ask.offset + len(found) == last
        result |= {"was_recovering": True, "recovered": known and whole}
        if known and whole:
            result["publications"] = [
                {"data": chat.data_of(message), "offset": message.seq} for message in found
            ]
    return result, last


async def _command(
    connection: Connection, channel: Channel
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Listen as a box's publisher: told at once, and again, what its camera is to do."""
    house, caller = connection.house, _acting(connection)
    facts = await house.presence.read_box(caller, channel.id)
    if facts.streamer_id != caller.user_id:
        raise BoxNotYours
    await boxes.note_publisher(house.db, channel.id, house.clock())
    return {}, [command_of(facts)]


def _unsubscribe(connection: Connection, channel: str) -> dict[str, Any]:
    """Leave a channel; leaving a box's ends the viewing at once."""
    if channel in connection.channels:
        connection.leave_channel(channel)
    session, generation = connection.viewings.pop(channel, (None, 0))
    if session is not None and session.row >= 0 and session.generation == generation:
        connection.house.presence.leave(session)
    return {}


def _box_of(channel: str) -> UUID:
    found = parse(channel)
    if found is None:
        raise rules.unknown_channel()
    if found.kind != "box":
        raise rules.not_available()
    return found.id


async def _counted(connection: Connection, channel: str) -> tuple[BoxFacts, Any]:
    presence = connection.house.presence
    facts = await presence.read_box(_caller(connection), _box_of(channel))
    return facts, presence.count(facts)


async def _presence(connection: Connection, channel: str) -> dict[str, Any]:
    facts, counted = await _counted(connection, channel)
    if counted.viewers > MEMBERS_MAX:
        raise Refused(409, "presence.too_many")
    watched = connection.house.presence.audience.boxes.get(facts.id)
    sessions = [] if watched is None else list(watched.sessions.values())
    return {
        "presence": {
            str(one.id): {"user": str(one.viewer_id), "client": str(one.id)} for one in sessions
        }
    }


async def _presence_stats(connection: Connection, channel: str) -> dict[str, Any]:
    _, counted = await _counted(connection, channel)
    return {"num_clients": counted.sessions, "num_users": counted.viewers}


async def _history(connection: Connection, ask: rules.History) -> dict[str, Any]:
    channel = parse(ask.channel)
    if channel is None:
        raise rules.unknown_channel()
    if channel.kind != "stream":
        raise rules.not_available()
    since = None if ask.since is None else ask.since.offset
    last, found = await chat.history(
        connection.house.db,
        _caller(connection),
        channel.id,
        since=since,
        most=min(max(ask.limit, 0), rules.HISTORY_MAX),
        backwards=ask.reverse,
    )
    return {
        "epoch": channel.id.hex[: rules.EPOCH_LENGTH],
        "offset": last,
        "publications": [{"data": chat.data_of(one), "offset": one.seq} for one in found],
    }


async def _publish(connection: Connection, ask: rules.Publish) -> dict[str, Any]:
    channel = parse(ask.channel)
    if channel is None:
        raise rules.unknown_channel()
    body, name = ask.data.get("body"), ask.data.get("client_msg_id")
    if channel.kind != "stream" or ask.data.get("type") != "chat":
        raise rules.not_available()
    if not isinstance(body, str) or not 0 < len(body) <= BODY_MAX:
        raise rules.bad_request()
    if name is not None and not (isinstance(name, str) and 0 < len(name) <= NAME_MAX):
        raise rules.bad_request()
    if "\x00" in (name or ""):
        raise rules.bad_request()  # PostgreSQL's text cannot hold it
    house = connection.house
    await chat.say(
        house.db,
        house.rooms,
        _acting(connection),
        channel.id,
        body=body,
        client_msg_id=name,
        at=house.clock(),
    )
    return {}


async def _rpc(connection: Connection, ask: rules.Rpc) -> dict[str, Any]:
    if ask.method != "publish.ack":
        raise rules.not_found()
    version, state = ask.data.get("version"), ask.data.get("state")
    if not isinstance(version, int) or isinstance(version, bool) or state not in STATE_BY_ACK:
        raise rules.bad_request()
    try:
        box_id = UUID(str(ask.data.get("box_id")))
    except ValueError as bad:
        raise rules.bad_request() from bad
    house = connection.house
    made = await boxes.acknowledge(
        house.db, _acting(connection), box_id, version=version, state=state, at=house.clock()
    )
    box = made.box
    return {
        "box_id": box.id,
        "is_published": box.is_published,
        "version": box.publish_version,
        "reason": box.publish_reason,
        "changed_at": box.publish_changed_at,
        "acked_version": box.acked_version,
        "publisher_state": box.publisher_state,
        "viewer_count": box.viewer_count,
        "in_sync": made.in_sync,
    }
