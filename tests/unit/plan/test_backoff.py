"""Crashes in a row are tried again at growing distances (traps P4 and P18)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.plan.backoff import (
    FIRST,
    LONGEST,
    STEADY,
    Backoff,
    only_an_edit_mends,
    seems_taken,
)


def test_the_wait_doubles() -> None:
    """Each crash in a row doubles the wait, up to a bound."""
    backoff = Backoff()
    waits = []
    for _ in range(9):
        backoff = backoff.crashed(lived=0.1)
        waits.append(backoff.delay)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_without_a_crash_there_is_no_wait() -> None:
    """A value that has seen no crash does not wait."""
    assert Backoff().delay == 0


def test_a_steady_life_begins_a_new_row() -> None:
    """An app that ran for a while and then crashed is tried again soon."""
    assert Backoff(7).crashed(lived=STEADY).delay == FIRST


@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=3000))
def test_any_row_of_crashes_has_a_bounded_wait(lives: list[float]) -> None:
    """However long and mixed the row, the wait stays between its bounds."""
    backoff = Backoff()
    for lived in lives:
        backoff = backoff.crashed(lived)
        assert FIRST <= backoff.delay <= LONGEST


@pytest.mark.parametrize(
    ("output", "hopeless"),
    [
        ('  File "a.py", line 1\n    def\n       ^\nSyntaxError: invalid syntax', True),
        ("Traceback\nModuleNotFoundError: No module named 'x'\n", True),
        ("Traceback\n\x1b[1;35mNameError\x1b[0m: \x1b[35mname 'x' is not defined\x1b[0m", True),
        ("IndentationError: unexpected indent", True),
        ("sqlalchemy.exc.OperationalError: could not connect", False),
        ("ConnectionRefusedError: [Errno 111] Connection refused", False),
        ("ImportError: x\n\nDuring handling ...\n\nRuntimeError: y", False),
        ("ImportError: x\nERROR:    Application startup failed. Exiting.", True),
        ("KeyboardInterrupt", False),
        ("", False),
        ("listening\nkilled", False),
    ],
)
def test_what_only_an_edit_mends(output: str, hopeless: bool) -> None:
    """The last exception that was printed tells whether trying again makes sense."""
    assert only_an_edit_mends(output) is hopeless


@pytest.mark.parametrize(
    ("output", "taken"),
    [
        ("\nError: Already running on PID 7 (or pid file 'g.pid' is stale)", True),
        (
            "Traceback (most recent call last):\n"
            '  File "app.py", line 3, in <module>\n'
            "BlockingIOError: [Errno 11] Resource temporarily unavailable\n\n"
            "ERROR:    Application startup failed. Exiting.",
            True,
        ),
        ("_duckdb.IOException: IO Error: Conflict with python3.13 (PID 1234)", True),
        ("sqlite3.OperationalError: \x1b[31mdatabase is locked\x1b[0m", True),
        ('  File "lock.py", line 1\n    lock = 1 / 0\nZeroDivisionError: by 12345', False),
        ("OSError: [Errno 98] Address already in use\n" + "bye\n" * 20, False),
        ("", False),
    ],
)
def test_what_another_process_has_taken(output: str, taken: bool) -> None:
    """By the words that such messages have, or by the process that they name."""
    assert seems_taken(output, {1234}) is taken
