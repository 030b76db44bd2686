"""What can be done with subscriptions. Every action reads, decides, writes, tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.customer import actions as customer
from billing.customer.rules import Customer
from billing.entitlement import actions as entitlement
from billing.subscription import rules, store
from billing.subscription.events import SubscriptionStarted
from hazina import ids, outbox
from hazina.outbox import Received
from hazina.pg import SERVICE, Database, Transaction


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An organisation as it was told of: when, and by which fact if it was one."""

    customer: Customer
    at: datetime
    cause: Received[Any] | None = None


async def ensure(db: Database, org_id: UUID, now: datetime) -> None:
    """Give an organisation its Free subscription if nobody told us of it yet."""
    async with db.reading(SERVICE) as tx:
        if await store.list_subscribed(tx, [org_id]):
            return
    async with db.transaction(SERVICE) as tx:
        await start_free_in(tx, [Newcomer(Customer(org_id), now)])


async def start_free_in(tx: Transaction, newcomers: Sequence[Newcomer]) -> None:
    """Note these payers, and give each that has no live subscription the Free one.

    A second fact about the same organisation waits for the lock and finds the subscription.
    """
    await customer.note_in(tx, [each.customer for each in newcomers])
    told = {each.customer.org_id: each for each in newcomers}
    subscribed = await store.list_subscribed(tx, sorted(told))
    free = await store.read_newest_plan(tx, "free")

    made = [
        rules.start_free(org_id, free, told[org_id].at, id=ids.new())
        for org_id in sorted(told.keys() - subscribed)
    ]
    if not made:
        return

    await store.add_subscriptions(tx, made, reason="an organisation begins on Free")
    causes = {each.org_id: told[each.org_id].cause for each in made}
    for each in made:
        await outbox.publish(tx, SubscriptionStarted.by(each), cause=causes[each.org_id])
    await entitlement.settle_in(tx, list(causes), max(each.anchor_at for each in made), causes)


async def roll_periods(db: Database, now: datetime) -> int:
    """Move subscriptions that nobody pays for into the period that it is now; give how many."""
    async with db.transaction(SERVICE) as tx:
        ended = await store.lock_ended_periods(tx, now)
        for row in ended:
            start, end = rules.roll(row.anchor_at, row.interval, now)
            await store.set_period(tx, row.id, start, end)
    return len(ended)
