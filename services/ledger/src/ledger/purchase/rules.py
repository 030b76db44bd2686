"""When a purchase becomes coins, and what moves when it does. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum, auto
from uuid import UUID

from hazina.problems import Kind, Problem
from ledger.account.rules import Account, Purpose, of_platform, of_user
from ledger.providers.notices import Fact, Notice

OPEN_FOR = timedelta(hours=24)  # how long a payer may take


class PackageUnknown(Problem, code="purchase.package_unknown", kind=Kind.UNKNOWN):
    """There is no such package of coins."""


class NoPrice(Problem, code="purchase.no_price", kind=Kind.INVALID):
    """This package is not sold in that currency."""


class PurchaseUnknown(Problem, code="purchase.unknown", kind=Kind.UNKNOWN):
    """There is no such purchase, or not for you."""


class ProviderUnavailable(Problem, code="purchase.provider_unavailable", kind=Kind.UNAVAILABLE):
    """The payment provider does not answer; the purchase is kept, ask again with the same key."""


class WrongState(Problem, code="purchase.wrong_state", kind=Kind.CONFLICT):
    """As this purchase stands, that is not done with it."""


class Status(StrEnum):
    """How far a purchase has come."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REVIEW = "review"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    CHARGEBACK = "chargeback"


class Reason(StrEnum):
    """Why a purchase is in review, or failed."""

    AMOUNT_MISMATCH = "amount_mismatch"
    SECOND_LOOK = "second_look"
    ACCOUNT_FROZEN = "account_frozen"
    CANCELED = "canceled"
    DECLINED = "declined"


CLEARING = {
    "stripe": Purpose.CLEARING_STRIPE,
    "apple": Purpose.CLEARING_APPLE,
    "google": Purpose.CLEARING_GOOGLE,
    "mpesa": Purpose.CLEARING_MPESA,
}


@dataclass(frozen=True, slots=True)
class Package:
    """Coins that are sold at once, and what they cost by currency, in minor units."""

    id: UUID
    code: str
    name: str
    coin_amount: int
    bonus_coins: int
    apple_product_id: str | None
    google_product_id: str | None
    is_active: bool
    prices: dict[str, int]


@dataclass(frozen=True, slots=True)
class Purchase:
    """Coins that somebody wants to buy, with their price as it was then."""

    id: UUID
    profile_id: UUID
    package_id: UUID
    provider: str
    coin_amount: int
    bonus_coins: int
    amount: int
    currency: str
    status: Status
    expires_at: datetime
    reason: str | None = None
    provider_payment_id: str | None = None
    provider_token: str | None = None
    refunded_amount: int = 0
    disputed_amount: int = 0
    clawed_coins: int = 0
    debt_coins: int = 0
    transaction_id: UUID | None = None
    confirmed_at: datetime | None = None

    @property
    def coins(self) -> int:
        """All coins that it gives."""
        return self.coin_amount + self.bonus_coins

    @property
    def lost_amount(self) -> int:
        """How much of the money went back to the payer."""
        return min(self.amount, self.refunded_amount + self.disputed_amount)


class Step(StrEnum):
    """What a notification does to a purchase."""

    NOTHING = auto()  # it was counted before
    PARK = auto()  # somebody must look at it
    CONFIRM = auto()
    FAIL = auto()
    REVIEW_AMOUNT = auto()
    REVIEW_AGAIN = auto()


def start(
    package: Package | None,
    *,
    currency: str,
    provider: str,
    profile_id: UUID,
    id: UUID,
    now: datetime,
) -> Purchase:
    """Begin a purchase at today's price, or refuse by the first broken rule in this order."""
    if package is None or not package.is_active:
        raise PackageUnknown
    amount = package.prices.get(currency)
    if amount is None:
        raise NoPrice(currency=currency, sold_in=sorted(package.prices))
    return Purchase(
        id=id,
        profile_id=profile_id,
        package_id=package.id,
        provider=provider,
        coin_amount=package.coin_amount,
        bonus_coins=package.bonus_coins,
        amount=amount,
        currency=currency,
        status=Status.PENDING,
        expires_at=now + OPEN_FOR,
    )


def is_large(package: Package, review_from_usd_cents: int) -> bool:
    """Say whether a package is worth a second look; one without a price in dollars always is."""
    worth = package.prices.get("USD")
    return worth is None or worth >= review_from_usd_cents


def after_payment(purchase: Purchase, notice: Notice, *, large: bool) -> Step:
    """Say what a payment does. Late is not too late: a real payment wins over failed, expired."""
    known = purchase.provider_payment_id
    if known is not None and known != notice.payment_id:
        return Step.PARK  # paid a second time
    if purchase.status not in {Status.PENDING, Status.FAILED, Status.EXPIRED}:
        return Step.NOTHING
    if purchase.reason == Reason.DECLINED:
        return Step.NOTHING  # somebody looked at this payment and said no
    if (notice.amount, notice.currency) != (purchase.amount, purchase.currency):
        return Step.REVIEW_AMOUNT
    return Step.REVIEW_AGAIN if large else Step.CONFIRM


