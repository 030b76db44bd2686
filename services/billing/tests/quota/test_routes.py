import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from billing.entitlement import jobs
from hazina import ids
from hazina.pg import SERVICE, Database

from ..given import NOON, org, rows, told  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio

URL = "/billing/v1/quota/consume"


def use(org_id: object, quantity: int = 1, feature: str = "max_records") -> dict[str, Any]:
    return {"org_id": str(org_id), "feature": feature, "quantity": quantity}


def named(bearer: Any, org_id: object, key: str = "k", **more: Any) -> dict[str, str]:
    return {**bearer(ids.new(), org_id, **more), "Idempotency-Key": key}


class TestPostConsume:
    async def test_uses_and_says_what_is_left(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)

        answer = await http.post(URL, json=use(org_id, 4), headers=named(bearer, org_id))

        assert answer.status_code == 200
        said = answer.json()
        assert (said["used"], said["remaining"], said["limit"]) == (4, 96, 100)
        assert (said["allowed"], said["reason"]) == (True, None)
        [event] = await rows(db, "select * from usage_events")
        assert (event.event_id, event.source) == (said["event_id"], "hazina.quota")
        assert (event.event_type, event.quantity) == ("record_created", 4)
        [total] = await rows(db, "select * from usage_aggregations where period = 'month'")
        assert (total.meter_key, total.sum) == ("records", 4)

    async def test_never_oversteps_under_a_crowd(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)
        await http.post(URL, json=use(org_id, 90), headers=named(bearer, org_id, "first"))

        answers = await asyncio.gather(
            *(
                http.post(URL, json=use(org_id), headers=named(bearer, org_id, f"k{n}"))
                for n in range(64)
            )
        )

        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 54
        [window] = await rows(db, "select used, reserved from quota_windows")
        assert tuple(window) == (100, 0)
        [raw] = await rows(db, "select sum(quantity) from usage_events")
        assert raw[0] == 100

    async def test_asked_twice_uses_once(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)
        headers = named(bearer, org_id)

        answers = await asyncio.gather(
            *(http.post(URL, json=use(org_id, 5), headers=headers) for _ in range(6))
        )

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        [window] = await rows(db, "select used from quota_windows")
        assert window.used == 5

    async def test_says_no_as_a_problem_with_all_it_knows(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)
        await http.post(URL, json=use(org_id, 96), headers=named(bearer, org_id, "first"))

        answer = await http.post(URL, json=use(org_id, 5), headers=named(bearer, org_id))

        assert answer.status_code == 409
        said = answer.json()
        assert said == {
            "type": "/problems/quota.level_full",
            "title": "The limit is reached.",
            "status": 409,
            "detail": "The limit is reached.",
            "instance": URL,
            "code": "quota.level_full",
            "trace_id": said["trace_id"],
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

    async def test_burns_no_key_when_it_refuses(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)
        headers = named(bearer, org_id)
        refused = await http.post(URL, json=use(org_id, 101), headers=headers)

        again = await http.post(URL, json=use(org_id, 100), headers=headers)

        assert (refused.status_code, again.status_code) == (409, 200)

    async def test_says_when_to_come_back(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)

        answer = await http.post(
            URL, json=use(org_id, 101, "max_automations"), headers=named(bearer, org_id)
        )

        assert (answer.status_code, answer.json()["code"]) == (429, "quota.limit_reached")
        assert 0 < int(answer.headers["Retry-After"]) <= 31 * 86_400
        assert answer.json()["resets_at"] is not None

    @pytest.mark.parametrize(
        ("feature", "status", "code"),
        [
            ("max_fun", 404, "entitlement.feature_unknown"),
            ("basic", 422, "quota.not_countable"),
            ("max_seats", 422, "quota.not_countable"),
            ("max_mau", 422, "quota.not_countable"),
            ("max_api_calls_per_month", 403, "entitlement.feature_unavailable"),
        ],
    )
    async def test_refuses(
        self,
        http: httpx.AsyncClient,
        db: Database,
        bearer: Any,
        *,
        feature: str,
        status: int,
        code: str,
    ) -> None:
        org_id = await org(db)

        answer = await http.post(URL, json=use(org_id, 1, feature), headers=named(bearer, org_id))

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert await rows(db, "select from usage_events") == []

    async def test_is_for_members_of_the_organisation(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)

        viewer = await http.post(
            URL, json=use(org_id), headers=named(bearer, org_id, org_role="viewer")
        )
        foreign = await http.post(URL, json=use(org_id), headers=named(bearer, ids.new()))

        assert (viewer.status_code, viewer.json()["code"]) == (403, "auth.forbidden")
        assert (foreign.status_code, foreign.json()["code"]) == (404, "org.unknown")

    async def test_keeps_to_a_limit_that_is_lowered_in_between(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        org_id = await org(db)
        await http.post(URL, json=use(org_id, 90), headers=named(bearer, org_id, "first"))
        async with db.transaction(SERVICE) as tx:
            await tx.execute(
                text("update plan_features set limit_value = 80 where feature_key = 'max_records'")
            )
        await jobs.refresh(db, NOON)

        answer = await http.post(URL, json=use(org_id), headers=named(bearer, org_id))

        assert (answer.status_code, answer.json()["overage"]) == (409, 10)
        assert (await told(db, "billing.entitlements.changed"))[-1]["over_limit"] == ["max_records"]
        [window] = await rows(db, "select limit_value, used from quota_windows")
        assert tuple(window) == (80, 90)
