"""The SQL of gifts and boards. Reads and writes; decides nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from hazina.pg import Transaction
from streaming import tables
from streaming.gift.rules import Board, Gift, Period, Sum

feed, totals, cache = tables.gift_feed, tables.gift_totals, tables.leaderboard_cache

# What is known already, and what the stream that each gift names has to say about it.
PLACES = text("""
    select g.gift_id, f.gift_id is not null as known, s.status, s.ended_at,
           s.id is not null and (s.profile_id = g.recipient_id or exists (
               select from video_boxes b
                where b.stream_id = s.id and b.streamer_id = g.recipient_id)) as appears
      from unnest(cast(:ids as uuid[]), cast(:streams as uuid[]), cast(:recipients as uuid[]))
           as g(gift_id, stream_id, recipient_id)
      left join gift_feed f on f.gift_id = g.gift_id
      left join live_streams s on s.id = g.stream_id""")
ADD_FEED = text("""
    insert into gift_feed (gift_id, stream_id, box_id, sender_id, recipient_id, gift_type,
                           quantity, coin_amount, chat_seq, sent_at)
    select * from unnest(cast(:ids as uuid[]), cast(:streams as uuid[]), cast(:boxes as uuid[]),
                         cast(:senders as uuid[]), cast(:recipients as uuid[]),
                         cast(:types as text[]), cast(:quantities as bigint[]),
                         cast(:coins as bigint[]), cast(:seqs as bigint[]),
                         cast(:times as timestamptz[]))""")
# Each of these adds to rows in the order of their keys: two consumers never cross.
ADD_STREAMS = text("""
    update live_streams s
       set total_gift_coins = s.total_gift_coins + g.coins, gift_count = s.gift_count + g.gifts,
           updated_at = now()
      from (select stream_id, coins, gifts
              from unnest(cast(:ids as uuid[]), cast(:coins as bigint[]), cast(:gifts as bigint[]))
                   as g(stream_id, coins, gifts)
              join live_streams on id = stream_id order by id for update of live_streams) g
     where s.id = g.stream_id""")
ADD_PROFILES = text("""
    insert into profiles as p (id, total_gifts_sent, total_gifts_received)
    select id, sent, received
      from unnest(cast(:ids as uuid[]), cast(:sent as bigint[]), cast(:received as bigint[]))
           as g(id, sent, received)
     order by id
    on conflict (id) do update
       set total_gifts_sent = p.total_gifts_sent + excluded.total_gifts_sent,
           total_gifts_received = p.total_gifts_received + excluded.total_gifts_received,
           updated_at = now()""")
TAKE_PROFILES = text("""
    update profiles p
       set total_gifts_sent = p.total_gifts_sent - g.sent,
           total_gifts_received = p.total_gifts_received - g.received, updated_at = now()
      from (select g.* from unnest(cast(:ids as uuid[]), cast(:sent as bigint[]),
                                   cast(:received as bigint[])) as g(id, sent, received)
              join profiles using (id) order by id for update of profiles) g
     where p.id = g.id""")
ADD_TOTALS = text("""
    insert into gift_totals as t (scope, scope_id, metric, period, window_start, profile_id,
                                  coins, gifts, reached_at)
    select scope, scope_id, metric, period, window_start, profile_id, coins, gifts, reached_at
      from unnest(cast(:scopes as text[]), cast(:scope_ids as uuid[]), cast(:metrics as text[]),
                  cast(:periods as text[]), cast(:starts as timestamptz[]),
                  cast(:profiles as uuid[]), cast(:coins as bigint[]), cast(:gifts as bigint[]),
                  cast(:times as timestamptz[]))
           as g(scope, scope_id, metric, period, window_start, profile_id, coins, gifts,
                reached_at)
     order by scope, scope_id, metric, period, window_start, profile_id
    on conflict (scope, scope_id, metric, period, window_start, profile_id) do update
       set coins = t.coins + excluded.coins, gifts = t.gifts + excluded.gifts,
           reached_at = greatest(t.reached_at, excluded.reached_at), updated_at = now()""")
TAKE_TOTALS = text("""
    update gift_totals t
       set coins = t.coins - g.coins, gifts = t.gifts - g.gifts,
           reached_at = greatest(t.reached_at, cast(:at as timestamptz)), updated_at = now()
      from (select g.* from unnest(cast(:scopes as text[]), cast(:scope_ids as uuid[]),
                  cast(:metrics as text[]), cast(:periods as text[]),
                  cast(:starts as timestamptz[]), cast(:profiles as uuid[]),
                  cast(:coins as bigint[]), cast(:gifts as bigint[]))
                  as g(scope, scope_id, metric, period, window_start, profile_id, coins, gifts)
              join gift_totals
                using (scope, scope_id, metric, period, window_start, profile_id)
             order by scope, scope_id, metric, period, window_start, profile_id
               for update of gift_totals) g
     where (t.scope, t.scope_id, t.metric, t.period, t.window_start, t.profile_id)
         = (g.scope, g.scope_id, g.metric, g.period, g.window_start, g.profile_id)""")
LOCK_FEED = text("""
    select gift_id, stream_id, box_id, sender_id, recipient_id, gift_type, quantity, coin_amount,
           sent_at, chat_seq, reversed_at
      from gift_feed where gift_id = any (cast(:ids as uuid[])) order by gift_id for update""")
REVERSE = text("""
    insert into gift_feed (gift_id, reversed_at)
    select gift_id, at from unnest(cast(:ids as uuid[]), cast(:times as timestamptz[]))
           as g(gift_id, at) order by gift_id
    on conflict (gift_id) do update
       set reversed_at = excluded.reversed_at, updated_at = now()
     where gift_feed.reversed_at is null""")
BY_RECIPIENT = text("""
    select recipient_id, cast(sum(coin_amount) as bigint) as coins, count(*) as gifts
      from gift_feed where stream_id = :stream and reversed_at is null
     group by recipient_id order by coins desc, recipient_id limit 200""")
STREAM = text("""
    select total_gift_coins, gift_count,
           (select count(*) from gift_feed f where f.stream_id = s.id and f.reversed_at is null
               and f.sent_at > cast(:since as timestamptz)) as count_60s,
           (select coalesce(cast(sum(coin_amount) as bigint), 0) from gift_feed f
             where f.stream_id = s.id and f.reversed_at is null
               and f.sent_at > cast(:since as timestamptz)) as coins_60s
      from live_streams s where s.id = :stream""")
RANK = text("""
    select rank_gifts(:scope, :metric, :period, cast(:start as timestamptz),
                      cast(:ids as uuid[]))""")
LOCK_BOARDS = text("select pg_try_advisory_xact_lock(hashtext('streaming.boards.' || :name))")
LIVE_WITH_GIFTS = text("""
    select id from live_streams
     where gift_count > 0 and (status = 'live'
           or (status = 'ended' and ended_at > cast(:since as timestamptz)))
     order by id limit 1000""")
# A window's sums change only when a gift is sent or taken back: today's rows name all who matter.
ACTIVE = text("""
    select distinct scope_id from gift_totals
     where scope = 'streamer' and metric = 'sent' and period = :period
       and window_start = cast(:start as timestamptz)""")
BOARD = text("""
    select c.rank, c.profile_id, c.coins, c.gifts, c.version, c.computed_at, p.username,
           p.display_name, p.avatar_url
      from leaderboard_cache c left join profiles p on p.id = c.profile_id
     where c.scope = :scope and c.scope_id = :id and c.metric = :metric and c.period = :period
       and c.window_start = cast(:start as timestamptz)
     order by c.rank""")
ME = text("""
    select t.coins, t.gifts, (
        select count(*) from (
            select from gift_totals o
             where o.scope = t.scope and o.scope_id = t.scope_id and o.metric = t.metric
               and o.period = t.period and o.window_start = t.window_start and o.coins > 0
               and (o.coins > t.coins or (o.coins = t.coins
                    and (o.reached_at, o.profile_id) < (t.reached_at, t.profile_id)))
             limit :most) ahead) as ahead
      from gift_totals t
     where t.scope = :scope and t.scope_id = :id and t.metric = :metric and t.period = :period
       and t.window_start = cast(:start as timestamptz) and t.profile_id = :profile
       and t.coins > 0""")
PROFILE_IS_THERE = text("select from profiles where id = :id")


@dataclass(frozen=True, slots=True)
class Place:
    """What the stream that a gift names has to say about it."""

    known: bool
    status: str | None
    ended_at: datetime | None
    appears: bool


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A gift of the feed."""

    gift_id: UUID
    stream_id: UUID | None
    box_id: UUID | None
    sender_id: UUID
    recipient_id: UUID
    gift_type: str
    quantity: int
    coin_amount: int
    sent_at: datetime
    reversed: bool


