"""What a role in an organisation allows: one static table for the whole house."""

from typing import Final

VIEWER: Final = frozenset({"org.read", "member.read", "billing.read", "ledger.read"})
MEMBER: Final = VIEWER | {
    *("api_key.read", "listing.write", "invite.viewer"),
    *("usage.write", "quota.use"),
}
OWNER: Final = MEMBER | {
    *("org.update", "org.delete", "member.set_role", "member.remove", "invite.any"),
    *("api_key.write", "audit.read"),
    "billing.manage",
    "ledger.move",
}

BY_ROLE: Final[dict[str, frozenset[str]]] = {"viewer": VIEWER, "member": MEMBER, "owner": OWNER}
EVERY: Final = OWNER  # each role has all that the one below it has


def allowed(role: str | None, permission: str) -> bool:
    """Tell whether `role` carries `permission`; asking for one that does not exist is a bug."""
    assert permission in EVERY, f"no such permission: {permission}"
    return permission in BY_ROLE.get(role or "", frozenset())
