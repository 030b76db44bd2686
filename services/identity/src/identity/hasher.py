"""Hashing passwords with Argon2id on a few threads, so that a crowd cannot take the machine."""

import asyncio
import base64
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2

from hazina.problems import Kind, Problem

# OWASP's minimum: 19 MiB, two passes, one lane; about 25 ms of one core.
MEMORY_KIB = 19 * 1024
TIME_COST = 2
DECOY = "a password that nobody has"
T = TypeVar("T")


class Busy(Problem, code="auth.busy", kind=Kind.UNAVAILABLE):
    """Too many people are signing in at this moment; try again shortly."""


def normalise(password: str) -> str:
    """Write a password the one way (NFKC), however a keyboard composed it."""
    return unicodedata.normalize("NFKC", password)


class Hasher:
    """Makes and checks password hashes; the pepper is not in the database they are in."""

    def __init__(self, pepper: bytes, *, pepper_id: str, threads: int, waiting: int) -> None:
        """Hash on `threads` at once (0: one a core), with `waiting` in line for each."""
        threads = threads or os.cpu_count() or 1
        self.pepper_id = pepper_id
        self._pepper = pepper
        self._room = threads * (1 + waiting)
        self._inside = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._argon2 = argon2.PasswordHasher(
            time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1
        )
        self._decoy = self._argon2.hash(self._peppered(DECOY))

    async def hash(self, password: str) -> str:
        """Hash `password`; raises `Busy` at once when the line is full."""
        return await self._run(lambda: self._argon2.hash(self._peppered(password)))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Tell whether `password` is the one `kept` was made of; None takes as long, and is not."""
        return await self._run(lambda: self._verify(kept or self._decoy, password)) and bool(kept)

    def outdated(self, kept: str) -> bool:
        """Tell whether `kept` was made with other parameters than today's."""
        return self._argon2.check_needs_rehash(kept)

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._argon2.verify(kept, self._peppered(password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    def _peppered(self, password: str) -> bytes:
        digest = hmac.digest(self._pepper, normalise(password).encode(), hashlib.sha256)
        return base64.b64encode(digest)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._inside >= self._room:
            raise Busy(retry_after_s=1)
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._inside -= 1
