"""Makers of people for identity's tests: everything goes over HTTP, as for anybody."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

V1 = "/identity/v1"
PASSWORD = "karibu kwenye hazina"


@dataclass
class Person:
    """Somebody who signed up, with their tokens."""

    http: httpx.AsyncClient
    name: str
    tokens: dict[str, Any]

    @property
    def id(self) -> UUID:
        return UUID(self.tokens["user"]["id"])

    @property
    def org_id(self) -> str:
        return str(self.tokens["org"]["id"])

    @property
    def session_id(self) -> str:
        return str(self.tokens["session_id"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.get(V1 + path, headers=self.headers, **more)

    async def post(self, path: str, body: object = None) -> httpx.Response:
        return await self.http.post(V1 + path, headers=self.headers, json=body)

    async def patch(self, path: str, body: object, **headers: str) -> httpx.Response:
        return await self.http.patch(V1 + path, headers=self.headers | headers, json=body)

    async def delete(self, path: str) -> httpx.Response:
        return await self.http.delete(V1 + path, headers=self.headers)

    async def refresh(self, token: str | None = None) -> httpx.Response:
        ask = {"refresh_token": token or self.tokens["refresh_token"]}
        return await self.http.post(f"{V1}/auth/refresh", json=ask)


class People:
    """Signs people up."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(self, name: str = "amina", **more: Any) -> httpx.Response:
        """Ask to sign up, without answering the challenge."""
        headers = more.pop("headers", {})
        body: dict[str, Any] = {
            "email": f"{name}@example.com",
            "password": PASSWORD,
            "profile": {"username": name},
        }
        return await self.http.post(f"{V1}/auth/signup", json=body | more, headers=headers)

    async def mails(self, name: str = "amina") -> list[dict[str, Any]]:
        """Read the mails that somebody got, newest first."""
        found = await self.http.get(f"{V1}/dev/messages", params={"to": f"{name}@example.com"})
        mails: list[dict[str, Any]] = found.json()
        return mails

    async def code(self, name: str = "amina") -> str:
        return str((await self.mails(name))[0]["code"])

    async def answer(self, challenge: httpx.Response, code: str, **headers: str) -> httpx.Response:
        at = f"{V1}/auth/challenges/{challenge.json()['challenge_id']}/answer"
        return await self.http.post(at, json={"method": "code", "code": code}, headers=headers)

    async def sign_up(self, name: str = "amina", **more: Any) -> Person:
        """Sign somebody up, address proved."""
        challenge = await self.ask(name, **more)
        signed_in = await self.answer(challenge, await self.code(name))
        assert signed_in.status_code == 200, signed_in.text
        return Person(self.http, name, signed_in.json())

    async def log_in(
        self, identifier: str = "amina", password: str = PASSWORD, **more: str
    ) -> httpx.Response:
        body = {"identifier": identifier, "password": password} | more
        return await self.http.post(f"{V1}/auth/login", json=body)
