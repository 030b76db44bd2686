"""What a gift costs, who may give it, and how it is shared. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hazina.money import BPS, share
from hazina.problems import Kind, Problem
from ledger.account.rules import Account, Purpose, of_platform, of_user


class GiftToSelf(Problem, code="gift.to_self", kind=Kind.INVALID):
    """Nobody gives themselves a gift."""


class GiftTypeUnknown(Problem, code="gift.type_unknown", kind=Kind.UNKNOWN):
    """There is no such gift."""


class GiftTypeInactive(Problem, code="gift.type_inactive", kind=Kind.CONFLICT):
    """This gift is not given any more."""


class RecipientUnknown(Problem, code="gift.recipient_unknown", kind=Kind.UNKNOWN):
    """There is nobody of that id to give to."""


class RecipientUnavailable(Problem, code="gift.recipient_unavailable", kind=Kind.CONFLICT):
    """They cannot be given anything now."""


class GiftUnknown(Problem, code="gift.unknown", kind=Kind.UNKNOWN):
    """There is no such gift, or not for you."""


class AlreadyReversed(Problem, code="gift.already_reversed", kind=Kind.CONFLICT):
    """This gift was taken back before."""


class EarningsSpent(Problem, code="gift.earnings_spent", kind=Kind.CONFLICT):
    """Who got the gift has not enough earnings left to give it back."""


@dataclass(frozen=True, slots=True)
class GiftType:
    """Something to give, and the recipient's part of what it costs, in basis points."""

    id: UUID
    code: str
    name: str
    coin_cost: int
    share_bps: int
    animation_url: str | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class Split:
    """A gift's coins, to the last one: what is earned, and what the platform keeps."""

    streamer_revenue: int
    platform_revenue: int

    @property
    def coin_amount(self) -> int:
        """What it cost."""
        return self.streamer_revenue + self.platform_revenue


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to give, and where they were when they did."""

    gift_type_id: UUID
    recipient_id: UUID
    quantity: int
    stream_id: UUID | None
    box_id: UUID | None
    combo_id: UUID | None


@dataclass(frozen=True, slots=True)
class Gift:
    """Coins of a sender that become a recipient's earnings. It shares its transaction's id."""

    id: UUID
    sender_id: UUID
    wish: Wish
    type: GiftType
    split: Split


@dataclass(frozen=True, slots=True)
class Given:
    """A gift as it was answered: who gave whom what, and the sender's coins after it."""

    id: UUID
    sender_id: UUID
    recipient_id: UUID
    gift_type_id: UUID
    gift_type: str
    quantity: int
    coin_amount: int
    streamer_revenue: int
    platform_revenue: int
    stream_id: UUID | None
    box_id: UUID | None
    combo_id: UUID | None
    transaction_id: UUID
    created_at: datetime


def split(coin_amount: int, share_bps: int) -> Split:
    """Share coins out. The platform's part rounds down, so one coin is all the recipient's."""
    platform = share(coin_amount, BPS - share_bps)
    made = Split(coin_amount - platform, platform)
    assert made.streamer_revenue >= 0, "nobody pays for being given something"
    return made


def give(sender_id: UUID, wish: Wish, type: GiftType | None, *, id: UUID) -> Gift:
    """Let a gift be given, or refuse by the first broken rule in this order."""
    if wish.recipient_id == sender_id:
        raise GiftToSelf
    if type is None:
        raise GiftTypeUnknown
    if not type.is_active:
        raise GiftTypeInactive
    return Gift(id, sender_id, wish, type, split(type.coin_cost * wish.quantity, type.share_bps))


def purse(gift: Gift) -> Account:
    """Name the account that pays."""
    return of_user(gift.sender_id)


def earnings(gift: Gift) -> Account:
    """Name the account that earns."""
    return of_user(gift.wish.recipient_id, Purpose.EARNINGS)


def moves(gift: Gift) -> tuple[tuple[Account, int], ...]:
    """Say which accounts move by how much; the recipient first, so they are refused first."""
    return (
        (earnings(gift), gift.split.streamer_revenue),
        (of_platform(Purpose.REVENUE), gift.split.platform_revenue),
        (purse(gift), -gift.split.coin_amount),
    )


def given(gift: Gift, at: datetime) -> Given:
    """Say what was given, once it was posted."""
    wish = gift.wish
    return Given(
        id=gift.id,
        sender_id=gift.sender_id,
        recipient_id=wish.recipient_id,
        gift_type_id=gift.type.id,
        gift_type=gift.type.code,
        quantity=wish.quantity,
        coin_amount=gift.split.coin_amount,
        streamer_revenue=gift.split.streamer_revenue,
        platform_revenue=gift.split.platform_revenue,
        stream_id=wish.stream_id,
        box_id=wish.box_id,
        combo_id=wish.combo_id,
        transaction_id=gift.id,
        created_at=at,
    )


@dataclass(frozen=True, slots=True)
class Reversal:
    """A gift that was taken back, and what of it the platform bears, in coins."""

    given: Given
    transaction_id: UUID
    reason: str
    absorbed: int


def take_back(
    given: Given, *, available: int, absorb: bool, reason: str, transaction_id: UUID
) -> Reversal:
    """Take a gift back out of its recipient's earnings; what is gone is a loss, or a refusal."""
    missing = max(0, given.streamer_revenue - available)
    if missing and not absorb:
        raise EarningsSpent(available=available, needed=given.streamer_revenue)
    return Reversal(given, transaction_id, reason, missing)


def moves_back(reversal: Reversal) -> tuple[tuple[Account, int], ...]:
    """Say which accounts move by how much: the sender has every coin again."""
    given = reversal.given
    return (
        (of_user(given.sender_id), given.coin_amount),
        (of_user(given.recipient_id, Purpose.EARNINGS), reversal.absorbed - given.streamer_revenue),
        (of_platform(Purpose.REVENUE), -given.platform_revenue),
        (of_platform(Purpose.LOSS), -reversal.absorbed),
    )
