"""Monitors: balances that somebody wants to hear about when they cross a line."""