def after_cancel(purchase: Purchase) -> Step:
    """Say what a cancelled payment does: nothing, once there was another word about it."""
    return Step.FAIL if purchase.status is Status.PENDING else Step.NOTHING


def accounts(purchase: Purchase) -> tuple[Account, ...]:
    """Name every account that a confirmation may move."""
    return (
        of_user(purchase.profile_id),
        of_user(purchase.profile_id, Purpose.DEBT),
        of_platform(Purpose.ISSUE),
        of_platform(CLEARING[purchase.provider], purchase.currency),
        of_platform(Purpose.FLOAT, purchase.currency),
    )


def debt_repaid(purchase: Purchase, debt: int) -> int:
    """Say how many of the coins repay what their buyer owes (`debt`, not negative)."""
    assert debt >= 0, "debt is counted as a positive number of coins"
    return min(purchase.coins, debt)


def confirmation(purchase: Purchase, debt: int) -> tuple[tuple[Account, int], ...]:
    """Say what moves when a purchase is confirmed: coins to the buyer, debt first; money to us."""
    purse, owed, issue, clearing, fiat = accounts(purchase)
    repaid = debt_repaid(purchase, debt)
    return (
        (issue, -purchase.coins),
        (owed, repaid),
        (purse, purchase.coins - repaid),
        (clearing, -purchase.amount),
        (fiat, purchase.amount),
    )


SETTLED = frozenset({Status.CONFIRMED, Status.REFUNDED, Status.CHARGEBACK})


def after_loss(purchase: Purchase, notice: Notice) -> Purchase | None:
    """Say how a purchase stands after a refund or dispute; None: somebody must look at it.

    That is one before its time, of a second payment, or in another currency. Refunds are told as
    the sum so far, so an older notice that comes later changes nothing.
    """
    paid = (purchase.provider_payment_id, purchase.currency)
    if purchase.status not in SETTLED or (notice.payment_id, notice.currency) != paid:
        return None
    refunded, disputed = purchase.refunded_amount, purchase.disputed_amount
    match notice.fact:
        case Fact.REFUNDED:
            refunded = max(refunded, min(notice.amount, purchase.amount))
        case Fact.DISPUTED:
            disputed = max(disputed, min(notice.amount, purchase.amount))
        case Fact.DISPUTE_CLOSED:
            if not disputed:
                return None
            disputed = 0 if notice.won else disputed
    status = Status.REFUNDED if refunded >= purchase.amount else Status.CONFIRMED
    return replace(
        purchase,
        refunded_amount=refunded,
        disputed_amount=disputed,
        status=Status.CHARGEBACK if disputed else status,
    )


@dataclass(frozen=True, slots=True)
class Clawback:
    """What a loss takes: money, coins from the purse, and coins that are gone and become debt.

    All three are negative when a dispute is won and the same comes back.
    """

    money: int
    coins: int
    debt: int


def clawback(before: Purchase, after: Purchase, *, available: int, debt: int) -> Clawback:
    """Say what to take so that the coins left are the part of the price that was kept.

    Never more than was given, and never more than the purse holds: the rest becomes debt.
    """
    take = after.coins * after.lost_amount // after.amount - before.clawed_coins
    money = after.lost_amount - before.lost_amount
    if take >= 0:
        from_purse = min(available, take)
        return Clawback(money, take, take - from_purse)
    return Clawback(money, take, -min(-take, debt))


def taking(purchase: Purchase, taken: Clawback) -> tuple[tuple[Account, int], ...]:
    """Say what moves when coins are taken back, or given again."""
    purse, owed, issue, clearing, fiat = accounts(purchase)
    return (
        (purse, taken.debt - taken.coins),
        (owed, -taken.debt),
        (issue, taken.coins),
        (clearing, taken.money),
        (fiat, -taken.money),
    )


def suspense(provider: str, amount: int, currency: str) -> tuple[tuple[Account, int], ...]:
    """Say what moves when money came that we cannot place: from clearing to suspense."""
    return (
        (of_platform(CLEARING[provider], currency), -amount),
        (of_platform(Purpose.SUSPENSE, currency), amount),
    )


def resolve(purchase: Purchase) -> None:
    """Let staff decide about a purchase that waits for them. Raises `WrongState`."""
    if purchase.status is not Status.REVIEW:
        raise WrongState(state=purchase.status)


def placing(purchase: Purchase, kept: Mapping[str, int]) -> tuple[tuple[Account, int], ...]:
    """Say what else moves when money that was reviewed, and `kept` in suspense, is accepted.

    The price comes from suspense instead of clearing, and what it lacks is our loss. What was paid
    beyond it, or in another currency, stays in suspense.
    """
    if purchase.reason == Reason.SECOND_LOOK:
        return ()  # nothing was booked yet
    *_, clearing, fiat = accounts(purchase)
    found = min(kept.get(purchase.currency, 0), purchase.amount)
    if not found:
        return ((clearing, purchase.amount), (fiat, -purchase.amount))
    return (
        (clearing, purchase.amount),
        (of_platform(Purpose.SUSPENSE, purchase.currency), -found),
        (of_platform(Purpose.LOSS, purchase.currency), found - purchase.amount),
    )
