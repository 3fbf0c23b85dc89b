"""What is verified, what is assumed, and what is flaky."""

from __future__ import annotations

from devloop.events import Reason, TestOutcome
from devloop.select.proofs import (
    ShadowTotals,
    Shown,
    assumed,
    judged,
    still_due,
    unsteady,
    with_distrusted,
)
from devloop.select.records import Ran, Records, Verdict
from devloop.select.selection import SelectedFile
from devloop.select.tests import Due

FILES = ("test_a.py", "test_b.py")
WHY = Reason("edited", ("test_a.py",))


def verdict(name: str, outcome: TestOutcome = "passed", revision: int = 1) -> Verdict:
    """The verdict of a test, named as ``a::one``."""
    path = f"test_{name.partition('::')[0]}.py"
    return Verdict(f"test_{name.replace('::', '.py::')}", path, outcome, 0.0, revision)


RECORDS = Records(
    verdicts=[
        verdict("a::one", revision=2),
        verdict("a::two"),
        verdict("a::bad", "failed"),
        verdict("b::three", "skipped"),
        verdict("gone::four"),
    ]
)


def test_what_passed_and_is_not_due_is_assumed() -> None:
    """Oldest verdict first; a failure is not assumed to pass, nor is what exists no more."""
    found = assumed(RECORDS, FILES, Due(()), ())
    assert found == ("test_a.py::two", "test_b.py::three", "test_a.py::one")


def test_what_is_due_or_ran_is_not_assumed() -> None:
    """Whether it is due as a whole file or as a single test; what ran is verified."""
    whole = Due((SelectedFile("test_a.py", WHY),))
    assert assumed(RECORDS, FILES, whole, ()) == ("test_b.py::three",)
    single = Due((SelectedFile("test_a.py", WHY, ("test_a.py::two",)),))
    assert assumed(RECORDS, FILES, single, ["test_b.py::three"]) == ("test_a.py::one",)


def test_what_a_run_leaves_due() -> None:
    """What has not ended, and all of a file that a save has reached meanwhile."""
    due = Due(
        (SelectedFile("test_a.py", WHY), SelectedFile("test_b.py", WHY, ("test_b.py::three",)))
    )
    some = Ran({"test_b.py::three": ("test_b.py", "passed", 0.0)}, {})
    assert [file.path for file in still_due(due, some, ()).files] == ["test_a.py"]
    assert still_due(due, some, {"test_b.py"}).files == due.files
    everything = Ran({}, {path: frozenset() for path in FILES})
    assert not still_due(due, everything, ()).files


def test_another_outcome_on_the_same_content_is_flaky() -> None:
    """Either way round; a change, though no record may name it, or a doubt explains it."""
    ran = Ran(
        {
            "test_a.py::one": ("test_a.py", "failed", 0.0),
            "test_a.py::bad": ("test_a.py", "passed", 0.0),
            "test_b.py::three": ("test_b.py", "passed", 0.0),
            "test_b.py::new": ("test_b.py", "failed", 0.0),
        },
        {},
    )
    flaky = ("test_a.py::one", "test_a.py::bad")
    assert unsteady(RECORDS, ran, (), lambda revision: True) == flaky
    assert unsteady(RECORDS, ran, (), lambda revision: revision == 1) == flaky[1:]
    assert unsteady(RECORDS, ran, (), lambda revision: False) == ()
    assert unsteady(RECORDS, ran, {"test_a.py"}, lambda revision: True) == ()
    assert unsteady(RECORDS, ran, {"test_a.py::bad"}, lambda revision: True) == flaky[:1]


def test_shadow_runs_add_up() -> None:
    """Each count by itself."""
    total = ShadowTotals(1, 10, 9, 1.5) + ShadowTotals(2, 5, 5, 0.5)
    assert total == ShadowTotals(3, 15, 14, 2.0)


def test_only_what_fails_alone_too_was_skipped_wrongly() -> None:
    """What passes alone, or could not have its port, is not learned; the rest waits."""
    names = ("one", "two", "three", "four", "five")
    records = Records(verdicts=[verdict(f"a::{name}") for name in names])
    ran = Ran(
        {
            f"test_a.py::{name}": ("test_a.py", "passed" if name == "one" else "failed", 0.5)
            for name in names
        },
        {"test_a.py": frozenset(f"test_a.py::{name}" for name in names)},
    )
    alone = {
        "test_a.py::two": Shown("failed"),
        "test_a.py::three": Shown("passed"),
        "test_a.py::four": Shown("error", hindered=True),
    }
    found = judged(records, ran, alone)
    assert found.confirmed == 1
    assert found.other == {"test_a.py::two": "failed"}
    assert found.unclear == {"test_a.py::five"}
    assert found.ran.outcomes.keys() == {"test_a.py::one", "test_a.py::two"}
    assert not found.ran.whole


def test_any_change_selects_what_was_skipped_wrongly_before() -> None:
    """Beside what is due already; where nothing has changed it is not due."""
    skips = ["test_a.py::one", "test_b.py::three"]
    assert not with_distrusted(Due(()), RECORDS, skips, lambda revision: []).files
    due = Due((SelectedFile("test_a.py", WHY, ("test_a.py::bad",)),))
    found = with_distrusted(due, RECORDS, skips, lambda revision: ["x.py"]).files
    assert [(file.path, file.nodeids) for file in found] == [
        ("test_a.py", ("test_a.py::bad", "test_a.py::one")),
        ("test_b.py", ("test_b.py::three",)),
    ]
    assert found[0].reason_of("test_a.py::bad") == WHY
    assert found[0].reason_of("test_a.py::one").chain == ("test_a.py", "x.py")
    assert found[1].reason.chain == ("test_b.py", "x.py")
    whole = Due((SelectedFile("test_a.py", WHY),))
    assert with_distrusted(whole, RECORDS, skips[:1], lambda revision: ["x.py"]) == whole
