"""The SQL of quotas. Reads and writes; decides nothing."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from billing.access.rules import Count
from billing.quota.rules import Reservation, ReservationUnknown, Settlement
from hazina.pg import Transaction

OPEN = text("""
    insert into quota_windows (org_id, feature_key, scope_kind, scope_id, window_start, window_end,
                               limit_value)
    values (:org_id, :feature, 'org', '', :start, :end, :limit)
    on conflict do nothing
""")
LOCK = text("""
    select used, reserved from quota_windows
    where org_id = :org_id and feature_key = :feature and scope_kind = 'org' and scope_id = ''
        and window_start = :start
    for update
""")
RESERVE = text("""
    insert into quota_reservations
        (id, org_id, feature_key, user_id, windows, amount, expires_at, key)
    values (:id, :org_id, :feature, :user_id, cast(:windows as jsonb), :amount, :expires_at, :key)
""")
FIND = text("""
    select id, org_id, feature_key, cast(windows ->> 0 as timestamptz) as window_start, amount,
        settled, status
    from quota_reservations where id = :id and org_id = :org_id for update
""")
SETTLE = text("update quota_reservations set settled = :settled, status = :status where id = :id")
EXPIRED = text("""
    select id, org_id, feature_key, cast(windows ->> 0 as timestamptz) as window_start, amount,
        settled, status
    from quota_reservations where status = 'open' and expires_at <= :now
    order by expires_at, id limit :rows for update skip locked
""")
EXPIRE = text("""
    update quota_reservations set status = 'expired' where id = any (cast(:ids as uuid[]))
""")
HOLD = text("""
    update quota_windows set reserved = reserved + :delta
    where org_id = :org_id and feature_key = :feature and scope_kind = 'org' and scope_id = ''
        and window_start = :start
""")

EXPIRE_ROWS = 500  # in one transaction


async def lock_window(
    tx: Transaction,
    org_id: UUID,
    feature: str,
    *,
    start: datetime,
    end: datetime | None,
    limit: int,
) -> Count:
    """Read what was used in a window, made if it is new, and hold it until the transaction ends."""
    at = {"org_id": org_id, "feature": feature, "start": start}
    row = (await tx.execute(LOCK, at)).one_or_none()
    if row is None:
        await tx.execute(OPEN, {**at, "end": end, "limit": limit})
        row = (await tx.execute(LOCK, at)).one()
    return Count(row.used, row.reserved)


async def add_reservation(
    tx: Transaction, made: Reservation, *, user_id: UUID | None, expires_at: datetime, key: UUID
) -> None:
    """Write a reservation."""
    await tx.execute(
        RESERVE,
        {
            "id": made.id,
            "org_id": made.org_id,
            "feature": made.feature,
            "user_id": user_id,
            "windows": json.dumps([made.window_start.isoformat()]),
            "amount": made.amount,
            "expires_at": expires_at,
            "key": key,
        },
    )


async def hold(tx: Transaction, window: tuple[UUID, str, datetime], delta: int) -> None:
    """Set more aside in a window, or less where `delta` is negative."""
    org_id, feature, start = window
    await tx.execute(HOLD, {"org_id": org_id, "feature": feature, "start": start, "delta": delta})


async def lock_reservation(tx: Transaction, org_id: UUID, id: UUID) -> Reservation:
    """Read a reservation of an organisation and hold it until the transaction ends."""
    row = (await tx.execute(FIND, {"id": id, "org_id": org_id})).one_or_none()
    if row is None:
        raise ReservationUnknown(reservation_id=str(id))
    return Reservation(*row)


async def set_settled(tx: Transaction, made: Settlement) -> None:
    """Write what became of a reservation."""
    await tx.execute(SETTLE, {"id": made.id, "settled": made.settled, "status": made.status})


async def lock_expired(tx: Transaction, now: datetime) -> list[Reservation]:
    """Take reservations whose time is over and that nobody else works on."""
    rows = await tx.execute(EXPIRED, {"now": now, "rows": EXPIRE_ROWS})
    return [Reservation(*row) for row in rows]


async def set_expired(tx: Transaction, ids: Sequence[UUID]) -> None:
    """Write that these reservations expired."""
    await tx.execute(EXPIRE, {"ids": list(ids)})
