"""What signing keys tell the other services."""

from hazina.outbox import Event


class SigningKeyRevoked(Event, type="identity.signing_key.revoked", version=1, key="kid"):
    """A signing key was taken back at once: every token of it is to be refused."""

    kid: str
