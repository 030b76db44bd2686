"""What can be done with quotas. Every action reads, decides, writes, tells."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from billing.access import actions as access
from billing.access.rules import Access, Count, look
from billing.catalog.rules import in_units
from billing.quota import rules, store
from billing.quota.rules import Reservation, Settlement
from billing.subscription import actions as subscription
from billing.usage import actions as usage
from billing.usage.rules import LEVEL_START, Fact
from hazina import idempotency, ids
from hazina.idempotency import Attempt
from hazina.pg import SERVICE, Database, Transaction

SOURCE = "hazina.quota"  # of the usage events that consuming writes


@dataclass(frozen=True, slots=True)
class Use:
    """What somebody wants to use, and for whom it is counted."""

    org_id: UUID
    feature: str
    quantity: int
    user_id: UUID | None


@dataclass(frozen=True, slots=True)
class Consumed:
    """What was used, as the event that counts it, and how things stand after it."""

    event_id: str
    access: Access


@dataclass(frozen=True, slots=True)
class Reserved:
    """What was set aside until `expires_at`, and how things stand after it."""

    id: UUID
    amount: int
    settled: int
    expires_at: datetime
    access: Access


@dataclass(frozen=True, slots=True)
class Window:
    """A limit's window, held by this transaction: nobody else counts here now."""

    start: datetime
    count: Count
    asked: access.Asked
    event_type: str

    def look(self, feature: str, quantity: int, *, used: int = 0, reserved: int = 0) -> Access:
        """Say how things stand when so much more was used or set aside."""
        count = Count(self.count.used + used, self.count.reserved + reserved)
        asked = self.asked
        return look(
            asked.entitled, feature, asked.counted, count, quantity=quantity, window=asked.window
        )


async def consume(db: Database, use: Use, attempt: Attempt, now: datetime) -> Consumed:
    """Use some of a limit, if there is room, once per attempt; a refusal burns no key.

    Raises FeatureUnknown, NotCountable, FeatureUnavailable, LevelFull, LimitReached.
    """
    await subscription.ensure(db, use.org_id, now)
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, Consumed):
            return done
        window = await _hold(tx, use, now)

        rules.require(window.look(use.feature, use.quantity), now)

        fact = Fact(
            *(use.org_id, SOURCE, str(attempt.key), window.event_type, use.quantity, now),
            user_id=use.user_id,
        )
        await usage.record_in(tx, [fact], now)
        made = Consumed(fact.event_id, window.look(use.feature, 0, used=use.quantity))
        await idempotency.keep(tx, attempt, made)
    return made


async def reserve(
    db: Database, use: Use, attempt: Attempt, *, ttl_s: int, partial: bool, now: datetime
) -> Reserved:
    """Set some of a limit aside for `ttl_s` seconds; with `partial`, what is left will do.

    Raises FeatureUnknown, NotCountable, FeatureUnavailable, LevelFull, LimitReached.
    """
    await subscription.ensure(db, use.org_id, now)
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, Reserved):
            return done
        window = await _hold(tx, use, now)

        amount = rules.grant(
            window.look(use.feature, use.quantity), use.quantity, partial=partial, now=now
        )
        reservation = Reservation(
            ids.new(), use.org_id, use.feature, window.start, amount, settled=0, status="open"
        )
        expires_at = now + timedelta(seconds=ttl_s)

        await store.add_reservation(
            tx, reservation, user_id=use.user_id, expires_at=expires_at, key=attempt.key
        )
        await store.hold(tx, (use.org_id, use.feature, window.start), amount)
        after = window.look(use.feature, 0, reserved=amount)
        made = Reserved(reservation.id, amount, 0, expires_at, after)
        await idempotency.keep(tx, attempt, made)
    return made


async def settle(
    db: Database, use: Use, id: UUID, attempt: Attempt, *, final: bool, now: datetime
) -> Settlement:
    """Count what was used of a reservation and free that much of it; all of it if `final`.

    Of `use` the feature is the reservation's own. Raises ReservationUnknown, ReservationClosed.
    """
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, Settlement):
            return done
        reservation = await store.lock_reservation(tx, use.org_id, id)
        asked = await access.ask_in(tx, use.org_id, reservation.feature, now)

        made = rules.settle(reservation, use.quantity, final=final)

        await store.set_settled(tx, made)
        window = (reservation.org_id, reservation.feature, reservation.window_start)
        await store.hold(tx, window, -made.freed)
        if use.quantity:
            event_type = rules.require_countable(asked.entitled, asked.counted, reservation.feature)
            fact = Fact(
                *(use.org_id, SOURCE, str(attempt.key), event_type, use.quantity, now),
                user_id=use.user_id,
            )
            await usage.record_in(tx, [fact], now)
        await idempotency.keep(tx, attempt, made)
    return made


async def expire(db: Database, now: datetime) -> int:
    """Free what was set aside and not used in time; give how many reservations that were."""
    async with db.transaction(SERVICE) as tx:
        over = await store.lock_expired(tx, now)
        freed: dict[tuple[UUID, str, datetime], int] = {}
        for each in over:
            window = (each.org_id, each.feature, each.window_start)
            freed[window] = freed.get(window, 0) + each.held
        for window in sorted(freed):  # one order for all: no deadlock
            await store.hold(tx, window, -freed[window])
        await store.set_expired(tx, [each.id for each in over])
    return len(over)


async def _hold(tx: Transaction, use: Use, now: datetime) -> Window:
    """Lock the window that `use` counts in. Raises FeatureUnknown, NotCountable."""
    asked = await access.ask_in(tx, use.org_id, use.feature, now)
    event_type = rules.require_countable(asked.entitled, asked.counted, use.feature)
    start, end = asked.window
    limit = in_units(use.feature, asked.entitled.limits[use.feature])
    at = start or LEVEL_START
    count = await store.lock_window(tx, use.org_id, use.feature, start=at, end=end, limit=limit)
    # Read again: the limit may have changed while this waited for the window.
    asked = await access.ask_in(tx, use.org_id, use.feature, now)
    return Window(at, count, asked, event_type)
