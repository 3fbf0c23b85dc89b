"""Which files are taken for our own children's."""

from __future__ import annotations

from devloop.watch.mute import Mutes


def run(mutes: Mutes, at: float, *changes: tuple[str, float], lasts: float = 1.0) -> list[str]:
    """One cycle of so many seconds; what is muted in it or right after it."""
    mutes.cycle_started(at)
    muted = [path for name, t in changes if t <= lasts for path in mutes.note([name], at + t)]
    mutes.cycle_finished(at + lasts)
    return muted + [path for name, t in changes if t > lasts for path in mutes.note([name], at + t)]


def test_a_file_that_changes_in_three_cycles_in_a_row_is_muted() -> None:
    """At about the same time in each, during the cycle or right after it."""
    for delay in (0.2, 1.5):
        mutes = Mutes()
        assert run(mutes, 0, ("a.log", delay)) == []
        assert run(mutes, 10, ("a.log", delay + 0.1)) == []
        assert run(mutes, 20, ("a.log", delay)) == ["a.log"]


def test_a_cycle_without_the_change_starts_the_count_anew() -> None:
    """Two in a row, a pause, two in a row: not muted."""
    mutes = Mutes()
    muted = [run(mutes, at, *([("a.log", 0.2)] if at != 20 else [])) for at in (0, 10, 20, 30, 40)]
    assert muted == [[], [], [], [], []]


def test_a_person_between_cycles_is_never_muted() -> None:
    """A change that comes later than a second after a cycle is nobody's doing but a person's."""
    mutes = Mutes()
    assert [run(mutes, at, ("a.html", 3.0)) for at in (0, 10, 20, 30)] == [[]] * 4


def test_a_person_who_saves_during_long_cycles_is_not_muted() -> None:
    """Saves at any time of the cycle, where a program's come at the same time in each."""
    mutes = Mutes()
    delays = (2.0, 20.0, 7.0, 29.0)
    muted = [run(mutes, at * 100, ("a.html", delay), lasts=30) for at, delay in enumerate(delays)]
    assert muted == [[]] * 4


def test_many_changes_in_one_cycle_count_once() -> None:
    """A log grows all the time: that is one cycle, not three."""
    mutes = Mutes()
    assert run(mutes, 0, ("a.log", 0.1), ("a.log", 0.2), ("a.log", 0.3), ("a.log", 0.4)) == []


def test_before_the_first_cycle_nothing_is_muted() -> None:
    """There is nobody yet who could have written it."""
    mutes = Mutes()
    assert [mutes.note(["a.log"], t) for t in (0.1, 0.2, 0.3, 0.4)] == [[]] * 4
