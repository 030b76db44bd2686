"""What a proof tells the operators."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from hazina.outbox import Event


class Contradiction(BaseModel):
    """One place where the book contradicts itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: str
    says: str
    account_id: UUID | None


class CheckFailed(Event, type="ledger.check.failed", version=1, key="check_id"):
    """A proof of the book found contradictions; their accounts are frozen."""

    check_id: UUID
    level: str
    findings: tuple[Contradiction, ...]
