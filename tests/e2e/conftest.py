"""What black-box tests use: the command line, run as a user would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

LAUNCHER = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from devloop.cli.main import main
sys.argv[0] = "devloop"
main()
"""
"""The console script, for a checkout that need not be installed. Nothing of it is inherited by
the project's own processes, as a PYTHONPATH would be, and no module of the project shadows ours."""

COMMAND = (sys.executable, "-I", "-c", LAUNCHER)


class Devloop(Protocol):
    """Run `devloop` to its end."""

    def __call__(
        self, *arguments: str | Path, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it in `cwd` (else the test's own folder) with some environment variables set."""


@pytest.fixture
def plain_environment(tmp_path: Path) -> dict[str, str]:
    """The environment, without what would change devloop's ways: CI, colours, its own flags."""
    loud = {"CI", "NO_COLOR", "FORCE_COLOR", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "COLUMNS"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in loud and not name.startswith(("DEVLOOP_", "PYTEST_", "_DEVLOOP"))
    }
    return {**kept, "HOME": str(tmp_path / "home")}


@pytest.fixture(scope="session")
def devloop_command() -> tuple[str, ...]:
    """The words that start `devloop`."""
    return COMMAND


@pytest.fixture
def devloop(tmp_path: Path, plain_environment: dict[str, str]) -> Devloop:
    """Run `devloop` to its end; standard output and error are captured."""

    def run(
        *arguments: str | Path, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=cwd or tmp_path,
            env={**plain_environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    return run
