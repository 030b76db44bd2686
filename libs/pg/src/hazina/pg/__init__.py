"""PostgreSQL, one visible transaction at a time."""

from hazina.pg.database import SERVICE, Actor, Database, Transaction, after_commit
from hazina.pg.policies import IS_SERVICE, IS_STAFF, ORG_ID, USER_ID, protect, protect_open

__all__ = [
    "IS_SERVICE",
    "IS_STAFF",
    "ORG_ID",
    "SERVICE",
    "USER_ID",
    "Actor",
    "Database",
    "Transaction",
    "after_commit",
    "protect",
    "protect_open",
]