async def read_places(tx: Transaction, gifts: Sequence[Gift]) -> dict[UUID, Place]:
    """Read what is known of gifts and of the streams they name."""
    asked = {
        "ids": [gift.gift_id for gift in gifts],
        "streams": [gift.stream_id for gift in gifts],
        "recipients": [gift.recipient_id for gift in gifts],
    }
    rows = await tx.execute(PLACES, asked)
    return {r.gift_id: Place(r.known, r.status, r.ended_at, r.appears) for r in rows}


async def add_feed(tx: Transaction, gifts: Sequence[Gift], seqs: Mapping[UUID, int]) -> None:
    """Write gifts into the feed, with their numbers in the chat."""
    await tx.execute(
        ADD_FEED,
        {
            "ids": [gift.gift_id for gift in gifts],
            "streams": [gift.stream_id for gift in gifts],
            "boxes": [gift.box_id for gift in gifts],
            "senders": [gift.sender_id for gift in gifts],
            "recipients": [gift.recipient_id for gift in gifts],
            "types": [gift.gift_type for gift in gifts],
            "quantities": [gift.quantity for gift in gifts],
            "coins": [gift.coin_amount for gift in gifts],
            "seqs": [seqs.get(gift.gift_id) for gift in gifts],
            "times": [gift.sent_at for gift in gifts],
        },
    )


