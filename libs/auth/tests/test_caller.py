from typing import Any

import pytest
from hypothesis import given as draw
from hypothesis import strategies as st

from hazina.auth import Caller, Forbidden, StepUpRequired, permissions
from hazina.pg import SERVICE, Actor

from . import given

LEVELS = ["viewer", "member", "owner"]


def user(**facts: Any) -> Caller:
    return Caller(user_id=given.USER, org_id=given.ORG, **facts)


class TestRequire:
    @pytest.mark.parametrize(
        ("permission", "least"),
        [
            *(("org.read", "viewer"), ("member.read", "viewer"), ("ledger.read", "viewer")),
            *(("api_key.read", "member"), ("listing.write", "member"), ("quota.use", "member")),
            *(("org.delete", "owner"), ("ledger.move", "owner"), ("billing.manage", "owner")),
        ],
    )
    def test_needs_at_least_that_role(self, permission: str, least: str) -> None:
        for role in LEVELS:
            caller = user(org_role=role)
            if LEVELS.index(role) >= LEVELS.index(least):
                caller.require(permission)
            else:
                with pytest.raises(Forbidden) as no:
                    caller.require(permission)
                assert no.value.facts == {"permission": permission}

    @draw(st.sampled_from(sorted(permissions.EVERY)))
    def test_never_gives_a_lower_role_what_a_higher_one_lacks(self, permission: str) -> None:
        has = [permissions.allowed(role, permission) for role in LEVELS]

        assert has == sorted(has)

    @draw(st.sampled_from(sorted(permissions.EVERY)))
    def test_gives_a_service_no_role(self, permission: str) -> None:
        with pytest.raises(Forbidden):
            Caller(service="ledger").require(permission)

    def test_fails_loudly_for_a_permission_that_does_not_exist(self) -> None:
        with pytest.raises(AssertionError):
            user(org_role="owner").require("ledger.mvoe")


class TestRequireScope:
    def test_lets_in_only_services_that_have_it(self) -> None:
        Caller(service="ledger", scopes=frozenset({"a"})).require_scope("a")

        for other in (Caller(service="ledger"), user(scopes=frozenset({"a"}))):
            with pytest.raises(Forbidden):
                other.require_scope("a")


class TestRequireStaff:
    def test_wants_the_role_then_a_second_factor(self) -> None:
        user(platform_role="admin", aal=2).require_staff()
        user(platform_role="super_admin", aal=2).require_staff(super_admin=True)
        with pytest.raises(Forbidden):
            user(aal=2).require_staff()
        with pytest.raises(Forbidden):
            user(platform_role="admin", aal=2).require_staff(super_admin=True)
        with pytest.raises(StepUpRequired):
            user(platform_role="admin", aal=1).require_staff()


class TestActor:
    def test_is_the_user_in_their_organisation(self) -> None:
        assert user().actor == Actor("user", given.USER, given.ORG)

    def test_is_staff_only_with_a_second_factor(self) -> None:
        assert user(platform_role="admin", aal=1).actor.role == "user"
        assert user(platform_role="admin", aal=2).actor.role == "admin"

    def test_is_the_service_for_a_service(self) -> None:
        assert Caller(service="billing").actor == SERVICE
