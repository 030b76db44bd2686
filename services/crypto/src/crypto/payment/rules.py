"""Amounts, and who may pay whom. Pure: no clock, no database, no chance."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from hazina.problems import Kind, Problem

CUSTODIAL = "custodial"
INTERNAL = "internal"  # the chain of what only our books moved
AVAILABLE = "available"
VIBES = "VIBES"
ISSUANCE = "issuance"
SUPPLY_CAP_BASE = 10**18  # ten thousand million VIBES; fits what Solana counts in

METADATA_BYTES_MAX = 4096

TransferType = Literal["transfer", "tip", "payment"]


class TokenUnknown(Problem, code="token.unknown", kind=Kind.UNKNOWN):
    """There is no such token here."""


class AmountPrecision(Problem, code="amount.precision", kind=Kind.INVALID):
    """The token does not have that many decimals; amounts are never rounded."""


class MetadataTooLarge(Problem, code="transfer.metadata_too_large", kind=Kind.INVALID):
    """A transfer's metadata may have 4 KiB as JSON."""


class TransactionUnknown(Problem, code="transaction.unknown", kind=Kind.UNKNOWN):
    """There is no such transaction, or not for you."""


class SameWallet(Problem, code="transfer.same_wallet", kind=Kind.INVALID):
    """A wallet cannot pay itself."""


class WalletFrozen(Problem, code="wallet.frozen", kind=Kind.CONFLICT):
    """The wallet is frozen; nothing may leave it."""


class RecipientUnavailable(Problem, code="transfer.recipient_unavailable", kind=Kind.CONFLICT):
    """The recipient cannot be paid right now."""


class NotCustodial(Problem, code="wallet.not_custodial", kind=Kind.CONFLICT):
    """That wallet's money lives on its chain; send to its address there."""


class TokenFrozen(Problem, code="token.frozen", kind=Kind.CONFLICT):
    """The token is frozen; none of it moves."""


class InsufficientFunds(Problem, code="transfer.insufficient_funds", kind=Kind.CONFLICT):
    """The wallet has less available than the amount asked for."""


class SupplyCap(Problem, code="vibes.supply_cap", kind=Kind.CONFLICT):
    """There will never be more VIBES than the cap."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and how many decimals its amounts have."""

    token: str
    decimals: int
    status: str = "live"


@dataclass(frozen=True, slots=True)
class Side:
    """A wallet as one side of a payment."""

    id: UUID
    user_id: UUID | None
    org_id: UUID | None
    chain: str
    wallet_address: str | None
    wallet_type: str
    frozen: bool = False

    @property
    def owner_id(self) -> UUID:
        """Give the user or the organisation that it is of."""
        owner = self.user_id or self.org_id
        assert owner is not None, "a wallet has an owner"
        return owner


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants to pay; `amount` is decimal text, as it was sent."""

    amount: str
    type: TransferType = "transfer"
    note: str | None = None
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of double entry: a wallet's or the house's, in base units, signed."""

    delta_base: int
    wallet_id: UUID | None = None
    house: str | None = None
    bucket: str = AVAILABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One row of the log, and the entries that it is made of. Amounts in base units."""

    id: UUID
    type: str
    token: str
    decimals: int
    amount_base: int
    from_wallet_id: UUID | None
    to_wallet_id: UUID | None
    from_owner: UUID | None
    to_owner: UUID | None
    note: str | None
    metadata: dict[str, Any]
    created_at: datetime
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        assert sum(entry.delta_base for entry in self.entries) == 0, "entries sum to zero"
        assert all(entry.delta_base for entry in self.entries), "an entry moves something"


@dataclass(frozen=True, slots=True)
class Grant:
    """Why and when new tokens are made, and the id of the transaction that makes them."""

    id: UUID
    reason: str
    at: datetime


def to_base(amount: str, decimals: int) -> int:
    """Count `amount`, decimal text above zero, in base units; never rounds.

    Raises AmountPrecision when it has more decimals than there are, even if they are zeros.
    """
    whole, _, fraction = amount.partition(".")
    if len(fraction) > decimals:
        raise AmountPrecision(decimals=decimals)
    base = int(whole + fraction.ljust(decimals, "0"))
    assert base > 0, "the shape of an amount excludes zero"
    return base


def to_text(base: int, decimals: int) -> str:
    """Write base units as decimal text with all of the token's decimals."""
    sign, digits = "-" if base < 0 else "", str(abs(base)).zfill(decimals + 1)
    if not decimals:
        return sign + digits
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def read(ask: Ask, token: Token) -> int:
    """Give the amount asked for in base units, once its shape and its company are in order."""
    if len(json.dumps(ask.metadata or {}, ensure_ascii=False).encode()) > METADATA_BYTES_MAX:
        raise MetadataTooLarge(limit_bytes=METADATA_BYTES_MAX)
    return to_base(ask.amount, token.decimals)


def issue(
    amount_base: int, token: Token, *, to: Side | str, issued_base: int, grant: Grant
) -> Posting:
    """Make new VIBES for a wallet or an account of the house, as long as the cap has room.

    Raises RecipientUnavailable, NotCustodial, SupplyCap.
    """
    wallet = to if isinstance(to, Side) else None
    if wallet is not None and wallet.frozen:
        raise RecipientUnavailable
    if wallet is not None and wallet.wallet_type != CUSTODIAL:
        raise NotCustodial(chain=wallet.chain, address=wallet.wallet_address)
    if issued_base + amount_base > SUPPLY_CAP_BASE:
        raise SupplyCap(left=to_text(SUPPLY_CAP_BASE - issued_base, token.decimals))
    gives = Entry(-amount_base, house=ISSUANCE)
    takes = Entry(amount_base, house=to) if isinstance(to, str) else Entry(amount_base, to.id)
    return Posting(
        id=grant.id,
        type="transfer",
        token=token.token,
        decimals=token.decimals,
        amount_base=amount_base,
        from_wallet_id=None,
        to_wallet_id=None if wallet is None else wallet.id,
        from_owner=None,
        to_owner=None if wallet is None else wallet.owner_id,
        note=grant.reason,
        metadata={"issued_to": to} if isinstance(to, str) else {"issued_to": "wallet"},
        created_at=grant.at,
        entries=(gives, takes),
    )


def pay(
    ask: Ask, token: Token, *, sender: Side, recipient: Side, id: UUID, now: datetime
) -> Posting:
    """Let `sender` pay `recipient`, or refuse by the first broken rule in this order."""
    amount = read(ask, token)
    if sender.id == recipient.id:
        raise SameWallet
    if sender.frozen:
        raise WalletFrozen(wallet_id=str(sender.id))
    if recipient.frozen:
        raise RecipientUnavailable
    for side in (sender, recipient):
        if side.wallet_type != CUSTODIAL:
            raise NotCustodial(chain=side.chain, address=side.wallet_address)
    if token.status != "live":
        raise TokenFrozen(token=token.token)
    return Posting(
        id=id,
        type=ask.type,
        token=token.token,
        decimals=token.decimals,
        amount_base=amount,
        from_wallet_id=sender.id,
        to_wallet_id=recipient.id,
        from_owner=sender.owner_id,
        to_owner=recipient.owner_id,
        note=ask.note,
        metadata=ask.metadata or {},
        created_at=now,
        entries=(Entry(-amount, sender.id), Entry(amount, recipient.id)),
    )
