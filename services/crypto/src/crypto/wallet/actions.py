"""What can be done with wallets. Every action reads, decides, writes, tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crypto.ports import evm
from crypto.ports.envelope import SCHEME, Belongs, Envelope
from crypto.wallet import rules, store
from crypto.wallet.events import WalletCreated
from crypto.wallet.rules import Wallet
from crypto.wallet.store import SealedKey, UserState
from hazina import ids, outbox
from hazina.outbox import Received
from hazina.pg import Transaction

CHAIN = "base"  # where a member's first wallet lives


@dataclass(frozen=True, slots=True)
class Told:
    """What a fact says of a user."""

    state: UserState
    cause: Received[Any]


async def open_wallets_in(tx: Transaction, told: Sequence[Told], envelope: Envelope) -> None:
    """Give each of these users their primary wallet, unless they have one; told twice is one."""
    newest = {each.state.user_id: each for each in told}
    await store.set_states(tx, [newest[user_id].state for user_id in sorted(newest)])
    await store.lock_handles(tx)
    known = await store.list_primaries(tx, newest)
    # As last told, which may be newer than the fact at hand.
    usernames = await store.list_usernames(tx, newest)
    wanted = {
        handle
        for user_id, username in usernames.items()
        for handle in (rules.named(username), *rules.stand_ins(user_id))
        if handle is not None
    }
    now = max(each.cause.time for each in told)
    taken = await store.list_taken(tx, wanted, now)

    made: list[tuple[Wallet, SealedKey]] = []
    for user_id in sorted(newest.keys() - known.keys()):
        handle = rules.choose(usernames[user_id], user_id, taken)
        taken.add(handle)
        made.append(_custodial(user_id=user_id, handle=handle, envelope=envelope))
    if not made:
        return

    await store.add_wallets(tx, [wallet for wallet, _ in made], [key for _, key in made])
    for wallet, _ in made:
        assert wallet.user_id is not None
        cause = newest[wallet.user_id].cause
        await outbox.publish(tx, WalletCreated.by(wallet), key_version=1, cause=cause)


async def follow_profiles_in(tx: Transaction, told: Sequence[Told]) -> None:
    """Note how users are called now, and let handles that follow usernames follow them."""
    await store.lock_handles(tx)
    for each in told:  # one by one: a name given up by the first may be what the second wants
        state, now = each.state, each.cause.time
        before = await store.list_usernames(tx, [state.user_id])
        if not await store.set_states(tx, [state]):
            continue
        wallet = (await store.list_primaries(tx, [state.user_id])).get(state.user_id)
        wanted = rules.named(state.username)
        if wallet is None or wanted is None:
            continue
        taken = await store.list_taken(tx, [wanted], now)

        change = rules.rename(
            wallet, before.get(state.user_id), state.username, taken=taken, now=now
        )
        if change is not None:
            await store.set_handle(tx, change)


async def require_seen_in(tx: Transaction, wallet_id: UUID) -> None:
    """Refuse a wallet that is not there, or not for the actor of `tx`: raises WalletUnknown."""
    await store.read_wallet(tx, wallet_id)


def _custodial(*, user_id: UUID, handle: str, envelope: Envelope) -> tuple[Wallet, SealedKey]:
    """Make a wallet whose key we keep: the secret is sealed before it is anywhere else."""
    key = evm.new_key()
    wallet = Wallet(
        id=ids.new(),
        user_id=user_id,
        org_id=None,
        handle=handle,
        chain=CHAIN,
        wallet_address=key.address,
        wallet_type="custodial",
        key_scheme=SCHEME,
        is_primary=True,
    )
    sealed = envelope.seal(key.secret, Belongs(wallet.id, CHAIN, key.address))
    return wallet, SealedKey(ids.new(), wallet.id, envelope.version, sealed, key.public)
