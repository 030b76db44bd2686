"""`python -m hazina_gateway render --target compose|embedded` and `validate`, which asks Envoy."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hazina.embedded import Trouble
from hazina.embedded.envoy import validate
from hazina_gateway.render import dump, render
from hazina_gateway.table import SERVICES

ISSUER = "https://identity.hazina.local"


def compose(rates: str = "") -> dict[str, Any]:
    """Render for docker-compose.yml, where a service's name is its address."""
    return render(
        services={name: (name, 8000) for name in SERVICES},
        listen=("0.0.0.0", 8080),  # noqa: S104  inside its container; compose publishes loopback
        admin=("127.0.0.1", 9901),
        issuer=ISSUER,
        otlp=("otel-collector", 4318),
        development=True,
        rates=rates,
    )


def embedded(rates: str = "") -> dict[str, Any]:
    """Render as `hazina up` does, with sample ports in place of the free ones it finds."""
    return render(
        services={name: ("127.0.0.1", 8001 + n) for n, name in enumerate(SERVICES)},
        listen=("127.0.0.1", 8080),
        admin=("127.0.0.1", 9901),
        issuer=ISSUER,
        otlp=("127.0.0.1", 4318),
        dev=("127.0.0.1", 4318),
        rates=rates,
    )


TARGETS: dict[str, Callable[[str], dict[str, Any]]] = {"compose": compose, "embedded": embedded}


def complaint(config: dict[str, Any]) -> str:
    """Ask Envoy itself whether it would run this; give its complaint, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            validate(config, Path(folder))
        except Trouble as trouble:
            return str(trouble)
    return ""


def main(words: list[str] | None = None) -> int:
    """Render one target to standard output, or validate every target."""
    parser = argparse.ArgumentParser(prog="python -m hazina_gateway", description=__doc__)
    parser.add_argument("action", choices=["render", "validate"])
    parser.add_argument("--target", choices=TARGETS, default="compose")
    asked = parser.parse_args(words)
    rates = os.environ.get("HAZINA_GATEWAY_RATES", "")
    if asked.action == "render":
        sys.stdout.write(dump(TARGETS[asked.target](rates)))
        return 0
    complaints = [complaint(make(rates)) for make in TARGETS.values()]
    sys.stderr.write("\n".join(filter(None, complaints)))
    return 1 if any(complaints) else 0


if __name__ == "__main__":
    sys.exit(main())
