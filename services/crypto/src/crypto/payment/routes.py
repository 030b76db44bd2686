"""Money over HTTP: what a wallet holds, transfers, and the log."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BeforeValidator, Field

from crypto.payment import actions, rules, store
from crypto.payment.rules import Posting
from crypto.wallet import actions as wallets
from crypto.wallet.rules import HandleUnknown, WalletUnknown
from hazina import auth, idempotency
from hazina.auth import Signed
from hazina.chassis import Db, Now, Page, Paged, Wire, refuses
from hazina.idempotency import KeyedForGood

router = APIRouter(prefix="/crypto/v1", tags=["payment"])

SIGNED = (auth.TokenInvalid, auth.TokenStale, auth.SessionRevoked, auth.Forbidden)
# Text, because numbers lose digits on the way; more than zero, by its shape alone.
AMOUNT = r"^([1-9][0-9]{0,29}(\.[0-9]{1,18})?|0\.[0-9]{0,17}[1-9])$"
TO = r"^(@[A-Za-z0-9_.]{3,50}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"


EXACT_MAX = 2**53 - 1  # larger numbers lose digits in other languages and travel as text
ISSUED_TO = r"^(rewards|stake_rewards|swap|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
TEXT = r"^[^\x00-\x1f\x7f]*$"  # no control characters


def _written(value: object) -> object:
    """Refuse a bare number, which would be read as seconds since 1970."""
    if isinstance(value, str) and "T" not in value.upper():
        raise ValueError("a time is written as RFC 3339 says")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
Amount = Annotated[str, Field(pattern=AMOUNT, max_length=49)]


Exact = Annotated[int, Field(ge=-EXACT_MAX, le=EXACT_MAX)]
Fact = Annotated[str, Field(max_length=1000)] | Exact | bool | None


class TokenRead(Wire):
    """A token that can be held here."""

    token: str
    decimals: int
    status: str


class BalanceRead(Wire):
    """What a wallet holds of one token, as text with all its decimals.

    `on_chain` is what its own address holds there; null where our books are the only ones.
    """

    token: str
    available_balance: str
    held_balance: str
    staked_balance: str
    pending_rewards: str
    lifetime_earned: str
    on_chain: str | None


class BalancesRead(Wire):
    """What a wallet holds, VIBES first."""

    wallet_id: UUID
    as_of: datetime
    data: list[BalanceRead]


class TransferCreate(Wire):
    """Whom to pay and how much; from the primary wallet unless another is named."""

    to: Annotated[str, Field(pattern=TO, description="A handle with its @, or a wallet's id.")]
    token: Annotated[str, Field(min_length=1, max_length=20)]
    amount: Amount
    type: Literal["transfer", "tip", "payment"] = "transfer"
    from_wallet_id: UUID | None = None
    note: Annotated[str, Field(max_length=500, pattern=TEXT)] | None = None
    metadata: Annotated[
        dict[str, Fact], Field(max_length=50, description="Flat; at most 4 KiB as JSON.")
    ] = Field(default_factory=dict)


class IssuanceCreate(Wire):
    """New VIBES for an account of the house or a wallet, and why."""

    to: Annotated[str, Field(pattern=ISSUED_TO)]
    amount: Amount
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=TEXT)]


class TransactionRead(Wire):
    """A row of the log, with all decimals of its token."""

    id: UUID
    from_wallet_id: UUID | None
    to_wallet_id: UUID | None
    from_address: str | None
    to_address: str | None
    amount: str
    fee: str
    token: str
    chain: str
    tx_hash: str | None
    status: str
    type: str
    metadata: dict[str, Any]
    note: str | None
    block_height: int | None
    created_at: datetime
    confirmed_at: datetime | None


@router.get("/tokens")
async def list_tokens(db: Db) -> Page[TokenRead]:
    """List every token that can be held here."""
    async with db.reading() as tx:
        rows = await store.list_tokens(tx)
    return Page[TokenRead](
        data=[TokenRead(token=r.token, decimals=r.decimals, status=r.status) for r in rows]
    )


@router.get("/wallets/{wallet_id}/balances", responses=refuses(*SIGNED, WalletUnknown))
async def read_balances(wallet_id: UUID, db: Db, caller: Signed, now: Now) -> BalancesRead:
    """Show what one of the caller's wallets holds."""
    async with db.reading(caller.actor) as tx:
        await wallets.require_seen_in(tx, wallet_id)
        rows = await store.list_balances(tx, wallet_id)
    return BalancesRead(wallet_id=wallet_id, as_of=now, data=[_balance(row) for row in rows])


