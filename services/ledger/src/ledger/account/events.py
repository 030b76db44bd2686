"""What accounts tell the other services."""

from uuid import UUID

from hazina.outbox import Event


class AccountOpened(Event, type="ledger.account.opened", version=1, key="owner_id"):
    """Somebody can hold an asset for a purpose from now on."""

    account_id: UUID
    owner_type: str
    owner_id: UUID
    dao_id: UUID | None
    asset: str
    purpose: str
