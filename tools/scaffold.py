"""Start a capability: `make new SERVICE=ledger NAME=moneybox` writes its first files."""

import sys
from pathlib import Path

FILES = {
    "__init__.py": '"""{Name}: say here in one sentence what it is and what it never does."""\n',
    "rules.py": '"""What a {name} allows, and every way of saying no. Pure."""\n',
    "store.py": '"""The SQL of {name}. Reads and writes; decides nothing."""\n',
    "actions.py": '"""What can be done with a {name}: read, decide, write, tell."""\n',
    "events.py": '"""What a {name} tells the other services."""\n',
    "routes.py": (
        '"""The {name} over HTTP."""\n\nfrom fastapi import APIRouter\n\n'
        'router = APIRouter(tags=["{name}"])\n'
    ),
}


def start(root: Path, service: str, name: str) -> list[Path]:
    """Write the capability's first files and the folder of its tests; refuse one that is there."""
    home = root / "services" / service / "src" / service / name
    if not home.parent.is_dir():
        raise SystemExit(f"There is no service '{service}'.")
    if home.exists():
        raise SystemExit(f"{service} has a capability '{name}' already.")
    if not name.isidentifier() or name != name.lower():
        raise SystemExit(f"'{name}' is not a lower-case Python name.")
    made = []
    for file, text in FILES.items():
        path = home / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{Name}", name.capitalize()).replace("{name}", name))
        made.append(path)
    given = root / "services" / service / "tests" / name / "given.py"
    given.parent.mkdir(parents=True, exist_ok=True)
    given.write_text(f'"""Makers of {name} for its tests."""\n')
    return [*made, given]


def main(arguments: list[str]) -> None:
    """Start what the command line names and say what to do next."""
    if len(arguments) != len(("service", "name")):
        raise SystemExit("usage: make new SERVICE=ledger NAME=moneybox")
    service, name = arguments
    print(*start(Path(), service, name), sep="\n")
    print(f"Next: docs/adding-an-action.md, and mount the router in services/{service}'s app.py.")


if __name__ == "__main__":
    main(sys.argv[1:])
