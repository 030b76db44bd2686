import asyncio
import time

import pytest

from identity.hasher import Busy, Hasher

pytestmark = pytest.mark.anyio


def hasher(**more: int) -> Hasher:
    return Hasher(b"p" * 32, pepper_id="p1", **({"threads": 1, "waiting": 8} | more))


class TestHasher:
    async def test_knows_the_password_it_hashed_and_no_other(self) -> None:
        ours = hasher()
        kept = await ours.hash("karibu kwenye hazina")

        assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert await ours.matches(kept, "karibu kwenye hazina")
        assert not await ours.matches(kept, "karibu kwenye hazine")
        assert not await ours.matches(None, "karibu kwenye hazina")
        assert not ours.outdated(kept)

    async def test_is_worth_nothing_without_the_pepper(self) -> None:
        kept = await hasher().hash("karibu kwenye hazina")
        other = Hasher(b"o" * 32, pepper_id="p2", threads=1, waiting=8)

        assert not await other.matches(kept, "karibu kwenye hazina")

    async def test_never_matches_the_decoy(self) -> None:
        assert not await hasher().matches(None, "a password that nobody has")

    async def test_turns_away_who_would_wait_too_long(self) -> None:
        ours = hasher(waiting=2)

        answers = await asyncio.gather(
            *(ours.hash("karibu kwenye hazina") for _ in range(6)), return_exceptions=True
        )

        assert [isinstance(answer, Busy) for answer in answers].count(True) == 3

    async def test_leaves_the_loop_free(self) -> None:
        hashing = asyncio.create_task(hasher().hash("karibu kwenye hazina"))
        await asyncio.sleep(0)
        started = time.perf_counter()
        await asyncio.sleep(0)

        assert time.perf_counter() - started < 0.01
        await hashing
