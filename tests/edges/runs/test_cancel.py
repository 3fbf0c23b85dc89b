"""Stopping a run: what runs is finished or interrupted, and every fixture is torn down (P20)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import pytest

from devloop import events

if TYPE_CHECKING:
    from tests.edges.runs.conftest import Project

pytestmark = pytest.mark.anyio

FIXTURES = """
    conftest.py
        import os, pathlib, pytest

        def resource(scope):
            held = pathlib.Path(f"held-{scope}-{os.getpid()}")
            held.touch()
            yield held
            held.unlink()

        @pytest.fixture(scope="session")
        def whole():
            yield from resource("session")

        @pytest.fixture(scope="module")
        def module():
            yield from resource("module")

        @pytest.fixture
        def function():
            yield from resource("function")

        pytest_plugins = []
    tests/test_slow.py
        import os, pathlib, time, pytest

        @pytest.mark.parametrize("n", range(6))
        def test_slow(n, whole, module, function, request):
            pathlib.Path(f"begun-{n}").touch()

            def done():
                # Workers are told of an order while a test runs, which takes its time.
                told = "PYTEST_XDIST_WORKER" not in os.environ or request.session.shouldstop
                return told and pathlib.Path("go").exists()

            end = time.monotonic() + 40
            while time.monotonic() < end and not done():
                time.sleep(0.01)
"""


def held(project: Project) -> list[str]:
    """The resources that nobody has released."""
    return sorted(path.name for path in project.root.glob("held-*"))


async def begun(project: Project, count: int = 1) -> None:
    """Wait until that many tests are inside their bodies."""
    with anyio.fail_after(60):
        while len(list(project.root.glob("begun-*"))) < count:  # noqa: ASYNC110 - of another process
            await anyio.sleep(0.01)


@pytest.mark.parametrize("workers", [0, 2])
async def test_an_interrupted_run_releases_every_fixture(
    project: Callable[[str], Project], workers: int
) -> None:
    """P20: fixtures of every scope are torn down, in workers too, and nothing more runs."""
    made = project(FIXTURES)
    run = made.start("tests/test_slow.py", workers=workers)
    async with anyio.create_task_group() as group:

        async def interrupt() -> None:
            await begun(made, max(workers, 1))
            assert len(held(made)) == 3 * max(workers, 1)
            run.interrupt()

        group.start_soon(interrupt)
        with anyio.fail_after(60):
            result = await run.wait()
    assert held(made) == []
    assert result.finished.outcome == "cancelled"
    assert result.ran.outcomes == {}
    assert result.ran.whole == {}
    assert len(list(made.root.glob("begun-*"))) == max(workers, 1)


@pytest.mark.parametrize("workers", [0, 2])
async def test_a_finishing_run_ends_its_current_tests_and_begins_no_other(
    project: Callable[[str], Project], workers: int
) -> None:
    """The tests that run keep their outcome, the rest is not run, and fixtures are torn down."""
    made = project(FIXTURES)
    run = made.start("tests/test_slow.py", workers=workers)
    async with anyio.create_task_group() as group:

        async def finish() -> None:
            await begun(made, max(workers, 1))
            await made.until(lambda event: isinstance(event, events.TestStarted))
            assert set(run.remaining()[0]) <= {
                f"tests/test_slow.py::test_slow[{n}]" for n in range(6)
            }
            run.finish_current()
            await anyio.wait_all_tasks_blocked()  # the order is on its way
            (made.root / "go").touch()

        group.start_soon(finish)
        with anyio.fail_after(60):
            result = await run.wait()
    assert held(made) == []
    assert result.finished.outcome == "cancelled"
    assert set(made.outcomes().values()) == {"passed"}
    assert len(made.outcomes()) == max(workers, 1)
    assert len(run.remaining()[1]) == 6 - max(workers, 1)


async def test_a_run_is_interrupted_while_it_collects(project: Callable[[str], Project]) -> None:
    """An interrupt during the import of a test file ends the run at once."""
    made = project("""
        test_slow.py
            import pathlib, time
            pathlib.Path("begun-0").touch()
            while True:
                time.sleep(0.1)  # a signal just before a sleep is handled after it
    """)
    run = made.start("test_slow.py", workers=0)
    async with anyio.create_task_group() as group:

        async def interrupt() -> None:
            await begun(made)
            run.interrupt()

        group.start_soon(interrupt)
        with anyio.fail_after(60):
            result = await run.wait()
    assert result.finished.outcome == "cancelled"
    assert run.remaining() == ((), ("test_slow.py",))


async def test_an_interrupt_is_forced_in_the_end(project: Callable[[str], Project]) -> None:
    """A test that swallows interrupts and ignores SIGTERM is gone within the given time."""
    made = project("""
        test_stubborn.py
            import pathlib, signal, time

            def test_stubborn():
                # A handler, as an exception could be raised outside of any `try`.
                signal.signal(signal.SIGINT, lambda *_: pathlib.Path("swallowed").touch())
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                pathlib.Path("begun-0").touch()
                while True:
                    time.sleep(600)
    """)
    run = made.start("test_stubborn.py", workers=0)
    async with anyio.create_task_group() as group:

        async def interrupt() -> None:
            await begun(made)
            run.interrupt(teardown=600)
            run.interrupt(teardown=0.1)  # the second one shortens the first

        group.start_soon(interrupt)
        with anyio.fail_after(60):
            result = await run.wait()
    assert (made.root / "swallowed").exists()
    assert result.finished.outcome == "cancelled"
    assert result.running == ("test_stubborn.py::test_stubborn",)


async def test_cancelling_the_wait_tears_fixtures_down(project: Callable[[str], Project]) -> None:
    """When devloop ends in the midst of a run, the run's fixtures are still torn down."""
    made = project(FIXTURES)
    run = made.start("tests/test_slow.py", workers=0)
    async with anyio.create_task_group() as group:
        group.start_soon(run.wait)
        await begun(made)
        group.cancel_scope.cancel()
    assert held(made) == []
