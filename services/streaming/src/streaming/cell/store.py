"""The SQL of leases. Reads and writes; decides nothing."""

from collections.abc import Mapping

from sqlalchemy import text

from hazina.pg import Transaction
from streaming.cell.rules import LEASE_S, Held

SEEN = text("""
    insert into presence_replicas (replica_id, seen_at) values (:replica, clock_timestamp())
    on conflict (replica_id) do update set seen_at = excluded.seen_at, updated_at = now()""")
FORGET = text("""
    delete from presence_replicas where seen_at < clock_timestamp() - interval '1 day'""")
RENEW = text("""
    update presence_cell_leases l
       set expires_at = clock_timestamp() + make_interval(secs => :lease_s),
           state = case when l.cell = any (cast(:ready as smallint[])) then 'ready'
                        else 'warming' end,
           updated_at = now()
      from (select cell from presence_cell_leases where owner = :replica
             order by cell for update) mine
     where l.cell = mine.cell
    returning l.cell, l.epoch""")
CLAIM = text("""
    with open as (
        select cell from presence_cell_leases
         where owner is null or expires_at < clock_timestamp()
         order by cell for update skip locked
    )
    update presence_cell_leases l
       set owner = :replica, epoch = l.epoch + 1, state = 'warming', updated_at = now(),
           expires_at = clock_timestamp() + make_interval(secs => :lease_s)
      from open where l.cell = open.cell
    returning l.cell, l.epoch""")
RELEASE = text("""
    update presence_cell_leases l
       set owner = null, expires_at = null, state = 'free', updated_at = now()
      from (select cell from presence_cell_leases where owner = :replica
             order by cell for update) mine
     where l.cell = mine.cell""")
LEAVE = text("delete from presence_replicas where replica_id = :replica")
# `for share`: a takeover, which updates the row, waits until the decision has committed.
FENCE = text("""
    select l.cell from presence_cell_leases l
      join unnest(cast(:cells as smallint[]), cast(:epochs as bigint[])) as held(cell, epoch)
        on held.cell = l.cell and held.epoch = l.epoch
     where l.owner = :replica
     order by l.cell for share of l""")


async def note_replica(tx: Transaction, replica: str) -> None:
    """Say that this process lives; forget those that were not heard for a day."""
    await tx.execute(SEEN, {"replica": replica})
    await tx.execute(FORGET)


async def renew_leases(tx: Transaction, replica: str, *, ready: list[int]) -> dict[int, Held]:
    """Prolong what this process owns, and read what that is."""
    asked = {"replica": replica, "ready": ready, "lease_s": LEASE_S}
    return {row.cell: Held(*row) for row in await tx.execute(RENEW, asked)}


async def claim_leases(tx: Transaction, replica: str) -> dict[int, Held]:
    """Take over the cells that are free or whose lease ran out, each as a new epoch."""
    asked = {"replica": replica, "lease_s": LEASE_S}
    return {row.cell: Held(*row) for row in await tx.execute(CLAIM, asked)}


async def release_leases(tx: Transaction, replica: str) -> None:
    """Give everything back, for another process to take at once, and be no replica any more."""
    await tx.execute(RELEASE, {"replica": replica})
    await tx.execute(LEAVE, {"replica": replica})


async def hold_leases(tx: Transaction, replica: str, held: Mapping[int, Held]) -> set[int]:
    """Keep the leases from changing hands until `tx` ends; give the cells that are still ours."""
    cells = sorted(held)
    epochs = [held[cell].epoch for cell in cells]
    asked = {"replica": replica, "cells": cells, "epochs": epochs}
    return set((await tx.execute(FENCE, asked)).scalars())
