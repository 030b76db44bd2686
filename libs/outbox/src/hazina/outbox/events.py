"""What a service tells others, and its own small copy of what it hears."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, Self, TypeVar
from uuid import UUID

from opentelemetry.context import Context
from pydantic import BaseModel, ConfigDict

TYPE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


class Event(BaseModel):
    """A fact another service may rely on.

    Fields are append-only and a new field has a default. A change that breaks this rule is a new
    class with the next version; both are sent until the last reader of the old one is gone.
    Facts with the same key keep their order; facts with different keys have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    __type__: ClassVar[str]  # "ledger.gift.sent"; dunder, because a fact may have a field `type`
    __version__: ClassVar[int]
    __key__: ClassVar[str]  # the field whose facts keep their order

    def __init_subclass__(
        cls, *, type: str = "", version: int = 0, key: str = "", **kwargs: object
    ) -> None:
        super().__init_subclass__(**kwargs)  # type: ignore[arg-type]
        if not type:
            return  # a family that shares fields is no event itself
        assert TYPE.fullmatch(type), f"{type} is not service.capability.fact"
        assert version >= 1, f"{type} needs a version"
        assert key, f"{type} needs a key"
        cls.__type__, cls.__version__, cls.__key__ = type, version, key

    @classmethod
    def of(cls, fact: object) -> Self:
        """Copy `fact`, a dataclass or a row, field by field."""
        return cls.model_validate(fact, from_attributes=True)


class ConsumedEvent(BaseModel):
    """What this service needs of another's event; the rest is ignored.

    A copy on purpose: services share contracts/, never code.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    __type__: ClassVar[str]  # "ledger.gift.sent.v1"

    def __init_subclass__(cls, *, type: str = "", **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)  # type: ignore[arg-type]
        if type:
            cls.__type__ = type


E_co = TypeVar("E_co", bound=ConsumedEvent, covariant=True)


@dataclass(frozen=True, slots=True)
class Received(Generic[E_co]):
    """One fact as it arrived: what it says, and where it stands in its source's ledger."""

    event: E_co
    id: UUID
    type: str  # with its version: "ledger.gift.sent.v1"
    source: str
    shard: int
    seq: int  # without gaps within (source, shard)
    key: str
    key_version: int | None
    time: datetime  # when the source wrote it
    trace: Context | None = None  # of the transaction that made it
