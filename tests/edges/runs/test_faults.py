"""Runs that go wrong: a dead runner is never "0 failures", and what did not run is not told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from devloop.events import Diagnostic

if TYPE_CHECKING:
    from tests.edges.runs.conftest import Project

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("act", "told"),
    [
        ("import os; os._exit(0)", "exit code 0"),
        ("import os; os._exit(1)", "exit code 1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    ],
)
async def test_a_runner_that_dies_is_a_runner_failure(
    project: Callable[[str], Project], act: str, told: str
) -> None:
    """Whatever its exit code says: without pytest's own end only what was told is trusted."""
    made = project(f"""
        test_a.py
            def test_before(): pass
            def test_dies():
                {act}
            def test_after(): pass
    """)
    result = await made.run("test_a.py", workers=0)
    assert result.finished.outcome == "runner-failed"
    assert result.code == 3
    assert told in (result.finished.message or "")
    assert "test_a.py::test_dies" in (result.finished.message or "")
    assert made.outcomes() == {"test_a.py::test_before": "passed"}
    assert result.running == ("test_a.py::test_dies",)
    assert result.ran.whole == {}


async def test_a_usage_error_shows_what_pytest_printed(project: Callable[[str], Project]) -> None:
    """An option that pytest does not know is a runner failure, with code 4 and pytest's words."""
    made = project("test_a.py\n    def test_a(): pass")
    result = await made.run("test_a.py", args=("--no-such-option",))
    assert result.finished.outcome == "runner-failed"
    assert result.code == 4
    assert "--no-such-option" in result.finished.output


async def test_an_internal_error_is_a_runner_failure(project: Callable[[str], Project]) -> None:
    """A hook that raises ends pytest with an internal error, which is named."""
    made = project("""
        conftest.py
            def pytest_runtest_logfinish(): raise RuntimeError("the hook is broken")
        test_a.py
            def test_a(): pass
    """)
    result = await made.run("test_a.py")
    assert result.finished.outcome == "runner-failed"
    assert result.code == 3
    assert "the hook is broken" in (result.finished.message or "")


async def test_an_exit_code_without_a_failed_test_is_not_trusted(
    project: Callable[[str], Project],
) -> None:
    """A plugin that only sets the exit code does not make "0 failures" of it, nor a pass."""
    made = project("""
        conftest.py
            import pytest

            @pytest.hookimpl(tryfirst=True)
            def pytest_sessionfinish(session):
                print("the wrong moon")
                session.exitstatus = 1
        test_a.py
            def test_a(): pass
    """)
    result = await made.run("test_a.py")
    assert result.finished.outcome == "runner-failed"
    assert "the wrong moon" in result.finished.output


async def test_what_a_raised_interrupt_keeps_from_running_is_not_told_as_run(
    project: Callable[[str], Project],
) -> None:
    """S32: KeyboardInterrupt inside a test ends the run as cancelled, and says where."""
    made = project("""
        test_a.py
            def test_before(): pass
            def test_raises(): raise KeyboardInterrupt
            def test_after(): pass
    """)
    result = await made.run("test_a.py", workers=0)
    assert result.finished.outcome == "cancelled"
    assert result.code == 2
    assert "test_a.py:2" in (result.finished.message or "")
    assert made.outcomes() == {"test_a.py::test_before": "passed"}
    assert result.ran.whole == {}


async def test_pytest_exit_is_no_pass(project: Callable[[str], Project]) -> None:
    """S32: `pytest.exit` with code 0 has kept tests from running, so the run is cancelled."""
    made = project("""
        test_a.py
            import pytest
            def test_a(): pytest.exit("no database", returncode=0)
            def test_b(): pass
    """)
    result = await made.run("test_a.py", workers=0)
    assert result.finished.outcome == "cancelled"
    assert "no database" in (result.finished.message or "")
    assert made.outcomes() == {}


