"""Who is calling, as a verified access token says."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from hazina.auth import permissions
from hazina.auth.refusals import Forbidden, StepUpRequired
from hazina.pg import SERVICE, Actor

FRESH_S = 300  # how long ago somebody may have proved who they are, where it must be fresh
STAFF = ("admin", "super_admin")
STAFF_AAL = 2  # staff are staff only after a second factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A user with a place in one organisation, or a service with scopes. Never both, never none."""

    user_id: UUID | None = None
    session_id: str | None = None  # an API key's id, where a key was exchanged for the token
    org_id: UUID | None = None
    org_type: str | None = None
    org_role: str | None = None  # owner, member or viewer
    mv: int | None = None  # the version of that membership; rises with every change of it
    platform_role: str = "user"  # user, admin or super_admin
    aal: int = 1  # how surely it is them: 1 one factor, 2 two
    amr: tuple[str, ...] = ()
    auth_time: datetime | None = None  # when they last proved who they are
    service: str | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    impersonator: UUID | None = None  # the member of staff who looks through this user's eyes

    def __post_init__(self) -> None:
        assert (self.user_id is None) != (self.service is None), "a user or a service"

    @property
    def actor(self) -> Actor:
        """For whom a transaction runs. Staff without a second factor see what users see."""
        if self.service is not None:
            return SERVICE
        staff = self.platform_role in STAFF and self.aal >= STAFF_AAL
        role = self.platform_role if staff else "user"
        return Actor(role=role, user_id=self.user_id, org_id=self.org_id)

    def require_user(self) -> UUID:
        """Give the user's id, or refuse a service."""
        if self.user_id is None:
            raise Forbidden("services have no things of their own")
        return self.user_id

    def require(self, permission: str) -> None:
        """Refuse unless the caller's role in its organisation carries `permission`."""
        if not permissions.allowed(self.org_role, permission):
            raise Forbidden(permission=permission)

    def require_staff(self, *, super_admin: bool = False) -> None:
        """Refuse all but staff who gave a second factor."""
        wanted = STAFF[1:] if super_admin else STAFF
        if self.platform_role not in wanted:
            raise Forbidden
        if self.aal < STAFF_AAL:
            raise StepUpRequired(required_aal=STAFF_AAL, max_age_s=FRESH_S)

    def require_scope(self, scope: str) -> None:
        """Refuse all but services that were given `scope`."""
        if self.service is None or scope not in self.scopes:
            raise Forbidden(scope=scope)

    def require_fresh(self, now: datetime, *, aal: int = 1) -> None:
        """Refuse unless they proved who they are within five minutes, at least at level `aal`."""
        age = timedelta.max if self.auth_time is None else now - self.auth_time
        if age > timedelta(seconds=FRESH_S) or self.aal < aal:
            raise StepUpRequired(required_aal=max(aal, 1), max_age_s=FRESH_S)
