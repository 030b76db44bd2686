"""Moneyboxes: savings that fill themselves from commissions and grow by a bonus in time."""