@pytest.mark.parametrize("workers", [0, 2])
async def test_the_first_failure_leaves_the_rest_unrun(
    project: Callable[[str], Project], workers: int
) -> None:
    """S32: with `-x` the tests after the failure have no outcome, and the run has failed."""
    made = project("""
        conftest.py
            import os, pathlib
            def pytest_runtest_logreport(report):
                if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
                    pathlib.Path("told").touch()
        test_a.py
            import pathlib, pytest, time
            def test_a(): assert 0
            @pytest.mark.parametrize("n", range(5))
            def test_later(n):
                # The other worker has begun some: how soon it is told to stop is the machine's.
                end = time.monotonic() + 60
                while time.monotonic() < end and not pathlib.Path("told").exists():
                    time.sleep(0.01)
                time.sleep(0.5)
    """)
    result = await made.run("test_a.py", args=("-x",), workers=workers)
    assert result.finished.outcome == "failed"
    assert result.code == 1
    assert made.outcomes()["test_a.py::test_a"] == "failed"
    assert "test_a.py::test_later[4]" not in made.outcomes()
    assert result.ran.whole == {}


async def test_a_crashed_worker_fails_its_test_and_no_other(
    project: Callable[[str], Project],
) -> None:
    """S32: the test in which a worker died has failed; those that ran elsewhere have passed."""
    made = project("""
        test_a.py
            import os
            def test_a(): pass
            def test_dies(): os._exit(7)
            def test_c(): pass
            def test_d(): pass
    """)
    result = await made.run("test_a.py", workers=2)
    assert result.finished.outcome == "failed"
    assert made.outcomes() == {
        "test_a.py::test_a": "passed",
        "test_a.py::test_dies": "failed",
        "test_a.py::test_c": "passed",
        "test_a.py::test_d": "passed",
    }
    (problem,) = made.of(Diagnostic)
    assert (problem.path, problem.nodeid) == ("test_a.py", "test_a.py::test_dies")
    assert "crashed" in problem.message


@pytest.mark.parametrize("workers", [0, 2])
async def test_a_file_that_cannot_be_collected_fails_and_the_others_run(
    project: Callable[[str], Project], workers: int
) -> None:
    """A collection error is a failure with its place; it does not hold the other files back."""
    made = project("""
        src.py
            def f():
                return 1 +
        test_good.py
            def test_good(): pass
        test_import.py
            import no_such_module
        test_syntax.py
            import src
    """)
    result = await made.run("test_syntax.py", "test_import.py", "test_good.py", workers=workers)
    assert result.finished.outcome == "failed"
    assert result.code == 1
    assert result.finished.errors == 2
    assert made.outcomes() == {"test_good.py::test_good": "passed"}
    assert {(d.path, d.line, d.nodeid) for d in made.of(Diagnostic)} == {
        ("src.py", 2, "test_syntax.py"),
        ("test_import.py", 1, "test_import.py"),
    }
    assert all(d.traceback for d in made.of(Diagnostic))
    assert result.broken.keys() == {"test_syntax.py", "test_import.py"}
    assert result.ran.whole.keys() == {"test_good.py"}


@pytest.mark.parametrize("where", ["conftest.py", "tests/deep/conftest.py"])
async def test_a_broken_conftest_is_a_failure_with_a_place(
    project: Callable[[str], Project], where: str
) -> None:
    """It is the user's edit, though pytest calls the first a usage error and ends at the other."""
    made = project(f"""
        {where}
            import pytest
            x = undefined_name
        tests/deep/test_a.py
            def test_a(): pass
    """)
    result = await made.run("tests/deep/test_a.py")
    assert result.finished.outcome == "failed"
    assert result.code == 1
    problems = [(d.path, d.line) for d in made.of(Diagnostic)]
    assert problems == [(where, 2)]
    assert "undefined_name" in made.of(Diagnostic)[0].message
    assert result.ran.whole == {}


async def test_nothing_collected_is_good(project: Callable[[str], Project]) -> None:
    """A file without tests, and one that has vanished, pass."""
    made = project("test_a.py\n    x = 1")
    result = await made.run("test_a.py", "test_gone.py")
    assert result.finished.outcome == "passed"
    assert result.code == 0
    assert result.ran.whole == {"test_a.py": frozenset(), "test_gone.py": frozenset()}
    assert not made.of(Diagnostic)


async def test_a_thread_that_does_not_end_does_not_hold_the_run_up(
    project: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is over, so the result stands; the process is stopped, and that is said."""
    monkeypatch.setattr("devloop.execute.runs.LINGER", 0.3)
    made = project("""
        test_a.py
            import threading, time
            def test_a(): threading.Thread(target=time.sleep, args=(50,)).start()
    """)
    result = await made.run("test_a.py", workers=0)
    assert made.outcomes() == {"test_a.py::test_a": "passed"}
    assert result.finished.outcome == "passed"
    assert any("still ran" in getattr(event, "message", "") for event in made.events)
