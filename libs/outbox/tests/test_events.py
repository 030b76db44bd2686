from dataclasses import dataclass
from uuid import UUID

import pytest
from pydantic import ValidationError

from hazina.outbox import ConsumedEvent, Event, Source

from .given import Heard, Said, write


class TestEvent:
    def test_knows_its_type_version_and_key(self) -> None:
        assert (Said.__type__, Said.__version__, Said.__key__) == ("alpha.thing.said", 1, "key")

    def test_may_have_fields_named_like_its_envelope(self) -> None:
        class Typed(Event, type="alpha.thing.typed", version=1, key="key"):
            type: str
            version: int
            key: str

        assert Typed(type="a", version=7, key="k").version == 7
        assert Typed.__version__ == 1

    def test_copies_a_fact_field_by_field(self) -> None:
        @dataclass
        class Fact:
            key: str
            n: int
            text: str

        assert Said.of(Fact("k", 1, "x")) == Said(key="k", n=1, text="x")

    def test_refuses_what_it_does_not_promise(self) -> None:
        with pytest.raises(ValidationError):
            Said.model_validate({"key": "k", "n": 1, "more": 2})

    @pytest.mark.parametrize("type", ["said", "alpha.said", "alpha.thing.said.v1", "Alpha.b.c"])
    def test_is_named_service_capability_fact(self, type: str) -> None:
        with pytest.raises(AssertionError):

            class Wrong(Event, type=type, version=1, key="key"):
                key: str


class TestConsumedEvent:
    def test_ignores_what_it_does_not_need(self) -> None:
        assert Heard.model_validate_json('{"key": "k", "n": 1, "more": [2]}').n == 1


class TestSource:
    def test_refuses_a_fact_of_another_service(self) -> None:
        class Elsewhere(ConsumedEvent, type="gamma.thing.said.v1"):
            id: UUID

        with pytest.raises(AssertionError):
            Source("alpha", {Elsewhere: write})
