import pytest

from hazina.problems import Kind, Problem, Unavailable, every


class BoxFrozen(Problem, code="test.box_frozen", kind=Kind.CONFLICT):
    """The box is frozen.

    Not part of the title.
    """


class Family(Problem):
    """Not a problem of its own."""


class Member(Family, code="test.member", kind=Kind.INVALID):
    """A member of a family."""


class TestProblem:
    def test_takes_its_title_from_the_first_sentence(self) -> None:
        assert BoxFrozen.title == "The box is frozen."

    def test_carries_chosen_facts(self) -> None:
        problem = BoxFrozen("since Monday", box_id="b1")

        assert (problem.detail, problem.facts) == ("since Monday", {"box_id": "b1"})

    def test_takes_no_fact_that_the_answer_would_hide(self) -> None:
        with pytest.raises(AssertionError, match="RFC 9457"):
            BoxFrozen(status="frozen")

    def test_needs_a_sentence_for_the_caller(self) -> None:
        with pytest.raises(AssertionError, match="docstring"):
            type("Silent", (Problem,), {}, code="test.silent", kind=Kind.GONE)

    def test_unavailable_says_when_to_come_back(self) -> None:
        assert Unavailable(retry_after_s=3).facts == {"retry_after_s": 3}


class TestEvery:
    def test_lists_problems_and_no_families(self) -> None:
        listed = list(every())

        assert {BoxFrozen, Member, Unavailable} <= set(listed)
        assert Family not in listed
        assert [one.code for one in listed] == sorted(one.code for one in listed)
