"""Every way of saying no to a caller, with the challenge that HTTP wants beside it."""

from hazina.problems import Kind, Problem


class Refusal(Problem):
    """A no about who is asking; `www_authenticate` is its WWW-Authenticate header (RFC 6750)."""

    www_authenticate: str = ""


class TokenInvalid(Refusal, code="auth.token_invalid", kind=Kind.UNAUTHENTICATED):
    """The access token is missing, expired or not one of ours."""

    www_authenticate = 'Bearer error="invalid_token"'


class TokenStale(Refusal, code="auth.token_stale", kind=Kind.UNAUTHENTICATED):
    """Your place in the organisation has changed; refresh the token and ask again."""

    www_authenticate = 'Bearer error="invalid_token", error_description="refresh it"'


class SessionRevoked(Refusal, code="auth.session_revoked", kind=Kind.UNAUTHENTICATED):
    """The session was ended; sign in again."""

    www_authenticate = 'Bearer error="invalid_token", error_description="session revoked"'


class Forbidden(Refusal, code="auth.forbidden", kind=Kind.FORBIDDEN):
    """You may not do this."""

    www_authenticate = 'Bearer error="insufficient_scope"'


class StepUpRequired(Refusal, code="auth.step_up_required", kind=Kind.UNAUTHENTICATED):
    """Prove once more that it is you, then ask again."""

    def __init__(self, *, required_aal: int, max_age_s: int) -> None:
        super().__init__(required_aal=required_aal, max_age_s=max_age_s)
        # RFC 9470, section 3. An instance says which level and how fresh.
        self.www_authenticate = (
            'Bearer error="insufficient_user_authentication", '
            f'acr_values="aal{required_aal}", max_age={max_age_s}'
        )


class ImpersonationReadOnly(Refusal, code="auth.impersonation_read_only", kind=Kind.FORBIDDEN):
    """Staff looking through a user's eyes may read, and change nothing."""
