import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazina import ids
from streaming.channel import rules
from streaming.channel.rules import Frame, Sequence


class TestParse:
    @pytest.mark.parametrize("kind", ["box", "stream", "ctl", "user"])
    def test_reads_what_it_writes(self, kind: str) -> None:
        channel = rules.Channel(kind, ids.new())

        assert rules.parse(str(channel)) == channel

    @pytest.mark.parametrize("name", ["", "box", "box:", "box:1", "lobby:x", "box:" + "0" * 32])
    def test_refuses_any_other_name(self, name: str) -> None:
        assert rules.parse(name) is None


class TestFrame:
    def test_says_whom_it_is_about(self) -> None:
        user, client = ids.new(), ids.new()
        frames = [rules.arrival("box:1", user, client), rules.departure("box:1", user, client)]

        said = [json.loads(frame.text)["push"] for frame in frames]
        assert [set(push) for push in said] == [{"channel", "join"}, {"channel", "leave"}]
        assert said[0]["join"]["info"] == {"user": str(user), "client": str(client)}

    def test_may_be_dropped_unless_numbered(self) -> None:
        assert rules.publication("c", {}).droppable
        assert not rules.publication("c", {}, offset=1).droppable


def frames(numbers: list[int]) -> list[Frame]:
    return [Frame(str(number), "c", number) for number in numbers]


class TestSequence:
    @given(order=st.permutations(range(1, 12)), begun=st.integers(0, 11), late=st.integers(0, 11))
    def test_tells_each_once_and_in_order(self, order: list[int], begun: int, late: int) -> None:
        sequence, told = Sequence(), []
        for at, frame in enumerate(frames(order)):
            if at == late:
                told += sequence.start(begun)
            told += sequence.add(frame)
        told += sequence.start(begun)

        assert [frame.offset for frame in told] == list(range(begun + 1, 12))
        assert sequence.gap is None

    def test_knows_what_is_missing(self) -> None:
        sequence = Sequence()
        sequence.start(3)
        assert sequence.add(frames([7])[0]) == []

        assert sequence.gap == (4, 6)

    def test_is_not_begun_twice(self) -> None:
        sequence = Sequence()
        sequence.start(3)
        sequence.start(9)

        assert sequence.told == 3
