"""`python libs/standard/tests/write_contracts.py`: what the sample service promises."""

from pathlib import Path

from hazina.standard import UnderTest, agreement, contracts
from hazina.standard.sample.app import build
from hazina.standard.sample.settings import Settings

HERE = Path(__file__).parent / "contracts"
EXAMPLE = {
    "id": "01a1fca3-8b6b-7117-95cc-bf9e1be17c8f",
    "user_id": "01a1fca3-8b6b-7117-95cc-bf9e1be17c90",
}

if __name__ == "__main__":
    service = UnderTest("sample", Settings, build).described()
    for folder in ("http", "events"):
        (HERE / folder).mkdir(parents=True, exist_ok=True)
    (HERE / "http" / "sample.json").write_text(contracts.http(service))
    for event in agreement.events_of("sample"):
        name = agreement.event_name(event)
        contract = {"type": name, "schema": event.model_json_schema(), "examples": [EXAMPLE]}
        (HERE / "events" / f"{name}.json").write_text(contracts.as_json(contract))
