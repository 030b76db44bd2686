"""The purchases' SQL. Reads and writes; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, text, update
from sqlalchemy.dialects.postgresql import insert

from hazina.pg import Transaction
from ledger import tables
from ledger.providers.notices import Intent, Notice
from ledger.purchase.rules import Package, Purchase, PurchaseUnknown, Reason, Status

LIST_PACKAGES = text("""
    select p.*, coalesce(jsonb_object_agg(c.currency, c.amount) filter (where c.amount > 0), '{}')
        as prices
    from coin_packages p left join coin_package_prices c on c.package_id = p.id
    where p.is_active and p.id > :after
    group by p.id order by p.id limit :limit""")

FIND_PACKAGE = text("""
    select p.*, coalesce(jsonb_object_agg(c.currency, c.amount) filter (where c.amount > 0), '{}')
        as prices
    from coin_packages p left join coin_package_prices c on c.package_id = p.id
    where p.id = :id group by p.id""")

EXPIRE = text("""
    update coin_purchases set status = 'expired' where id in (
        select id from coin_purchases where status = 'pending' and expires_at <= :now
        order by expires_at limit :limit for update skip locked)""")

DUE_LOOKS = text("""
    select id from coin_purchases
    where status = 'review' and reason = 'second_look' and next_attempt_at <= :now
    order by next_attempt_at limit :limit""")

IN_SUSPENSE = text("""
    select a.asset, sum(u.amount)::bigint as amount from transaction t
    cross join unnest(t.account_ids, t.amounts) u (account_id, amount)
    join account a on a.id = u.account_id and a.purpose = 'suspense'
    where t.reference = :id group by a.asset""")

PUT_OFF = text("update coin_purchases set next_attempt_at = :at where id = :id")

FIRST = UUID(int=0)
COLUMNS = (
    *("id", "profile_id", "package_id", "provider", "coin_amount", "bonus_coins", "amount"),
    *("currency", "status", "expires_at", "reason", "provider_payment_id", "provider_token"),
    *("refunded_amount", "disputed_amount", "clawed_coins", "debt_coins"),
    *("transaction_id", "confirmed_at"),
)


async def list_packages(tx: Transaction, *, after: UUID | None, limit: int) -> list[Package]:
    """List what is sold now, by id."""
    rows = await tx.execute(LIST_PACKAGES, {"after": after or FIRST, "limit": limit})
    return [_package(row) for row in rows]


async def find_package(tx: Transaction, id: UUID) -> Package | None:
    """Read a package with its prices, sold now or not."""
    row = (await tx.execute(FIND_PACKAGE, {"id": id})).one_or_none()
    return None if row is None else _package(row)


async def add_purchase(tx: Transaction, purchase: Purchase) -> None:
    """Write a purchase that begins."""
    values = {name: getattr(purchase, name) for name in COLUMNS}
    await tx.execute(insert(tables.coin_purchases).values(values))


async def read_purchase(tx: Transaction, id: UUID) -> Purchase:
    """Read a purchase. Raises `PurchaseUnknown`."""
    row = (await tx.execute(_purchases().where(tables.coin_purchases.c.id == id))).one_or_none()
    if row is None:
        raise PurchaseUnknown
    return _purchase(row)


async def list_purchases(
    tx: Transaction, profile_id: UUID, *, before: UUID | None, limit: int
) -> list[Purchase]:
    """List somebody's purchases, newest first."""
    purchases = tables.coin_purchases
    asked = _purchases().where(purchases.c.profile_id == profile_id)
    if before is not None:
        asked = asked.where(purchases.c.id < before)
    rows = await tx.execute(asked.order_by(purchases.c.id.desc()).limit(limit))
    return [_purchase(row) for row in rows]


async def lock_purchase(
    tx: Transaction, *, id: UUID | None, payment_id: str | None
) -> Purchase | None:
    """Find the purchase that a notification is about and hold it until the transaction ends."""
    purchases = tables.coin_purchases
    asked = _purchases().with_for_update()
    if id is not None:
        asked = asked.where(purchases.c.id == id)
    elif payment_id is not None:
        asked = asked.where(purchases.c.provider_payment_id == payment_id)
    else:
        return None
    row = (await tx.execute(asked)).one_or_none()
    return None if row is None else _purchase(row)


async def set_intent(tx: Transaction, id: UUID, intent: Intent) -> None:
    """Write what the provider waits for; a payment that is known already stands."""
    purchases = tables.coin_purchases
    await tx.execute(
        update(purchases)
        .where(purchases.c.id == id, purchases.c.provider_payment_id.is_(None))
        .values(provider_payment_id=intent.payment_id, provider_token=intent.client_secret)
    )
    await tx.execute(
        update(purchases)
        .where(purchases.c.id == id, purchases.c.provider_token.is_(None))
        .values(provider_token=intent.client_secret)
    )