async def change_streams(tx: Transaction, gifts: Sequence[Gift], *, sign: int) -> None:
    """Add gifts to their streams' sums, or take them off."""
    sums: dict[UUID, list[int]] = {}
    for gift in gifts:
        if gift.stream_id is not None:
            entry = sums.setdefault(gift.stream_id, [0, 0])
            entry[0] += sign * gift.coin_amount
            entry[1] += sign
    if sums:
        coins, counts = zip(*sums.values(), strict=True)
        asked = {"ids": list(sums), "coins": list(coins), "gifts": list(counts)}
        await tx.execute(ADD_STREAMS, asked)


async def change_profiles(tx: Transaction, gifts: Sequence[Gift], *, sign: int) -> None:
    """Add gifts to what people sent and received, or take them off."""
    sums: dict[UUID, list[int]] = {}
    for gift in gifts:
        sums.setdefault(gift.sender_id, [0, 0])[0] += gift.coin_amount
        sums.setdefault(gift.recipient_id, [0, 0])[1] += gift.coin_amount
    sent, received = zip(*sums.values(), strict=True)
    asked = {"ids": list(sums), "sent": list(sent), "received": list(received)}
    await tx.execute(ADD_PROFILES if sign > 0 else TAKE_PROFILES, asked)


async def add_totals(tx: Transaction, sums: Mapping[Board, Sum]) -> None:
    """Add to the sums that boards are made of."""
    asked = _columns(sums) | {"times": [entry.reached_at for entry in sums.values()]}
    await tx.execute(ADD_TOTALS, asked)


async def take_totals(tx: Transaction, sums: Mapping[Board, Sum], at: datetime) -> None:
    """Take off the sums that boards are made of."""
    await tx.execute(TAKE_TOTALS, _columns(sums) | {"at": at})


def _columns(sums: Mapping[Board, Sum]) -> dict[str, list[Any]]:
    scopes, ids, metrics, periods, starts, people = map(list, zip(*sums, strict=True))
    return {
        "scopes": scopes,
        "scope_ids": ids,
        "metrics": metrics,
        "periods": periods,
        "starts": starts,
        "profiles": people,
        "coins": [entry.coins for entry in sums.values()],
        "gifts": [entry.gifts for entry in sums.values()],
    }


