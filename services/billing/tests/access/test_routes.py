from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from hazina import ids
from hazina.pg import SERVICE, Database

from ..given import org, rows  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio


def url(org_id: object, path: str) -> str:
    return f"/billing/v1/orgs/{org_id}/{path}"


async def used(db: Database, org_id: object, feature: str, amount: int) -> None:
    async with db.transaction(SERVICE) as tx:
        await tx.execute(
            text(
                "insert into quota_windows (org_id, feature_key, scope_kind, scope_id,"
                " window_start, limit_value, used)"
                " values (:org, :feature, 'org', '', 'epoch', 100, :used)"
            ),
            {"org": org_id, "feature": feature, "used": amount},
        )


class TestReadSubscription:
    async def test_shows_free_to_every_member(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)

        answers = [
            await http.get(
                url(org_id, "subscription"), headers=bearer(ids.new(), org_id, org_role=role)
            )
            for role in ("viewer", "member", "owner")
        ]

        assert {answer.status_code for answer in answers} == {200}
        shown = answers[0].json()
        assert (shown["plan"], shown["plan_version"], shown["status"]) == ("free", 1, "active")
        assert (shown["seats"], shown["seats_used"], shown["pending"]) == (1, 0, None)

    async def test_hides_other_organisations(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)

        for path in ("subscription", "entitlements", "features/max_records"):
            answer = await http.get(url(org_id, path), headers=bearer(ids.new(), ids.new()))
            assert (answer.status_code, answer.json()["code"]) == (404, "org.unknown")

    async def test_starts_free_for_a_token_that_outran_the_event(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = ids.new()

        answer = await http.get(url(org_id, "subscription"), headers=bearer(ids.new(), org_id))

        assert (answer.status_code, answer.json()["plan"]) == (200, "free")
        assert len(await rows(db, "select from org_subscriptions")) == 1

    async def test_lets_staff_look_and_start_nothing(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)
        staff = bearer(ids.new(), ids.new(), platform_role="admin", aal=2)

        seen = await http.get(url(org_id, "subscription"), headers=staff)
        unknown = await http.get(url(ids.new(), "subscription"), headers=staff)

        assert (seen.status_code, unknown.status_code) == (200, 404)
        assert len(await rows(db, "select from org_subscriptions")) == 1


class TestReadEntitlements:
    async def test_shows_all_with_its_version(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)

        answer = await http.get(url(org_id, "entitlements"), headers=bearer(ids.new(), org_id))

        assert answer.headers["ETag"] == '"1"'
        shown = answer.json()
        assert (shown["plan"], shown["version"], shown["status"]) == ("free", 1, "active")
        assert shown["limits"]["max_records"] == 100
        assert (shown["over_limit"], shown["grants"], shown["statics"]) == ([], [], {})


class TestReadFeature:
    async def test_shows_what_is_left(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)
        await used(db, org_id, "max_records", 96)
        headers = bearer(ids.new(), org_id)

        answer = await http.get(url(org_id, "features/max_records?quantity=5"), headers=headers)

        assert answer.json() == {
            "org_id": str(org_id),
            "feature": "max_records",
            "kind": "limit",
            "allowed": False,
            "reason": "quota.level_full",
            "limit": 100,
            "used": 96,
            "reserved": 0,
            "remaining": 4,
            "overage": 0,
            "unit": "record",
            "enforcement": "hard",
            "window_start": None,
            "resets_at": None,
            "plan": "free",
            "snapshot_version": 1,
        }

    async def test_shows_when_a_month_ends(
        self, http: httpx.AsyncClient, db: Database, bearer: Any, clock: Any
    ) -> None:
        org_id = await org(db, at=datetime(2026, 1, 31, 12, tzinfo=UTC))
        clock.now = datetime(2026, 2, 28, 13, tzinfo=UTC)
        headers = bearer(ids.new(), org_id)

        answer = (await http.get(url(org_id, "features/max_automations"), headers=headers)).json()

        assert (answer["window_start"], answer["resets_at"]) == (
            "2026-02-28T12:00:00Z",
            "2026-03-31T12:00:00Z",
        )

    async def test_counts_members_against_seats(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)
        async with db.transaction(SERVICE) as tx:
            await tx.execute(
                text(
                    "insert into member (org_id, user_id, role, mv, status)"
                    " values (:org, uuidv7(), 'owner', 1, 'active'),"
                    " (:org, uuidv7(), 'member', 2, 'removed')"
                ),
                {"org": org_id},
            )

        answer = await http.get(
            url(org_id, "features/max_seats"), headers=bearer(ids.new(), org_id)
        )

        assert (answer.json()["used"], answer.json()["allowed"]) == (1, False)

    async def test_knows_no_other_features(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)

        answer = await http.get(url(org_id, "features/fun"), headers=bearer(ids.new(), org_id))

        assert (answer.status_code, answer.json()["code"]) == (404, "entitlement.feature_unknown")


class TestCheckFeatureAccess:
    async def test_says_in_sql_what_http_says(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)
        await used(db, org_id, "max_records", 100)
        ask = "select check_feature_access(uuidv7(), :feature, :org) as said"

        for feature in ("max_records", "max_automations", "basic", "sso"):
            [row] = await rows(db, ask, feature=feature, org=org_id)
            seen = (
                await http.get(
                    url(org_id, f"features/{feature}"), headers=bearer(ids.new(), org_id)
                )
            ).json()
            assert row.said.get("limit") == seen["limit"]
            assert row.said["allowed"] == seen["allowed"]
            assert row.said.get("used") == seen["used"]

    async def test_gives_free_to_who_is_unknown_and_null_for_nonsense(self, db: Database) -> None:
        ask = "select check_feature_access(uuidv7(), :feature, uuidv7()) as said"

        [known] = await rows(db, ask, feature="max_records")
        [unknown] = await rows(db, ask, feature="fun")

        assert (known.said["limit"], known.said["snapshot_version"]) == (100, 0)
        assert unknown.said is None
