"""Gifts as the ledger tells of them: feed, sums by window, and boards. No coin is moved here."""
