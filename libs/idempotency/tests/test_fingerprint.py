"""Telling requests apart."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hazina.idempotency import fingerprint

SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5)
REQUESTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        SCALARS,
        lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=3), below),
        max_leaves=12,
    ),
    max_size=5,
)


class TestFirstDifference:
    @given(REQUESTS)
    def test_is_none_for_the_same_request_in_any_order(self, request: dict[str, Any]) -> None:
        turned = dict(reversed(request.items()))

        assert (
            fingerprint.first_difference(
                fingerprint.take(b"k", request), fingerprint.take(b"k", turned)
            )
            is None
        )

    @given(REQUESTS, REQUESTS)
    def test_is_found_between_any_two_requests(
        self, one: dict[str, Any], other: dict[str, Any]
    ) -> None:
        found = fingerprint.first_difference(
            fingerprint.take(b"k", one), fingerprint.take(b"k", other)
        )

        # Compared as JSON says it: True is not 1.
        assert (found is None) == (repr(sorted_deep(one)) == repr(sorted_deep(other)))

    def test_is_found_in_a_large_body_by_its_outermost_field(self) -> None:
        one, other = ({"items": [{"n": n} for n in range(500)] + [last]} for last in (1, 2))

        assert (
            fingerprint.first_difference(fingerprint.take(b"k", one), fingerprint.take(b"k", other))
            == "/items"
        )


class TestTake:
    def test_tells_nothing_without_the_key(self) -> None:
        assert fingerprint.take(b"k1", {"pin": "1234"}) != fingerprint.take(b"k2", {"pin": "1234"})

    def test_names_fields_by_json_pointer(self) -> None:
        taken = fingerprint.take(b"k", {"a/b": {"c~d": [1, []]}, "e": {}})

        assert list(taken) == ["/a~1b/c~0d/0", "/a~1b/c~0d/1", "/e"]


def sorted_deep(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, sorted_deep(part)) for key, part in value.items())
    return [sorted_deep(part) for part in value] if isinstance(value, list) else value
