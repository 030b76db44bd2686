"""`python -m hazina.standard.contracts [--check]`: what services promise, written from the code.

Writes `contracts/http/<service>.json`, the schemas in `contracts/events/`, `problems.md` and
`asyncapi.yaml` below the current folder. `--check` writes nothing and exits 1 where a file would
change. Examples of events are written by hand: they say what a producer means.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from hazina import problems
from hazina.chassis import Service, asgi
from hazina.chassis.render import STATUS
from hazina.pg.roles import SERVICES
from hazina.standard import agreement
from hazina.standard.under_test import UnderTest

PROBLEMS_HEAD = """# Every way of saying no

Generated from the code by `make contracts`; a code is for ever, a wording may change.
The answer is `application/problem+json` (RFC 9457); `type` is `/problems/<code>`.

| code | status | meaning |
|---|---|---|
"""


def main() -> None:
    """Write the contracts, or tell which are not as the code says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    parser.add_argument("--only", choices=SERVICES, help="what this service alone promises")
    asked = parser.parse_args()
    here = Path("contracts")
    wanted = promised(here, asked.only) if asked.only else rendered(here)
    stale = {path: text for path, text in wanted if read(path) != text}
    for path, text in stale.items():
        if not asked.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print("differs" if asked.check else "wrote", path)  # noqa: T201  a command line
    sys.exit(1 if asked.check and stale else 0)


def read(path: Path) -> str:
    """Read a file, empty where there is none."""
    return path.read_text() if path.exists() else ""


def rendered(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give every generated file and what it should hold."""
    events = {}
    for name in SERVICES:
        for path, text in promised(folder, name):
            yield path, text
            if path.parent.name == "events":
                events[path.stem] = json.loads(text)
    yield folder / "asyncapi.yaml", asyncapi(events)
    yield folder / "problems.md", problem_list()


def promised(folder: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Give the files that service `name` alone answers for."""
    yield folder / "http" / f"{name}.json", http(described(name))
    for event in agreement.events_of(name):
        path = folder / "events" / f"{agreement.event_name(event)}.json"
        known = agreement.read(path) or {"examples": []}
        contract = {
            "type": agreement.event_name(event),
            "schema": event.model_json_schema(),
            "examples": known["examples"],
        }
        yield path, as_json(contract)


def described(name: str) -> Service:
    """Import a service and build it, without a database."""
    app = importlib.import_module(f"{name}.app")
    settings = importlib.import_module(f"{name}.settings")
    return UnderTest(name, settings.Settings, app.build).described()


def http(service: Service) -> str:
    """Write the OpenAPI document of `service`."""
    return as_json(asgi(service).openapi())


def problem_list() -> str:
    """Write every problem of all that is imported, by code."""
    # Services that share a code may share its words too, and are not listed twice then.
    rows = sorted(
        {
            f"| `{problem.code}` | {STATUS[problem.kind]} | {problem.title} |"
            for problem in problems.every()
        }
    )
    return PROBLEMS_HEAD + "\n".join(rows) + "\n"


def asyncapi(events: Mapping[str, Mapping[str, Any]]) -> str:
    """Write every event as AsyncAPI 3.0: one channel per event, sharded by key."""
    channels, operations, messages = {}, {}, {}
    for name, contract in events.items():
        service, _, rest = name.partition(".")
        # A key in the document may hold no dot.
        key = name.replace(".", "_")
        messages[key] = {
            "name": name,
            "contentType": "application/json",
            "payload": contract["schema"],
            "examples": [{"payload": example} for example in contract["examples"]],
        }
        channels[key] = {
            "address": f"evt.{service}.{{shard}}.{rest}",
            "parameters": {"shard": {"description": "crc32 of the key, modulo the shards."}},
            "messages": {key: {"$ref": f"#/components/messages/{key}"}},
        }
        operations[f"send_{key}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{key}"},
            "tags": [{"name": service}],
        }
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "What the services tell each other", "version": "1"},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def as_json(document: object) -> str:
    """Write JSON as it is kept in the repository."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
