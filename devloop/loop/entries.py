"""Where the commands of apps enter the project."""

from __future__ import annotations

import os
import posixpath
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from devloop.config.types import App, argv
from devloop.execute.environment import read_file
from devloop.graph.graph import Graph
from devloop.select.apps import AppTarget
from devloop.select.entry import entry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def targets(
    root: Path,
    apps: Mapping[str, App],
    graph: Graph,
    imported: Mapping[str, frozenset[str]],
    *,
    scripts: Mapping[str, str],
    is_script: Callable[[str], bool],
    library: Collection[str],
) -> tuple[AppTarget, ...]:
    """What selection knows of the apps.

    Args:
        root: the project's.
        apps: as configured.
        graph: of its sources.
        imported: those that the apps were last seen to import, by the app's name.
        scripts: the project's own console scripts.
        is_script: tells whether a program is a Python script of the project's environment.
        library: the top-level modules of the standard library that its interpreter has.
    """
    return tuple(
        AppTarget(
            name,
            entry(
                argv(app.command),
                graph,
                scripts=scripts,
                python=is_script(argv(app.command)[0]),
                folder=run_in(app),
                environ=names_in_environment(root, app),
                library=library,
            ),
            app.watch,
            app.env_file,
            app.needs,
            imported.get(name, frozenset()),
        )
        for name, app in apps.items()
    )


def console_scripts(root: Path) -> Mapping[str, str]:
    """The project's own console scripts.

    Args:
        root: the project's.

    Returns:
        For each its ``module:function``; none where pyproject.toml names none.
    """
    try:
        with (root / "pyproject.toml").open("rb") as file:
            document = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError):
        return {}
    found: dict[str, str] = {}
    for place in ("project.scripts", "project.gui-scripts", "tool.poetry.scripts"):
        table: Any = document
        for key in place.split("."):
            table = table.get(key) if isinstance(table, dict) else None
        if isinstance(table, dict):
            found.update({name: entry for name, entry in table.items() if isinstance(entry, str)})
    return found


def run_in(app: App) -> str:
    """Where an app runs.

    Args:
        app: as configured.

    Returns:
        Its folder, relative to the project's root; empty for the root itself.
    """
    folder = posixpath.normpath(app.cwd or ".")
    return "" if folder == "." else folder


def names_in_environment(root: Path, app: App) -> Mapping[str, str]:
    """What an app's environment may tell of where it enters the project.

    Args:
        root: the project's.
        app: as configured.

    Returns:
        Its environment where it is Flask's, with the files that Flask loads by itself; the
        environment of others names no modules.
    """
    if not any("flask" in word for word in argv(app.command)):
        return {}
    folder = root / (app.cwd or "")
    # What is set counts before `.env`, and that before `.flaskenv` (Flask, *Environment
    # Variables From dotenv*).
    files = [folder / ".flaskenv", folder / ".env"]
    found: dict[str, str] = {}
    for path in files:
        if path.is_file():
            found.update(read_file(path).values)
    found.update(os.environ)
    if app.env_file is not None:
        found.update(read_file(root / app.env_file).values)
    return {**found, **app.env}
