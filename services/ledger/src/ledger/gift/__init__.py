"""Gifts: coins that a sender spends and a recipient earns, split to the last coin."""
