from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.wallet import rules
from crypto.wallet.rules import HANDLE, Handled

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AMINA = UUID("01938e2a-5b7c-7d3e-8f90-1a2b3c4d5e6f")
SHORT, WHOLE = "u_1a2b3c4d5e6f", "u_01938e2a5b7c7d3e8f901a2b3c4d5e6f"


class TestChoose:
    @pytest.mark.parametrize(
        ("username", "taken", "handle"),
        [
            ("amina", set(), "amina"),
            ("Amina.K_1", set(), "amina.k_1"),
            ("amina", {"amina"}, SHORT),
            (None, set(), SHORT),
            ("", set(), SHORT),
            ("ab", set(), SHORT),
            ("x" * 51, set(), SHORT),
            ("ämina", set(), SHORT),
            ("a mina", set(), SHORT),
            (None, {SHORT}, WHOLE),
            ("amina", {"amina", SHORT}, WHOLE),
        ],
    )
    def test_takes_the_username_or_a_stand_in(
        self, username: str | None, taken: set[str], handle: str
    ) -> None:
        assert rules.choose(username, AMINA, taken) == handle

    @given(st.none() | st.text(max_size=60), st.uuids(), st.sets(st.text(max_size=20)))
    def test_always_gives_a_handle_that_the_table_takes(
        self, username: str | None, user_id: UUID, taken: set[str]
    ) -> None:
        handle = rules.choose(username, user_id, taken)

        assert HANDLE.fullmatch(handle)
        assert handle not in taken or handle == rules.stand_ins(user_id)[1]


class TestRename:
    def renamed(
        self, handle: str | None, before: str | None, after: str | None, *taken: str
    ) -> str | None:
        wallet = Handled(AMINA, AMINA, handle)
        change = rules.rename(wallet, before, after, taken=taken, now=NOW)
        return change.handle if change else None

    def test_follows_the_username(self) -> None:
        assert self.renamed("amina", "amina", "mina") == "mina"

    def test_gives_a_stand_in_up_for_a_name(self) -> None:
        assert self.renamed(SHORT, None, "mina") == "mina"
        assert self.renamed(WHOLE, None, "mina") == "mina"

    def test_leaves_a_handle_that_its_owner_chose(self) -> None:
        assert self.renamed("queen", "amina", "mina") is None

    def test_leaves_it_when_the_new_one_is_taken(self) -> None:
        assert self.renamed("amina", "amina", "mina", "mina") is None

    @pytest.mark.parametrize("after", ["amina", "AMINA", None, "no way"])
    def test_leaves_it_when_nothing_better_is_said(self, after: str | None) -> None:
        assert self.renamed("amina", "amina", after) is None

    def test_lays_the_old_one_to_rest_for_ninety_days(self) -> None:
        change = rules.rename(Handled(AMINA, AMINA, "amina"), "amina", "mina", taken=(), now=NOW)

        assert change is not None
        assert change.before == "amina"
        assert change.rests_until == datetime(2026, 5, 30, tzinfo=UTC)