async def set_status(
    tx: Transaction,
    id: UUID,
    status: Status,
    *,
    reason: Reason | None = None,
    payment_id: str | None = None,
    look_at: datetime | None = None,
) -> None:
    """Write how far a purchase has come, and the payment that took it there, if one did."""
    paid = {} if payment_id is None else {"provider_payment_id": payment_id}
    purchases = tables.coin_purchases
    values = {"status": status, "reason": reason, "next_attempt_at": look_at, **paid}
    await tx.execute(update(purchases).where(purchases.c.id == id).values(values))


async def set_confirmed(
    tx: Transaction,
    id: UUID,
    *,
    payment_id: str,
    event_id: str,
    transaction_id: UUID,
    at: datetime,
) -> None:
    """Write that a purchase was paid, and by which transaction its coins came."""
    purchases = tables.coin_purchases
    await tx.execute(
        update(purchases)
        .where(purchases.c.id == id)
        .values(
            status=Status.CONFIRMED,
            reason=None,
            next_attempt_at=None,
            provider_payment_id=payment_id,
            provider_event_id=event_id,
            transaction_id=transaction_id,
            confirmed_at=at,
        )
    )


async def set_loss(tx: Transaction, purchase: Purchase) -> None:
    """Write how much of a purchase was lost, and what was taken back for it."""
    purchases = tables.coin_purchases
    await tx.execute(
        update(purchases)
        .where(purchases.c.id == purchase.id)
        .values(
            status=purchase.status,
            refunded_amount=purchase.refunded_amount,
            disputed_amount=purchase.disputed_amount,
            clawed_coins=purchase.clawed_coins,
            debt_coins=purchase.debt_coins,
        )
    )


async def list_in_suspense(tx: Transaction, id: UUID) -> dict[str, int]:
    """List what is kept in suspense of a purchase, by currency, in minor units."""
    rows = await tx.execute(IN_SUSPENSE, {"id": str(id)})
    return {row.asset: row.amount for row in rows}


async def list_parked(tx: Transaction, provider: str, payment_id: str) -> list[bytes]:
    """List the notifications about a payment that wait for their time, oldest first."""
    events = tables.provider_events
    theirs = (events.c.provider == provider, events.c.payment_id == payment_id)
    asked = select(events.c.raw).where(*theirs, events.c.status == "parked")
    return list((await tx.execute(asked.order_by(events.c.created_at))).scalars())


async def expire(tx: Transaction, now: datetime, *, limit: int) -> int:
    """Give up purchases that nobody paid in time; tell how many."""
    return (await tx.execute(EXPIRE, {"now": now, "limit": limit})).rowcount


async def list_due_looks(tx: Transaction, now: datetime, *, limit: int) -> Sequence[UUID]:
    """List purchases whose payment must be asked for at the provider now."""
    return (await tx.execute(DUE_LOOKS, {"now": now, "limit": limit})).scalars().all()


async def put_off(tx: Transaction, id: UUID, at: datetime) -> None:
    """Look at a purchase again later."""
    await tx.execute(PUT_OFF, {"id": id, "at": at})


async def add_event(tx: Transaction, notice: Notice, raw: bytes) -> bool:
    """Write a notification unless it came before; tell whether it is new."""
    events = tables.provider_events
    added = await tx.execute(
        insert(events)
        .values(
            provider=notice.provider,
            event_id=notice.event_id,
            type=notice.type,
            payment_id=notice.payment_id,
            raw=raw,
            status="received",
        )
        .on_conflict_do_nothing()
        .returning(events.c.event_id)
    )
    return added.one_or_none() is not None


async def set_event(tx: Transaction, notice: Notice, status: str) -> None:
    """Write what became of a notification: done, parked or ignored."""
    events = tables.provider_events
    one = (events.c.provider == notice.provider, events.c.event_id == notice.event_id)
    await tx.execute(update(events).where(*one).values(status=status))


def _purchases() -> Select[Any]:
    return select(*(tables.coin_purchases.c[name] for name in COLUMNS))


def _purchase(row: Row[Any]) -> Purchase:
    columns = row._asdict()
    return Purchase(**columns | {"status": Status(columns["status"])})


def _package(row: Row[Any]) -> Package:
    columns = row._asdict()
    del columns["created_at"]
    return Package(**columns)
