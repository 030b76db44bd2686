"""The house's own manners, checked: `python -m tools.tidy` prints what to mend and exits 1."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

JUNK_NAMES = {
    *("utils", "util", "helpers", "helper", "common", "misc", "base", "core", "shared"),
    *("models", "schemas", "manager", "handlers", "kit"),
}
JUNK_IN_SERVICES = {"service"}  # there a service is the process, and no file is one
# Assembled here so that this file does not accuse itself.
HOSTS = re.compile(
    "|".join(("pypi" + r"\.org", "python" + "hosted", r"registry\.npm" + "js", r"deb\.deb" + "ian"))
)
MACHINE_PATHS = re.compile("/" + r"work/|/root/\.pyenv|/" + "farm/")
FIRST_SENTENCE_MAX = 100  # columns


def untidy_module(path: Path, text: str) -> Iterator[str]:
    """Yield what is untidy in one Python module."""
    junk = JUNK_NAMES | (JUNK_IN_SERVICES if "services" in path.parts else set())
    if path.stem in junk:
        yield f"{path}: '{path.stem}' says nothing; name it after what it holds"
    tree = ast.parse(text)
    if "src" in path.parts:
        yield from _unopened(path, tree)
    if "hazina/pg" not in path.as_posix() and "tests" not in path.parts:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback"}:
                yield (
                    f"{path}:{node.lineno}: .{node.attr}() belongs to hazina.pg;"
                    " open db.transaction()"
                )


def _unopened(path: Path, tree: ast.Module) -> Iterator[str]:
    sentence = ast.get_docstring(tree)
    if not sentence:
        if tree.body:
            yield f"{path}: no first sentence"
    elif len(sentence.splitlines()[0]) > FIRST_SENTENCE_MAX:
        yield f"{path}: the first sentence is longer than {FIRST_SENTENCE_MAX} columns"


def untidy_text(path: Path, text: str) -> Iterator[str]:
    """Yield what no committed file may hold: a registry's host, a path of somebody's machine."""
    for number, line in enumerate(text.splitlines(), 1):
        if HOSTS.search(line):
            yield f"{path}:{number}: names a package registry's host"
        if MACHINE_PATHS.search(line):
            yield f"{path}:{number}: names a path of one machine"


def unlisted(root: Path) -> Iterator[str]:
    """Yield packages that the import contracts do not know, and would so not guard."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    known = set(settings["tool"]["importlinter"]["root_packages"])
    for folder in sorted([*root.glob("libs/*"), *root.glob("services/*")]):
        prefix = "hazina." if folder.parent.name == "libs" else ""
        if (folder / "pyproject.toml").exists() and prefix + folder.name not in known:
            yield f"{folder.relative_to(root)}: not among the import contracts' root packages"


def committed(root: Path) -> list[Path]:
    """List the files git keeps or would keep."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [root / name for name in listed.split("\0") if name and (root / name).is_file()]


def main(root: Path = Path()) -> int:
    """Print what is untidy in the whole repository."""
    found = list(unlisted(root))
    for path in committed(root):
        text = path.read_text(errors="replace")
        found += untidy_text(path, text)
        if path.suffix == ".py" and {"libs", "services", "deploy", "tools"} & set(path.parts):
            found += untidy_module(path, text)
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
