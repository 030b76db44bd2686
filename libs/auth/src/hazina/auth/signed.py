"""The caller of a request, for FastAPI: `Signed` is any believable one."""

from typing import Annotated

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from hazina.auth.caller import Caller
from hazina.auth.refusals import ImpersonationReadOnly, TokenInvalid
from hazina.auth.verifier import Verifier

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Bearer(SecurityBase):
    """Reads `Authorization: Bearer …` and has the app's `state.verifier` check the token."""

    def __init__(self) -> None:
        self.model = BearerModel(bearerFormat="at+jwt")
        self.scheme_name = "bearer"

    async def __call__(self, connection: HTTPConnection) -> Caller:
        verifier: Verifier = connection.app.state.verifier
        caller = await verifier.verify(_token(connection))
        connection.state.caller = caller  # an idempotency key is scoped to its caller
        method = connection.scope.get("method", "")  # a WebSocket has none, and is not read-only
        if caller.impersonator is not None and method not in SAFE_METHODS:
            raise ImpersonationReadOnly
        return caller


def _token(connection: HTTPConnection) -> str:
    given = connection.headers.getlist("authorization")
    if len(given) != 1:
        raise TokenInvalid
    scheme, _, token = given[0].partition(" ")
    if scheme.lower() != "bearer":
        raise TokenInvalid
    return token.strip(" ")


Signed = Annotated[Caller, Depends(Bearer())]
