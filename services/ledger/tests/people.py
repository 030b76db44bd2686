"""People who hold coins, and the headers with which they ask."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

from hazina import ids
from hazina.pg import SERVICE, Database
from ledger.account import actions as accounts
from ledger.account import store
from ledger.account.rules import Newcomer, Purpose, of_platform, of_user
from ledger.posting.actions import Book
from ledger.posting.rules import Posting, What, legs, of_our_own

Bearer = Callable[..., dict[str, str]]
LION = "00000000-0000-7000-8000-000061f70100"
ROSE = "00000000-0000-7000-8000-000061f70001"
COINS_500 = "00000000-0000-7000-8000-0000c0100500"
COINS_3000000 = "00000000-0000-7000-8000-0000c3000000"
ISSUE = of_platform(Purpose.ISSUE)
FUND = of_platform(Purpose.OPENING)


@dataclass(frozen=True)
class Person:
    """A user whom identity told us of."""

    id: UUID
    org_id: UUID


async def welcome(db: Database) -> Person:
    """Let somebody sign up."""
    person = Person(ids.new(), ids.new())
    newcomer = Newcomer(person.id, person.org_id, "buyer", 1, datetime.now(UTC))
    async with db.transaction(SERVICE) as tx:
        await accounts.welcome(tx, [newcomer])
    return person


async def grant(db: Database, book: Book, person: Person, coins: int, asset: str = "COIN") -> None:
    """Put coins, or money, into somebody's purse."""
    purse = of_user(person.id, asset=asset)
    source = of_platform(Purpose.OPENING, asset)
    async with db.transaction(SERVICE) as tx:
        await accounts.ensure_in(tx, [purse, source])
    moves = legs(((source, -coins), (purse, coins)))
    await book.post(Posting(ids.new(), of_our_own("grant", ids.new()), What.DEPOSIT, moves))


async def held(db: Database, person: Person, purpose: Purpose = Purpose.AVAILABLE) -> int:
    """Tell what somebody holds."""
    async with db.reading(SERVICE) as tx:
        found = await store.read_account(tx, of_user(person.id, purpose).id)
    posted: int = found.posted
    return posted


async def ask(
    http: httpx.AsyncClient, headers: dict[str, str], path: str, body: Any, key: str | None = None
) -> httpx.Response:
    """Ask for money to move, under a new key unless said."""
    keyed = headers | {"Idempotency-Key": key or str(ids.new())}
    return await http.post(f"/ledger/v1{path}", json=body, headers=keyed)
