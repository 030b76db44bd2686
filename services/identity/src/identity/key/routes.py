"""The key set over HTTP, where everybody who checks tokens fetches it."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from identity.key.actions import Ring

router = APIRouter(tags=["key"])

MAX_AGE_S = 600


@router.get("/.well-known/jwks.json", response_class=Response)
async def get_jwks(
    request: Request, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """Give the keys that access tokens are checked with (RFC 7517)."""
    ring: Ring = request.app.state.ring
    await ring.refresh()
    headers = {"cache-control": f"public, max-age={MAX_AGE_S}", "etag": ring.tag}
    if if_none_match == ring.tag:
        return Response(status_code=304, headers=headers)
    return Response(ring.document, media_type="application/jwk-set+json", headers=headers)
