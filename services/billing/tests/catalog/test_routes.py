from typing import Any

import httpx
import pytest

from hazina import ids
from hazina.pg import Database

from ..given import rows  # noqa: TID252  makers of the whole service

pytestmark = pytest.mark.anyio

PLANS = "/billing/v1/plans"
LIMITS = {  # free, pro, business; enterprise has -1 of each
    "max_records": (100, 10_000, 100_000),
    "max_api_calls_per_month": (1000, 100_000, 1_000_000),
    "max_automations": (100, 5000, 50_000),
    "max_storage_gb": (1, 50, 500),
    "max_mau": (100, 5000, 50_000),
    "max_schedules": (50, 2000, 20_000),
    "max_ai_tokens_per_month": (10_000, 1_000_000, 10_000_000),
    "max_seats": (1, 5, 50),
}
FLAGS = {
    "free": {"basic"},
    "pro": {"basic", "api_access", "advanced_analytics"},
    "business": {
        *("basic", "api_access", "advanced_analytics"),
        *("sso", "custom_branding", "priority_support"),
    },
    "enterprise": {
        *("basic", "api_access", "advanced_analytics", "sso", "custom_branding"),
        *("priority_support", "dedicated_support", "custom_contracts"),
    },
}


class TestListPlans:
    async def test_shows_the_36_rows_as_documented(self, http: httpx.AsyncClient) -> None:
        plans = (await http.get(PLANS)).json()["data"]

        assert [plan["code"] for plan in plans] == ["free", "pro", "business", "enterprise"]
        for at, plan in enumerate(plans):
            wanted = {key: (*limits, -1)[at] for key, limits in LIMITS.items()}
            assert plan["limits"] == wanted
            on = {flag for flag, is_on in plan["features"].items() if is_on}
            assert on == FLAGS[plan["code"]]
        assert sum(len(plan["limits"]) + 1 for plan in plans) == 36

    async def test_shows_what_plans_cost(self, http: httpx.AsyncClient) -> None:
        plans = (await http.get(PLANS)).json()["data"]

        costs = {
            plan["code"]: sorted(
                (price["kind"], price["currency"], price["interval"], price["unit_amount"])
                for price in plan["prices"]
            )
            for plan in plans
        }
        assert costs == {
            "free": [],
            "pro": [
                ("base", "COIN", "month", 3000),
                ("base", "USD", "month", 2900),
                ("base", "USD", "year", 29000),
                ("seat", "USD", "month", 600),
            ],
            "business": [
                ("base", "COIN", "month", 10000),
                ("base", "USD", "month", 9900),
                ("base", "USD", "year", 99000),
                ("seat", "USD", "month", 500),
            ],
            "enterprise": [],
        }


class TestListFeatures:
    async def test_shows_nine_rows(self, http: httpx.AsyncClient) -> None:
        shown = (await http.get(f"{PLANS}/pro/features")).json()["data"]

        assert {row["feature_key"] for row in shown} == {*LIMITS, "features"}
        calls = next(row for row in shown if row["feature_key"] == "max_api_calls_per_month")
        assert (calls["limit_value"], calls["requires"], calls["reset_interval"]) == (
            100_000,
            "api_access",
            "month",
        )
        mau = next(row for row in shown if row["feature_key"] == "max_mau")
        assert (mau["enforcement"], mau["reset_interval"]) == ("soft", "calendar_month")

    @pytest.mark.parametrize("path", ["gold/features", "pro/features?version=2"])
    async def test_knows_no_other_plans(self, http: httpx.AsyncClient, path: str) -> None:
        answer = await http.get(f"{PLANS}/{path}")

        assert (answer.status_code, answer.json()["code"]) == (404, "catalog.plan_unknown")


class TestPatchFeature:
    URL = f"{PLANS}/free/features/max_records"

    def staff(self, bearer: Any, aal: int = 2) -> Any:
        return bearer(ids.new(), platform_role="admin", aal=aal)

    async def test_changes_the_row_and_notes_it(
        self, http: httpx.AsyncClient, db: Database, bearer: Any
    ) -> None:
        answer = await http.patch(self.URL, json={"limit": 7}, headers=self.staff(bearer))

        assert (answer.status_code, answer.json()["limit_value"]) == (200, 7)
        assert answer.headers["ETag"] == '"2"'
        [change] = await rows(db, "select * from plan_feature_changes")
        assert (change.before["limit_value"], change.after["limit_value"]) == (100, 7)
        assert (change.after["row_version"], change.feature_key) == (2, "max_records")

    async def test_refuses_who_looked_at_an_older_row(
        self, http: httpx.AsyncClient, bearer: Any
    ) -> None:
        headers = {**self.staff(bearer), "If-Match": '"1"'}

        answers = [
            await http.patch(self.URL, json={"limit": 7 + n}, headers=headers) for n in (0, 1)
        ]

        assert [answer.status_code for answer in answers] == [200, 412]
        assert answers[1].json()["code"] == "precondition.failed"

    async def test_is_for_staff_with_a_second_factor(
        self, http: httpx.AsyncClient, bearer: Any
    ) -> None:
        member = await http.patch(self.URL, json={"limit": 7}, headers=bearer(ids.new()))
        weak = await http.patch(self.URL, json={"limit": 7}, headers=self.staff(bearer, aal=1))

        assert (member.status_code, member.json()["code"]) == (403, "auth.forbidden")
        assert (weak.status_code, weak.json()["code"]) == (401, "auth.step_up_required")

    @pytest.mark.parametrize(
        ("path", "body", "status", "code"),
        [
            ("gold/features/max_records", {"limit": 1}, 404, "catalog.plan_unknown"),
            ("free/features/max_fun", {"limit": 1}, 404, "catalog.feature_unknown"),
            ("free/features/max_records", {"limit": -2}, 422, "catalog.limit_invalid"),
            ("free/features/features", {"limit": 1}, 422, "catalog.limit_invalid"),
            ("free/features/max_records", {"flags": {"sso": True}}, 422, "catalog.limit_invalid"),
            ("free/features/max_records", {"limit": "7"}, 422, "validation.failed"),
            ("free/features/max_records", {"limits": 7}, 422, "validation.failed"),
        ],
    )
    async def test_refuses(
        self, http: httpx.AsyncClient, bearer: Any, *, path: str, body: Any, status: int, code: str
    ) -> None:
        answer = await http.patch(f"{PLANS}/{path}", json=body, headers=self.staff(bearer))

        assert (answer.status_code, answer.json()["code"]) == (status, code)
