"""A project whose runs are warm or cold, as is asked for, with a plugin of pytest's."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from devloop import events
from devloop.config import pytest_settings
from devloop.execute.guard import Guard
from devloop.execute.interpreter import Interpreter, probe
from devloop.execute.run_state import RunResult
from devloop.execute.runs import Chosen, TestRun
from devloop.execute.warm_tests import WarmTests

if TYPE_CHECKING:
    from tests.edges.runs.conftest import Project

PLUGIN = """
    pytest_shapes/__init__.py
        import contextlib, logging, os, pytest, random, uuid, warnings
        pytest.register_assert_rewrite("shape_helpers")

        NUMBERS = random.Random()
        KNOWN = random.Random(1)
        KIND = os.environ.get("KIND", "none")
        with contextlib.suppress(ImportError):
            import no_such_library
        logging.getLogger("shapes").addHandler(logging.NullHandler())
        warnings.filterwarnings("ignore", "of the plugin")

        @pytest.fixture
        def shape():
            from pytest_shapes import more
            return more.check

        def pytest_report_header(config):
            return f"shapes: {config.rootpath.name}"
    pytest_shapes/more.py
        def check(left, right):
            assert left == right
            return True
    shape_helpers.py
        def check_sorted(values):
            assert values == sorted(values)
    plain_library.py
        def check_even(number):
            assert number % 2 == 0
    shapes-1.0.dist-info/METADATA
        Metadata-Version: 2.1
        Name: shapes
        Version: 1.0
    shapes-1.0.dist-info/entry_points.txt
        [pytest11]
        shapes = pytest_shapes
    shapes-1.0.dist-info/RECORD
        pytest_shapes/__init__.py,,
        pytest_shapes/more.py,,
        shape_helpers.py,,
        plain_library.py,,
"""


class Pair:
    """A project whose runs are warm or cold, as is asked for.

    Args:
        project: its folder, and the events.
        guard: owns the processes.
        warm: holds the imports.
    """

    def __init__(self, project: Project, guard: Guard, warm: WarmTests) -> None:
        self.project = project
        self.warm = warm
        self.root = project.root
        self._guard = guard

    def start(self, *, warm: bool, args: tuple[str, ...] = (), workers: int = 0) -> TestRun:
        """Make a run."""
        project = self.project
        project.events.clear()
        return TestRun(
            self._guard,
            project.interpreter,
            self.root,
            Chosen(args=args, workers=workers, folders=(str(self.root), str(self.root / "tests"))),
            pytest_settings.read(self.root),
            project.env,
            project._emit,
            self.warm if warm else None,
        )

    async def cold(self, **how: Any) -> dict[str, Any]:
        """Run cold, and tell what it showed."""
        return self.shown(await self.start(warm=False, **how).wait())

    async def run(self, *, ahead: bool = False, **how: Any) -> RunResult:
        """Run warm, as soon as that is possible; or not before it has gone ahead."""
        run = self.start(warm=True, **how)
        self.warm.foresee(run.plan)
        with anyio.fail_after(60):
            while not self.warm.ready or (ahead and not self.warm.ahead):  # noqa: ASYNC110
                await anyio.sleep(0.01)  # it is told by nobody
        result = await run.wait()
        started = self.project.of(events.RunStarted)
        assert [(event.start, event.reason) for event in started] == [("warm", None)]
        return result

    async def teach(self, **how: Any) -> RunResult:
        """Run as a session's first run does."""
        return await self.start(warm=True, **how).wait()

    def shown(self, result: RunResult) -> dict[str, Any]:
        """All that a person sees of a run, but for times and addresses."""
        of = self.project.of
        return {
            "tests": sorted(
                (e.nodeid, e.outcome, bare(e.traceback or ""), e.captured)
                for e in of(events.TestFinished)
            ),
            "problems": sorted(
                (d.path, d.line or 0, bare(d.message)) for d in of(events.Diagnostic)
            ),
            "outcome": result.finished.outcome,
            "counts": (result.finished.passed, result.finished.failed, result.finished.errors),
            "code": result.code,
            "collected": result.collected,
            "broken": {path: bare(text) for path, text in result.broken.items()},
        }


def bare(text: str) -> str:
    """A text without addresses and temporary folders."""
    return re.sub(r"0x[0-9a-f]+|pytest-\d+|gw\d", "…", text)


@pytest.fixture(scope="session")
def shapes(
    interpreter: Interpreter,
    tmp_path_factory: pytest.TempPathFactory,
    write_tree: Callable[[Path, str], None],
) -> Interpreter:
    """An environment with pytest, and a plugin of which every kind of module is rewritten."""
    root = tmp_path_factory.mktemp("environment")
    command = [interpreter.path, "-m", "venv", "--without-pip", str(root / ".venv")]
    subprocess.run(command, check=True, capture_output=True)
    (site,) = (root / ".venv/lib").glob("python*/site-packages")
    (site / "ours.pth").write_text("\n".join(interpreter.sites) + "\n")
    write_tree(site, PLUGIN)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return probe(str(root / ".venv/bin/python"), root, env)


@pytest.fixture
def start() -> str:
    """These choose for themselves."""
    return "cold"


@pytest.fixture
async def pair(
    project: Callable[[str], Project], guard: Guard, shapes: Interpreter
) -> AsyncIterator[Callable[[str], Pair]]:
    """Make a project that can be run both ways."""
    pairs: list[Pair] = []
    async with anyio.create_task_group() as tasks:

        def make(text: str) -> Pair:
            made = project(text)
            made.interpreter = shapes
            warm = WarmTests(guard, made.root, (), None)
            tasks.start_soon(warm.run)
            pairs.append(Pair(made, guard, warm))
            return pairs[-1]

        yield make
        for one in pairs:
            one.project.events.clear()  # they are of both kinds
        tasks.cancel_scope.cancel()
