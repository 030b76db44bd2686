"""Makers of keys and tokens for auth's tests."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from joserfc import jws
from joserfc.jwk import ECKey

ISSUER, AUDIENCE = "https://identity.example", "hazina"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
USER, SESSION, ORG = UUID(int=1), UUID(int=2), UUID(int=3)


def key(kid: str = "one") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"})


def key_set(*keys: ECKey) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def claims(**changed: object) -> dict[str, object]:
    at = int(NOW.timestamp())
    whole: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(USER),
        "sid": str(SESSION),
        "exp": at + 300,
        "iat": at,
        "jti": "a-token",
        "aal": 1,
        "amr": ["pwd"],
        "auth_time": at,
        "prole": "user",
        "org": {"id": str(ORG), "type": "personal", "role": "owner", "mv": 3},
    }
    whole |= changed
    return {name: value for name, value in whole.items() if value is not None}


def service_claims(**changed: object) -> dict[str, object]:
    nobody = {"sid": None, "org": None, "auth_time": None, "amr": None, "aal": None}
    return claims(**(nobody | {"sub": "svc:ledger", "scope": "ledger:write a:b"} | changed))


def token(signer: ECKey, said: dict[str, object] | None = None, **header: object) -> str:
    head = {"alg": "ES256", "kid": signer.kid, "typ": "at+jwt"} | header
    body = json.dumps(claims() if said is None else said)
    return jws.serialize_compact(head, body, signer, algorithms=["ES256"])
