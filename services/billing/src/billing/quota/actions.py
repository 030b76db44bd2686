"""What can be done with quotas. Every action reads, decides, writes, tells."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.access import actions as access
from billing.access.rules import Access, Count, look
from billing.catalog.rules import in_units
from billing.quota import rules, store
from billing.subscription import actions as subscription
from billing.usage import actions as usage
from billing.usage.rules import LEVEL_START, Fact
from hazina import idempotency
from hazina.idempotency import Attempt
from hazina.pg import SERVICE, Database

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


async def consume(db: Database, use: Use, attempt: Attempt, now: datetime) -> Consumed:
    """Use some of a limit, if there is room, once per attempt; a refusal burns no key.

    Raises FeatureUnknown, NotCountable, FeatureUnavailable, LevelFull, LimitReached.
    """
    await subscription.ensure(db, use.org_id, now)
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, Consumed):
            return done
        asked = await access.ask_in(tx, use.org_id, use.feature, now)
        event_type = rules.require_countable(asked.entitled, asked.counted, use.feature)
        start, end = asked.window
        count = await store.lock_window(
            tx,
            use.org_id,
            use.feature,
            start=start or LEVEL_START,
            end=end,
            limit=in_units(use.feature, asked.entitled.limits[use.feature]),
        )
        # Read again: the limit may have changed while this waited for the window.
        asked = await access.ask_in(tx, use.org_id, use.feature, now)

        seen = look(
            asked.entitled,
            use.feature,
            asked.counted,
            count,
            quantity=use.quantity,
            window=asked.window,
        )
        rules.require(seen, now)
        after = look(
            asked.entitled,
            use.feature,
            asked.counted,
            Count(count.used + use.quantity, count.reserved),
            quantity=0,
            window=asked.window,
        )

        fact = Fact(
            use.org_id, SOURCE, str(attempt.key), event_type, use.quantity, now, use.user_id
        )
        await usage.record_in(tx, [fact], now)
        made = Consumed(fact.event_id, after)
        await idempotency.keep(tx, attempt, made)
    return made
