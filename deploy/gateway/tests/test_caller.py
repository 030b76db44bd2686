"""Who is calling: tokens checked, identity told by them alone."""

import base64
import json
import time

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from .given import AMINA, FOREIGN_KEY, KEY, Gateway, bearer, claims, token

pytestmark = pytest.mark.xdist_group("gateway")

SPOOFED = {
    "X-User-Id": "somebody-else",
    "X-Session-Id": "stolen",
    "X-Org-Id": "their-org",
    "X-Org-Role": "owner",
    "X-Aal": "2",
}
IDENTITY_HEADERS = {name.lower() for name in SPOOFED}


def unsigned() -> str:
    """A token that says it needs no signature."""
    parts = ({"alg": "none", "typ": "at+jwt"}, claims())
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*coded, b""]).decode()


def signed_with_the_public_key() -> str:
    """A token whose shared secret is the public key that everybody knows."""
    secret = OctKey.import_key(json.dumps(KEY.as_dict(private=False)))
    return jwt.encode({"alg": "HS256", "kid": "ours"}, claims(), secret, algorithms=["HS256"])


def with_a_changed_claim() -> str:
    header, _, signature = token().split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims("mallory")).encode()).rstrip(b"=").decode()
    return f"{header}.{body}.{signature}"


class TestToken:
    def test_lets_its_user_pass_and_goes_on_to_the_service(self, http: httpx.Client) -> None:
        signed = bearer()

        answer = http.get("/ledger/v1/accounts", headers=signed)

        assert answer.status_code == 200
        told = answer.json()
        assert (told["service"], told["path"]) == ("ledger", "/ledger/v1/accounts")
        assert told["headers"]["authorization"] == signed["Authorization"]

    @pytest.mark.parametrize(
        "made",
        [
            lambda: token(exp=int(time.time()) - 30),
            lambda: token(exp=None),
            lambda: token(nbf=int(time.time()) + 60),
            lambda: token(iss="https://identity.example"),
            lambda: token(iss=None),
            lambda: token(aud="somebody-else"),
            lambda: token(aud=None),
            lambda: token(key=FOREIGN_KEY),
            lambda: token(key=ECKey.generate_key("P-256", {"kid": "unheard-of"})),
            unsigned,
            signed_with_the_public_key,
            with_a_changed_claim,
            lambda: token()[:-4],
            lambda: "not.a.token",
            lambda: ".",
        ],
        ids=[
            "expired",
            "without an end",
            "not yet valid",
            "of a foreign issuer",
            "of no issuer",
            "for a foreign audience",
            "for nobody",
            "signed with a foreign key of our name",
            "signed with an unknown key",
            "unsigned",
            "signed with the public key",
            "changed after signing",
            "cut short",
            "nonsense",
            "of nothing",
        ],
    )
    @pytest.mark.parametrize("service", ["identity", "billing", "ledger", "crypto", "streaming"])
    def test_is_refused(self, http: httpx.Client, made: object, service: str) -> None:
        assert callable(made)

        answer = http.get(f"/{service}/v1/me", headers={"Authorization": f"Bearer {made()}"})

        assert answer.status_code == 401
        assert answer.json()["code"] == "auth.token_invalid"

    def test_is_not_taken_from_the_query(self, http: httpx.Client) -> None:
        answer = http.get("/ledger/v1/accounts", params={"access_token": token()})

        assert answer.status_code == 401

    @pytest.mark.parametrize("scheme", ["Basic", "Token", "DPoP"])
    def test_is_not_taken_from_another_scheme(self, http: httpx.Client, scheme: str) -> None:
        headers = {"Authorization": f"{scheme} {token()}"}

        assert http.get("/ledger/v1/accounts", headers=headers).status_code == 401

    @pytest.mark.parametrize("path", ["logout", "reauth", "password"])
    def test_is_asked_for_where_a_login_path_needs_a_user(
        self, http: httpx.Client, path: str
    ) -> None:
        assert http.post(f"/identity/v1/auth/{path}").status_code == 401

    def test_is_asked_for_to_change_what_all_may_read(self, http: httpx.Client) -> None:
        assert http.get("/billing/v1/plans").status_code == 200
        assert http.patch("/billing/v1/plans/free/features/seats").status_code == 401


