"""What is in `contracts/` is what the code says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hazina.standard import contracts


class TestContracts:
    def test_are_as_the_code_says(self, pytestconfig: pytest.Config) -> None:
        told = subprocess.run(
            [sys.executable, "-m", "hazina.standard.contracts", "--check"],
            check=False,
            capture_output=True,
            text=True,
            cwd=pytestconfig.rootpath,
        )

        assert told.returncode == 0, f"run `make contracts`:\n{told.stdout}{told.stderr[-2000:]}"

    def test_name_a_channel_for_every_event(self) -> None:
        here = Path(__file__).parent / "contracts/events/sample.note.written.v1.json"
        contract = json.loads(here.read_text())

        told = yaml.safe_load(contracts.asyncapi({contract["type"]: contract}))

        channel = told["channels"]["sample_note_written_v1"]
        assert channel["address"] == "evt.sample.{shard}.note.written.v1"
        assert (
            told["components"]["messages"]["sample_note_written_v1"]["payload"]
            == (contract["schema"])
        )
