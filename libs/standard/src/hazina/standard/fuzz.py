"""What schemathesis checks beside its own checks: loaded by it, by name."""

from typing import Any

import schemathesis
from schemathesis import CheckContext, GenerationMode

NEVER = frozenset({"validation.failed", "request.malformed", "request.content_type"})


@schemathesis.check
def right_shape_passes(
    _: CheckContext, response: schemathesis.Response, case: "schemathesis.Case[Any]"
) -> None:
    """A request of the published shape may be refused by a rule, and never for its shape."""
    mode = case.meta.generation.mode if case.meta else None
    if mode is not GenerationMode.POSITIVE or response.status_code not in {400, 415, 422}:
        return
    told = response.json()
    code = told.get("code")
    # JSON Schema takes 3.0 for an integer; we do not, because money is never a float.
    if {error["code"] for error in told.get("errors", ())} == {"int_type"}:
        return
    assert code not in NEVER, f"a request of the right shape was refused as {code}"
