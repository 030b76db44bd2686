from hazina import ids

UUID7 = 7
UUID5 = 5


class TestNew:
    def test_sorts_after_what_was_made_before(self) -> None:
        made = [ids.new() for _ in range(10_000)]

        assert made == sorted(made)
        assert len(set(made)) == len(made)
        assert {one.version for one in made} == {UUID7}


class TestDerived:
    def test_is_the_same_for_the_same_parts(self) -> None:
        assert ids.derived("a", 1) == ids.derived("a", 1)
        assert ids.derived("a", 1).version == UUID5

    def test_keeps_parts_apart(self) -> None:
        assert ids.derived("a", "bc") != ids.derived("ab", "c")
