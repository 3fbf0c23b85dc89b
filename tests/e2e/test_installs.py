"""What is installed while `devloop watch` runs, into the environment that lies in the project."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Watching

PROJECT = """
pyproject.toml
    [project]
    name = "mine"
main.py
    import time
    import lacking
    time.sleep(600)
test_lacking.py
    import pytest
    def test_lacking():
        pytest.importorskip("lacking")
test_other.py
    def test_other():
        pass
"""


@pytest.fixture
def root(tmp_path: Path, write_tree: Callable[[Path, str], None]) -> Path:
    """A project with a `.venv`, where pytest is and something else is not."""
    root = tmp_path / "project"
    write_tree(root, PROJECT)
    command = [sys.executable, "-m", "venv", "--without-pip", str(root / ".venv")]
    subprocess.run(command, check=True, capture_output=True)
    site(root).joinpath("ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return root


def site(root: Path) -> Path:
    """The folder of its distributions."""
    (found,) = root.glob(".venv/lib/python*/site-packages")
    return found


def install(root: Path) -> None:
    """Install what it lacks, in the order in which pip does."""
    folder = site(root)
    (folder / "lacking").mkdir()
    (folder / "lacking/__init__.py").write_text("")
    metadata = folder / "lacking-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lacking\nVersion: 1.0\n")


def test_an_app_that_has_failed_is_tried_again(root: Path, watching: Callable[..., Any]) -> None:
    """What it lacked may be there now: nobody has to save a file for that."""
    watch = watching(root, "--no-tests", "--", "python", "main.py")
    watch.cycle(outcome="failed")
    install(root)
    events = watch.cycle(outcome="passed")
    (plan,) = [event for event in events if event["event"] == "plan"]
    (app,) = plan["apps"]
    assert (app["name"], app["reason"]["kind"]) == ("main", "environment")


def test_those_that_lacked_something_are_run_again(
    root: Path, watching: Callable[..., Any]
) -> None:
    """A skipped one may pass now (S24); one that looked for nothing in vain is not concerned."""
    assert run_again(watching(root), root) == {"test_lacking.py::test_lacking": "passed"}


@pytest.mark.usefixtures("all_plugins")
def test_all_tests_are_run_again(root: Path, watching: Callable[..., Any]) -> None:
    """A plugin, such as anyio's, has looked for something in vain: that may concern any test."""
    assert run_again(watching(root), root) == {
        "test_lacking.py::test_lacking": "passed",
        "test_other.py::test_other": "passed",
    }


def run_again(watch: Watching, root: Path) -> dict[str, str]:
    """What is run, and how it ends, when what was lacking has been installed."""
    outcomes = {e["nodeid"]: e["outcome"] for e in watch.cycle() if e["event"] == "test-finished"}
    assert outcomes["test_lacking.py::test_lacking"] == "skipped"
    install(root)
    return {e["nodeid"]: e["outcome"] for e in watch.cycle() if e["event"] == "test-finished"}
