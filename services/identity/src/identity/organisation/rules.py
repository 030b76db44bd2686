"""What an organisation is and who may see it. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
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


class MemberUnknown(Problem, code="member.unknown", kind=Kind.UNKNOWN):
    """Nobody of that id belongs to the organisation."""


class SlugTaken(Problem, code="org.slug_taken", kind=Kind.CONFLICT):
    """That slug belongs to another organisation."""


class SlugRefused(Problem, code="org.slug_refused", kind=Kind.INVALID):
    """That cannot be a slug: 3 to 40 of a-z, 0-9 and -, and no reserved word."""


class PersonalOrg(Problem, code="org.personal", kind=Kind.CONFLICT):
    """A personal organisation has its one owner, for ever."""


class LastOwner(Problem, code="org.last_owner", kind=Kind.CONFLICT):
    """An organisation keeps at least one owner."""


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


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of one membership writes: it, and who owns the organisation afterwards."""

    member: Membership
    owner_id: UUID


def set_role(
    org: Organisation, members: Sequence[Membership], user_id: UUID, role: Role
) -> Change | None:
    """Give a member another role; None when they have it. `members`: longest-standing first.

    Raises PersonalOrg, MemberUnknown, LastOwner.
    """
    member = _require_member(org, members, user_id)
    if member.role == role:
        return None
    owner_id = org.owner_id if role == "owner" else _owner_without(org, members, user_id)
    return Change(replace(member, role=role, mv=member.mv + 1), owner_id)


def remove(org: Organisation, members: Sequence[Membership], user_id: UUID) -> Change:
    """Take a member out, or let them go; raises PersonalOrg, MemberUnknown, LastOwner."""
    member = _require_member(org, members, user_id)
    owner_id = _owner_without(org, members, user_id)
    return Change(replace(member, mv=member.mv + 1), owner_id)


def _require_member(org: Organisation, members: Sequence[Membership], user_id: UUID) -> Membership:
    if org.is_personal:
        raise PersonalOrg
    found = next((member for member in members if member.user_id == user_id), None)
    if found is None:
        raise MemberUnknown
    return found


def _owner_without(org: Organisation, members: Sequence[Membership], user_id: UUID) -> UUID:
    """Say who owns the organisation without `user_id`: the longest-standing other owner."""
    owners = [m.user_id for m in members if m.role == "owner" and m.user_id != user_id]
    if not owners:
        raise LastOwner
    return org.owner_id if org.owner_id != user_id else owners[0]


def slug_trouble(slug: str) -> Reason | None:
    """Say what is wrong with a slug by itself; whether it is taken only the table knows."""
    if not SLUG.fullmatch(slug):
        return "invalid"
    return "reserved" if slug in RESERVED else None


def require_slug(slug: str) -> None:
    """Refuse a slug that nobody can have."""
    if reason := slug_trouble(slug):
        raise SlugRefused(reason=reason)


def founded(
    owner_id: UUID, *, id: UUID, name: str, slug: str, org_type: OrgType
) -> tuple[Organisation, Membership]:
    """Found an organisation with its first owner."""
    made = Organisation(
        id=id,
        name=name,
        slug=slug,
        org_type=org_type,
        is_personal=org_type == "personal",
        owner_id=owner_id,
        version=1,
    )
    return made, Membership(org_id=id, user_id=owner_id, role="owner", mv=1)
