"""Shadow runs: what was left out is run beside the work, and disturbs nothing."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MakeLab = Callable[..., Any]


def events_of(lab: Any, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """The events of a `devloop test`."""
    done = lab.run("test", "--reporter", "jsonl", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def named(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The events of a kind."""
    return [event for event in events if event["event"] == name]


def test_one_pass_runs_what_is_not_due_afterwards(shop: Any) -> None:
    """`--shadow`: what is due is told test by test; what was left out is told in numbers."""
    shop.write({"src/shop/alone.py": "X = int(1)\n"})
    events = events_of(shop, "--shadow")
    assert [e["nodeid"] for e in named(events, "test-finished")] == ["tests/test_alone.py::test_x"]
    (end,) = named(events, "shadow-finished")
    assert (end["tests"], end["confirmed"], end["wrong"]) == (3, 3, 0)
    assert len(named(events, "cycle-finished")) == 1
    assert shop.due() == {}


@contextlib.contextmanager
def hurried(watch: Any) -> Iterator[set[int]]:
    """Give each process that steps back its turn, so that a busy machine does not hold the test up.

    Yields:
        The processes that did: the shadow runs.
    """
    found: set[int] = set()
    over = threading.Event()

    def hurry() -> None:
        while not over.wait(0.05):
            for pid in watch.started():
                with contextlib.suppress(OSError):
                    if os.sched_getscheduler(pid) == os.SCHED_IDLE:
                        found.add(pid)
                        os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
                        os.setpriority(os.PRIO_PROCESS, pid, 0)
                        Path(f"/proc/{pid}/autogroup").write_text("0")

    thread = threading.Thread(target=hurry)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="the priority is another one elsewhere")
def test_a_session_runs_what_was_left_out_while_it_is_idle(
    shop: Any, watching: Callable[..., Any]
) -> None:
    """It is off unless it is asked for, and begins nothing for what the last cycle has verified."""
    with (shop.root / "pyproject.toml").open("a") as file:
        file.write("[tool.devloop.tests]\nshadow = true\n")
    watch = watching(shop.root, "--no-app")
    watch.cycle(outcome="passed")
    with hurried(watch) as shadows:
        watch.save("src/shop/alone.py", "X = int(1)\n")
        watch.cycle(outcome="passed")
        end = watch.wait("shadow-finished", 60.0)
    assert len(shadows) == 1
    assert (end["tests"], end["wrong"]) == (3, 0)
    assert "cycle" not in end


SLOW = """
slow.py
    def wait():
        pass
quick.py
    X = 1
tests/test_slow.py
    import os, pathlib, time
    import pytest, slow
    @pytest.fixture
    def held():
        yield
        pathlib.Path("MARK.released").touch()
    def test_slow(held):
        pathlib.Path("MARK.began").touch()
        while pathlib.Path("MARK.wait").exists():
            time.sleep(0.01)
tests/test_quick.py
    import quick
    def test_quick():
        assert quick.X
devloop.toml
    [tests]
    shadow = true
pytest.ini
    [pytest]
    pythonpath = .
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the priority is another one elsewhere")
def test_a_save_ends_a_shadow_run_whose_teardown_runs(
    lab: MakeLab, watching: Callable[..., Any], tmp_path: Any
) -> None:
    """The save's own tests run once it has ended; nothing of the shadow run is a result."""
    project = lab(SLOW.replace("MARK", str(tmp_path / "mark")))
    for name in ("began", "released"):
        tmp_path.joinpath(f"mark.{name}").unlink()
    tmp_path.joinpath("mark.wait").touch()
    watch = watching(project.root)
    watch.cycle(outcome="passed")
    watch.save("quick.py", "X = 2\n")
    watch.cycle(outcome="passed")
    with hurried(watch):
        watch.until(tmp_path.joinpath("mark.began").exists, 60.0)
        assert not tmp_path.joinpath("mark.released").exists()
        watch.save("quick.py", "X = 3\n")
        watch.cycle(outcome="passed")
    assert tmp_path.joinpath("mark.released").exists()
    assert {e["nodeid"] for e in watch.of("test-finished")} == {"tests/test_quick.py::test_quick"}
    assert not watch.of("wrong-skip")
    assert watch.end() in (0, 130)


HIDDEN = """
pytest.ini
    [pytest]
    pythonpath = .
lib.py
    def one():
        return 1
    def two():
        return 2
tests/test_lib.py
    import posix
    import lib
    def test_hidden():
        # A function in C looks for the file: no recorder sees that.
        assert lib.one() == 1 and not posix.access("MARK", 0)
    def test_two():
        assert lib.two()
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_test_that_was_skipped_wrongly_is_told_and_not_trusted_again(
    recorded: MakeLab, tmp_path: Any
) -> None:
    """It fails at once and in the end; later any change selects it, with that for a reason."""
    mark = tmp_path / "mark"
    project = recorded(HIDDEN.replace("MARK", str(mark)))
    hidden = "tests/test_lib.py::test_hidden"
    mark.touch()
    project.write(project.edit("lib.py", "return 2", "return 3"))
    assert set(project.due()) == {"tests/test_lib.py::test_two"}
    events = events_of(project, "--shadow", code=1)
    (wrong,) = named(events, "wrong-skip")
    assert (wrong["nodeid"], wrong["assumed"], wrong["outcome"]) == (hidden, "passed", "failed")
    assert any(hidden in event["message"] for event in named(events, "notice"))
    assert [event["trigger"] for event in named(events, "cycle-started")] == ["start", "shadow"]
    assert named(events, "cycle-finished")[-1]["failing"] == 1
    mark.unlink()
    assert project.run("test").returncode == 0
    assert project.due() == {}
    project.write(project.edit("lib.py", "return 3", "return 4"))
    assert project.due()[hidden]["kind"] == "opaque"
