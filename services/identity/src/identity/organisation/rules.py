"""What an organisation is and who may see it. Pure."""

import re
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from hazina.problems import Kind, Problem

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,38}[a-z0-9]", re.ASCII)
# Words that would make an address of ours ambiguous, or somebody look official.
RESERVED: Final = frozenset(
    {
        *("admin", "administrator", "api", "app", "auth", "billing", "console", "crypto", "dev"),
        *("hazina", "help", "identity", "internal", "ledger", "login", "me", "moderator", "new"),
        *("null", "official", "org", "orgs", "owner", "platform", "root", "security", "settings"),
        *("staff", "status", "streaming", "support", "system", "team", "user", "users", "www"),
    }
)

OrgType = Literal["personal", "business", "family", "education", "other"]
Role = Literal["owner", "member", "viewer"]
Reason = Literal["taken", "reserved", "invalid"]


class OrgUnknown(Problem, code="org.unknown", kind=Kind.UNKNOWN):
    """There is no such organisation, or you do not belong to it."""


class NotMember(Problem, code="org.not_member", kind=Kind.FORBIDDEN):
    """You do not belong to that organisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation as its rows say."""

    id: UUID
    name: str
    slug: str
    org_type: OrgType
    is_personal: bool
    owner_id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Somebody's place in an organisation; `mv` rises with each change of it."""

    org_id: UUID
    user_id: UUID
    role: Role
    mv: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session acts: an organisation, and the user's standing in it."""

    id: UUID
    slug: str
    type: OrgType
    role: Role
    mv: int


def slug_trouble(slug: str) -> Reason | None:
    """Say what is wrong with a slug by itself; whether it is taken only the table knows."""
    if not SLUG.fullmatch(slug):
        return "invalid"
    return "reserved" if slug in RESERVED else None


def personal(user_id: UUID, *, id: UUID, name: str, slug: str) -> tuple[Organisation, Membership]:
    """Found the organisation of one's own, with its only owner."""
    made = Organisation(
        id=id,
        name=name,
        slug=slug,
        org_type="personal",
        is_personal=True,
        owner_id=user_id,
        version=1,
    )
    return made, Membership(org_id=id, user_id=user_id, role="owner", mv=1)