class TestPublic:
    @pytest.mark.parametrize(
        ("method", "path", "service"),
        [
            ("GET", "/.well-known/jwks.json", "identity"),
            ("POST", "/identity/v1/auth/signup", "identity"),
            ("POST", "/identity/v1/auth/challenges/c1/answer", "identity"),
            ("GET", "/identity/v1/usernames/amina", "identity"),
            ("GET", "/identity/v1/dev/messages", "identity"),
            ("GET", "/billing/v1/plans", "billing"),
            ("HEAD", "/billing/v1/plans", "billing"),
            ("POST", "/billing/v1/webhooks/stripe", "billing"),
            ("POST", "/ledger/v1/webhooks/stripe", "ledger"),
            ("GET", "/identity/v1/openapi.json", "identity"),
            ("GET", "/billing/v1/openapi.json", "billing"),
            ("GET", "/ledger/v1/openapi.json", "ledger"),
            ("GET", "/streaming/v1/openapi.json", "streaming"),
            ("GET", "/_dev/mail", "dev"),
        ],
    )
    def test_is_open_to_all(self, http: httpx.Client, method: str, path: str, service: str) -> None:
        answer = http.request(method, path)

        assert answer.status_code == 200
        if method != "HEAD" and "jwks" not in path:
            assert answer.json()["service"] == service

    def test_answers_the_health_itself(self, http: httpx.Client) -> None:
        answer = http.get("/healthz")

        assert answer.json() == {"status": "ok"}


class TestIdentityHeaders:
    def test_say_what_the_token_says(self, http: httpx.Client) -> None:
        told = http.get("/ledger/v1/accounts", headers=bearer() | SPOOFED).json()["headers"]

        assert {name: told.get(name) for name in IDENTITY_HEADERS} == {
            "x-user-id": AMINA,
            "x-session-id": "session-1",
            "x-org-id": "org-1",
            "x-org-role": "owner",
            "x-aal": "1",
        }

    def test_are_empty_where_the_token_is_silent(self, http: httpx.Client) -> None:
        signed = bearer(org=None, sid=None, aal=None)

        told = http.get("/ledger/v1/accounts", headers=signed | SPOOFED).json()["headers"]

        assert {name for name in IDENTITY_HEADERS if name in told} == {"x-user-id"}

    @pytest.mark.parametrize(
        "path",
        [
            "/identity/v1/auth/login",
            "/ledger/v1/webhooks/stripe",
            "/billing/v1/plans",
            "/streaming/v1/openapi.json",
            "/_dev/mail",
        ],
    )
    def test_are_empty_where_nobody_is_asked(self, http: httpx.Client, path: str) -> None:
        told = http.get(path, headers=bearer() | SPOOFED).json()["headers"]

        assert not IDENTITY_HEADERS & told.keys()

    def test_cannot_be_told_twice(self, gateway: Gateway) -> None:
        doubled = [*bearer().items(), ("x-user-id", "a"), ("X-USER-ID", "b")]

        _, told = gateway.get_raw("/ledger/v1/accounts", *doubled)

        assert told["headers"]["x-user-id"] == AMINA

    def test_cannot_be_taken_away_by_naming_them_in_connection(self, http: httpx.Client) -> None:
        headers = bearer() | {"Connection": "keep-alive, x-user-id, x-org-id"}

        told = http.get("/ledger/v1/accounts", headers=headers).json()["headers"]

        assert (told["x-user-id"], told["x-org-id"]) == (AMINA, "org-1")

    def test_have_no_twins_with_underscores(self, http: httpx.Client) -> None:
        answer = http.get("/ledger/v1/accounts", headers=bearer() | {"x_user_id": "somebody-else"})

        assert answer.status_code == 400
