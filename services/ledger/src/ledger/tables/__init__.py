"""Every table the ledger owns, by capability, with one metadata."""

from ledger.tables.account import (
    account,
    assets,
    balance,
    balance_monitors,
    monitor_hits,
    profile_totals,
    user_state,
)
from ledger.tables.audit import check_run
from ledger.tables.gift import gift_reversals, gift_types, gifts
from ledger.tables.metadata import metadata
from ledger.tables.moneybox import (
    commissions,
    moneybox_accounts,
    moneybox_ledger,
    moneybox_tiers,
)
from ledger.tables.posting import entry, hold, idempotency, transaction, transaction_fees
from ledger.tables.purchase import (
    coin_package_prices,
    coin_packages,
    coin_purchases,
    provider_events,
)

__all__ = [
    "account",
    "assets",
    "balance",
    "balance_monitors",
    "check_run",
    "coin_package_prices",
    "coin_packages",
    "coin_purchases",
    "commissions",
    "entry",
    "gift_reversals",
    "gift_types",
    "gifts",
    "hold",
    "idempotency",
    "metadata",
    "moneybox_accounts",
    "moneybox_ledger",
    "moneybox_tiers",
    "monitor_hits",
    "profile_totals",
    "provider_events",
    "transaction",
    "transaction_fees",
    "user_state",
]
