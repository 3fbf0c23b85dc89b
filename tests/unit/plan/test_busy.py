"""The on-busy state machine: what new content does to work in progress."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.config.types import OnBusy
from devloop.plan.busy import Busy, Command, Impact, arrived, ended

TESTS = ("a", "b", "c")


class World:
    """A loop reduced to numbers: each test is due until it ran on the content that it reaches.

    It does with commands what the loop does with them, and nothing more.
    """

    def __init__(self, mode: OnBusy) -> None:
        self.state = Busy(mode)
        self.content = 0
        self.wanted = dict.fromkeys(TESTS, 0)
        self.verdict = dict.fromkeys(TESTS, -1)
        self.run: list[str] = []
        self.ran_on = 0
        self.stop_after_current = False
        self.cycles = 0
        self.app_wanted = 0
        self.app_runs = 0
        self.lost_work: list[str] = []

    def save(self, affected: frozenset[str], app: bool) -> None:
        """New content arrives and affects some tests, and perhaps the app."""
        self.content += 1
        for test in affected:
            self.wanted[test] = self.content
        if app:
            self.app_wanted = self.content
        if not self.state.working:
            impact = Impact.ADDS
        elif self.run and self.run[0] in affected:
            impact = Impact.TOUCHES
        elif affected:
            impact = Impact.ADDS
        else:
            impact = Impact.BESIDE if app else Impact.NOTHING
        before = self.run[0] if self.run else None
        self.state, command = arrived(self.state, impact)
        if command is Command.INTERRUPT and before is not None and before not in affected:
            self.lost_work.append(before)
        self.obey(command)

    def step(self) -> None:
        """The test that is running ends."""
        if not self.run:
            return
        test = self.run.pop(0)
        if self.wanted[test] <= self.ran_on:
            self.verdict[test] = self.wanted[test]
        if not self.run or self.stop_after_current:
            self.end()

    def end(self) -> None:
        """The run has ended."""
        self.run, self.stop_after_current = [], False
        self.state, command = ended(self.state)
        self.obey(command)

    def obey(self, command: Command) -> None:
        """Do what the machine says."""
        if command is Command.BEGIN:
            self.begin()
        elif command is Command.FINISH_CURRENT:
            self.stop_after_current = True
        elif command is Command.INTERRUPT:
            self.end()

    def begin(self) -> None:
        """A cycle: the app restarts if it is due, tests run if none are running."""
        self.cycles += 1
        self.app_runs = self.app_wanted
        due = [test for test in TESTS if self.verdict[test] < self.wanted[test]]
        if self.run:
            return
        self.run, self.ran_on = due, self.content
        if not due:
            self.state, command = ended(self.state)
            self.obey(command)


SAVES = st.tuples(st.frozensets(st.sampled_from(TESTS)), st.booleans())
EVENTS = st.lists(st.one_of(SAVES, st.just("step")), max_size=40)


def play(mode: OnBusy, events: list[object]) -> World:
    """Let the events happen, then let all work end."""
    world = World(mode)
    for event in events:
        if isinstance(event, tuple):
            world.save(*event)
        else:
            world.step()
    for _ in range(4 * len(TESTS)):
        world.step()
    return world


@pytest.mark.parametrize("mode", ["restart", "queue"])
@given(events=EVENTS)
def test_no_interleaving_loses_the_last_content(mode: OnBusy, events: list[object]) -> None:
    """Once all work has ended, every test has run on the last content that it reaches."""
    world = play(mode, events)
    assert world.run == []
    saved = any(isinstance(event, tuple) for event in events)
    for test in TESTS:
        assert world.verdict[test] == world.wanted[test] or not saved
    assert world.app_runs == world.app_wanted
    assert not world.state.working
    assert not world.state.waiting


@given(events=EVENTS)
def test_ignored_content_is_taken_along_by_the_next_cycle(events: list[object]) -> None:
    """With `ignore` nothing waits; one more save on an idle loop brings all of it up to date."""
    world = play("ignore", events)
    assert not world.state.waiting
    world.save(frozenset(), app=False)
    for _ in TESTS:
        world.step()
    assert all(world.verdict[test] == world.wanted[test] for test in TESTS)


@pytest.mark.parametrize("mode", ["restart", "queue", "ignore"])
@given(events=EVENTS)
def test_work_that_a_change_does_not_touch_is_not_thrown_away(
    mode: OnBusy, events: list[object]
) -> None:
    """A test in progress is cancelled only by content that reaches it."""
    assert play(mode, events).lost_work == []


@given(events=EVENTS)
def test_only_restart_cancels(events: list[object]) -> None:
    """Neither `queue` nor `ignore` ever stops a run."""
    for mode in ("queue", "ignore"):
        state = Busy(mode)
        for event in events:
            if isinstance(event, tuple):
                impact = Impact.TOUCHES if event[0] else Impact.BESIDE
                state, command = arrived(state, impact)
            else:
                state, command = ended(state)
            assert command in (Command.BEGIN, Command.NOTHING)


def test_an_app_restarts_beside_a_run_that_goes_on() -> None:
    """Content for the app alone begins a cycle at once, and the run goes over to it."""
    world = World("restart")
    world.save(frozenset(TESTS), app=False)
    world.save(frozenset(), app=True)
    assert (world.cycles, world.app_runs, world.run) == (2, 2, list(TESTS))


def test_what_reaches_nothing_leaves_the_work_alone() -> None:
    """A README saved during a long run begins no cycle and stops nothing (P25)."""
    world = World("restart")
    world.save(frozenset(TESTS), app=False)
    world.save(frozenset(), app=False)
    assert (world.cycles, world.run) == (1, list(TESTS))


def test_a_second_touch_does_not_interrupt_twice() -> None:
    """While the teardown of a cancelled run goes on, more content just waits."""
    busy = Busy("restart", working=True)
    busy, first = arrived(busy, Impact.TOUCHES)
    busy, second = arrived(busy, Impact.TOUCHES)
    assert (first, second) == (Command.INTERRUPT, Command.NOTHING)
    assert ended(busy)[1] is Command.BEGIN
