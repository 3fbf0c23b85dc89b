"""Runs with pytest-xdist: the same tests, outcomes and places, told by the controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from devloop import events
from devloop.errors import MissingDistribution

if TYPE_CHECKING:
    from tests.edges.runs.conftest import Project

pytestmark = pytest.mark.anyio

SEVERAL = """
    requirements-dev.txt
        pytest-xdist
    test_a.py
        import pathlib, os, pytest

        @pytest.fixture(scope="module")
        def made():
            with open("made", "a") as file:
                file.write("made\\n")

        @pytest.mark.parametrize("n", range(6))
        def test_n(n, made):
            assert n != 4, "four"
    test_b.py
        def test_b(): pass
    test_unchosen.py
        raise RuntimeError("not even imported")
"""


async def test_workers_run_just_what_is_chosen(project: Callable[[str], Project]) -> None:
    """Selection, nodeids, texts and places are those of a run in one process."""
    seen = []
    for workers in (0, 2):
        made = project(SEVERAL)
        result = await made.run(
            ("test_a.py", [f"test_a.py::test_n[{n}]" for n in range(1, 6)]),
            "test_b.py",
            workers=workers,
        )
        tests = {e.nodeid: (e.outcome, e.traceback) for e in made.of(events.TestFinished)}
        places = [(d.path, d.line, d.message) for d in made.of(events.Diagnostic)]
        seen.append((tests, places, result.collected, result.ran.whole, result.finished.outcome))
        assert made.of(events.RunStarted)[0].workers == workers
    assert seen[0] == seen[1]
    assert seen[0][1] == [("test_a.py", 10, "AssertionError: four")]


async def test_workers_that_devloop_chooses_take_whole_files(
    project: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is predicted to be long gets workers, and makes each module's fixtures once."""
    monkeypatch.setattr("devloop.execute.workers._cpus", lambda: 2)
    made = project(SEVERAL)
    seconds = {"test_a.py": 30.0, "test_b.py": 30.0}
    await made.run("test_a.py", "test_b.py", workers="auto", seconds=seconds)
    assert made.of(events.RunStarted)[0].workers == 2
    assert (made.root / "made").read_text() == "made\n"
    assert len(made.outcomes()) == 7


async def test_workers_that_collect_different_tests_give_way_to_one_process(
    project: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S35: a suite whose nodeids are volatile passes, as it does without devloop's workers."""
    monkeypatch.setattr("devloop.execute.workers._cpus", lambda: 2)
    made = project("""
        requirements-dev.txt
            pytest-xdist
        test_a.py
            import os, pytest
            @pytest.mark.parametrize("n", [os.getpid()])
            def test_n(n): pass
        test_b.py
            def test_b(): pass
    """)
    seconds = {"test_a.py": 30.0, "test_b.py": 30.0}
    result = await made.run("test_a.py", "test_b.py", workers="auto", seconds=seconds)
    assert result.finished.outcome == "passed"
    assert [event.workers for event in made.of(events.RunStarted)] == [2, 0]
    assert "one process" in made.of(events.Notice)[0].message
    assert len(made.outcomes()) == 2
    assert not made.of(events.Diagnostic)


async def test_the_users_own_workers_and_groups_are_respected(
    project: Callable[[str], Project],
) -> None:
    """`-n` and `--dist` of pytest's settings stand; a group's mark is no part of a nodeid."""
    made = project("""
        pytest.ini
            [pytest]
            addopts = -n 2 --dist loadgroup
        test_a.py
            import os, pytest
            @pytest.mark.xdist_group("one")
            def test_a(): assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "2"
            def test_b(): pass
    """)
    result = await made.run(("test_a.py", ["test_a.py::test_a"]), workers="auto")
    assert made.outcomes() == {"test_a.py::test_a": "passed"}
    await made.run("test_a.py", workers=0)
    assert made.outcomes()["test_a.py::test_a"] == "failed"  # `workers = 0` is one process
    assert result.running == ()


async def test_a_number_of_workers_needs_xdist(project: Callable[[str], Project]) -> None:
    """Asked for by number, a missing xdist is an error that says how to install it."""
    made = project("test_a.py\n    def test_a(): pass")
    without = {k: v for k, v in made.interpreter.distributions.items() if k != "pytest-xdist"}
    made.interpreter = msgspec.structs.replace(made.interpreter, distributions=without)
    with pytest.raises(MissingDistribution, match=r"pip install .*pytest-xdist"):
        await made.run("test_a.py", workers=2)
    await made.run("test_a.py", workers="auto", seconds={"test_a.py": 1.0})
    assert made.outcomes() == {"test_a.py::test_a": "passed"}
