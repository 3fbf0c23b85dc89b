"""A small project, and a way to run its tests as devloop does."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from devloop import events
from devloop.config import pytest_settings
from devloop.events import Event, Reason
from devloop.execute import holders, runs
from devloop.execute.guard import Guard
from devloop.execute.interpreter import Interpreter, probe
from devloop.execute.run_state import RunResult
from devloop.execute.runs import Chosen, TestRun
from devloop.execute.warm_tests import POSSIBLE, WarmTests
from devloop.plan.warm import WarmRecord
from devloop.select.selection import SelectedFile

AnEvent = TypeVar("AnEvent", bound=Event)
Selected = str | tuple[str, Iterable[str]] | SelectedFile
"""A file, a file and nodeids in it, or how it is put to a run."""


def clean_environment() -> dict[str, str]:
    """The environment without what the outer pytest, xdist and a developer have put into it.

    What `few_plugins` has put there stays.
    """
    prefixes = ("PYTEST_", "PYTHON", "DEVLOOP_", "COV_")
    return {
        name: value
        for name, value in os.environ.items()
        if name == "PYTEST_ADDOPTS" or not name.startswith(prefixes)
    }


class Taught:
    """What one run has imported stands for what any would."""

    record: WarmRecord | None = None

    def load_warm(self, app: str, stamp: str) -> WarmRecord | None:
        """What was taught, whatever the settings."""
        return self.record

    def save_warm(self, app: str, stamp: str, record: WarmRecord) -> None:
        """Keep what the first of all has taught."""
        if self.record is None:
            self.record = record


class WarmRun(TestRun):
    """A run that waits until it can start warm."""

    def after(self, warm: WarmTests) -> None:
        """Say what makes the start ready."""
        self._ready = warm

    async def wait(self) -> RunResult:
        """Run to the end."""
        self._ready.foresee(self.plan)
        await until(lambda: self._ready.ready)
        return await super().wait()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so, for half a minute at most."""
    with anyio.fail_after(60):
        while not true():  # noqa: ASYNC110 - it is told by nobody
            await anyio.sleep(0.01)


def _selected(one: Selected) -> SelectedFile:
    if isinstance(one, SelectedFile):
        return one
    path, nodeids = (one, ()) if isinstance(one, str) else one
    return SelectedFile(path, Reason("edited"), tuple(nodeids))


class Project:
    """A folder with tests, and what has happened in its runs.

    Args:
        root: the folder.
        guard: owns the processes.
        interpreter: runs the tests.
        warm: makes what runs start warm from; None has them start cold.
    """

    def __init__(
        self,
        root: Path,
        guard: Guard,
        interpreter: Interpreter,
        warm: Callable[[Path], WarmTests] | None = None,
    ) -> None:
        self.root = root
        self._warm = warm
        self.events: list[Event] = []
        self.env = clean_environment()
        self.interpreter = interpreter
        self._guard = guard
        self._listeners: list[tuple[Callable[[Event], bool], anyio.Event]] = []

    def start(self, *chosen: Selected, root: Path | None = None, **more: Any) -> TestRun:
        """A run of the chosen files (with nodeids, where they are given), or of everything."""
        selection = tuple(_selected(one) for one in chosen)
        root = root or self.root
        tests = Chosen(selection=selection or None, **more)
        settings = pytest_settings.read(root)
        kind, warm = (TestRun, None) if self._warm is None else (WarmRun, self._warm(root))
        run = kind(self._guard, self.interpreter, root, tests, settings, self.env, self._emit, warm)
        if isinstance(run, WarmRun) and warm is not None:
            run.after(warm)
        return run

    async def run(self, *chosen: Selected, **more: Any) -> RunResult:
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
            with anyio.fail_after(60):
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


@pytest.fixture(scope="session")
def taught() -> Taught:
    """What a run imports; learned once."""
    return Taught()


@pytest.fixture
async def zygotes(
    guard: Guard, interpreter: Interpreter, taught: Taught, tmp_path: Path
) -> AsyncIterator[Callable[[Path], WarmTests]]:
    """What makes runs start warm, one for each folder; they hold pytest from the start on."""
    made: dict[Path, WarmTests] = {}
    async with anyio.create_task_group() as tasks:

        def make(root: Path) -> WarmTests:
            if root not in made:
                made[root] = WarmTests(guard, root, (), taught)
                tasks.start_soon(made[root].run)
            return made[root]

        if taught.record is None:
            root = tmp_path / "teaching"
            root.mkdir()
            (root / "pytest.ini").write_text("[pytest]\n")
            (root / "test_a.py").write_text("def test_a(): pass\n")
            settings, env = pytest_settings.read(root), clean_environment()
            warm = make(root)
            run = TestRun(guard, interpreter, root, Chosen(), settings, env, lambda _: None, warm)
            assert (await run.wait()).finished.outcome == "passed"
            await until(lambda: warm.ready)
        yield make
        tasks.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds are none on a busy machine, and a cold run would be the answer.

    Nor are ten for a process's end, which is cut short, with files that are not yet written.
    """
    monkeypatch.setattr(holders, "PATIENCE", 60.0)
    monkeypatch.setattr(runs, "LINGER", 60.0)


@pytest.fixture(params=["cold", "warm"])
def start(request: pytest.FixtureRequest) -> str:
    """How runs start; whatever holds for a cold run holds for a warm one."""
    kind: str = request.param
    if kind == "warm" and not POSSIBLE:
        pytest.skip("nothing is forked here")
    return kind


@pytest.fixture
async def project(
    tmp_path: Path,
    guard: Guard,
    interpreter: Interpreter,
    write_tree: Callable[[Path, str], None],
    start: str,
    zygotes: Callable[[Path], WarmTests],
) -> AsyncIterator[Callable[[str], Project]]:
    """Make a project of a tree of files."""
    projects: list[Project] = []

    def make(text: str) -> Project:
        root = tmp_path / "project"
        write_tree(root, text)
        # So that no configuration above the temporary folder counts.
        if not (root / "pytest.ini").exists():
            (root / "pytest.ini").write_text("[pytest]\n")
        projects.append(Project(root, guard, interpreter, zygotes if start == "warm" else None))
        return projects[-1]

    yield make
    for made in projects:
        assert {(e.start, e.reason) for e in made.of(events.RunStarted)} <= {(start, None)}
