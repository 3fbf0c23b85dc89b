"""`devloop test` where a `watch` runs: it is the watch that runs them (DESIGN §2)."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Devloop, Watching

Watch = Callable[..., "Watching"]

PROJECT = """
cart.py
    def total(prices):
        return sum(prices)
tests/test_cart.py
    import cart
    def test_total():
        assert cart.total([1, 2]) == 3
    def test_empty():
        assert cart.total([]) == 0
tests/test_alone.py
    def test_alone():
        pass
tests/sub/test_bad.py
    def test_bad():
        assert 1 == 2
pytest.ini
    [pytest]
    pythonpath = .
"""
CART = "def total(prices):\n    return {}\n"


@pytest.fixture
def session(tmp_path: Path, write_tree: Callable[[Path, str], None], watching: Watch) -> Watching:
    """A `watch` whose first cycle has ended: one test fails."""
    root = tmp_path / "p"
    root.mkdir()
    write_tree(root, PROJECT)
    found = watching(root)
    found.wait("cycle-finished", failing=1)
    found.seen = len(found.events)
    return found


def ran(session: Watching, cycle: int) -> list[str]:
    """What ran in a cycle."""
    return sorted(event["nodeid"] for event in session.of("test-finished", cycle=cycle))


def test_what_is_due_is_run_by_the_watch(session: Watching, devloop: Devloop) -> None:
    """Warm, and reported here as a session of its own, with the exit code of its tests."""
    done = devloop("test", "--reporter", "jsonl", cwd=session.root)
    assert done.returncode == 1
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "session-started"
    assert events[0]["command"] == "test"
    assert events[1] == session.of("cycle-started", cycle=2)[0]
    assert events[1]["trigger"] == "control"
    assert events[-1]["event"] == "session-finished"
    assert events[-1]["code"] == 1
    assert ran(session, 2) == ["tests/sub/test_bad.py::test_bad"]


def test_only_what_was_named_counts(session: Watching, devloop: Devloop) -> None:
    """A test that fails elsewhere is neither run again nor a failure of what was asked for."""
    done = devloop("test", "tests/test_cart.py", cwd=session.root)
    assert done.returncode == 0, done.stdout
    assert ran(session, 2) == []
    done = devloop("test", "--all", "tests/test_cart.py::test_total", cwd=session.root)
    assert done.returncode == 0, done.stdout
    assert ran(session, 3) == ["tests/test_cart.py::test_total"]
    # The next change takes up again what fails.
    session.save("cart.py", CART.format("sum(prices) or 0"))
    session.wait("cycle-finished", cycle=4)
    assert "tests/sub/test_bad.py::test_bad" in ran(session, 4)


def test_all_are_run_on_request(session: Watching, devloop: Devloop) -> None:
    """Due or not."""
    done = devloop("test", "--all", cwd=session.root)
    assert done.returncode == 1
    assert len(ran(session, 2)) == 4
    assert "1 failed, 3 passed" in done.stdout


def test_a_name_that_is_not_there_is_an_error(session: Watching, devloop: Devloop) -> None:
    """The same as without a watch."""
    done = devloop("test", "tests/test_cart.py::test_totl", cwd=session.root)
    assert done.returncode == 4
    assert "there is no test tests/test_cart.py::test_totl" in done.stderr
    assert "test_total" in done.stderr


def test_what_was_just_written_is_what_is_tested(session: Watching, devloop: Devloop) -> None:
    """However soon after the save it is asked for: never the verdict of what was there before."""
    for number in range(6):
        good = number % 2 == 0
        (session.root / "cart.py").write_text(CART.format("sum(prices)" if good else "-1"))
        done = devloop("test", "tests/test_cart.py", cwd=session.root)
        assert done.returncode == (0 if good else 1), done.stdout


def test_a_change_that_nothing_told_of_is_seen_too(
    tmp_path: Path, write_tree: Callable[[Path, str], None], watching: Watch, devloop: Devloop
) -> None:
    """Where files are polled slowly, all are looked at before an answer is given."""
    root = tmp_path / "p"
    root.mkdir()
    write_tree(root, PROJECT)
    (root / "tests/sub/test_bad.py").unlink()
    found = watching(root, "--poll=9s")
    found.wait("cycle-finished", failing=0)
    (root / "cart.py").write_text(CART.format("-1"))
    done = devloop("test", cwd=root)
    assert done.returncode == 1, done.stdout


def test_nothing_runs_twice(session: Watching, devloop: Devloop) -> None:
    """A run that goes on is waited for, not begun again beside or after."""
    beside = session.root.parent
    session.save(
        "tests/test_slow.py",
        "import pathlib, time\n"
        f"beside = pathlib.Path({str(beside)!r})\n"
        "def test_slow():\n"
        "    with (beside / 'began').open('a') as log: log.write('x')\n"
        "    while not (beside / 'go').exists(): time.sleep(0.01)\n",
    )
    session.until((beside / "began").exists)
    done: list[subprocess.CompletedProcess[str]] = []
    asked = threading.Thread(
        target=lambda: done.append(devloop("test", "tests/test_slow.py", cwd=session.root))
    )
    asked.start()
    session.wait("cycle-started", trigger="control")
    (beside / "go").touch()
    asked.join(30)
    assert done[0].returncode == 0, done[0].stdout
    assert (beside / "began").read_text() == "x"
    assert re.search(r"devloop: .*1 passed", done[0].stdout)


def test_ctrl_c_leaves_the_run_to_the_watch(
    session: Watching, devloop_command: tuple[str, ...], plain_environment: dict[str, str]
) -> None:
    """It ends the command alone, with 130, and one is told that the tests go on."""
    beside = session.root.parent
    session.save(
        "tests/test_slow.py",
        "import pathlib, time\n"
        f"beside = pathlib.Path({str(beside)!r})\n"
        "def test_slow():\n"
        "    while not (beside / 'go').exists(): time.sleep(0.01)\n",
    )
    session.wait("test-started", nodeid="tests/test_slow.py::test_slow")
    with subprocess.Popen(
        [*devloop_command, "test", "tests/test_slow.py"],
        cwd=session.root,
        env=plain_environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        for line in command.stdout:
            if line == "devloop: cycle started\n":
                break
        command.send_signal(signal.SIGINT)
        _, errors = command.communicate(timeout=60)
    assert command.returncode == 130
    assert errors == "devloop: not waited for any more; `devloop watch` goes on with it\n"
    (beside / "go").touch()
    session.wait("test-finished", nodeid="tests/test_slow.py::test_slow", outcome="passed")


def test_what_it_runs_by_itself_is_on_record_for_both(session: Watching, devloop: Devloop) -> None:
    """Arguments for pytest are for a run of its own; no verdict of either is lost."""
    text = (session.root / "tests/test_alone.py").read_text()
    session.save("tests/test_alone.py", text + "def test_more():\n    pass\n")
    session.wait("cycle-finished")
    done = devloop("test", "--pytest-args", "-p no:cacheprovider", cwd=session.root)
    assert done.returncode == 1
    assert not session.of("cycle-started", trigger="control")
    session.save("cart.py", CART.format("sum(prices) + 0"))
    session.wait("cycle-finished")
    assert session.end() == 0
    with sqlite3.connect(session.root / ".devloop/store.db") as store:
        assert store.execute("pragma integrity_check").fetchone() == ("ok",)
    store.close()
    found: dict[str, Any] = json.loads(
        devloop("affected", "--format", "json", cwd=session.root).stdout
    )
    assert [one["nodeid"] for one in found["tests"]] == ["tests/sub/test_bad.py::test_bad"]


def test_a_watch_without_tests_leaves_them_to_the_command(
    tmp_path: Path, write_tree: Callable[[Path, str], None], watching: Watch, devloop: Devloop
) -> None:
    """Started with `--no-tests`."""
    root = tmp_path / "p"
    root.mkdir()
    write_tree(root, PROJECT)
    (root / "app.py").write_text("import time\ntime.sleep(600)\n")
    (root / "devloop.toml").write_text('[apps.web]\ncommand = "python app.py"\n')
    found = watching(root, "--no-tests")
    found.wait("cycle-finished")
    done = devloop("test", cwd=root)
    assert done.returncode == 1
    assert "1 failed, 3 passed" in done.stdout
    assert not found.of("run-started")
