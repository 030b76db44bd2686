"""The accounts' SQL. Reads and writes; decides nothing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text, update
from sqlalchemy.dialects.postgresql import insert

from hazina.pg import Transaction
from ledger import tables
from ledger.account import rules
from ledger.account.rules import (
    Account,
    AccountUnknown,
    Asset,
    Change,
    Counted,
    Flag,
    Newcomer,
    OwnerType,
    ProfileUnknown,
    Purpose,
    Standing,
    State,
)

NONE = Flag(0)
FIRST = UUID(int=0)  # sorts before every id, for columns that may be null

OPEN = text("""
    select open_accounts as id
    from open_accounts(:ids, :owner_types, :owner_ids, :dao_ids, :assets, :purposes, :shards,
                       :floors, :ceilings, :flags)""")

# Entries of an account are numbered in the order of time, so a time is found by halving.
SEQ_AT = """
    with recursive halving (low, high) as (
        select 0::bigint, (select seq from balance where account_id = :id)
        union all
        select case when e.created_at {up_to} :at then middle else low end,
               case when e.created_at {up_to} :at then high else middle - 1 end
        from halving
        cross join lateral (select (low + high + 1) / 2 as middle) m
        join entry e on e.account_id = :id and e.seq = middle
        where low < high
    )
    select low from halving where low = high"""
SEQ_UP_TO = text(SEQ_AT.format(up_to="<="))
SEQ_BEFORE = text(SEQ_AT.format(up_to="<"))

# Sorted, so that two transactions that count for the same users cannot deadlock.
ADD_TO_TOTALS = text("""
    insert into profile_totals as t
        (user_id, total_purchased, total_spent, total_gifts_received, total_gifts_sent)
    select user_id, sum(purchased), sum(spent), sum(received), sum(sent)
    from unnest(cast(:user_ids as uuid[]), cast(:purchased as bigint[]), cast(:spent as bigint[]),
                cast(:received as bigint[]), cast(:sent as bigint[]))
        u (user_id, purchased, spent, received, sent)
    group by user_id order by user_id
    on conflict (user_id) do update set
        total_purchased = t.total_purchased + excluded.total_purchased,
        total_spent = t.total_spent + excluded.total_spent,
        total_gifts_received = t.total_gifts_received + excluded.total_gifts_received,
        total_gifts_sent = t.total_gifts_sent + excluded.total_gifts_sent""")

ACCOUNTS = """
    select a.id, a.owner_type, a.owner_id, a.dao_id, a.asset, a.purpose, b.posted, b.held,
           b.posted - b.held as available, b.floor, b.ceiling, b.flags, b.seq, b.updated_at
    from account a join balance b on b.account_id = a.id"""

READ_ACCOUNT = text(f"{ACCOUNTS} where a.id = :id")

LIST_ACCOUNTS = text(f"""
    {ACCOUNTS}
    where (cast(:owner_id as uuid) is null or a.owner_id = :owner_id)
      and (cast(:owner_type as text) is null or a.owner_type = :owner_type)
      and (cast(:asset as text) is null or a.asset = :asset)
      and (cast(:purpose as text) is null or a.purpose = :purpose)
      and a.id > :after
    order by a.id limit :limit""")

LIST_ENTRIES = text("""
    select e.seq, e.created_at, t.kind, e.transaction_id, t.reference, e.amount, e.balance_after
    from entry e join transaction t on t.id = e.transaction_id
    where e.account_id = :id and e.seq > :after and e.seq < :before
    order by e.seq desc limit :limit""")

LIST_ENTRIES_UP = text("""
    select e.seq, e.created_at, t.kind, e.transaction_id, t.reference, e.amount, e.balance_after
    from entry e join transaction t on t.id = e.transaction_id
    where e.account_id = :id and e.seq > :after and e.seq <= :last
    order by e.seq limit :limit""")

LIST_USER_BALANCES = text("""
    select user_id, dao_id, currency, available_balance, pending_balance, locked_balance,
           total_balance, last_updated
    from user_balances
    where (cast(:currency as text) is null or currency = :currency)
      and (cast(:dao_id as uuid) is null or dao_id = :dao_id)
      and (user_id, coalesce(dao_id, :first), currency) > (:user_id, :dao_after, :currency_after)
    order by user_id, coalesce(dao_id, :first), currency limit :limit""")


async def list_assets(tx: Transaction) -> list[Asset]:
    """List everything that can be held."""
    assets = tables.assets
    rows = await tx.execute(select(assets.c.code, assets.c.transferable))
    return [Asset(row.code, row.transferable) for row in rows]


async def list_names(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Account]:
    """Read who holds what in these accounts."""
    account = tables.account
    rows = await tx.execute(select(account).where(account.c.id.in_(list(ids))))
    return {
        row.id: Account(
            OwnerType(row.owner_type),
            row.owner_id,
            row.asset,
            Purpose(row.purpose),
            row.dao_id,
            row.shard,
        )
        for row in rows
    }


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


async def flag_balances(
    tx: Transaction, account_ids: Iterable[UUID], *, clear: Flag = NONE, put: Flag = NONE
) -> None:
    """Take some flags off these accounts and put others on."""
    values = {"ids": sorted(account_ids), "clear": clear.value, "put": put.value}
    await tx.execute(text("select flag_balances(:ids, :clear, :put)"), values)


async def list_ids_of_user(tx: Transaction, user_id: UUID) -> list[UUID]:
    """List a user's accounts, shares in organisations included."""
    account = tables.account
    theirs = (account.c.owner_type == OwnerType.USER.value, account.c.owner_id == user_id)
    return list((await tx.execute(select(account.c.id).where(*theirs))).scalars())


