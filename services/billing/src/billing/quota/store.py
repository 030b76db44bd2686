"""The SQL of quotas. Reads and writes; decides nothing."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from billing.access.rules import Count
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
