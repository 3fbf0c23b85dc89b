"""From the `watch` of a project to a reporter of another process."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from devloop.events import CycleFinished, CycleStarted, Event, RunFinished
from devloop.report.reporter import ReaderGone, Reporter
from devloop.serve.client import Client

TICK = 0.2
"""Seconds between two drawings while a cycle goes on."""
RUNNER_FAILED = 3


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


def carry_out(client: Client, action: dict[str, Any], reporter: Reporter) -> int:
    """Ask for something, and report what comes of it.

    Args:
        client: connected to a `watch`.
        action: see `loop.actions`.
        reporter: hears of the cycle that carries it out; is closed in the end.

    Returns:
        The exit code: whether what stands when that has ended is well.

    Raises:
        UsageError: it cannot be carried out.
        WatchLost: the session has ended meanwhile.
    """
    try:
        client.follow()
        answer = client.act(action)
        if message := answer.get("message"):
            sys.stderr.write(f"devloop: {message}\n")
        number = answer.get("cycle")
        return 0 if number is None else _report(client, reporter, number)
    except ReaderGone:
        return 0
    finally:
        reporter.close()


def _report(client: Client, reporter: Reporter, number: int) -> int:
    """Report the cycle of a number, and those that take its work over where it is cancelled."""
    code, begun = 0, False
    for event in _events(client, reporter):
        begun = begun or (isinstance(event, CycleStarted) and (event.cycle or 0) >= number)
        if not begun:
            reporter.recall(event)
            continue
        reporter.handle(event)
        if isinstance(event, RunFinished):
            code = RUNNER_FAILED if event.outcome == "runner-failed" else 0
        elif isinstance(event, CycleFinished) and event.outcome != "cancelled":
            return code or int(event.outcome == "failed")
    return code or 1  # the session has ended before the work has


def _events(client: Client, reporter: Reporter) -> Iterator[Event]:
    """What happens; meanwhile time passes on the screen."""
    busy = False
    events = client.events(lambda: TICK if busy and reporter.ticks else None)
    for event in events:
        if event is None:
            reporter.tick(time.time())
            continue
        if isinstance(event, (CycleStarted, CycleFinished)):
            busy = isinstance(event, CycleStarted)
        yield event
