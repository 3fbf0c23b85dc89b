"""Checks of the interpreter, and of what tests find in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from devloop.checkup.finding import Finding
from devloop.config.types import Config
from devloop.errors import InterpreterError, MissingDistribution
from devloop.execute.interpreter import Interpreter, find, probe


def interpreter(
    root: Path, config: Config, environ: Mapping[str, str]
) -> tuple[Interpreter | None, Finding]:
    """Find the project's interpreter and see whether it runs.

    Args:
        root: the project's.
        config: its configuration.
        environ: the environment.

    Returns:
        The interpreter, None where there is none that runs; and the finding.
    """
    try:
        found = probe(find(root, config.python, environ, sys.executable), root, environ)
    except InterpreterError as error:
        return None, Finding("interpreter", "error", error.message, error.hint)
    version = ".".join(map(str, found.version))
    whose = ""
    if found.path == sys.executable and config.python.interpreter is None:
        whose = "; it is devloop's own, for want of $VIRTUAL_ENV or .venv"
    return found, Finding("interpreter", "ok", f"{found.path}, Python {version}{whose}")


def distributions(found: Interpreter, config: Config, tests: int) -> Iterator[Finding]:
    """See whether tests can run.

    Args:
        found: the interpreter.
        config: the configuration.
        tests: how many test files there are.
    """
    try:
        found.require_pytest()
    except MissingDistribution as error:
        yield Finding("pytest", "error" if tests else "warning", error.message, error.hint)
        return
    yield Finding("pytest", "ok", f"version {found.pytest}; test files: {tests}")
    workers = config.tests.workers
    if found.xdist is not None:
        yield Finding("pytest-xdist", "ok", f"version {found.xdist}")
    elif workers == 0:
        yield Finding("pytest-xdist", "ok", "not installed, and not wanted (tests.workers = 0)")
    else:
        yield Finding(
            "pytest-xdist",
            "warning" if workers == "auto" else "error",
            "pytest-xdist is not installed in the project's interpreter: tests run in one process",
            f"Install it: {found.install('pytest-xdist')}, or set tests.workers = 0",
        )


def module_path(
    root: Path, found: Interpreter, roots: tuple[str, ...], environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Look for what makes imports find something else than one would think.

    Args:
        root: the project's.
        found: the interpreter.
        roots: the folders of the project that imports start from.
        environ: the environment.
    """
    whole = True
    for name in ("PYTHONPATH", "PYTHONHOME"):
        if value := environ.get(name):
            whole = False
            yield Finding(
                "sys.path",
                "warning",
                f"{name} is set ({value}): every Python that devloop starts imports from there",
                f"Unset it (unset {name}); folders of the project belong into [python] roots.",
            )
    for folder in roots:
        for name in sorted(_shadowing(root / folder, found.library)):
            whole = False
            path = Path(folder, name).as_posix()
            yield Finding(
                "sys.path",
                "warning",
                f"{path} has the name of a module of the standard library, and hides it",
                "Rename it.",
            )
    if whole:
        yield Finding("sys.path", "ok", f"{len(found.sys_path)} entries, nothing unusual")


def _shadowing(folder: Path, library: Collection[str]) -> Iterator[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        module = name.removesuffix(".py")
        is_module = module != name or (folder / name / "__init__.py").is_file()
        if is_module and module in library and not module.startswith("_"):
            yield name
