"""When the channel to a test run is read again."""

from __future__ import annotations

from devloop.execute.channel import MUCH, PACE, Pace


def test_single_messages_are_read_at_once() -> None:
    """A few tests in a row, too: whoever waits for their verdict waits no longer for that."""
    pace = Pace()
    assert [pace.after(0.001 * count) for count in range(MUCH - 1)] == [0.0] * (MUCH - 1)


def test_where_much_comes_it_is_read_now_and_then() -> None:
    """As long as it does: a test that takes its time is shown at once when it begins."""
    pace = Pace()
    waits = [pace.after(0.001 * count) for count in range(2 * MUCH)]
    assert waits[MUCH:] == [PACE] * MUCH
    assert pace.after(0.001 * 2 * MUCH + MUCH * PACE) == 0.0
