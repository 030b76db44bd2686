"""Comparing stream and ledger: where publishing goes on, or why it must not."""

from hazina.outbox import ledger, shard
from hazina.outbox.ledger import Connection
from hazina.outbox.shard import Cluster
from hazina.outbox.stream import MAX_AGE_DAYS, Stream


class Diverged(Exception):
    """The stream says what the ledger does not: only an operator can tell which is right."""


async def compare(db: Connection, stream: Stream, number: int, here: Cluster) -> tuple[int, int]:
    """Give the last number of shard `number` in the stream, and its place there.

    Reads the stream's leader. Raises Diverged when the stream is not a copy of this ledger.
    """
    known = await shard.known(db, number)
    if known and known.system_id != here.system_id:
        raise Diverged("the ledger was numbered in another PostgreSQL cluster")
    last = await stream.last(number)
    if last is None:
        # Nothing, or nothing left: all that is younger than the stream's retention belongs in it.
        return await ledger.aged_out(db, number, MAX_AGE_DAYS), 0
    top = await ledger.head(db, number)
    if last.seq > top:
        raise Diverged(f"the stream has number {last.seq}, the ledger ends at {top}")
    same = await ledger.read(db, number, last.seq - 1, 1)
    if same and same[0].seq == last.seq and same[0].event_id != last.event_id:
        raise Diverged(f"number {last.seq} is another fact in the stream")
    return last.seq, last.stream_seq
