"""What stands above tests in an editor."""

from __future__ import annotations

import textwrap

import pytest

from devloop.serve.lenses import RUN, WHY, Known, lenses, summary
from devloop.serve.testcode import Place, places

SOURCE = textwrap.dedent(
    """
    import unittest, helpers

    def test_one(): pass
    async def test_two(): pass
    def helper(): pass
    class TestGroup:
        @helpers.mark
        def test_three(self): pass
        class TestInner:
            def test_four(self): pass
    class Cases(unittest.TestCase):
        def test_five(self): pass
    class Other:
        def test_not(self): pass
    if True:
        def test_six(): pass
    """
).lstrip()


def test_tests_are_found_by_the_names_that_pytest_takes() -> None:
    """In classes, below decorators, and in what a condition holds."""
    found = {place.nodeid.removeprefix("t.py::"): place.line for place in places("t.py", SOURCE)}
    assert found == {
        "test_one": 2,
        "test_two": 3,
        "TestGroup::test_three": 7,
        "TestGroup::TestInner::test_four": 9,
        "Cases::test_five": 11,
        "test_six": 15,
    }


@pytest.mark.parametrize("source", ["def test_one(:", "def test_one():\n\x00", "\ud800"])
def test_what_is_half_typed_has_none(source: str) -> None:
    """And is no error."""
    assert places("t.py", source) == []


@pytest.mark.parametrize(
    ("tests", "text"),
    [
        ([Known("passed", 0.012)], "✓ passed in 12ms"),
        ([Known("passed", 0.012, due=True)], "✓ passed in 12ms, due"),
        ([Known("failed", 1.5, message="assert 1 == 2")], "✗ failed in 1.50s: assert 1 == 2"),
        ([Known("skipped")], "○ skipped in 0ms"),
        ([Known("xfailed")], "○ failed as expected in 0ms"),
        ([Known("passed", 1), Known("failed", 2)], "✗ 1 of 2 cases failed in 3.00s"),
        ([Known("passed", 1), Known("passed", 2)], "✓ 2 cases passed in 3.00s"),
        ([Known("passed", 1), Known(running=True)], "… running"),
    ],
)
def test_an_outcome_is_said_in_a_few_words(tests: list[Known], text: str) -> None:
    """Of one test, or of all its parameters."""
    assert summary(tests) == text


def test_each_test_has_its_own_outcome_with_all_parameters() -> None:
    """One that never ran has just what one may do."""
    found = lenses(
        [Place("t.py::a", 1), Place("t.py::ab", 5)],
        {"t.py::a[1]": Known("passed", 1), "t.py::a[2]": Known("passed", 1)},
    )
    assert [(one.line, one.title, one.command) for one in found] == [
        (1, "✓ 2 cases passed in 2.00s", WHY),
        (1, "run", RUN),
        (1, "why", WHY),
        (5, "run", RUN),
        (5, "why", WHY),
    ]
