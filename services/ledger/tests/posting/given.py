"""Accounts and postings to begin a test with."""

from uuid import UUID

from hazina import ids
from hazina.pg import SERVICE, Database
from ledger.account import store
from ledger.account.rules import Account, Flag, OwnerType, Purpose, State, of_platform, of_user
from ledger.posting.actions import Book
from ledger.posting.rules import Attempt, Leg, Posting, What

ISSUE = of_platform(Purpose.ISSUE)


async def open_accounts(db: Database, *accounts: Account) -> None:
    """Open these accounts, whoever owns them."""
    owners = {a.owner_id: State.ACTIVE for a in accounts if a.owner_type is OwnerType.USER}
    async with db.transaction(SERVICE) as tx:
        await store.open_accounts(tx, accounts, {id: state for id, state in owners.items() if id})


async def user_with(db: Database, book: Book, coins: int) -> Account:
    """Open the coin account of somebody new, with that many coins in it."""
    account = of_user(ids.new())
    await open_accounts(db, account, ISSUE)
    if coins:
        await book.post(transfer(ISSUE, account, coins))
    return account


def transfer(
    payer: Account, payee: Account, amount: int, *, key: UUID | None = None, force: bool = False
) -> Posting:
    """Move coins from one account to another, under a new key unless said."""
    return Posting(
        id=ids.new(),
        attempt=Attempt(key or ids.new(), {"/amount": f"{amount:08x}"}),
        what=What.TRANSFER,
        legs=(Leg(payer, -amount), Leg(payee, amount)),
        force=force,
    )


async def freeze(db: Database, account: Account, flags: Flag) -> None:
    """Freeze an account as staff or its owner's state would."""
    async with db.transaction(SERVICE) as tx:
        await store.flag_balances(tx, [account.id], put=flags)