async def add_users(tx: Transaction, newcomers: Sequence[Newcomer]) -> None:
    """Remember users as active, unless we know them already."""
    rows = [
        {
            "user_id": newcomer.user_id,
            "org_id": newcomer.org_id,
            "role": newcomer.role,
            "state": State.ACTIVE.value,
            "since_at": newcomer.at,
            "version": newcomer.version,
        }
        for newcomer in newcomers
    ]
    await tx.execute(insert(tables.user_state).values(rows).on_conflict_do_nothing())


async def add_totals(tx: Transaction, user_ids: Sequence[UUID]) -> None:
    """Begin counting for these users, unless we do already."""
    rows = [{"user_id": id} for id in user_ids]
    await tx.execute(insert(tables.profile_totals).values(rows).on_conflict_do_nothing())


async def add_to_totals(tx: Transaction, counted: Sequence[Counted]) -> None:
    """Add to users' totals; one row a user however often they are named."""
    await tx.execute(
        ADD_TO_TOTALS,
        {
            "user_ids": [c.user_id for c in counted],
            "purchased": [c.purchased for c in counted],
            "spent": [c.spent for c in counted],
            "received": [c.gifts_received for c in counted],
            "sent": [c.gifts_sent for c in counted],
        },
    )


async def set_state(tx: Transaction, standing: Standing) -> bool:
    """Write how a user stands if this is news; tell whether it was."""
    state = tables.user_state
    news = (state.c.user_id == standing.user_id, state.c.version < standing.version)
    changed = await tx.execute(
        update(state)
        .where(*news)
        .values(state=standing.state.value, since_at=standing.at, version=standing.version)
    )
    return changed.rowcount == 1


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


async def list_orgs(tx: Transaction, ids: Iterable[UUID]) -> set[UUID]:
    """Tell which of these are organisations that we have heard of."""
    known = await tx.execute(
        text("select distinct org_id from member where org_id = any(:ids)"), {"ids": list(ids)}
    )
    return set(known.scalars())


