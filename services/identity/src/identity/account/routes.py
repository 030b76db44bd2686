"""Accounts over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import Field, StringConstraints
from sqlalchemy import Row

from hazina.auth import Signed
from hazina.chassis import Db, IfMatch, Now, PreconditionFailed, Wire, etag, refuses
from hazina.idempotency import MayKey
from identity.account import actions, store
from identity.account.actions import Signup
from identity.account.rules import (
    AccountUnknown,
    EmailRefused,
    PasswordCommon,
    PasswordContainsIdentity,
    PasswordTooLong,
    PasswordTooShort,
    UsernameRefused,
    UsernameTaken,
)
from identity.factor.rules import ChallengeRead
from identity.hasher import Busy
from identity.organisation.rules import Reason
from identity.trust import Trusted

router = APIRouter(tags=["account"])

ITEMS_MAX = 20
FIELDS_MAX = 20

Text = Annotated[str, StringConstraints(max_length=200)]
Address = Annotated[str, StringConstraints(max_length=200, pattern=r"^https://")]
Bio = Annotated[str, StringConstraints(max_length=2000)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Username = Annotated[str, StringConstraints(max_length=30)]
DisplayName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Item = Annotated[dict[Text, Text | bool | None], Field(max_length=FIELDS_MAX)]
Items = Annotated[list[Item], Field(max_length=ITEMS_MAX)]
Locale = Literal["en", "sw"]


class PaymentMethod(Wire):
    """How somebody pays, as the provider names it; never a card number."""

    provider: Text
    provider_ref: Text
    brand: Text
    last4: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]


class Profile(Wire):
    """What people may say about themselves."""

    full_name: Text | None = None
    avatar_url: Address | None = None
    billing_address: Item | None = None
    payment_method: PaymentMethod | None = None
    username: Username | None = None
    personal_title: Text | None = None
    first_name: Text | None = None
    middle_name: Text | None = None
    last_name: Text | None = None
    personal_apt_suite: Text | None = None
    personal_street_address_1: Text | None = None
    personal_street_address_2: Text | None = None
    personal_city: Text | None = None
    personal_state: Text | None = None
    personal_postal_code: Text | None = None
    personal_country: Country | None = None
    bio: Bio | None = None
    business_position: Text | None = None
    business_company: Text | None = None
    business_apt_suite: Text | None = None
    business_street_address_1: Text | None = None
    business_street_address_2: Text | None = None
    business_city: Text | None = None
    business_state: Text | None = None
    business_postal_code: Text | None = None
    business_country: Country | None = None


class ProfileUpdate(Profile):
    """The fields to change (RFC 7396): null takes a value away, a field left out stays.

    The four below always have a value; their defaults only say that they may be left out.
    """

    display_name: DisplayName = Field(default_factory=str)
    education: Items = Field(default_factory=list)
    work_experience: Items = Field(default_factory=list)
    locale: Locale = Field(default_factory=lambda: "en")

    def said(self) -> dict[str, Any]:
        """Give the fields that were said, as columns."""
        return self.model_dump(mode="json", exclude_unset=True)


class SignupCreate(Wire):
    """Who wants to join."""

    email: Text
    password: Annotated[str, StringConstraints(max_length=1024)]
    profile: ProfileUpdate = ProfileUpdate()


class UserRead(Profile):
    """The 41 fields of a user, which of their contacts they proved, and the version."""

    id: UUID
    display_name: str
    education: list[dict[str, Any]]
    work_experience: list[dict[str, Any]]
    locale: Locale
    email: str | None
    phone_country_code: str | None
    phone_number: str | None
    account_type: Literal["user", "admin", "super_admin"]
    profile_completed: bool
    onboarding_completed: bool
    created_at: datetime
    updated_at: datetime
    status: Literal["unverified", "active", "suspended", "banned", "erasing", "erased"]
    marketplace_role: str
    email_verified: bool
    phone_verified: bool
    version: int


class AvailabilityRead(Wire):
    """Whether a name can be had, and why not."""

    value: str
    available: bool
    reason: Reason | None


def _shown(row: Row[Any], response: Response) -> UserRead:
    response.headers["etag"] = etag(row.version)
    fields = {name: value for name, value in row._asdict().items() if name in UserRead.model_fields}
    return UserRead(
        **fields,
        email_verified=row.email_verified_at is not None,
        phone_verified=row.phone_verified_at is not None,
    )


@router.post(
    "/auth/signup",
    status_code=202,
    responses=refuses(
        EmailRefused,
        UsernameRefused,
        UsernameTaken,
        PasswordTooShort,
        PasswordTooLong,
        PasswordCommon,
        PasswordContainsIdentity,
        Busy,
    ),
)
async def post_signup(
    ask: SignupCreate, db: Db, trust: Trusted, now: Now, attempt: MayKey
) -> ChallengeRead:
    """Join. A known address gets the same answer, and a mail that says so."""
    wanted = Signup(email=ask.email, password=ask.password, profile=ask.profile.said())
    return await actions.sign_up(db, trust, wanted, attempt, now=now)


@router.get("/me", responses=refuses(AccountUnknown))
async def get_me(caller: Signed, db: Db, response: Response) -> UserRead:
    """Give all that the caller said about themselves."""
    user_id = caller.require_user()
    async with db.reading(caller.actor) as tx:
        return _shown(await store.read_user(tx, user_id), response)


@router.patch(
    "/me", responses=refuses(AccountUnknown, UsernameRefused, UsernameTaken, PreconditionFailed)
)
async def patch_me(
    ask: ProfileUpdate, caller: Signed, db: Db, match: IfMatch, response: Response
) -> UserRead:
    """Change what the caller says about themselves."""
    caller.require_user()
    row = await actions.change_profile(db, caller.actor, ask.said(), version=match.version)
    return _shown(row, response)


@router.get("/usernames/{value}")
async def get_username(value: Annotated[str, Path(max_length=200)], db: Db) -> AvailabilityRead:
    """Say whether somebody can have this username."""
    reason = await actions.why_not(db, value)
    return AvailabilityRead(value=value, available=reason is None, reason=reason)
