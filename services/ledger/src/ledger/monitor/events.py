"""What monitors tell the other services."""

from uuid import UUID

from hazina.outbox import Event


class BalanceCrossed(Event, type="ledger.balance.crossed", version=1, key="account_id"):
    """A balance crossed a line that somebody watches."""

    monitor_id: UUID
    account_id: UUID
    op: str
    threshold: int
    before: int
    after: int
