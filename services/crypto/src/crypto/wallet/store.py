"""The SQL of wallets. Reads and writes; decides nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, text, update

from crypto import tables
from crypto.wallet.rules import Handled, HandleUnknown, Rename, Wallet, WalletUnknown
from hazina.pg import Transaction

# One at a time: two people who want one handle at once must not both be told that it is free.
LOCK_HANDLES = text("select pg_advisory_xact_lock('crypto_wallets'::regclass::oid::bigint)")
SET_STATES = text("""
    insert into user_state (user_id, username, display_name, version)
    select * from unnest(cast(:ids as uuid[]), cast(:usernames as text[]), cast(:names as text[]),
                         cast(:versions as bigint[])) as told (id, username, name, version)
    order by id
    on conflict (user_id) do update
       set username = excluded.username, display_name = excluded.display_name,
           version = excluded.version
     where excluded.version > user_state.version
    returning user_id
""")
TAKEN = text("""
    select handle from crypto_wallets where handle = any (cast(:handles as text[]))
    union all
    select handle from handle_tombstones
    where handle = any (cast(:handles as text[])) and until_at > :now
""")
# A handle that rested long enough may be given up again, and then rests anew.
REST = text("""
    insert into handle_tombstones (handle, until_at) values (:handle, :until_at)
    on conflict (handle) do update set until_at = excluded.until_at
""")
BY_HANDLE = text("""
    select w.handle, w.id as wallet_id, w.chain, w.wallet_address, w.wallet_type, u.display_name
    from crypto_wallets w left join user_state u using (user_id) where w.handle = :handle
""")


@dataclass(frozen=True, slots=True)
class UserState:
    """What identity says of a user, as of its `version`."""

    user_id: UUID
    username: str | None
    display_name: str | None
    version: int


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A key that only the signer can open."""

    id: UUID
    wallet_id: UUID
    kek_version: int
    encrypted_key_share: bytes = field(repr=False)
    public_key: bytes


async def lock_handles(tx: Transaction) -> None:
    """Be the only one who gives out handles until the transaction ends."""
    await tx.execute(LOCK_HANDLES)


async def list_usernames(tx: Transaction, user_ids: Iterable[UUID]) -> Mapping[UUID, str | None]:
    """Read the usernames as they were last told; users that are not known are left out."""
    state = tables.user_state
    asked = select(state.c.user_id, state.c.username).where(state.c.user_id.in_(list(user_ids)))
    return {row.user_id: row.username for row in await tx.execute(asked)}


async def set_states(tx: Transaction, states: Sequence[UserState]) -> set[UUID]:
    """Write what is newer than what we know; give whose it was."""
    written = await tx.execute(
        SET_STATES,
        {
            "ids": [state.user_id for state in states],
            "usernames": [state.username for state in states],
            "names": [state.display_name for state in states],
            "versions": [state.version for state in states],
        },
    )
    return set(written.scalars())


async def list_primaries(tx: Transaction, user_ids: Iterable[UUID]) -> Mapping[UUID, Handled]:
    """Read the primary wallets of these users."""
    wallet = tables.crypto_wallets
    asked = select(wallet.c.id, wallet.c.user_id, wallet.c.handle).where(
        wallet.c.user_id.in_(list(user_ids)), wallet.c.is_primary
    )
    return {
        row.user_id: Handled(row.id, row.user_id, row.handle) for row in await tx.execute(asked)
    }


async def list_taken(tx: Transaction, handles: Iterable[str], now: datetime) -> set[str]:
    """Tell which of these handles somebody has, or rest."""
    return set((await tx.execute(TAKEN, {"handles": list(handles), "now": now})).scalars())


async def add_wallets(
    tx: Transaction, wallets: Sequence[Wallet], keys: Sequence[SealedKey]
) -> None:
    """Write new wallets, each with its key and its address."""
    await tx.execute(insert(tables.crypto_wallets), [asdict(wallet) for wallet in wallets])
    await tx.execute(insert(tables.wallet_keys), [asdict(key) for key in keys])
    await tx.execute(
        insert(tables.wallet_addresses),
        [
            {
                "wallet_id": wallet.id,
                "key_id": key.id,
                "chain": wallet.chain,
                "address": wallet.wallet_address,
            }
            for wallet, key in zip(wallets, keys, strict=True)
        ],
    )


async def set_handle(tx: Transaction, change: Rename) -> None:
    """Give a wallet its new handle, and lay the one before to rest."""
    wallet = tables.crypto_wallets
    await tx.execute(
        update(wallet)
        .where(wallet.c.id == change.wallet_id)
        .values(handle=change.handle, version=wallet.c.version + 1)
    )
    if change.before is not None:
        resting = {"handle": change.before, "until_at": change.rests_until}
        await tx.execute(REST, resting)


async def list_wallets(
    tx: Transaction, owner: Mapping[str, UUID], *, after: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """Read the wallets of a user or an organisation, oldest first."""
    wallet = tables.crypto_wallets
    asked = select(wallet).order_by(wallet.c.id).limit(limit)
    for column, id in owner.items():
        asked = asked.where(wallet.c[column] == id)
    if after is not None:
        asked = asked.where(wallet.c.id > after)
    return (await tx.execute(asked)).all()


async def read_wallet(tx: Transaction, wallet_id: UUID) -> Row[Any]:
    """Read a wallet that the caller may see."""
    wallet = tables.crypto_wallets
    row = (await tx.execute(select(wallet).where(wallet.c.id == wallet_id))).one_or_none()
    if row is None:
        raise WalletUnknown(wallet_id=str(wallet_id))
    found: Row[Any] = row
    return found


async def read_handle(tx: Transaction, handle: str) -> Row[Any]:
    """Read who is paid under a handle."""
    row = (await tx.execute(BY_HANDLE, {"handle": handle})).one_or_none()
    if row is None:
        raise HandleUnknown(handle=handle)
    return row
