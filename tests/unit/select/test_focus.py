"""The part of the tests that a person works on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.events import Reason, TestOutcome
from devloop.select.focus import Focus, joined, left, matches, narrowed
from devloop.select.records import Ran, Records, Verdict
from devloop.select.selection import SelectedFile
from devloop.select.tests import Due

WHY = Reason("imports", ("t", "lib.py"))
OUTCOMES: dict[str, TestOutcome] = {
    "tests/test_cart.py::test_add": "passed",
    "tests/test_cart.py::test_total": "failed",
    "tests/test_tax.py::test_total[1]": "passed",
    "tests/test_tax.py::TestRate::test_low": "error",
}
RECORDS = Records(
    verdicts=[
        Verdict(nodeid, nodeid.partition("::")[0], outcome, 0.1, 1)
        for nodeid, outcome in OUTCOMES.items()
    ],
    collected=[("tests/test_cart.py", 1), ("tests/test_tax.py", 1), ("tests/test_bad.py", 0)],
)
ALL = Due(
    tuple(
        SelectedFile(path, WHY)
        for path in ("tests/test_cart.py", "tests/test_tax.py", "tests/test_bad.py", "test_new.py")
    ),
    "pyproject.toml has changed",
)


def shown(due: Due) -> dict[str, tuple[str, ...]]:
    """The files, with the single tests."""
    return {file.path: file.nodeids for file in due.files}


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        ("", "tests/test_cart.py", True),
        ("cart", "tests/test_Cart.py", True),
        ("Cart", "tests/test_cart.py", False),
        ("cart tests", "tests/test_cart.py", True),
        ("cart tax", "tests/test_cart.py", False),
        ("a.t", "tests/test_cart.py", False),
    ],
)
def test_words_are_all_found_in_any_order(words: str, text: str, found: bool) -> None:
    """They are plain text; a capital letter makes case matter."""
    assert matches(words, text) is found


def test_without_a_focus_everything_runs() -> None:
    """And nothing is held back."""
    assert narrowed(ALL, Focus(), RECORDS) == narrowed(ALL, Focus(paths=" "), RECORDS)
    assert narrowed(ALL, Focus(), RECORDS).due == ALL


def test_a_path_filter_takes_whole_files() -> None:
    """What it leaves out is counted; a file whose tests are not known counts as one."""
    found = narrowed(ALL, Focus(paths="cart"), RECORDS)
    assert shown(found.due) == {"tests/test_cart.py": ()}
    assert found.held == 2 + 1 + 1
    assert found.due.all_reason is None


def test_a_name_filter_takes_single_tests() -> None:
    """Of a file whose tests are not known, or could not be collected, all of them run."""
    found = narrowed(ALL, Focus(names="total"), RECORDS)
    assert shown(found.due) == {
        "tests/test_cart.py": ("tests/test_cart.py::test_total",),
        "tests/test_tax.py": ("tests/test_tax.py::test_total[1]",),
        "tests/test_bad.py": (),
        "test_new.py": (),
    }
    assert found.held == 2


def test_an_edited_file_may_hold_a_new_test_with_that_name() -> None:
    """So all of it runs: nobody knows what was written."""
    edited = Due((SelectedFile("tests/test_cart.py", Reason("edited", ("tests/test_cart.py",))),))
    found = narrowed(edited, Focus(names="brand_new"), RECORDS)
    assert shown(found.due) == {"tests/test_cart.py": ()}


def test_failed_only_takes_what_failed_when_it_last_ran() -> None:
    """Errors and files that could not be collected count; what never ran has not failed."""
    found = narrowed(ALL, Focus(failed_only=True), RECORDS)
    assert shown(found.due) == {
        "tests/test_cart.py": ("tests/test_cart.py::test_total",),
        "tests/test_tax.py": ("tests/test_tax.py::TestRate::test_low",),
        "tests/test_bad.py": (),
    }
    assert found.held == 3


FOCUS = st.builds(
    Focus,
    paths=st.sampled_from(["", "cart", "tests", "x"]),
    names=st.sampled_from(["", "total", "Rate", "x"]),
    failed_only=st.booleans(),
)


@given(focus=FOCUS)
def test_what_is_left_out_is_told(focus: Focus) -> None:
    """What runs and what is held back is together what is due."""
    sizes = {"tests/test_cart.py": 2, "tests/test_tax.py": 2, "tests/test_bad.py": 1}
    found = narrowed(ALL, focus, RECORDS)
    runs = sum(len(file.nodeids) or sizes.get(file.path, 1) for file in found.due.files)
    assert runs + found.held == 6
    assert narrowed(found.due, focus, RECORDS).held == 0


def test_what_is_asked_for_runs_beside_what_is_due() -> None:
    """Each file once, the due ones first and with their reasons."""
    asked = Reason("asked")
    due = Due((SelectedFile("a.py", WHY, ("a.py::x",)), SelectedFile("b.py", WHY, ("b.py::x",))))
    wanted = Due(
        (
            SelectedFile("c.py", asked),
            SelectedFile("a.py", asked, ("a.py::y", "a.py::x")),
            SelectedFile("b.py", asked),
        ),
        "asked for",
    )
    found = joined(due, wanted)
    assert shown(found) == {"a.py": ("a.py::x", "a.py::y"), "b.py": (), "c.py": ()}
    assert [file.reason for file in found.files] == [WHY, WHY, asked]
    assert joined(due, Due(())) == due


def test_what_a_cancelled_run_did_not_reach_is_still_asked_for() -> None:
    """A file that was asked for as a whole and has not come to its end is run as a whole."""
    passed: TestOutcome = "passed"
    ran = Ran(
        {n: (n.partition("::")[0], passed, 0.1) for n in ("a.py::x", "b.py::x", "c.py::x")},
        {"a.py": frozenset({"a.py::x"})},
    )
    asked = Due(
        (
            SelectedFile("a.py", WHY),
            SelectedFile("b.py", WHY, ("b.py::x", "b.py::y")),
            SelectedFile("c.py", WHY),
            SelectedFile("d.py", WHY),
        )
    )
    assert shown(left(asked, ran)) == {"b.py": ("b.py::y",), "c.py": (), "d.py": ()}
