"""Makers of facts, wallets and money for crypto's tests."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from crypto.payment import store
from crypto.payment.rules import Entry, Posting
from crypto.ports.envelope import Envelope
from crypto.wallet.consumers import ProfileChanged, UserRegistered, Wallets
from hazina import ids
from hazina.outbox import ConsumedEvent, Received
from hazina.pg import SERVICE, Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEK = bytes(range(32))
WALLETS = Wallets(Envelope(KEK))
DECIMALS = {"VIBES": 8, "USDC": 6, "ETH": 18}


def received(event: ConsumedEvent, *, at: datetime = NOON) -> Received[Any]:
    """A fact as it arrives from identity."""
    return Received(
        event=event,
        id=ids.new(),
        type=type(event).__type__,
        source="identity",
        shard=0,
        seq=1,
        key="k",
        key_version=None,
        time=at,
    )


def registered(user_id: UUID, username: str | None = None, **more: Any) -> Received[Any]:
    """Somebody signed up."""
    told = UserRegistered(user_id=user_id, version=1, username=username, display_name="Amina")
    return received(told, **more)


def renamed(user_id: UUID, username: str | None, version: int = 2, **more: Any) -> Received[Any]:
    """Somebody is called differently now."""
    told = ProfileChanged(user_id=user_id, version=version, username=username, display_name="Mina")
    return received(told, **more)


async def hear(db: Database, *facts: Received[Any]) -> None:
    """Apply facts, each in a transaction of its own, as the listener may."""
    for fact in facts:
        async with db.transaction(SERVICE) as tx:
            await WALLETS.heard()[type(fact.event)](tx, [fact])


async def member(db: Database, username: str | None = None) -> tuple[UUID, UUID]:
    """A user and their wallet."""
    user_id = ids.new()
    await hear(db, registered(user_id, username))
    [wallet] = await rows(db, "select id from crypto_wallets where user_id = :id", id=user_id)
    return user_id, wallet.id


async def issue(db: Database, wallet_id: UUID, base: int, asset: str = "VIBES") -> None:
    """Money out of nothing, as far as the books allow: issued to a wallet."""
    found = await rows(db, "select user_id from crypto_wallets where id = :id", id=wallet_id)
    owner = found[0].user_id if found else None
    async with db.transaction(SERVICE) as tx:
        lacking = await store.post(
            tx,
            posting(asset, base, (Entry(-base, house="issuance"), Entry(base, wallet_id)), owner),
        )
    assert lacking is None


def posting(
    token: str, base: int, entries: tuple[Entry, ...], to_owner: UUID | None = None
) -> Posting:
    """A posting of any entries."""
    return Posting(
        id=ids.new(),
        type="reward",
        token=token,
        decimals=DECIMALS[token],
        amount_base=base,
        from_wallet_id=None,
        to_wallet_id=next((e.wallet_id for e in entries if e.delta_base > 0), None),
        from_owner=None,
        to_owner=to_owner,
        note=None,
        metadata={},
        created_at=NOON,
        entries=entries,
    )


async def rows(db: Database, statement: str, **values: Any) -> Sequence[Any]:
    """What a statement finds, as the service itself sees it."""
    async with db.reading(SERVICE) as tx:
        return (await tx.execute(text(statement), values)).all()


async def told(db: Database, type: str) -> list[dict[str, Any]]:
    """What was told of one type, in order."""
    found = await rows(
        db,
        "select convert_from(payload, 'utf8')::jsonb as said from outbox"
        " where type = :type order by pos",
        type=type,
    )
    return [row.said for row in found]


async def holds(db: Database, wallet_id: UUID, asset: str = "VIBES") -> int:
    """What a wallet has available, in base units."""
    found = await rows(
        db,
        "select available_base from token_balances where wallet_id = :id and token = :token",
        id=wallet_id,
        token=asset,
    )
    return int(found[0].available_base) if found else 0


async def unlawful(db: Database) -> list[Any]:
    """Every balance that is not the sum of its entries, and every token that does not add up."""
    wallets = await rows(
        db,
        """select b.wallet_id, b.token from token_balances b
           full join (select wallet_id, token,
                        sum(delta_base) filter (where bucket = 'available') as available,
                        sum(delta_base) filter (where bucket = 'held') as held,
                        sum(delta_base) filter (where bucket = 'staked') as staked
                      from token_entries where wallet_id is not null group by 1, 2) e
             on e.wallet_id = b.wallet_id and e.token = b.token
           where b.available_base <> coalesce(e.available, 0) or b.held_base <> coalesce(e.held, 0)
              or b.staked_base <> coalesce(e.staked, 0) or b.wallet_id is null""",
    )
    house = await rows(
        db,
        """select account, b.token, b.slot from house_balances b
           where balance_base <> (select coalesce(sum(delta_base), 0) from token_entries
                                  where house = account and token = b.token and slot = b.slot)""",
    )
    sums = await rows(
        db, "select token from token_entries group by token having sum(delta_base) <> 0"
    )
    return [*wallets, *house, *sums]
