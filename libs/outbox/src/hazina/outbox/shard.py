"""The rows that say which relay works on which shard: they save work and guarantee nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from hazina.outbox.ledger import Connection

LEASE_S = 5

LEASE: LiteralString = f"""
update outbox_shard set
    owner = %(me)s,
    epoch = epoch + (owner is distinct from %(me)s)::int,
    lease_until = clock_timestamp() + interval '{LEASE_S} s',
    updated_at = clock_timestamp()
where shard in (
    select shard from outbox_shard
    where owner = %(me)s or owner is null or lease_until < clock_timestamp()
    order by shard for update skip locked
)
returning shard, system_id, timeline"""  # noqa: S608  only our own number

NOTE: LiteralString = """
update outbox_shard as s set
    published_seq = greatest(s.published_seq, at.published_seq), stream_seq = at.stream_seq
from unnest(%s::smallint[], %s::bigint[], %s::bigint[]) as at(shard, published_seq, stream_seq)
where s.shard = at.shard and s.owner = %s"""

# What was noted counts too: before the broker answered, we do not know better.
BEHIND: LiteralString = """
select s.shard, coalesce(head.last - done.seq, 0),
    coalesce(extract(epoch from clock_timestamp() - oldest.opened_at), 0)::float8
from unnest(%s::smallint[], %s::bigint[]) as at(shard, done)
join outbox_shard as s on s.shard = at.shard
cross join lateral (select greatest(s.published_seq, at.done) as seq) as done
left join lateral (
    select first_seq + n - 1 as last from outbox_window
    where shard = s.shard order by window_no desc limit 1
) as head on true
left join lateral (
    select opened_at from outbox_window
    where shard = s.shard and first_seq > done.seq order by first_seq limit 1
) as oldest on true"""

RELEASE: LiteralString = """
update outbox_shard set owner = null, lease_until = null where owner = %s"""

# pg_walfile_name shows a promotion at once; pg_control_checkpoint only after a checkpoint.
CLUSTER: LiteralString = """
select system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
from pg_control_system()"""

KNOW: LiteralString = """
update outbox_shard set system_id = %s, timeline = %s, halted = null where shard = %s"""

KNOWN: LiteralString = "select system_id, timeline from outbox_shard where shard = %s"

HALT: LiteralString = "update outbox_shard set halted = %s where shard = %s"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which PostgreSQL this is: transaction ids mean nothing in another."""

    system_id: int
    timeline: int


async def cluster(db: Connection) -> Cluster:
    """Ask PostgreSQL who it is."""
    row = await (await db.execute(CLUSTER)).fetchone()
    assert row
    return Cluster(int(row[0]), int(row[1]))


async def lease(db: Connection, me: str) -> dict[int, Cluster | None]:
    """Renew what `me` holds and take what nobody does; give the cluster each was worked on."""
    rows = await (await db.execute(LEASE, {"me": me})).fetchall()
    return {
        shard: None if system_id is None else Cluster(system_id, timeline)
        for shard, system_id, timeline in rows
    }


async def note(db: Connection, me: str, at: Mapping[int, tuple[int, int]]) -> None:
    """Write down how far each shard is published: (number, place in the stream)."""
    if at:
        seqs, places = zip(*at.values(), strict=True)
        await db.execute(NOTE, (list(at), list(seqs), list(places), me))


async def behind(db: Connection, done: Mapping[int, int]) -> list[tuple[int, int, float]]:
    """Give by shard how many numbered facts the stream lacks, and the seconds the oldest waits."""
    rows = await (await db.execute(BEHIND, (list(done), list(done.values())))).fetchall()
    return [(int(shard), int(count), float(age_s)) for shard, count, age_s in rows]


async def release(db: Connection, me: str) -> None:
    """Give everything back, so that another relay need not wait."""
    await db.execute(RELEASE, (me,))


async def know(db: Connection, shard: int, where: Cluster) -> None:
    """Note that the stream and the ledger of `shard` agree in this cluster."""
    await db.execute(KNOW, (where.system_id, where.timeline, shard))


async def known(db: Connection, shard: int) -> Cluster | None:
    """Tell in which cluster `shard` was last agreed upon, if ever."""
    row = await (await db.execute(KNOWN, (shard,))).fetchone()
    return Cluster(int(row[0]), int(row[1])) if row and row[0] is not None else None


async def halt(db: Connection, shard: int, why: str) -> None:
    """Note why `shard` waits for an operator."""
    await db.execute(HALT, (why, shard))


async def all_shards(db: Connection) -> Sequence[int]:
    """List the shards this service has."""
    rows = await (await db.execute("select shard from outbox_shard order by shard")).fetchall()
    return [int(row[0]) for row in rows]
