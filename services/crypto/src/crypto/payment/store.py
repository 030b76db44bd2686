"""The SQL of payments. Reads and writes; decides nothing."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text

from crypto import tables
from crypto.payment.rules import Posting, Side, Token, TokenUnknown
from crypto.wallet.rules import HandleUnknown, WalletUnknown
from hazina.pg import Transaction

LOCK_SIDES = text("""
    select id, user_id, org_id, chain, wallet_address, wallet_type, frozen_at is not null as frozen
    from crypto_wallets where id = any (cast(:ids as uuid[])) order by id for share
""")
PRIMARY = text("select id from crypto_wallets where user_id = :user_id and is_primary")
BY_HANDLE = text("select id from crypto_wallets where handle = :handle")
POST = text("""
    select lacking_wallet, lacking_house, lacking_token, holds
    from post(cast(:transaction as jsonb), cast(:wallets as uuid[]), cast(:houses as text[]),
              cast(:buckets as text[]), cast(:tokens as text[]), cast(:deltas as numeric[]))
""")
# The account has sixteen rows, so no row of it can stand for the whole.
LOCK_ISSUANCE = text("select pg_advisory_xact_lock('house_balances'::regclass::oid::bigint)")
ISSUED = text("""
    select -coalesce(sum(balance_base), 0) from house_balances
    where account = 'issuance' and token = :token
""")
BALANCES = text("""
    select t.token, t.decimals, coalesce(b.available_base, 0) as available,
        coalesce(b.held_base, 0) as held, coalesce(b.staked_base, 0) as staked,
        coalesce(b.pending_rewards_base, 0) as pending_rewards,
        coalesce(b.lifetime_earned_base, 0) as lifetime_earned
    from tokens t left join token_balances b on b.token = t.token and b.wallet_id = :wallet_id
    where b.wallet_id is not null or t.token = 'VIBES'
    order by t.token <> 'VIBES', t.token
""")
TRANSACTION = text("""
    select c.*, t.decimals from crypto_transactions c join tokens t using (token)
    where (cast(:id as uuid) is null or c.id = :id)
        and (cast(:wallet_id as uuid) is null
             or c.from_wallet_id = :wallet_id or c.to_wallet_id = :wallet_id)
        and (cast(:token as text) is null or c.token = :token)
        and (cast(:type as text) is null or c.type = :type)
        and (cast(:status as text) is null or c.status = :status)
        and (cast(:since as timestamptz) is null or c.created_at >= :since)
        and (cast(:until as timestamptz) is null or c.created_at < :until)
        and (cast(:before as uuid) is null or c.id < :before)
    order by c.id desc limit :rows
""")


async def list_tokens(tx: Transaction) -> Sequence[Row[Any]]:
    """Read every token that can be held."""
    token = tables.tokens
    return (await tx.execute(select(token).order_by(token.c.token))).all()


async def read_token(tx: Transaction, name: str) -> Token:
    """Read one token."""
    token = tables.tokens
    asked = select(token.c.token, token.c.decimals, token.c.status).where(token.c.token == name)
    row = (await tx.execute(asked)).one_or_none()
    if row is None:
        raise TokenUnknown(token=name)
    return Token(row.token, row.decimals, row.status)


async def read_primary(tx: Transaction, user_id: UUID) -> UUID:
    """Read which wallet a user pays from unless they say."""
    found: UUID | None = (await tx.execute(PRIMARY, {"user_id": user_id})).scalar_one_or_none()
    if found is None:
        raise WalletUnknown(user_id=str(user_id))
    return found


async def read_wallet_of(tx: Transaction, handle: str) -> UUID:
    """Read which wallet is paid under a handle."""
    found: UUID | None = (await tx.execute(BY_HANDLE, {"handle": handle})).scalar_one_or_none()
    if found is None:
        raise HandleUnknown(handle=handle)
    return found


async def lock_sides(tx: Transaction, wallet_ids: Iterable[UUID]) -> Mapping[UUID, Side]:
    """Read wallets and keep them from being frozen until the transaction ends.

    Raises WalletUnknown for the first that is not there.
    """
    wanted = sorted(set(wallet_ids))
    found = {
        row.id: Side(
            row.id,
            row.user_id,
            row.org_id,
            row.chain,
            row.wallet_address,
            row.wallet_type,
            row.frozen,
        )
        for row in await tx.execute(LOCK_SIDES, {"ids": wanted})
    }
    for wallet_id in wanted:
        if wallet_id not in found:
            raise WalletUnknown(wallet_id=str(wallet_id))
    return found


async def post(tx: Transaction, posting: Posting) -> int | None:
    """Write a posting; where it lacks something, give what there is, and nothing may be kept.

    One round trip: log, entries and balances are one function in the database.
    """
    entries = posting.entries
    transaction = {
        "id": str(posting.id),
        "type": posting.type,
        "token": posting.token,
        "amount_base": posting.amount_base,
        "from_wallet_id": _text(posting.from_wallet_id),
        "to_wallet_id": _text(posting.to_wallet_id),
        "from_owner": _text(posting.from_owner),
        "to_owner": _text(posting.to_owner),
        "chain": "internal",
        "status": "confirmed",
        "note": posting.note,
        "metadata": posting.metadata,
        "created_at": posting.created_at.isoformat(),
        "confirmed_at": posting.created_at.isoformat(),
    }
    asked = {
        "transaction": json.dumps(transaction),
        "wallets": [entry.wallet_id for entry in entries],
        "houses": [entry.house for entry in entries],
        "buckets": [entry.bucket for entry in entries],
        "tokens": [posting.token for _ in entries],
        "deltas": [entry.delta_base for entry in entries],
    }
    lacking = (await tx.execute(POST, asked)).one_or_none()
    return None if lacking is None else int(lacking.holds)


async def lock_issued(tx: Transaction, token: str) -> int:
    """Read how much was ever issued, and let nobody else issue until the transaction ends."""
    await tx.execute(LOCK_ISSUANCE)
    return int((await tx.execute(ISSUED, {"token": token})).scalar_one())


async def list_balances(tx: Transaction, wallet_id: UUID) -> Sequence[Row[Any]]:
    """Read what a wallet holds, VIBES first and always, in base units."""
    return (await tx.execute(BALANCES, {"wallet_id": wallet_id})).all()


async def list_transactions(
    tx: Transaction, wanted: Mapping[str, object], *, before: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """Read the log, newest first, as far as `wanted` says and the caller may see it."""
    nothing: dict[str, object] = dict.fromkeys(
        ("id", "wallet_id", "token", "type", "status", "since", "until")
    )
    asked = {**nothing, **wanted, "before": before, "rows": limit}
    return (await tx.execute(TRANSACTION, asked)).all()


def _text(id: UUID | None) -> str | None:
    return None if id is None else str(id)
