"""What can be done with accounts: open them, and freeze them as their owners stand."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from hazina import outbox
from hazina.chassis import IfMatch
from hazina.pg import SERVICE, Actor, Database, Transaction
from ledger.account import rules, store
from ledger.account.events import AccountOpened
from ledger.account.rules import (
    Account,
    Asset,
    Change,
    Counted,
    Newcomer,
    OwnerType,
    OwnerUnknown,
    Period,
    Purpose,
    Standing,
    State,
)
from ledger.statements import Line

STATEMENT_PAGE = 1_000  # entries that are read at a time
KNOWN_MAX = 500_000  # accounts that a process remembers as open; about 60 MB


class Directory:
    """What there is: assets, and which accounts are open. A yes is remembered: none is deleted."""

    def __init__(self, db: Database) -> None:
        """Remember nothing yet."""
        self._db = db
        self._known: set[UUID] = set()
        self._assets: Mapping[str, Asset] = {}

    async def assets(self) -> Mapping[str, Asset]:
        """Give what can be held, by code. A new asset comes with a migration and a restart."""
        if not self._assets:
            async with self._db.reading(SERVICE) as tx:
                self._assets = {asset.code: asset for asset in await store.list_assets(tx)}
        return self._assets

    async def find(self, ids: Collection[UUID]) -> dict[UUID, Account]:
        """Give the open accounts with these ids; the others are left out."""
        async with self._db.reading(SERVICE) as tx:
            return await store.list_names(tx, ids)

    async def ensure(self, *accounts: Account) -> None:
        """Open those of `accounts` that are not open yet. Raises `OwnerUnknown`."""
        for problem in (await self.open(accounts)).values():
            raise problem

    async def open(self, accounts: Collection[Account]) -> dict[UUID, OwnerUnknown]:
        """Open those of `accounts` that are not open yet; give those that cannot be, by id."""
        unsure = {a.id: a for a in accounts if a.id not in self._known}
        if not unsure:
            return {}
        async with self._db.transaction(SERVICE) as tx:
            refused = await _open_sound(tx, list(unsure.values()))
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        self._known.update(id for id in unsure if id not in refused)
        return refused


async def list_assets_in(tx: Transaction) -> set[str]:
    """List the codes of what can be held."""
    return {asset.code for asset in await store.list_assets(tx)}


async def ensure_in(tx: Transaction, accounts: Collection[Account]) -> None:
    """Open those of `accounts` that are not open yet, inside the service's `tx`."""
    for problem in (await _open_sound(tx, accounts)).values():
        raise problem


async def welcome(tx: Transaction, newcomers: Sequence[Newcomer]) -> None:
    """Give new users their coins, their earnings and their totals: all at zero."""
    ids = [newcomer.user_id for newcomer in newcomers]
    await store.add_users(tx, newcomers)
    await store.add_totals(tx, ids)
    states = await store.lock_states(tx, ids)
    purposes = (Purpose.AVAILABLE, Purpose.EARNINGS)
    await _open(tx, [rules.of_user(id, purpose) for id in ids for purpose in purposes], states)


async def count_in(tx: Transaction, counted: Sequence[Counted]) -> None:
    """Add to users' totals, inside the transaction that moved the coins."""
    await store.add_to_totals(tx, counted)


async def require_readable_in(tx: Transaction, id: UUID) -> None:
    """Refuse an account that the caller of `tx` may not read. Raises `AccountUnknown`."""
    await store.read_account(tx, id)


async def set_limits(db: Database, id: UUID, change: Change, match: IfMatch) -> None:
    """Give an account other limits or freezes, as staff do.

    Raises `AccountUnknown`, `PreconditionFailed`, `LimitExceeded`.
    """
    async with db.transaction(SERVICE) as tx:
        await store.lock_balance(tx, id)
        row = await store.read_account(tx, id)
        match.require(row.seq)
        rules.require_within(change, account_id=id, posted=row.posted, available=row.available)
        await store.set_limits(tx, id, change)


async def names_in(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Account]:
    """Give the open accounts with these ids."""
    return await store.list_names(tx, ids)


async def freeze_in(tx: Transaction, account_ids: Sequence[UUID]) -> None:
    """Let nothing leave or enter these accounts until staff say otherwise."""
    await store.flag_balances(tx, account_ids, put=rules.BY_STAFF)


async def follow(tx: Transaction, standings: Sequence[Standing]) -> None:
    """Freeze or thaw users' accounts as they stand now; older news changes nothing."""
    for standing in standings:
        if not await store.set_state(tx, standing):
            continue
        ids = await store.list_ids_of_user(tx, standing.user_id)
        flags = rules.flags_in(standing.state)
        await store.flag_balances(tx, ids, clear=rules.BY_STATE, put=flags)


async def _open_sound(tx: Transaction, accounts: Collection[Account]) -> dict[UUID, OwnerUnknown]:
    open_ids = await store.list_open(tx, accounts)
    missing = [account for account in accounts if account.id not in open_ids]
    if not missing:
        return {}
    owners = {account.owner_id for account in missing if account.owner_id}
    states = await store.lock_states(tx, owners)
    orgs = await store.list_orgs(tx, owners | {a.dao_id for a in missing if a.dao_id})

    refused = {
        account.id: problem
        for account in missing
        if (problem := rules.owner_problem(account, users=states, orgs=orgs))
    }

    await _open(tx, [account for account in missing if account.id not in refused], states)
    return refused


async def _open(tx: Transaction, accounts: Sequence[Account], states: dict[UUID, State]) -> None:
    opened = await store.open_accounts(tx, accounts, states)
    told = [account for account in opened if account.owner_type is not OwnerType.PLATFORM]
    await outbox.publish(tx, *(_opened(account) for account in told))


def _opened(account: Account) -> AccountOpened:
    assert account.owner_id is not None
    return AccountOpened(
        account_id=account.id,
        owner_type=account.owner_type.value,
        owner_id=account.owner_id,
        dao_id=account.dao_id,
        asset=account.asset,
        purpose=account.purpose.value,
    )


async def statement_period(
    db: Database, actor: Actor, id: UUID, since: datetime | None, until: datetime | None
) -> Period:
    """Find the entries at `since` and later, and before `until`. Raises `AccountUnknown`.

    What is posted while the statement is written is not in it.
    """
    async with db.reading(actor) as tx:
        row = await store.read_account(tx, id)
        after = 0 if since is None else await store.read_seq_before(tx, id, since)
        last = row.seq if until is None else await store.read_seq_before(tx, id, until)
        opened_at = await store.read_opened_at(tx, id)
    return Period(id, after, max(after, last), since or opened_at, until or row.updated_at)


async def statement(db: Database, actor: Actor, period: Period) -> AsyncIterator[Line]:
    """Read a statement a page at a time: opening, every entry oldest first, closing."""
    async with db.reading(actor) as tx:
        held = await store.read_balance_after(tx, period.account_id, period.after)
    yield Line(period.after, period.since, "opening", None, None, None, held)
    at = period.after
    while at < period.last:
        async with db.reading(actor) as tx:
            rows = await store.list_entries_up(
                tx, period.account_id, after=at, last=period.last, limit=STATEMENT_PAGE
            )
        for row in rows:
            yield Line(**row._asdict())
        at, held = rows[-1].seq, rows[-1].balance_after
    yield Line(at, period.until, "closing", None, None, None, held)
