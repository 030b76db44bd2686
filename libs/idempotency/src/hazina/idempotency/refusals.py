"""Every way of saying no to a key."""

from hazina.problems import Kind, Problem


class KeyMissing(Problem, code="idempotency.key_missing", kind=Kind.MALFORMED):
    """This operation needs an Idempotency-Key header, so that asking twice is safe."""


class KeyMalformed(Problem, code="idempotency.key_malformed", kind=Kind.MALFORMED):
    """An Idempotency-Key is 1 to 255 printable ASCII characters."""


class KeyReused(Problem, code="idempotency.key_reused", kind=Kind.INVALID):
    """This Idempotency-Key was used for another request."""

    def __init__(self, field: str) -> None:
        super().__init__(field=field)


class InFlight(Problem, code="idempotency.in_flight", kind=Kind.CONFLICT):
    """The first attempt with this Idempotency-Key is still being worked on."""

    def __init__(self) -> None:
        super().__init__(retry_after_s=1)
