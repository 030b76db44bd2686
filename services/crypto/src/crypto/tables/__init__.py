"""Every table crypto owns, by capability, with one metadata."""

from crypto.tables.metadata import metadata
from crypto.tables.payment import (
    crypto_transactions,
    house_balances,
    token_balances,
    token_entries,
    tokens,
)
from crypto.tables.wallet import (
    crypto_wallets,
    handle_tombstones,
    user_state,
    wallet_addresses,
    wallet_keys,
)

__all__ = [
    "crypto_transactions",
    "crypto_wallets",
    "handle_tombstones",
    "house_balances",
    "metadata",
    "token_balances",
    "token_entries",
    "tokens",
    "user_state",
    "wallet_addresses",
    "wallet_keys",
]
