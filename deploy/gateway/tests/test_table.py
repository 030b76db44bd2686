"""The route table and what is rendered from it."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from hazina_gateway import table
from hazina_gateway.__main__ import TARGETS, complaint, compose, main
from hazina_gateway.replies import REPLIES

PROBLEMS = table.FILE.parents[2] / "contracts" / "problems.md"

ROUTES = "rates: {public: {by: address, burst: 1, per_second: 1}}\nroutes: [%s]"
SOUND = "{path: /x, service: ledger, access: public, rate: public}"


class TestRead:
    @pytest.mark.parametrize(
        ("row", "why"),
        [
            (SOUND.replace("path", "pth"), "pth"),
            (SOUND.replace("path: /x", "path: /x, prefix: /y"), "a path or a prefix"),
            (SOUND.replace("path: /x, ", ""), "a path or a prefix"),
            (SOUND.replace("path: /x", "path: x"), "pattern"),
            (SOUND.replace("path: /x", "prefix: /x/"), "pattern"),
            (SOUND.replace("service: ledger", "service: ldger"), "service"),
            (SOUND.replace("rate: public", "rate: none"), "no rate class none"),
            (SOUND.replace("access: public", "access: jwt"), "must be by user"),
            (SOUND.replace("}", ", timeout_s: 0}"), "timeout_s"),
        ],
    )
    def test_refuses_a_row_that_would_not_bite(self, row: str, why: str, tmp_path: Path) -> None:
        file = tmp_path / "routes.yaml"
        file.write_text(ROUTES % SOUND)
        assert table.read(file).routes

        file.write_text(ROUTES % row)
        with pytest.raises(ValidationError, match=why):
            table.read(file)

    def test_asks_for_a_token_for_every_service(self) -> None:
        guarded = {route.prefix for route in table.read().routes if route.access == "jwt"}

        assert guarded >= {f"/{name}/v1" for name in table.SERVICES}


class TestWithRates:
    def test_changes_the_classes_it_names(self) -> None:
        rates = table.read().with_rates("standard=3/1 public=9/2").rates

        assert (rates["standard"].burst, rates["standard"].per_second) == (3, 1)
        assert (rates["public"].burst, rates["public"].per_second) == (9, 2)
        assert rates["login"] == table.read().rates["login"]

    def test_lifts_them_all(self) -> None:
        rates = table.read().with_rates("off").rates

        assert {rate.burst for rate in rates.values()} == {table.UNLIMITED}

    @pytest.mark.parametrize("text", ["nobody=1/1", "standard=many", "standard=1/0"])
    def test_refuses_what_it_cannot_read(self, text: str) -> None:
        with pytest.raises((AssertionError, ValueError)):
            table.read().with_rates(text)


class TestReplies:
    def test_mean_by_a_code_what_services_mean_by_it(self) -> None:
        rows = re.findall(r"\| `([^`]+)` \| \d+ \| (.*) \|", PROBLEMS.read_text())
        meanings: dict[str, set[str]] = {}
        for code, meaning in rows:
            meanings.setdefault(code, set()).add(meaning)

        shared = [reply for reply in REPLIES if reply.code in meanings]

        assert {reply.code for reply in shared} >= {"auth.token_invalid", "service.unavailable"}
        for reply in shared:
            assert reply.title in meanings[reply.code], reply.code

    def test_are_all_told_in_the_readme(self) -> None:
        readme = table.FILE.with_name("README.md").read_text()

        for reply in REPLIES:
            assert f"{reply.status} `{reply.code}`" in readme


class TestRender:
    @pytest.mark.parametrize("target", TARGETS)
    def test_gives_what_envoy_accepts(self, target: str) -> None:
        assert complaint(TARGETS[target]("")) == ""

    def test_is_what_compose_reads(self) -> None:
        kept = table.FILE.with_name("envoy.yaml")

        assert yaml.safe_load(kept.read_text()) == compose(), "make contracts"

    def test_is_written_for_people_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["render", "--target", "compose"]) == 0

        assert yaml.safe_load(capsys.readouterr().out) == compose()

    def test_is_judged_by_envoy_and_not_by_us(self) -> None:
        broken = compose()
        broken["static_resources"]["clusters"][0]["lb_policy"] = "BEST"

        assert "BEST" in complaint(broken)
