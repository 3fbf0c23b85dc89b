"""A small project, and a way to run its tests as devloop does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from devloop import events
from devloop.config import pytest_settings
from devloop.events import Event, Reason
from devloop.execute.guard import Guard
from devloop.execute.interpreter import Interpreter, probe
from devloop.execute.run_state import RunResult
from devloop.execute.runs import Chosen, TestRun
from devloop.select.selection import SelectedFile

AnEvent = TypeVar("AnEvent", bound=Event)


def clean_environment() -> dict[str, str]:
    """The environment without what the outer pytest, xdist and a developer have put into it."""
    prefixes = ("PYTEST_", "PYTHON", "DEVLOOP_", "COV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


class Project:
    """A folder with tests, and what has happened in its runs."""

    def __init__(self, root: Path, guard: Guard, interpreter: Interpreter) -> None:
        self.root = root
        self.events: list[Event] = []
        self.env = clean_environment()
        self.interpreter = interpreter
        self._guard = guard
        self._listeners: list[tuple[Callable[[Event], bool], anyio.Event]] = []

    def start(
        self, *chosen: str | tuple[str, Iterable[str]], root: Path | None = None, **more: Any
    ) -> TestRun:
        """A run of the chosen files (with nodeids, where they are given), or of everything."""
        files = [(one, ()) if isinstance(one, str) else one for one in chosen]
        selection = tuple(SelectedFile(path, Reason("edited"), tuple(ids)) for path, ids in files)
        root = root or self.root
        return TestRun(
            self._guard,
            self.interpreter,
            root,
            Chosen(selection=selection or None, **more),
            pytest_settings.read(root),
            self.env,
            self._emit,
        )

    async def run(self, *chosen: str | tuple[str, Iterable[str]], **more: Any) -> RunResult:
        """Run to the end."""
        return await self.start(*chosen, **more).wait()

    def of(self, kind: type[AnEvent]) -> list[AnEvent]:
        """The events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def outcomes(self) -> dict[str, str]:
        """Each test that ended, in order, with its outcome."""
        return {event.nodeid: event.outcome for event in self.of(events.TestFinished)}

    async def until(self, wanted: Callable[[Event], bool]) -> None:
        """Wait until such an event has come."""
        if not any(wanted(event) for event in self.events):
            came = anyio.Event()
            self._listeners.append((wanted, came))
            with anyio.fail_after(30):
                await came.wait()

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        for wanted, came in self._listeners:
            if wanted(event):
                came.set()


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """The interpreter that runs these tests, or another one (``DEVLOOP_TEST_PYTHON``).

    So they can be run against other versions of pytest.
    """
    python = os.environ.get("DEVLOOP_TEST_PYTHON", sys.executable)
    return probe(python, tmp_path_factory.mktemp("probe"), clean_environment())


@pytest.fixture
def project(
    tmp_path: Path,
    guard: Guard,
    interpreter: Interpreter,
    write_tree: Callable[[Path, str], None],
) -> Callable[[str], Project]:
    """Make a project of a tree of files."""

    def make(text: str) -> Project:
        root = tmp_path / "project"
        write_tree(root, text)
        # So that no configuration above the temporary folder counts.
        if not (root / "pytest.ini").exists():
            (root / "pytest.ini").write_text("[pytest]\n")
        return Project(root, guard, interpreter)

    return make
