"""What moneyboxes and commissions tell the other services."""

from uuid import UUID

from hazina.outbox import Event


class CommissionCredited(Event, type="ledger.commission.credited", version=1, key="user_id"):
    """Somebody earned a commission; a part of it may have gone into their moneybox."""

    commission_id: UUID
    user_id: UUID
    amount: int
    currency: str
    autosaved_amount: int
    moneybox_id: UUID | None
    source_type: str
    source_id: str
    transaction_id: UUID


class MoneyboxOpened(Event, type="ledger.moneybox.opened", version=1, key="moneybox_id"):
    """Somebody began to save."""

    moneybox_id: UUID
    user_id: UUID
    asset: str
    balance: int
    tier: int
    autosave_percent: int
    lock_days: int


class MoneyboxSwept(Event, type="ledger.moneybox.swept", version=1, key="moneybox_id"):
    """A part of a commission went into a moneybox by itself."""

    moneybox_id: UUID
    user_id: UUID
    asset: str
    balance: int
    amount: int
    commission_id: UUID


class MoneyboxMatured(Event, type="ledger.moneybox.matured", version=1, key="moneybox_id"):
    """The time of a moneybox is over; its bonus is in it, and leaving costs nothing."""

    moneybox_id: UUID
    user_id: UUID
    asset: str
    balance: int
    principal: int
    bonus: int


class MoneyboxWithdrawn(Event, type="ledger.moneybox.withdrawn", version=1, key="moneybox_id"):
    """Money left a moneybox, less the penalty for leaving early; the last of it closes the box."""

    moneybox_id: UUID
    user_id: UUID
    asset: str
    balance: int
    amount: int
    penalty: int
    closed: bool


class MoneyboxLiquidated(Event, type="ledger.moneybox.liquidated", version=1, key="moneybox_id"):
    """A moneybox was emptied into its owner's frozen purse: they are gone, or suspended long."""

    moneybox_id: UUID
    user_id: UUID
    asset: str
    balance: int
    amount: int
    cause: str
