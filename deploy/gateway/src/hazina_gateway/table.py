"""The route table: what the gateway answers, who may ask, how often and how long."""

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

FILE = Path(__file__).parents[2] / "routes.yaml"
SERVICES = ("identity", "billing", "ledger", "crypto", "streaming")
UNLIMITED = 10_000_000  # requests a second no machine of ours answers


class Row(BaseModel):
    """A row of the table; a misspelt word is an error, not a rule that silently never bites."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(Row):
    """How often one caller may ask: `burst` at once, then `per_second`.

    At least one a second, because every 429 of ours says `Retry-After: 1`.
    """

    by: Literal["user", "address"]
    burst: int = Field(ge=1)
    per_second: int = Field(ge=1)


class Route(Row):
    """One address or everything below one, and the service that answers there."""

    path: str | None = Field(default=None, pattern="^/")
    prefix: str | None = Field(default=None, pattern="^/.*[^/]$")
    service: Literal["identity", "billing", "ledger", "crypto", "streaming", "dev"]
    access: Literal["jwt", "public"]
    rate: str
    methods: tuple[str, ...] = ()
    timeout_s: int = Field(default=15, ge=1, le=60)
    body_mib: int = Field(default=1, ge=1, le=8)
    websocket: bool = False
    development: bool = False

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        assert (self.path is None) != (self.prefix is None), "a route has a path or a prefix"
        return self


class Table(Row):
    """The rate classes by name, and the routes in the order in which they are tried."""

    rates: dict[str, Rate]
    routes: tuple[Route, ...]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for route in self.routes:
            rate = self.rates.get(route.rate)
            assert rate, f"no rate class {route.rate}"
            # A public route has no user to count by: such a limit would never bite.
            wanted = "user" if route.access == "jwt" else "address"
            assert rate.by == wanted, f"{route.path or route.prefix}: rate must be by {wanted}"
        return self

    def without_development(self) -> "Table":
        """Leave out the rows that only a developer's machine has."""
        kept = tuple(route for route in self.routes if not route.development)
        return Table(rates=self.rates, routes=kept)

    def with_rates(self, text: str) -> "Table":
        """Change rate classes as HAZINA_GATEWAY_RATES says: "off", or "name=burst/per_second …"."""
        rates = dict(self.rates)
        if text.strip() == "off":
            text = " ".join(f"{name}={UNLIMITED}/{UNLIMITED}" for name in rates)
        for word in text.split():
            name, _, figures = word.partition("=")
            burst, _, per_second = figures.partition("/")
            assert name in rates, f"no rate class {name!r}; there are {', '.join(rates)}"
            rates[name] = Rate(by=rates[name].by, burst=int(burst), per_second=int(per_second))
        return Table(rates=rates, routes=self.routes)


def read(file: Path = FILE) -> Table:
    """Read the table, refusing unknown words, rows of two addresses and limits that never bite."""
    return Table.model_validate(yaml.safe_load(file.read_text()))
