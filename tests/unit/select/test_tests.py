"""Which tests are due, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from devloop.events import TestOutcome
from devloop.graph.graph import Graph
from devloop.select.category import category
from devloop.select.delta import Present
from devloop.select.learning import learn
from devloop.select.records import Ran, Records
from devloop.select.tests import Due, due, everything, failing, reached

PROJECT = """
lib.py
far.py
    import lib
test_far.py
    import far
test_lib.py
    import lib
test_alone.py
"""

PASSED: TestOutcome = "passed"
FAILED: TestOutcome = "failed"


@pytest.fixture
def graph(build: Callable[..., Graph]) -> Graph:
    """Three test files: near, far, and with no import."""
    return build(PROJECT)


def contents(graph: Graph, **others: str) -> dict[str, bytes]:
    """The contents of the project; `lib="2"` is another content of lib.py."""
    found = dict.fromkeys(graph.files, b"1")
    return {**found, **{f"{name}.py": value.encode() for name, value in others.items()}}


def present(graph: Graph, records: Records, contents: Mapping[str, bytes]) -> Present:
    """What selection knows, where no source has an outline."""
    return Present(graph, records, contents, category, lambda _: {})


def ran(outcomes: Mapping[str, TestOutcome], seconds: float = 0.1) -> Ran:
    """A run of whole files with these outcomes by nodeid."""
    whole: dict[str, set[str]] = {}
    for nodeid in outcomes:
        whole.setdefault(nodeid.partition("::")[0], set()).add(nodeid)
    return Ran(
        {n: (n.partition("::")[0], outcome, seconds) for n, outcome in outcomes.items()},
        {path: frozenset(nodeids) for path, nodeids in whole.items()},
    )


GREEN: dict[str, TestOutcome] = {
    "test_far.py::test": PASSED,
    "test_lib.py::test_a": PASSED,
    "test_lib.py::test_b": PASSED,
    "test_alone.py::test": PASSED,
}


def records(graph: Graph, *runs: tuple[Ran, dict[str, bytes]]) -> Records:
    """What runs on some contents have left."""
    found = Records()
    for one, on in ((ran(GREEN), contents(graph)), *runs):
        found = found.with_learned(learn(present(graph, found, on), one, frozenset()))
    return found


def files(found: Due) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The selected files in order, with the kind of reason and the single tests."""
    return {file.path: (file.reason.kind, file.nodeids) for file in found.files}


def test_nothing_is_due_on_what_has_passed(graph: Graph) -> None:
    """Nor is there a reason for all."""
    found = due(present(graph, records(graph), contents(graph)))
    assert found == Due(())


def test_what_never_ran_is_due_and_that_is_the_one_reason(graph: Graph) -> None:
    """Every file is new."""
    found = due(present(graph, Records(), contents(graph)))
    assert {kind for kind, _ in files(found).values()} == {"new"}
    assert found.all_reason


def test_a_new_file_is_due_alone(build: Callable[..., Graph], graph: Graph) -> None:
    """The others have passed on what they reach."""
    grown = build(PROJECT + "test_new.py\n")
    found = due(present(grown, records(graph), contents(grown)))
    assert files(found) == {"test_new.py": ("new", ())}
    assert found.all_reason is None


def test_an_edit_makes_due_what_it_reaches_nearest_first(graph: Graph) -> None:
    """Edited tests come before all."""
    edited = contents(graph, lib="2", test_alone="2")
    found = files(due(present(graph, records(graph), edited)))
    assert list(found) == ["test_alone.py", "test_lib.py", "test_far.py"]
    assert found["test_alone.py"] == ("edited", ())


def test_a_failure_stays_due_alone_until_it_passes(graph: Graph) -> None:
    """Whatever else is edited; and then it is due no more (S34)."""
    known = records(graph, (ran({"test_lib.py::test_b": FAILED}), contents(graph)))
    known = known.with_learned(
        learn(
            present(graph, known, contents(graph)),
            ran({"test_lib.py::test_a": PASSED, "test_lib.py::test_b": FAILED}),
            frozenset(),
        )
    )
    assert files(due(present(graph, known, contents(graph)))) == {
        "test_lib.py": ("failed", ("test_lib.py::test_b",))
    }
    assert failing(present(graph, known, contents(graph))) == ("test_lib.py::test_b",)
    good = known.with_learned(
        learn(
            present(graph, known, contents(graph)),
            Ran({"test_lib.py::test_b": ("test_lib.py", PASSED, 0.1)}, {}),
            frozenset(),
        )
    )
    assert due(present(graph, good, contents(graph))) == Due(())


