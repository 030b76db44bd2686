"""Which accounts there are and what each may hold. Pure: no clock, no database, no chance."""

from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from uuid import UUID

from hazina import ids
from hazina.money import BALANCE_MAX
from hazina.problems import Kind, Problem

COIN = "COIN"


class AccountUnknown(Problem, code="account.unknown", kind=Kind.UNKNOWN):
    """There is no such account, or not for you."""


class OwnerUnknown(Problem, code="account.owner_unknown", kind=Kind.UNKNOWN):
    """Nobody of that type and id can own an account here."""


class AccountClosed(Problem, code="account.closed", kind=Kind.CONFLICT):
    """The account is closed."""


class AccountFrozen(Problem, code="account.frozen", kind=Kind.CONFLICT):
    """The account is frozen."""


class InsufficientFunds(Problem, code="account.insufficient_funds", kind=Kind.CONFLICT):
    """The account holds less than the amount asked for."""


class LimitExceeded(Problem, code="account.limit_exceeded", kind=Kind.CONFLICT):
    """The account may not hold that much."""


class OwnerType(StrEnum):
    """Who an account can belong to."""

    USER = "user"
    ORG = "org"
    PLATFORM = "platform"


class Purpose(StrEnum):
    """What an account is for: the first five are an owner's, the others the platform's."""

    AVAILABLE = "available"
    EARNINGS = "earnings"
    PENDING = "pending"  # payouts in transit
    MONEYBOX = "moneybox"
    DEBT = "debt"  # coins spent and then charged back: never above zero

    ISSUE = "issue"  # coins in existence, negative
    REVENUE = "revenue"
    FLOAT = "float"  # the money behind the coins
    CLEARING_STRIPE = "clearing_stripe"
    CLEARING_APPLE = "clearing_apple"
    CLEARING_GOOGLE = "clearing_google"
    CLEARING_MPESA = "clearing_mpesa"
    BANK = "bank"
    PROVIDER_FEES = "provider_fees"
    SUSPENSE = "suspense"
    BONUS = "bonus"
    LOSS = "loss"
    FX = "fx"
    OPENING = "opening"


OWNERS = frozenset(
    {Purpose.AVAILABLE, Purpose.EARNINGS, Purpose.PENDING, Purpose.MONEYBOX, Purpose.DEBT}
)


class Flag(IntFlag):
    """Why a balance may not move. The numbers are what `verdict()` in the database reads."""

    STATE_NO_DEBIT = 2
    STATE_NO_CREDIT = 4
    CLOSED = 8
    STAFF_NO_DEBIT = 16
    STAFF_NO_CREDIT = 32


BY_STATE = Flag.STATE_NO_DEBIT | Flag.STATE_NO_CREDIT
BY_STAFF = Flag.STAFF_NO_DEBIT | Flag.STAFF_NO_CREDIT


class State(StrEnum):
    """How identity says a user stands."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    BANNED = "banned"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Account:
    """Who holds what, and for what. These words give its id, so nobody has to look it up."""

    owner_type: OwnerType
    owner_id: UUID | None
    asset: str
    purpose: Purpose = Purpose.AVAILABLE
    dao_id: UUID | None = None
    shard: int = 0
    id: UUID = field(init=False, compare=False)

    def __post_init__(self) -> None:
        assert (self.owner_id is None) == (self.owner_type is OwnerType.PLATFORM)
        assert (self.purpose in OWNERS) or self.owner_type is OwnerType.PLATFORM
        words = (self.owner_type, self.owner_id, self.dao_id, self.asset, self.purpose, self.shard)
        object.__setattr__(self, "id", ids.derived("account", *words))


def of_user(user_id: UUID, purpose: Purpose = Purpose.AVAILABLE, asset: str = COIN) -> Account:
    """Name an account of a user; coins unless said."""
    return Account(OwnerType.USER, user_id, asset, purpose)


def of_platform(purpose: Purpose, asset: str = COIN) -> Account:
    """Name an account of the platform; coins unless said."""
    return Account(OwnerType.PLATFORM, None, asset, purpose)


@dataclass(frozen=True, slots=True)
class Limits:
    """Between what an account's balance must stay, in minor units."""

    floor: int
    ceiling: int


def limits(account: Account) -> Limits:
    """Give the limits that an account is opened with: no owner ever owes, but in `debt`."""
    if account.owner_type is OwnerType.PLATFORM:
        return Limits(-BALANCE_MAX, BALANCE_MAX)
    if account.purpose is Purpose.DEBT:
        return Limits(-BALANCE_MAX, 0)
    return Limits(0, BALANCE_MAX)


def flags_in(state: State) -> Flag:
    """Say what a user's state forbids their accounts."""
    if state is State.SUSPENDED:
        return Flag.STATE_NO_DEBIT
    return Flag(0) if state is State.ACTIVE else BY_STATE


def frozen(flags: int) -> str:
    """Say in one word what may not be done with a balance: `no`, `debit` or `all`."""
    if flags & (Flag.CLOSED | Flag.STATE_NO_CREDIT | Flag.STAFF_NO_CREDIT):
        return "all"
    return "debit" if flags & (Flag.STATE_NO_DEBIT | Flag.STAFF_NO_DEBIT) else "no"
