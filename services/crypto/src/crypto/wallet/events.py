"""What wallet tells the other services."""

from uuid import UUID

from crypto.wallet.rules import Wallet
from hazina.outbox import Event


class WalletCreated(Event, type="crypto.wallet.created", version=1, key="wallet_id"):
    """Somebody has a new wallet; its owner is a user or an organisation, never both."""

    wallet_id: UUID
    user_id: UUID | None = None
    org_id: UUID | None = None
    handle: str
    chain: str
    wallet_address: str
    wallet_type: str

    @classmethod
    def by(cls, made: Wallet) -> "WalletCreated":
        """Tell of a wallet that was opened."""
        return cls(
            wallet_id=made.id,
            user_id=made.user_id,
            org_id=made.org_id,
            handle=made.handle,
            chain=made.chain,
            wallet_address=made.wallet_address,
            wallet_type=made.wallet_type,
        )
