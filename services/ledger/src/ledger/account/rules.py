"""Which accounts there are and what each may hold. Pure: no clock, no database, no chance."""

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime
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


class ProfileUnknown(Problem, code="profile.unknown", kind=Kind.UNKNOWN):
    """There is no such profile, or not for you."""


class BalanceInFuture(Problem, code="balance.future", kind=Kind.INVALID):
    """Nobody knows what will be held at that time."""


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


OF_OWNERS = frozenset(
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
class Asset:
    """Something that can be held, and whether its holders may send it to each other."""

    code: str
    transferable: bool


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A user whom identity told us of."""

    user_id: UUID
    org_id: UUID
    role: str
    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How identity says a user stands from some version on."""

    user_id: UUID
    state: State
    version: int
    at: datetime


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
        assert can_be(self.owner_type, self.owner_id, self.purpose), "no such account can be"
        words = (self.owner_type, self.owner_id, self.dao_id, self.asset, self.purpose, self.shard)
        object.__setattr__(self, "id", ids.derived("account", *words))


def can_be(owner_type: OwnerType, owner_id: UUID | None, purpose: Purpose) -> bool:
    """Say whether an owner of this type can have an account for this purpose."""
    if owner_type is OwnerType.PLATFORM:
        return owner_id is None and purpose not in OF_OWNERS
    return owner_id is not None and purpose in OF_OWNERS


def of_user(user_id: UUID, purpose: Purpose = Purpose.AVAILABLE, asset: str = COIN) -> Account:
    """Name an account of a user; coins unless said."""
    return Account(OwnerType.USER, user_id, asset, purpose)


def of_platform(purpose: Purpose, asset: str = COIN) -> Account:
    """Name an account of the platform; coins unless said."""
    return Account(OwnerType.PLATFORM, None, asset, purpose)


@dataclass(frozen=True, slots=True)
class Mover:
    """Who asks: a user, for themselves or for an organisation they own, or somebody trusted."""

    user_id: UUID | None
    org_id: UUID | None = None  # only where they may move its money
    trusted: bool = False  # staff, or a service with the scope: any account

    def owns(self, account: Account) -> bool:
        """Say whether an account is theirs."""
        own = {OwnerType.USER: self.user_id, OwnerType.ORG: self.org_id}.get(account.owner_type)
        return own is not None and account.owner_id == own

    def may_spend(self, account: Account) -> bool:
        """Say whether they may take from an account: their own `available`, nothing else."""
        return self.trusted or (self.owns(account) and account.purpose is Purpose.AVAILABLE)

    def may_read(self, account: Account) -> bool:
        """Say whether they may see what an account holds."""
        return self.trusted or self.owns(account)


@dataclass(frozen=True, slots=True)
class Counted:
    """Coins to be added to a user's totals over all time."""

    user_id: UUID
    purchased: int = 0
    spent: int = 0
    gifts_received: int = 0
    gifts_sent: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """The entries of a statement: after one seq, up to and with another; and its times."""

    account_id: UUID
    after: int
    last: int
    since: datetime
    until: datetime


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


class Frozen(StrEnum):
    """What may not be done with an account."""

    NO = "no"
    DEBIT = "debit"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Change:
    """What staff want an account's limits and freezes to be; None stays as it is."""

    floor: int | None = None
    ceiling: int | None = None
    frozen: Frozen | None = None

    @property
    def flags(self) -> tuple[Flag, Flag]:
        """Which of the staff's flags to take off, and which to put on."""
        if self.frozen is None:
            return Flag(0), Flag(0)
        on = {Frozen.NO: Flag(0), Frozen.DEBIT: Flag.STAFF_NO_DEBIT, Frozen.ALL: BY_STAFF}
        return BY_STAFF, on[self.frozen]


def require_within(change: Change, *, account_id: UUID, posted: int, available: int) -> None:
    """Refuse limits that the account is outside of already."""
    under = change.floor is not None and available < change.floor
    over = change.ceiling is not None and posted > change.ceiling
    if under or over:
        raise LimitExceeded(account_id=str(account_id), floor=change.floor, ceiling=change.ceiling)


def flags_in(state: State) -> Flag:
    """Say what a user's state forbids their accounts."""
    if state is State.SUSPENDED:
        return Flag.STATE_NO_DEBIT
    return Flag(0) if state is State.ACTIVE else BY_STATE


def owner_problem(
    account: Account, *, users: Container[UUID], orgs: Container[UUID]
) -> OwnerUnknown | None:
    """Say no to an owner, or an organisation of a share, that nobody has told us of."""
    known = {OwnerType.USER: users, OwnerType.ORG: orgs}.get(account.owner_type)
    if known is not None and account.owner_id not in known:
        return OwnerUnknown(owner_type=account.owner_type, owner_id=str(account.owner_id))
    if account.dao_id is not None and account.dao_id not in orgs:
        return OwnerUnknown(owner_type=OwnerType.ORG, owner_id=str(account.dao_id))
    return None


def frozen(flags: int) -> Frozen:
    """Say in one word what may not be done with a balance, whoever forbade it."""
    if flags & (Flag.CLOSED | Flag.STATE_NO_CREDIT | Flag.STAFF_NO_CREDIT):
        return Frozen.ALL
    debit = flags & (Flag.STATE_NO_DEBIT | Flag.STAFF_NO_DEBIT)
    return Frozen.DEBIT if debit else Frozen.NO