def test_failures_come_before_what_was_not_edited(graph: Graph) -> None:
    """Last failures second, then by distance."""
    edited = contents(graph, lib="2")
    known = records(graph, (ran({"test_alone.py::test": FAILED}), contents(graph)))
    found = due(present(graph, known, edited))
    assert list(files(found)) == ["test_alone.py", "test_lib.py", "test_far.py"]


def test_what_else_a_file_holds_is_known_where_its_collection_stands(graph: Graph) -> None:
    """Then its other tests need not be made; an edit that reaches the file may bring new ones."""
    run = ran({**GREEN, "test_lib.py::test_a": FAILED, "test_far.py::test": FAILED})
    before = records(graph, (run, contents(graph)))
    files = {f.path: f for f in due(present(graph, before, contents(graph))).files}
    assert files["test_lib.py"].nodeids == ("test_lib.py::test_a",)
    assert files["test_lib.py"].listed
    assert not files["test_far.py"].listed  # there is nothing else in it
    edited = due(present(graph, before, contents(graph, lib="2"))).files
    assert not any(file.listed for file in edited)


def test_an_edit_taken_back_makes_nothing_due(graph: Graph) -> None:
    """What passed on this content has passed (S30)."""
    known = records(graph)
    assert due(present(graph, known, contents(graph, lib="2"))).files
    assert not due(present(graph, known, contents(graph))).files


def test_a_file_that_could_not_be_collected_is_due_whatever_has_passed(graph: Graph) -> None:
    """Until it can be collected again."""
    broken = Ran({}, {}, frozenset({"test_lib.py"}))
    known = records(graph, (broken, contents(graph)))
    assert files(due(present(graph, known, contents(graph)))) == {"test_lib.py": ("failed", ())}
    assert failing(present(graph, known, contents(graph))) == ("test_lib.py",)


def test_what_a_broken_conftest_has_hindered_is_due_and_no_failure_of_its_own(graph: Graph) -> None:
    """The conftest is the one problem: its folder's files have shown nothing, good or bad."""
    hindered = Ran({}, {}, hindered=frozenset({"test_lib.py", "test_far.py"}))
    known = records(graph, (hindered, contents(graph)))
    found = files(due(present(graph, known, contents(graph))))
    assert found == {"test_lib.py": ("failed", ()), "test_far.py": ("failed", ())}
    assert failing(present(graph, known, contents(graph))) == ()
    mended = known.with_learned(
        learn(present(graph, known, contents(graph)), ran(GREEN), frozenset())
    )
    assert due(present(graph, mended, contents(graph))) == Due(())


def test_what_did_not_run_is_due(graph: Graph) -> None:
    """A run of some tests of a reached file leaves the file due (S32)."""
    edited = contents(graph, lib="2")
    known = records(graph, (Ran({"test_lib.py::test_a": ("test_lib.py", PASSED, 0.1)}, {}), edited))
    assert "test_lib.py" in files(due(present(graph, known, edited)))


def test_data_makes_everything_due_for_one_reason(graph: Graph) -> None:
    """Who reads it is not known."""
    edited = {**contents(graph), "cases.yaml": b"1"}
    found = due(present(graph, records(graph), edited))
    assert set(files(found)) == set(graph.tests)
    assert found.all_reason is not None
    assert "cases.yaml" in found.all_reason


def test_reached_asks_the_graph_alone(graph: Graph) -> None:
    """Verdicts do not count, failures elsewhere neither."""
    known = records(graph, (ran({"test_alone.py::test": FAILED}), contents(graph)))
    assert list(files(reached(present(graph, known, contents(graph)), {"lib.py": b"0"}))) == [
        "test_lib.py",
        "test_far.py",
    ]
    assert reached(present(graph, known, contents(graph)), {}) == Due(())


def test_everything_begins_with_the_last_failures(graph: Graph) -> None:
    """Then the quickest file first."""
    known = records(graph, (ran({"test_lib.py::test_a": FAILED}), contents(graph)))
    found = everything(graph.tests, known, "all were asked for")
    assert next(iter(files(found))) == "test_lib.py"
    assert set(files(found)) == set(graph.tests)
    assert found.all_reason == "all were asked for"
