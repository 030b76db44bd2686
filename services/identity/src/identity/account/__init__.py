"""Accounts: signing up, and the 41 fields that people keep about themselves."""
