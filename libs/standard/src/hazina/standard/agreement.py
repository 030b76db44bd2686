"""Where code and `contracts/` say the same thing, and where they do not."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from pydantic import ValidationError

from hazina.outbox import ConsumedEvent, Event

T = TypeVar("T")


def event_name(event: type[Event]) -> str:
    """Name an event with its version, as its contract's file is named."""
    return f"{event.__type__}.v{event.__version__}"


def events_of(service: str) -> list[type[Event]]:
    """List what `service` tells others, of all that is imported."""
    found = {event_name(event): event for event in _below(Event) if "__type__" in vars(event)}
    return [found[name] for name in sorted(found) if name.startswith(f"{service}.")]


def produced_differences(event: type[Event], contract: Mapping[str, Any]) -> Iterator[str]:
    """Say where an event and its contract disagree."""
    name = event_name(event)
    if contract.get("type") != name:
        yield f"{name}: the contract's type is {contract.get('type')}"
    if meaning(contract.get("schema")) != meaning(event.model_json_schema()):
        yield f"{name}: the schema differs; a new field needs `make contracts` and a review"
    if not contract.get("examples"):
        yield f"{name}: the contract has no example"
    for example in contract.get("examples", ()):
        try:
            again = json.loads(event.model_validate_json(json.dumps(example)).model_dump_json())
        except ValidationError as bad:
            yield f"{name}: an example is not one: {bad}"
        else:
            if again != example:
                yield f"{name}: an example does not survive the round trip: {example} -> {again}"
        for wrong in Draft202012Validator(contract["schema"]).iter_errors(example):
            yield f"{name}: an example is not of the schema: {wrong.message}"


def consumed_differences(event: type[ConsumedEvent], contract: Mapping[str, Any]) -> Iterator[str]:
    """Say what a consumer expects that the contract does not promise."""
    promised = contract["schema"].get("properties", {})
    for name, field in event.model_fields.items():
        if (field.alias or name) not in promised:
            yield f"{event.__type__}: nobody promises the field {field.alias or name}"
    for example in contract["examples"]:
        try:
            event.model_validate_json(json.dumps(example))
        except ValidationError as bad:
            yield f"{event.__type__}: the contract's example is not understood: {bad}"


def meaning(schema: object) -> object:
    """Leave out of a JSON schema what only people read."""
    if isinstance(schema, dict):
        return {
            name: meaning(part)
            for name, part in schema.items()
            if name not in {"title", "description"} or isinstance(part, dict)
        }
    return [meaning(part) for part in schema] if isinstance(schema, list) else schema


def read(path: Path) -> Any:
    """Read a contract, or None where there is none."""
    return json.loads(path.read_text()) if path.exists() else None


def _below(cls: type[T]) -> Iterator[type[T]]:
    children: list[type[T]] = cls.__subclasses__()
    for child in children:
        yield child
        yield from _below(child)
