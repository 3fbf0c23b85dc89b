"""Of files whose tests are known, just those that are due are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pytest

from devloop import events
from devloop.events import Reason
from devloop.select.selection import SelectedFile

if TYPE_CHECKING:
    from tests.edges.runs.conftest import Project

pytestmark = pytest.mark.anyio

SHAPES = """
    test_a.py
        import pytest
        made = open("made", "a")
        def say(name):
            print(name, file=made, flush=True)
            return name
        @pytest.mark.parametrize("n", ["x", "y::z"], ids=say)
        def test_n(n): pass
        @pytest.mark.parametrize("n", ["other"], ids=say)
        def test_other(n): pass
        class TestOne:
            @pytest.mark.parametrize("n", ["one"], ids=say)
            def test_m(self, n): pass
            @pytest.mark.parametrize("n", ["more"], ids=say)
            def test_more(self, n): pass
        class TestTwo:
            @pytest.mark.parametrize("n", ["two"], ids=say)
            def test_m(self, n): pass
"""
EVERYTHING = {"x", "y::z", "other", "one", "more", "two"}


def listed(path: str, nodeids: Iterable[str]) -> SelectedFile:
    """A file of which it is known which tests it holds."""
    names = tuple(f"{path}::{name}" for name in nodeids)
    return SelectedFile(path, Reason("ran"), names, listed=True)


def made_of(made: Project) -> set[str]:
    """The parameters of all tests that pytest has made."""
    return {*(made.root / "made").read_text().splitlines()}


@pytest.mark.parametrize("workers", [0, 2])
async def test_what_is_not_due_is_not_made(project: Callable[[str], Project], workers: int) -> None:
    """Neither a function's tests nor a class; and nothing is learned of the rest of the file."""
    made = project(SHAPES)
    due = ["test_n[y::z]", "TestOne::test_m[one]"]
    result = await made.start(listed("test_a.py", due), workers=workers).wait()
    assert {*made.outcomes()} == {f"test_a.py::{name}" for name in due}
    assert made_of(made) == {"x", "y::z", "one"}
    assert (result.finished.outcome, result.ran.whole, result.collected) == ("passed", {}, {})


async def test_a_class_that_is_due_is_made_whole(project: Callable[[str], Project]) -> None:
    """Its nodeid stands for all tests in it, one of which may be named as well."""
    made = project(SHAPES)
    due = ["TestOne", "TestOne::test_m[one]"]
    await made.start(listed("test_a.py", due), workers=0).wait()
    assert made_of(made) == {"one", "more"}
    assert len(made.outcomes()) == 2


@pytest.mark.parametrize("workers", [0, 2])
async def test_where_a_test_has_vanished_all_of_its_file_runs(
    project: Callable[[str], Project], workers: int
) -> None:
    """It was known wrongly what the file holds; and it is known now."""
    made = project(SHAPES)
    run = made.start(listed("test_a.py", ["test_n[x]", "test_n[gone]"]), workers=workers)
    result = await run.wait()
    assert made_of(made) == EVERYTHING
    assert {*result.ran.whole["test_a.py"]} == {*made.outcomes()}
    assert len(made.outcomes()) == 6
    assert run.shifted == {"test_a.py"}
    assert len(made.of(events.RunFinished)) == 1


@pytest.mark.parametrize(
    "hook",
    [
        "def pytest_itemcollected(item): pass",
        "def pytest_pycollect_makeitem(collector, name, obj): pass",
        "def pytest_generate_tests(metafunc): pass",
        "def pytest_deselected(items): pass",
        "import pytest\n\n"
        "@pytest.hookimpl(hookwrapper=True, tryfirst=True)\n"
        "def pytest_collection_modifyitems(items): yield",
    ],
)
async def test_a_conftest_that_sees_more_than_what_runs_sees_all(
    project: Callable[[str], Project], hook: str
) -> None:
    """What is made then is what was ever made, and just what is due runs."""
    made = project(SHAPES)
    (made.root / "conftest.py").write_text(hook + "\n")
    await made.start(listed("test_a.py", ["test_n[x]"]), workers=0).wait()
    assert made_of(made) == EVERYTHING
    assert [*made.outcomes()] == ["test_a.py::test_n[x]"]


async def test_a_module_that_makes_its_tests_itself_makes_all(
    project: Callable[[str], Project],
) -> None:
    """What one of them is may hang on how many were made before."""
    made = project("""
        test_a.py
            count = iter(range(9))
            def pytest_generate_tests(metafunc):
                metafunc.parametrize("n", [next(count)], ids=["it"])
            def test_0(n): assert n == 0
            def test_1(n): assert n == 1
    """)
    await made.start(listed("test_a.py", ["test_1[it]"]), workers=0).wait()
    assert made.outcomes() == {"test_a.py::test_1[it]": "passed"}


async def test_other_files_of_the_run_are_made_whole(project: Callable[[str], Project]) -> None:
    """And so is one of which single tests are due, but it is not known what else it holds."""
    made = project(SHAPES)
    (made.root / "test_b.py").write_text("def test_1(): pass\ndef test_2(): pass\n")
    (made.root / "test_c.py").write_text("def test_1(): pass\ndef test_2(): pass\n")
    chosen = listed("test_a.py", ["test_n[x]"]), "test_b.py", ("test_c.py", ["test_c.py::test_1"])
    result = await made.start(*chosen, workers=0).wait()
    assert len(made.outcomes()) == 4
    assert {*result.collected} == {"test_b.py", "test_c.py"}
    assert {*result.ran.whole} == {"test_b.py"}
