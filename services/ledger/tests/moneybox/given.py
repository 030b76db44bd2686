"""A saver, a service that pays commissions, and a way to ask for each thing."""

from dataclasses import dataclass
from typing import Any

import httpx

from hazina import ids
from hazina.pg import SERVICE, Database
from ledger.account import store
from ledger.account.rules import Purpose, of_platform, of_user

from ..people import Bearer, Person, ask  # noqa: TID252

PLATFORM = {"owner_type": "platform"}


@dataclass(frozen=True)
class Saver:
    """Somebody who saves, and may be asked about it."""

    person: Person
    http: httpx.AsyncClient
    bearer: Bearer

    async def asks(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        """Ask for something in their name."""
        return await ask(self.http, self.bearer(self.person.id), path, body, key)

    async def opens(self, tier: int = 2, percent: int = 10, asset: str = "KES") -> dict[str, Any]:
        """Open a moneybox."""
        body = {"tier": tier, "asset": asset, "autosave_percent": percent}
        answer = await self.asks("/moneyboxes", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def earns(
        self, amount: int, source: str | None = None, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """Be credited a commission by a service."""
        body = {
            "user_id": str(self.person.id),
            "amount": amount,
            "currency": "KES",
            "payer": PLATFORM,
            "source_type": "order",
            "source_id": source or str(ids.new()),
        }
        service = self.bearer(service="orders", scopes=["ledger:commission"])
        return await ask(self.http, service, "/commissions", body | more, key)

    async def sees(self, box: dict[str, Any]) -> dict[str, Any]:
        """Look at a moneybox."""
        headers = self.bearer(self.person.id)
        answer = await self.http.get(f"/ledger/v1/moneyboxes/{box['id']}", headers=headers)
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        return seen


async def money(db: Database, person: Person, asset: str = "KES") -> tuple[int, int]:
    """Tell what somebody has in the purse and in the moneybox."""
    accounts = [of_user(person.id, asset=asset), of_user(person.id, Purpose.MONEYBOX, asset)]
    async with db.reading(SERVICE) as tx:
        purse, box = [(await store.read_account(tx, one.id)).posted for one in accounts]
    return purse, box


async def of_house(db: Database, purpose: Purpose, asset: str = "KES") -> int:
    """Tell what the platform has for a purpose."""
    async with db.reading(SERVICE) as tx:
        posted: int = (await store.read_account(tx, of_platform(purpose, asset).id)).posted
    return posted
