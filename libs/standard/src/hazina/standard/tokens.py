"""Access tokens for any caller, signed with a key of this run."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import ECKey

from hazina import ids

KID = "test"
LIFETIME_S = 300


class Signer:
    """Signs as identity would; services under test are given its public key."""

    def __init__(self, issuer: str, audience: str) -> None:
        self.issuer = issuer
        self.audience = audience
        self._key = ECKey.generate_key("P-256", {"kid": KID, "use": "sig", "alg": "ES256"})

    @property
    def key_set(self) -> dict[str, Any]:
        """The public key, as identity publishes its own."""
        return {"keys": [self._key.as_dict(private=False)]}

    def sign(self, claims: dict[str, Any], **header: str) -> str:
        """Sign any claims, also those that no service should believe."""
        full = {"alg": "ES256", "kid": KID, "typ": "at+jwt"} | header
        return jwt.encode(full, claims, self._key)

    def token(
        self,
        now: datetime,
        user_id: UUID | None = None,
        org_id: UUID | None = None,
        *,
        org_role: str = "owner",
        org_type: str = "personal",
        mv: int = 1,
        platform_role: str = "user",
        aal: int = 1,
        amr: Sequence[str] = ("pwd",),
        session_id: UUID | None = None,
        auth_time: datetime | None = None,
        service: str | None = None,
        scopes: Sequence[str] = (),
        **claims: Any,
    ) -> str:
        """Make the token of a user, somebody new unless named; or of a `service` with `scopes`."""
        at = int(now.timestamp())
        body: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "iat": at,
            "exp": at + LIFETIME_S,
            "jti": str(ids.new()),
        }
        if service is not None:
            body |= {"sub": f"svc:{service}", "scope": " ".join(scopes)}
        else:
            org = {"type": org_type, "role": org_role, "mv": mv}
            body |= {
                "sub": str(user_id or ids.new()),
                "sid": str(session_id or ids.new()),
                "aal": aal,
                "amr": list(amr),
                "auth_time": int((auth_time or now).timestamp()),
                "prole": platform_role,
                "org": org | {"id": str(org_id or ids.new())},
            }
        return self.sign(body | claims)


Mint = Callable[..., str]