@router.post(
    "/transfers",
    status_code=201,
    responses=refuses(
        *SIGNED,
        auth.ImpersonationReadOnly,
        idempotency.KeyMissing,
        idempotency.KeyMalformed,
        idempotency.KeyReused,
        idempotency.InFlight,
        rules.TokenUnknown,
        rules.MetadataTooLarge,
        rules.AmountPrecision,
        HandleUnknown,
        WalletUnknown,
        rules.SameWallet,
        rules.WalletFrozen,
        rules.RecipientUnavailable,
        rules.NotCustodial,
        rules.TokenFrozen,
        rules.InsufficientFunds,
    ),
)
async def post_transfer(
    ask: TransferCreate, db: Db, caller: Signed, attempt: KeyedForGood, now: Now
) -> TransactionRead:
    """Pay a handle or a wallet, at once. Asking again with the same key pays once."""
    way = actions.Way(caller.require_user(), ask.to, ask.token, ask.from_wallet_id)
    wanted = rules.Ask(ask.amount, ask.type, ask.note, ask.metadata)
    made = await actions.transfer(db, way, wanted, attempt, now)
    return _made(made)


@router.post(
    "/vibes/issuances",
    status_code=201,
    responses=refuses(
        *SIGNED,
        auth.ImpersonationReadOnly,
        auth.StepUpRequired,
        idempotency.KeyMissing,
        idempotency.KeyMalformed,
        idempotency.KeyReused,
        idempotency.InFlight,
        rules.AmountPrecision,
        WalletUnknown,
        rules.RecipientUnavailable,
        rules.NotCustodial,
        rules.SupplyCap,
    ),
)
async def post_issuance(
    ask: IssuanceCreate, db: Db, caller: Signed, attempt: KeyedForGood, now: Now
) -> TransactionRead:
    """Make new VIBES, within the cap that holds for ever. Super admins only."""
    caller.require_staff(super_admin=True)
    return _made(await actions.issue(db, ask.to, ask.amount, ask.reason, attempt=attempt, now=now))


@router.get("/transactions", responses=refuses(*SIGNED))
async def list_transactions(
    paging: Paged,
    db: Db,
    caller: Signed,
    *,
    wallet_id: UUID | None = None,
    token: Annotated[str | None, Query(max_length=20)] = None,
    type: Annotated[str | None, Query(max_length=20)] = None,
    status: Literal["pending", "confirmed", "failed"] | None = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to")] = None,
) -> Page[TransactionRead]:
    """List what the caller, or the organisation they act in, sent and received, newest first."""
    wanted = {"wallet_id": wallet_id, "token": token, "type": type, "status": status}
    after = paging.after(UUID)
    async with db.reading(caller.actor) as tx:
        rows = await store.list_transactions(
            tx,
            {**wanted, "since": since, "until": until},
            before=after[0] if after else None,
            limit=paging.fetch,
        )
    return paging.page([_logged(row) for row in rows], key=lambda r: (r.id,), shape=TransactionRead)


@router.get("/transactions/{id}", responses=refuses(*SIGNED, rules.TransactionUnknown))
async def read_transaction(id: UUID, db: Db, caller: Signed) -> TransactionRead:
    """Show one row of the log to either side of it."""
    async with db.reading(caller.actor) as tx:
        rows = await store.list_transactions(tx, {"id": id}, before=None, limit=1)
    if not rows:
        raise rules.TransactionUnknown(transaction_id=str(id))
    return _logged(rows[0])


def _balance(row: Any) -> BalanceRead:
    def text(base: Any) -> str:
        return rules.to_text(int(base), row.decimals)

    return BalanceRead(
        token=row.token,
        available_balance=text(row.available),
        held_balance=text(row.held),
        staked_balance=text(row.staked),
        pending_rewards=text(row.pending_rewards),
        lifetime_earned=text(row.lifetime_earned),
        on_chain=None,
    )


def _made(made: Posting) -> TransactionRead:
    return TransactionRead(
        id=made.id,
        from_wallet_id=made.from_wallet_id,
        to_wallet_id=made.to_wallet_id,
        from_address=None,
        to_address=None,
        amount=rules.to_text(made.amount_base, made.decimals),
        fee=rules.to_text(0, made.decimals),
        token=made.token,
        chain=rules.INTERNAL,
        tx_hash=None,
        status="confirmed",
        type=made.type,
        metadata=made.metadata,
        note=made.note,
        block_height=None,
        created_at=made.created_at,
        confirmed_at=made.created_at,
    )


def _logged(row: Any) -> TransactionRead:
    shown = TransactionRead.model_fields.keys() - {"amount", "fee"}
    return TransactionRead(
        **{name: getattr(row, name) for name in shown},
        amount=rules.to_text(int(row.amount_base), row.decimals),
        fee=rules.to_text(int(row.fee_base), row.decimals),
    )
