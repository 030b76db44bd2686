"""The shapes that cross the network: strict on the way in, exact on the way out."""

from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

INT_MAX = 2**63 - 1  # what a BIGINT holds; larger numbers travel as text


def _strict(node: Any) -> Any:
    """Tighten every number, boolean and time below `node`."""
    if isinstance(node, list | tuple):
        return type(node)(_strict(part) for part in node)
    if not isinstance(node, dict):
        return node
    tight = {
        name: part if name in {"metadata", "serialization", "default"} else _strict(part)
        for name, part in node.items()
    }
    match node.get("type"):
        case "int" | "float" | "bool":
            return tight | {"strict": True}
        case "datetime":
            aware: Any = tight | {"tz_constraint": "aware"}
            return core_schema.no_info_before_validator_function(_not_a_number, aware)
        case "date" | "timedelta":
            return core_schema.no_info_before_validator_function(_not_a_number, tight)
    return tight


def _not_a_number(value: object) -> object:
    """Refuse what pydantic would read as seconds since 1970."""
    if isinstance(value, str) and value.removeprefix("-").replace(".", "", 1).isdigit():
        raise ValueError("a time is written as RFC 3339 says")
    if isinstance(value, int | float) and not isinstance(value, date | datetime):
        raise ValueError("a time is written as RFC 3339 says")  # noqa: TRY004  pydantic reports it
    return value


class Wire(BaseModel):
    """A shape that crosses the network. Unknown fields are refused, not ignored.

    Numbers and booleans are taken as they are, never from text and never from each other; a time
    is RFC 3339 text with its zone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls, fact: object) -> Self:
        """Show `fact` in this shape, field by field."""
        return cls.model_validate(fact, from_attributes=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema: CoreSchema = _strict(handler(source))
        return schema
