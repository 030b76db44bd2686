"""What can be done with money. Every action reads, decides, writes, tells."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crypto.payment import rules, store
from crypto.payment.events import TransferCompleted
from crypto.payment.rules import Ask, InsufficientFunds, Posting
from crypto.wallet.rules import WalletUnknown
from hazina import idempotency, ids, outbox
from hazina.idempotency import Attempt
from hazina.pg import SERVICE, Database

HOUSE = ("rewards", "stake_rewards", "swap")  # accounts of the house that VIBES are issued to


@dataclass(frozen=True, slots=True)
class Way:
    """From whom to whom: `to` is a handle with its @, or a wallet's id."""

    user_id: UUID
    to: str
    token: str
    from_wallet_id: UUID | None = None


async def transfer(db: Database, way: Way, ask: Ask, attempt: Attempt, now: datetime) -> Posting:
    """Move tokens from the caller's wallet to another, at once and once per attempt.

    Raises TokenUnknown, MetadataTooLarge, AmountPrecision, HandleUnknown or WalletUnknown,
    SameWallet, WalletFrozen, RecipientUnavailable, NotCustodial, TokenFrozen, InsufficientFunds.
    """
    # As the service: the recipient's wallet is not the caller's to see.
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, Posting):
            return done
        token = await store.read_token(tx, way.token)
        rules.read(ask, token)
        sender_id = way.from_wallet_id or await store.read_primary(tx, way.user_id)
        recipient_id = (
            await store.read_wallet_of(tx, way.to[1:].lower())
            if way.to.startswith("@")
            else UUID(way.to)
        )
        sides = await store.lock_sides(tx, (sender_id, recipient_id))
        if sides[sender_id].user_id != way.user_id:
            raise WalletUnknown(wallet_id=str(sender_id))

        made = rules.pay(
            ask,
            token,
            sender=sides[sender_id],
            recipient=sides[recipient_id],
            id=ids.new(),
            now=now,
        )

        holds = await store.post(tx, made)
        if holds is not None:
            raise InsufficientFunds(available=rules.to_text(holds, token.decimals))
        await idempotency.keep(tx, attempt, made)
        await outbox.publish(
            tx,
            TransferCompleted(
                transaction_id=made.id,
                type=made.type,
                from_wallet_id=sender_id,
                to_wallet_id=recipient_id,
                from_user_id=sides[sender_id].user_id,
                to_user_id=sides[recipient_id].user_id,
                token=made.token,
                amount_base=str(made.amount_base),
            ),
        )
    return made


async def issue(
    db: Database, to: str, amount: str, reason: str, *, attempt: Attempt, now: datetime
) -> Posting:
    """Make new VIBES for an account of the house or a wallet's id, once per attempt.

    Raises AmountPrecision, WalletUnknown, RecipientUnavailable, NotCustodial, SupplyCap.
    """
    async with db.transaction(SERVICE) as tx:
        if done := await idempotency.find(tx, attempt, Posting):
            return done
        token = await store.read_token(tx, rules.VIBES)
        amount_base = rules.to_base(amount, token.decimals)
        target: rules.Side | str = to
        if to not in HOUSE:
            target = (await store.lock_sides(tx, [UUID(to)]))[UUID(to)]
        issued_base = await store.lock_issued(tx, token.token)

        made = rules.issue(
            amount_base,
            token,
            to=target,
            issued_base=issued_base,
            grant=rules.Grant(ids.new(), reason, now),
        )

        lacking = await store.post(tx, made)
        assert lacking is None, "issuance may always go lower"
        await idempotency.keep(tx, attempt, made)
    return made
