"""People over HTTP."""

from uuid import UUID

from fastapi import APIRouter

from hazina.auth import Signed
from hazina.chassis import Db, Wire, refuses
from streaming.profile import store
from streaming.profile.rules import ProfileUnknown

router = APIRouter(prefix="/streaming/v1", tags=["profile"])


class ProfileRead(Wire):
    """A person with what they did here."""

    profile_id: UUID
    username: str | None
    display_name: str | None
    avatar_url: str | None
    follower_count: int
    following_count: int
    total_gifts_received: int
    total_gifts_sent: int
    supporter: bool
    is_live: bool
    live_stream_id: UUID | None


@router.get("/profiles/{profile_id}", responses=refuses(ProfileUnknown))
async def get_profile(profile_id: UUID, caller: Signed, db: Db) -> ProfileRead:
    """Show a person, their gifts, and whether they are live."""
    async with db.reading(caller.actor) as tx:
        found = await store.find_profile(tx, profile_id)
    if found is None:
        raise ProfileUnknown(id=str(profile_id))
    return ProfileRead.of(found)
