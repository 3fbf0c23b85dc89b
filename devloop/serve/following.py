"""From the `watch` of a project to a reporter of another process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import msgspec

from devloop.events import (
    CycleFinished,
    CycleStarted,
    Diagnostic,
    Event,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionStarted,
    TestFinished,
)
from devloop.report.reporter import ReaderGone, Reporter
from devloop.report.standing import Standing
from devloop.serve.client import Client

TICK = 0.2
"""Seconds between two drawings while a cycle goes on."""
RUNNER_FAILED = 3
INTERRUPTED = 130

Judge = Callable[[CycleFinished, "Outcome"], int]
"""Gives the exit code when a cycle has ended."""


class Outcome:
    """What has come of a request so far. It takes every event of the session.

    Attributes:
        standing: what stands.
        failing: tests that failed in the runs that are the request's.
        runner_failed: the last of them gave no result.
    """

    def __init__(self) -> None:
        self.standing = Standing()
        self.failing: set[str] = set()
        self.runner_failed = False

        self._running = False

    def apply(self, event: Event, *, begun: bool) -> None:
        """Take one event.

        Args:
            event: any.
            begun: the request is being carried out; a run that goes on then is its own.
        """
        self.standing.apply(event)
        if isinstance(event, (TestFinished, Diagnostic)):
            # What stands from before may be over though no run tells so.
            if begun or self._running:
                self._take(event)
        elif isinstance(event, RunStarted):
            self._running, self.runner_failed = True, False
        elif isinstance(event, RunFinished):
            self._running, self.runner_failed = False, event.outcome == "runner-failed"
        if isinstance(event, (RunStarted, RunFinished)) and not begun:
            self.failing.clear()
            self.runner_failed = False

    def _take(self, event: TestFinished | Diagnostic) -> None:
        if isinstance(event, Diagnostic):
            if event.nodeid is not None and event.severity == "error":
                self.failing.add(event.nodeid)
        elif event.outcome in ("failed", "error"):
            self.failing.add(event.nodeid)
        else:
            self.failing.discard(event.nodeid)


def follow(client: Client, reporter: Reporter) -> int:
    """Report what stands, and then what happens, until the session or the reader ends.

    Args:
        client: connected to it.
        reporter: is closed in the end.

    Returns:
        The exit code: 0, for a session that was ended by its user too.

    Raises:
        WatchLost: the session has ended without a word.
    """
    try:
        client.follow()
        for event in _events(client, reporter):
            reporter.handle(event)
    except (KeyboardInterrupt, ReaderGone):
        pass
    finally:
        reporter.close()
    return 0


def carry_out(
    client: Client, command: str, action: dict[str, Any], reporter: Reporter, judge: Judge
) -> int:
    """Ask for something, and report what comes of it as a session of its own.

    Args:
        client: connected to a `watch`.
        command: what this session is called.
        action: see `loop.actions`.
        reporter: hears of the cycle that carries it out; is closed in the end.
        judge: gives the exit code.

    Returns:
        The exit code.

    Raises:
        UsageError: it cannot be carried out.
        WatchLost: the session has ended meanwhile.
    """
    code = RUNNER_FAILED
    try:
        client.follow()
        answer = client.act(action)
        number = answer.get("cycle")
        if number is None:
            if message := answer.get("message"):
                sys.stderr.write(f"devloop: {message}\n")
            return 0
        code = _report(client, command, reporter, number, judge)
        reporter.handle(SessionFinished(t=time.time(), code=code))
    except ReaderGone:
        code = 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        reporter.close()
    if code == INTERRUPTED:
        sys.stderr.write("devloop: not waited for any more; `devloop watch` goes on with it\n")
    return code


def everything(end: CycleFinished, outcome: Outcome) -> int:
    """Judge by all that stands."""
    return RUNNER_FAILED if outcome.runner_failed else int(end.outcome == "failed")


def tests_of(
    paths: Collection[str], steps: Collection[str], lies_in: Callable[[str, str], bool]
) -> Judge:
    """Judge by tests alone.

    Args:
        paths: where they lie; none is everywhere.
        steps: that the tests need.
        lies_in: tells whether a nodeid lies in such a path.
    """

    def judge(end: CycleFinished, outcome: Outcome) -> int:
        if outcome.runner_failed:
            return RUNNER_FAILED
        mine = [n for n in outcome.failing if not paths or any(lies_in(n, p) for p in paths)]
        return int(bool(mine or set(steps) & outcome.standing.failed_steps.keys()))

    return judge


def _report(client: Client, command: str, reporter: Reporter, number: int, judge: Judge) -> int:
    """Report the cycle of a number, and those that take its work over where it is cancelled."""
    outcome, begun = Outcome(), False
    for event in _events(client, reporter):
        begun = begun or (isinstance(event, CycleStarted) and (event.cycle or 0) >= number)
        outcome.apply(event, begun=begun)
        if isinstance(event, SessionStarted):
            reporter.handle(msgspec.structs.replace(event, command=command, t=time.time()))
        elif not begun:
            reporter.recall(event)
        else:
            reporter.handle(event)
            if isinstance(event, CycleFinished) and event.outcome != "cancelled":
                return judge(event, outcome)
    return RUNNER_FAILED  # the session has ended before the work has


def _events(client: Client, reporter: Reporter) -> Iterator[Event]:
    """What happens; meanwhile time passes on the screen."""
    busy = False
    for event in client.events(TICK if reporter.ticks else None):
        if event is None:
            if busy:
                reporter.tick(time.time())
            continue
        if isinstance(event, (CycleStarted, CycleFinished)):
            busy = isinstance(event, CycleStarted)
        yield event
