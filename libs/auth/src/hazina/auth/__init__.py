"""Who is calling, and what they may do: checked again in every service, behind the gateway too."""

from hazina.auth.caller import Caller
from hazina.auth.hearing import change_member, hears, prune, revoke_keys, revoke_sessions
from hazina.auth.keys import Keys, KeySetRefused, RemoteKeys, StaticKeys
from hazina.auth.refusals import (
    Forbidden,
    ImpersonationReadOnly,
    SessionRevoked,
    StepUpRequired,
    TokenInvalid,
    TokenStale,
)
from hazina.auth.revocations import Revocations
from hazina.auth.signed import Signed
from hazina.auth.tables import create_sql, drop_sql
from hazina.auth.verifier import Verifier

__all__ = [
    "Caller",
    "Forbidden",
    "ImpersonationReadOnly",
    "KeySetRefused",
    "Keys",
    "RemoteKeys",
    "Revocations",
    "SessionRevoked",
    "Signed",
    "StaticKeys",
    "StepUpRequired",
    "TokenInvalid",
    "TokenStale",
    "Verifier",
    "change_member",
    "create_sql",
    "drop_sql",
    "hears",
    "prune",
    "revoke_keys",
    "revoke_sessions",
]