async def lock_feed(tx: Transaction, ids: Collection[UUID]) -> list[tuple[Gift, int | None]]:
    """Read gifts that were counted and not taken back yet, with their numbers in the chat."""
    rows = await tx.execute(LOCK_FEED, {"ids": list(ids)})
    return [(Gift(*row[:9]), row.chat_seq) for row in rows if row.reversed_at is None]


async def reverse_feed(tx: Transaction, reversed_at: Mapping[UUID, datetime]) -> None:
    """Note that gifts were taken back, also those that we have not heard of yet."""
    asked = {"ids": list(reversed_at), "times": list(reversed_at.values())}
    await tx.execute(REVERSE, asked)


async def list_feed(
    tx: Transaction, stream_id: UUID, *, before: tuple[Any, ...] | None, fetch: int
) -> list[FeedRow]:
    """List the gifts of a stream, newest first."""
    wanted = [feed.c[name] for name in list(FeedRow.__dataclass_fields__)[:-1]]
    query = (
        select(*wanted, feed.c.reversed_at.is_not(None).label("reversed"))
        .where(feed.c.stream_id == stream_id)
        .order_by(feed.c.sent_at.desc(), feed.c.gift_id.desc())
        .limit(fetch)
    )
    if before is not None:
        at, id = before
        earlier = (feed.c.sent_at < at) | ((feed.c.sent_at == at) & (feed.c.gift_id < id))
        query = query.where(earlier)
    return [FeedRow(*tuple(row)) for row in await tx.execute(query)]


async def find_stream_sums(tx: Transaction, stream_id: UUID, since: datetime) -> Any | None:
    """Read a stream's sums, and those of gifts sent after `since`; None for no such stream."""
    return (await tx.execute(STREAM, {"stream": stream_id, "since": since})).one_or_none()


async def list_by_recipient(tx: Transaction, stream_id: UUID) -> Sequence[Any]:
    """List who was given how much in a stream, the most first."""
    return (await tx.execute(BY_RECIPIENT, {"stream": stream_id})).all()


async def lock_boards(tx: Transaction, name: str) -> bool:
    """Take the right to compute boards until the transaction ends, if nobody has it."""
    return bool((await tx.execute(LOCK_BOARDS, {"name": name})).scalar_one())


async def list_gifted_streams(tx: Transaction, since: datetime) -> list[UUID]:
    """List the streams with gifts that are live or ended after `since`."""
    return list((await tx.execute(LIVE_WITH_GIFTS, {"since": since})).scalars())


async def list_active_streamers(tx: Transaction, period: Period, start: datetime) -> list[UUID]:
    """List those who were given anything in a window."""
    return list((await tx.execute(ACTIVE, {"period": period, "start": start})).scalars())


async def rank(
    tx: Transaction,
    scope: str,
    metric: str,
    period: Period,
    *,
    start: datetime,
    ids: Collection[UUID],
) -> int:
    """Compute boards anew, whole; give how many changed."""
    asked = {"scope": scope, "metric": metric, "period": period, "start": start, "ids": list(ids)}
    return int((await tx.execute(RANK, asked)).scalar_one())


async def list_board(tx: Transaction, board: Board) -> Sequence[Any]:
    """Read a board, the first first."""
    asked = {"scope": board.scope, "id": board.scope_id, "metric": board.metric}
    asked |= {"period": board.period, "start": board.window_start}
    return (await tx.execute(BOARD, asked)).all()


async def find_rank(tx: Transaction, board: Board, most: int) -> Any | None:
    """Read somebody's own sums and how many are ahead, counted to `most`."""
    asked = {"scope": board.scope, "id": board.scope_id, "metric": board.metric, "most": most}
    asked |= {"period": board.period, "start": board.window_start, "profile": board.profile_id}
    return (await tx.execute(ME, asked)).one_or_none()


async def profile_is_there(tx: Transaction, id: UUID) -> bool:
    """Tell whether we have heard of somebody."""
    return (await tx.execute(PROFILE_IS_THERE, {"id": id})).first() is not None
