"""Whether requirements.lock still satisfies every pyproject: `python -m tools.lock`, offline."""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """Read which version of each package is locked."""
    return {canonicalize_name(name): version for name, version in PIN.findall(lock)}


def asked(project: Mapping[str, object]) -> Iterator[Requirement]:
    """Yield what one pyproject asks for: at run time, to build, and in its groups."""
    table = project.get("project")
    groups = project.get("dependency-groups")
    assert isinstance(table, dict)
    lines = list(table.get("dependencies", []))
    if isinstance(groups, dict):
        lines += [line for group in groups.values() for line in group]
    yield from map(Requirement, lines)


def unmet(lock: str, projects: Mapping[str, Mapping[str, object]]) -> list[str]:
    """List each requirement that is not locked, or locked at a version that it refuses."""
    locked = pins(lock)
    ours = {canonicalize_name(_name(project)) for project in projects.values()}
    found = []
    for where, project in projects.items():
        for wanted in asked(project):
            name = canonicalize_name(wanted.name)
            if name in ours:
                continue
            if name not in locked:
                found.append(f"{where}: {wanted} is not in requirements.lock; make lock")
            elif not wanted.specifier.contains(locked[name], prereleases=True):
                found.append(f"{where}: {wanted}, but {locked[name]} is locked; make lock")
    return found


def _name(project: Mapping[str, object]) -> str:
    table = project["project"]
    assert isinstance(table, dict)
    return str(table["name"])


def main(root: Path = ROOT) -> int:
    """Print what the lock does not satisfy; 1 if there is anything."""
    files = [root / "pyproject.toml", *root.glob("*/*/pyproject.toml")]
    projects = {str(file.relative_to(root)): tomllib.loads(file.read_text()) for file in files}
    found = unmet((root / "requirements.lock").read_text(), projects)
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
