"""The accounts' SQL. Reads and writes; decides nothing."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import select, text

from hazina.pg import Transaction
from ledger import tables
from ledger.account import rules
from ledger.account.rules import Account, Flag, OwnerType, State

NONE = Flag(0)

OPEN = text("""
    select open_accounts as id
    from open_accounts(:ids, :owner_types, :owner_ids, :dao_ids, :assets, :purposes, :shards,
                       :floors, :ceilings, :flags)""")


async def list_open(tx: Transaction, accounts: Iterable[Account]) -> set[UUID]:
    """Tell which of these accounts are open."""
    account = tables.account
    wanted = [a.id for a in accounts]
    return set((await tx.execute(select(account.c.id).where(account.c.id.in_(wanted)))).scalars())


async def open_accounts(
    tx: Transaction, accounts: Sequence[Account], states: dict[UUID, State]
) -> list[Account]:
    """Open those that are not open yet, as frozen as their owners are; give the new ones."""
    limits = [rules.limits(account) for account in accounts]
    frozen = [
        rules.flags_in(states[a.owner_id])
        if a.owner_id is not None and a.owner_type is OwnerType.USER
        else NONE
        for a in accounts
    ]
    opened = await tx.execute(
        OPEN,
        {
            "ids": [a.id for a in accounts],
            "owner_types": [a.owner_type.value for a in accounts],
            "owner_ids": [a.owner_id for a in accounts],
            "dao_ids": [a.dao_id for a in accounts],
            "assets": [a.asset for a in accounts],
            "purposes": [a.purpose.value for a in accounts],
            "shards": [a.shard for a in accounts],
            "floors": [limit.floor for limit in limits],
            "ceilings": [limit.ceiling for limit in limits],
            "flags": [flags.value for flags in frozen],
        },
    )
    new = set(opened.scalars())
    return [account for account in accounts if account.id in new]


async def lock_states(tx: Transaction, user_ids: Iterable[UUID]) -> dict[UUID, State]:
    """Read how users stand and keep it so until the transaction ends; unknown ones are left out."""
    state = tables.user_state
    asked = (
        select(state.c.user_id, state.c.state)
        .where(state.c.user_id.in_(list(user_ids)))
        .order_by(state.c.user_id)
        .with_for_update(read=True)
    )
    return {row.user_id: State(row.state) for row in await tx.execute(asked)}


async def flag_balances(
    tx: Transaction, account_ids: Iterable[UUID], *, clear: Flag = NONE, set: Flag = NONE
) -> None:
    """Take some flags off these accounts and put others on."""
    values = {"ids": sorted(account_ids), "clear": clear.value, "set": set.value}
    await tx.execute(text("select flag_balances(:ids, :clear, :set)"), values)
