"""Checks of the project's own distribution: whether it and what it needs can be imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from devloop.checkup.finding import Finding
from devloop.execute.interpreter import KEY, Interpreter

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHOWN = 5
"""How many missing distributions are named."""
_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")
_LOCKS = (("uv.lock", "uv sync"), ("poetry.lock", "poetry install"), ("pdm.lock", "pdm install"))


def installed(
    root: Path, found: Interpreter, roots: Collection[str], pythonpath: Collection[str]
) -> Iterator[Finding]:
    """See whether the interpreter, and what is installed for it, are as pyproject.toml says.

    Args:
        root: the project's.
        found: the interpreter.
        roots: the folders of the project that imports start from.
        pythonpath: those that pytest puts on `sys.path`.

    Yields:
        Findings; none where pyproject.toml says nothing of it.
    """
    table = _project_table(root)
    yield from _requires_python(table, found)
    wanted = _dependencies(table)
    missing = [name for name in wanted if _canonical(name) not in found.distributions]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        yield Finding(
            "dependencies",
            "warning",
            "not installed in the project's interpreter, but named in pyproject.toml: "
            f"{', '.join(missing[:SHOWN])}{more}",
            _mend(root, found),
        )
    elif wanted:
        yield Finding("dependencies", "ok", "those that pyproject.toml names are installed")
    source = str(root / "src")
    reached = source in found.roots or source in found.sys_path or "src" in pythonpath
    name = table.get("name")
    if "src" in roots and not reached and isinstance(name, str):
        if _canonical(name) in found.distributions:
            message = f"{name} is installed as a copy: tests import that, not what you edit in src/"
        else:
            message = f"{name} is not installed: tests cannot import what lies in src/"
        yield Finding(
            "src",
            "warning",
            message,
            f"{_mend(root, found)}\n"
            'Or let pytest look there: pythonpath = ["src"] in its settings.',
        )


def _project_table(root: Path) -> dict[str, Any]:
    try:
        with (root / "pyproject.toml").open("rb") as file:
            table = tomllib.load(file).get("project")
    except (OSError, ValueError):
        # What is wrong with the file is another check's finding.
        return {}
    return table if isinstance(table, dict) else {}


def _requires_python(table: dict[str, Any], found: Interpreter) -> Iterator[Finding]:
    """See whether the interpreter is one that the project says it runs on (PEP 621)."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    wanted = table.get("requires-python")
    if not isinstance(wanted, str):
        return
    version = ".".join(map(str, found.version))
    try:
        fits = SpecifierSet(wanted).contains(version)
    except InvalidSpecifier:
        yield Finding(
            "requires-python",
            "warning",
            f'"{wanted}" in pyproject.toml says no versions',
            'Write it as in: requires-python = ">=3.10"',
        )
        return
    if fits:
        yield Finding("requires-python", "ok", f"{wanted}, as pyproject.toml says")
    else:
        yield Finding(
            "requires-python",
            "warning",
            f"the project's interpreter is Python {version}, and pyproject.toml says {wanted}",
            f'Make an environment with a Python that it takes, as .venv, or name one: {KEY} = "…"',
        )


def _dependencies(table: dict[str, Any]) -> list[str]:
    """The names of those that are needed everywhere: without a marker (PEP 508)."""
    given = table.get("dependencies")
    needed = [
        match[1]
        for one in (given if isinstance(given, list) else ())
        if isinstance(one, str) and ";" not in one and (match := _NAME.match(one))
    ]
    return list(dict.fromkeys(needed))


def _canonical(name: str) -> str:
    """As package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _mend(root: Path, found: Interpreter) -> str:
    for lock, command in _LOCKS:
        if (root / lock).is_file():
            return f"Run: {command}"
    if found.path == sys.executable:
        # Not into devloop's own: the project's come and go.
        return (
            "Make an environment for the project: "
            "python3 -m venv .venv && .venv/bin/python -m pip install -e . pytest"
        )
    return f"Install: {found.install('-e .')}"
