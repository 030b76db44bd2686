import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.socket import rules


class TestRead:
    def test_takes_several_commands_a_frame(self) -> None:
        frame = '{"id":1,"connect":{"token":"t"}}\n{}\n{"id":2,"subscribe":{"channel":"c"}}'

        commands = rules.read(frame)

        assert [command.is_pong for command in commands] == [False, True, False]
        assert commands[0].connect == rules.Connect("t")
        assert commands[2].subscribe == rules.Subscribe("c")

    def test_ignores_what_a_newer_client_may_add(self) -> None:
        (command,) = rules.read('{"id":1,"subscribe":{"channel":"c","delta":"fossil"},"x":1}')

        assert command.subscribe == rules.Subscribe("c")

    @given(frame=st.text(max_size=200))
    def test_refuses_nonsense_in_one_way(self, frame: str) -> None:
        try:
            rules.read(frame)
        except rules.Malformed:
            return
        assert all(line.lstrip().startswith("{") for line in frame.splitlines() if line)

    @pytest.mark.parametrize("frame", ["x" * 16_385, '{"id":1', '{"id":"1"}', "\ud800"])
    def test_refuses_what_cannot_be_read(self, frame: str) -> None:
        with pytest.raises(rules.Malformed):
            rules.read(frame)


class TestRefusal:
    def test_names_the_code_and_whether_to_try_again(self) -> None:
        said = [
            json.loads(rules.refusal(7, 429, "chat.slow_mode", temporary=True)),
            json.loads(rules.refusal(8, 404, "box.unknown", temporary=False)),
        ]

        assert said == [
            {"id": 7, "error": {"code": 429, "message": "chat.slow_mode", "temporary": True}},
            {"id": 8, "error": {"code": 404, "message": "box.unknown"}},
        ]


class TestBucket:
    def test_lets_a_burst_through_and_then_a_steady_flow(self) -> None:
        bucket = rules.Bucket(filled_at=0.0)

        assert sum(bucket.take(0.0) for _ in range(100)) == 60
        assert sum(bucket.take(1.0) for _ in range(100)) == 20
        assert sum(bucket.take(100.0) for _ in range(100)) == 60
