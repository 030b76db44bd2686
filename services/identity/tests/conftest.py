"""What identity's tests share."""

from dataclasses import dataclass, replace
from typing import Any

import httpx
import psycopg
import pytest
from joserfc.jwk import ECKey

from hazina import ids
from hazina.auth import Keys, StaticKeys
from hazina.chassis import Clock, Service
from hazina.pg import Database
from hazina.standard import Mint, MovableClock, ServiceDatabase, Signer, UnderTest
from identity.app import build
from identity.settings import Settings

from .given import People

KEY = "aGF6aW5hIGhhemluYSBoYXppbmEgaGF6aW5hIHRlc3Q="  # 32 bytes that guard nothing


@dataclass(frozen=True)
class Either:
    """Identity's own keys, and the test run's beside them: tests may mint any token."""

    own: Keys
    signer: StaticKeys

    async def find(self, kid: str) -> ECKey | None:
        return await self.signer.find(kid) or await self.own.find(kid)


class IdentityUnderTest(UnderTest):
    """Identity as it runs, believing the test run's tokens too."""

    def built(self, settings: Any, db: Database, clock: Clock, signer: Signer) -> Service:
        service = self.build(settings, db, clock)
        assert service.keys
        return replace(service, keys=Either(service.keys, StaticKeys(signer.key_set)))


@pytest.fixture(scope="session")
def under_test() -> UnderTest:
    """Identity, with keys that guard nothing."""
    return IdentityUnderTest("identity", Settings, build, more={"kek": KEY, "pepper": KEY})


@pytest.fixture
def token(signer: Signer, clock: MovableClock, database: ServiceDatabase) -> Mint:
    """Makes access tokens, for somebody who is really there unless told for whom."""
    user_id, org_id = ids.new(), ids.new()
    with psycopg.connect(database.admin_url) as admin:
        admin.execute("set search_path = identity")
        admin.execute(
            "insert into users (id, display_name, status, version) values (%s, 'A', 'active', 1)",
            (user_id,),
        )
        admin.execute(
            "insert into organizations (id, name, slug, org_type, is_personal, owner_id, version)"
            " values (%s, 'A', 'u-somebody', 'personal', true, %s, 1)",
            (org_id, user_id),
        )
        admin.execute(
            "insert into organization_members (org_id, user_id, role, mv, status, joined_at)"
            " values (%s, %s, 'owner', 1, 'active', now())",
            (org_id, user_id),
        )

    def mint(*who: Any, **more: Any) -> str:
        return signer.token(clock(), *(who or (user_id, org_id)), **more)

    return mint


@pytest.fixture
def people(http: httpx.AsyncClient) -> People:
    """People who sign up over HTTP, as anybody does."""
    return People(http)