async def read_account(tx: Transaction, id: UUID) -> Row[Any]:
    """Read an account with what it holds. Raises `AccountUnknown`."""
    row = (await tx.execute(READ_ACCOUNT, {"id": id})).one_or_none()
    if row is None:
        raise AccountUnknown
    return row


async def read_opened_at(tx: Transaction, id: UUID) -> datetime:
    """Read when an account was opened."""
    account = tables.account
    asked = select(account.c.created_at).where(account.c.id == id)
    opened_at: datetime = (await tx.execute(asked)).scalar_one()
    return opened_at


async def lock_balance(tx: Transaction, id: UUID) -> None:
    """Keep what an account holds as it is until the transaction ends."""
    await tx.execute(text("select from lock_balances(:ids)"), {"ids": [id]})


async def set_limits(tx: Transaction, id: UUID, change: Change) -> None:
    """Write an account's limits and the staff's freezes."""
    clear, put = change.flags
    await tx.execute(
        text("select set_limits(:id, :floor, :ceiling, :clear, :put)"),
        {
            "id": id,
            "floor": change.floor,
            "ceiling": change.ceiling,
            "clear": clear.value,
            "put": put.value,
        },
    )


async def list_accounts(
    tx: Transaction, *, after: UUID | None, limit: int, **filters: object
) -> Sequence[Row[Any]]:
    """List accounts with what they hold, by id."""
    values = {"after": after or FIRST, "limit": limit, **filters}
    return (await tx.execute(LIST_ACCOUNTS, values)).all()


async def read_seq_at(tx: Transaction, id: UUID, at: datetime) -> int:
    """Find the last entry of an account up to and including `at`: its seq, or 0 before any."""
    found: int = (await tx.execute(SEQ_UP_TO, {"id": id, "at": at})).scalar_one()
    return found


async def read_seq_before(tx: Transaction, id: UUID, at: datetime) -> int:
    """Find the last entry of an account before `at`: its seq, or 0 before any."""
    found: int = (await tx.execute(SEQ_BEFORE, {"id": id, "at": at})).scalar_one()
    return found


async def read_balance_after(tx: Transaction, id: UUID, seq: int) -> int:
    """Read what an account held after an entry; nothing before the first one."""
    entry = tables.entry
    one = (entry.c.account_id == id, entry.c.seq == seq)
    return (await tx.execute(select(entry.c.balance_after).where(*one))).scalar() or 0


async def list_entries(
    tx: Transaction, id: UUID, *, after: int, before: int, limit: int
) -> Sequence[Row[Any]]:
    """List an account's entries between two seqs, both excluded, newest first."""
    values = {"id": id, "after": after, "before": before, "limit": limit}
    return (await tx.execute(LIST_ENTRIES, values)).all()


async def list_entries_up(
    tx: Transaction, id: UUID, *, after: int, last: int, limit: int
) -> Sequence[Row[Any]]:
    """List an account's entries after a seq up to another, oldest first."""
    values = {"id": id, "after": after, "last": last, "limit": limit}
    return (await tx.execute(LIST_ENTRIES_UP, values)).all()


async def list_user_balances(
    tx: Transaction,
    *,
    currency: str | None,
    dao_id: UUID | None,
    after: tuple[UUID, UUID, str],
    limit: int,
) -> Sequence[Row[Any]]:
    """List what members hold, by user, organisation and currency."""
    user_id, dao_after, currency_after = after
    values = {
        "currency": currency,
        "dao_id": dao_id,
        "first": FIRST,
        "user_id": user_id,
        "dao_after": dao_after,
        "currency_after": currency_after,
        "limit": limit,
    }
    return (await tx.execute(LIST_USER_BALANCES, values)).all()


async def read_profile(tx: Transaction, user_id: UUID) -> Row[Any]:
    """Read a user's coins, earnings, debt and totals. Raises `ProfileUnknown`."""
    asked = text("select * from profiles where id = :id")
    row = (await tx.execute(asked, {"id": user_id})).one_or_none()
    if row is None:
        raise ProfileUnknown
    return row
