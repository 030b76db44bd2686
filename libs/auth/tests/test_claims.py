import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as draw
from hypothesis import strategies as st

from hazina.auth import Caller, StepUpRequired, TokenInvalid, claims

from . import given

AT = int(given.NOW.timestamp())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def read(said: dict[str, Any]) -> Caller:
    body = json.dumps(said).encode()
    checked = claims.read(body, issuer=given.ISSUER, audience=given.AUDIENCE)
    claims.require_current(checked, given.NOW)
    return claims.caller_of(checked)


class TestRead:
    def test_says_who_the_user_is_and_where(self) -> None:
        caller = read(given.claims(act={"sub": str(UUID(int=9)), "id": str(UUID(int=8))}, aal=2))

        assert caller == Caller(
            user_id=given.USER,
            session_id=str(given.SESSION),
            org_id=given.ORG,
            org_type="personal",
            org_role="owner",
            mv=3,
            aal=2,
            amr=("pwd",),
            auth_time=given.NOW,
            impersonator=UUID(int=9),
        )

    def test_says_which_service_it_is_with_its_scopes(self) -> None:
        caller = read(given.service_claims())

        assert caller == Caller(service="ledger", scopes=frozenset({"ledger:write", "a:b"}))

    @pytest.mark.parametrize(
        "changed",
        [
            {"iss": "https://evil.example"},
            {"iss": None},
            {"aud": "another"},
            {"aud": ["hazina"]},
            {"sub": "nobody"},
            {"sub": ""},
            {"sub": "svc:Ledger"},
            {"sub": "svc:ledger"},  # a service has no session and no organisation
            {"sid": None},
            {"sid": "x"},
            {"jti": None},
            {"exp": str(AT)},
            {"exp": AT + 1.5},
            {"exp": True},
            {"iat": None},
            {"aal": 3},
            {"aal": "2"},
            {"prole": "root"},
            {"auth_time": None},
            {"org": None},
            {"org": {"id": str(given.ORG), "type": "personal", "role": "admin", "mv": 1}},
            {"org": {"id": str(given.ORG), "type": "personal", "role": "owner", "mv": 0}},
            {"org": {"id": str(given.ORG), "type": "personal", "role": "owner"}},
        ],
        ids=str,
    )
    def test_refuses_a_claim_that_is_not_as_it_must_be(self, changed: dict[str, object]) -> None:
        with pytest.raises(TokenInvalid):
            read(given.claims(**changed))

    @pytest.mark.parametrize(
        ("iat", "exp", "taken"),
        [
            (AT, AT + 300, True),
            (AT + 5, AT + 300, True),  # their clock is a little ahead
            (AT + 6, AT + 300, False),
            (AT - 300, AT - 4, True),
            (AT - 300, AT - 5, False),
            (AT, AT + 3600, True),
            (AT, AT + 3601, False),  # ours never live so long
            (AT, AT, False),
            (AT + 1, AT, False),
        ],
    )
    def test_takes_a_token_only_in_its_time(self, iat: int, exp: int, taken: bool) -> None:
        try:
            read(given.claims(iat=iat, exp=exp))
        except TokenInvalid:
            assert not taken
        else:
            assert taken

    @draw(name=st.sampled_from(sorted(given.claims())), value=JSON)
    def test_never_fails_but_by_refusing(self, name: str, value: object) -> None:
        try:
            caller = read(given.claims() | {name: value})
        except TokenInvalid:
            return
        assert caller.user_id is not None

    @draw(st.binary())
    def test_refuses_bytes_that_are_no_claims(self, body: bytes) -> None:
        with pytest.raises(TokenInvalid):
            claims.read(body, issuer=given.ISSUER, audience=given.AUDIENCE)


class TestFreshness:
    def test_is_five_minutes_since_they_proved_it(self) -> None:
        caller = read(given.claims())
        caller.require_fresh(given.NOW + timedelta(seconds=300))

        with pytest.raises(StepUpRequired) as refused:
            caller.require_fresh(given.NOW + timedelta(seconds=301))

        assert refused.value.facts == {"required_aal": 1, "max_age_s": 300}
        assert refused.value.www_authenticate == (
            'Bearer error="insufficient_user_authentication", acr_values="aal1", max_age=300'
        )

    def test_may_ask_for_a_second_factor(self) -> None:
        with pytest.raises(StepUpRequired):
            read(given.claims(aal=1)).require_fresh(given.NOW, aal=2)
        read(given.claims(aal=2)).require_fresh(given.NOW, aal=2)
