import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina.problems import Problem
from identity.account import rules


class TestRequirePassword:
    @pytest.mark.parametrize(
        ("password", "problem"),
        # Each row breaks its own rule and, where it can, every rule below it.
        [
            ("amina", rules.PasswordTooShort),
            ("a" * 14, rules.PasswordTooShort),
            ("amina" * 60, rules.PasswordTooLong),
            ("aminaaminaamina", rules.PasswordCommon),
            ("abcdefghijklmnop", rules.PasswordCommon),
            ("ponmlkjihgfedcba", rules.PasswordCommon),
            ("I am AMINA, hello", rules.PasswordContainsIdentity),
        ],
    )
    def test_refuses_by_the_first_broken_rule(self, password: str, problem: type[Problem]) -> None:
        with pytest.raises(problem):
            rules.require_password(password, own={"email": "amina@example.com"})

    @pytest.mark.parametrize("own", [{}, {"username": None}, {"first_name": "Jo"}])
    def test_takes_a_few_words(self, own: dict[str, str | None]) -> None:
        assert rules.require_password("Jo eats 3 mangoes", own=own) == 17

    @given(st.text(min_size=15, max_size=60))
    def test_counts_a_password_the_same_however_it_was_composed(self, password: str) -> None:
        def length(text: str) -> int | str:
            try:
                return rules.require_password(text, own={})
            except Problem as no:
                return no.code

        assert length(unicodedata.normalize("NFD", password)) == length(
            unicodedata.normalize("NFC", password)
        )


class TestNormaliseEmail:
    @pytest.mark.parametrize("email", ["a@b", " Amina@Example.COM ", "a.b+c@x-y.example"])
    def test_writes_it_the_one_way(self, email: str) -> None:
        assert rules.normalise_email(email) == email.strip().lower()

    @pytest.mark.parametrize(
        "email", ["", "a", "@b", "a@", "a@b.", "a@-b", "a@b..c", "a b@c", "a@b@c", "ü@b"]
    )
    def test_refuses_what_is_none(self, email: str) -> None:
        with pytest.raises(rules.EmailRefused):
            rules.normalise_email(email)

    @given(st.text(max_size=300))
    def test_gives_only_what_a_header_can_hold(self, text: str) -> None:
        try:
            email = rules.normalise_email(text)
        except rules.EmailRefused:
            return
        assert email.isascii()
        assert email.isprintable()
        assert email.count("@") == 1
        assert len(email) <= 200


class TestDisplayName:
    @pytest.mark.parametrize(
        ("profile", "name"),
        [
            ({"display_name": "A", "first_name": "B", "username": "c"}, "A"),
            ({"first_name": "B", "username": "c"}, "B"),
            ({"username": "c"}, "c"),
            ({}, "Member"),
        ],
    )
    def test_is_the_first_name_there_is(self, profile: dict[str, str], name: str) -> None:
        assert rules.display_name(profile) == name
