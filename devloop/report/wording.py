"""Sentences that more than one reporter says, so that all say the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from devloop import events as ev
from devloop.report.clean import one_line
from devloop.report.standing import Standing, ended

ARROW = " ← "

AppEvent: TypeAlias = ev.AppStarted | ev.AppReady | ev.AppStopping | ev.AppExited | ev.AppFailed
_KINDS = {
    "all": "is run with all others",
    "asked": "was asked for",
    "edited": "was edited",
    "failed": "failed before",
    "new": "has not run yet",
    "start": "starts with devloop",
}

APP_EVENTS = (ev.AppStarted, ev.AppReady, ev.AppStopping, ev.AppExited, ev.AppFailed)


def plural(number: int, word: str) -> str:
    """``1 test``, ``2 tests``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def duration(seconds: float) -> str:
    """A span of time as short as a person wants it: ``12ms``, ``0.84s``, ``12.3s``, ``2m 04s``."""
    if seconds < 0.0995:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if seconds < 9.995:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02}s"


def listed(items: Sequence[str], most: int) -> str:
    """The first of them, and how many more there are: ``a, b and 3 more``."""
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def trigger(event: ev.CycleStarted, most: int = 1) -> str:
    """What set a cycle off.

    Args:
        event: its start.
        most: how many paths are named.
    """
    if event.asked is not None and event.trigger != "change":
        return one_line(event.asked)
    if event.changes:
        paths = [
            one_line(c.path) if c.kind == "modified" else f"{one_line(c.path)} ({c.kind})"
            for c in event.changes
        ]
        more = f" +{len(paths) - most}" if len(paths) > most else ""
        return f"{', '.join(paths[:most])}{more}"
    return {
        "start": "first pass",
        "change": "something changed",
        "key": "asked for",
        "control": "asked for through the control socket",
        "shadow": "a shadow run found a failure",
    }[event.trigger]


def shadow(event: ev.ShadowFinished) -> str:
    """What the tests have shown that had been left out."""
    if event.wrong:
        return f"shadow run: {event.wrong:,} of {event.tests:,} tests were left out wrongly"
    return f"shadow run: {event.confirmed:,} tests that were left out are as assumed"


def chain(links: Sequence[str]) -> str:
    """A reason's chain in short: its ends, and how many are between."""
    named = [one_line(link) for link in links]
    if len(named) > 3:
        named = [named[0], f"… {len(named) - 2} more …", named[-1]]
    return ARROW.join(named)


def reason(why: ev.Reason, subject: str) -> str:
    """Why something was selected.

    Args:
        why: its reason.
        subject: what was selected: a nodeid, or the name of a step or an app.
    """
    links = list(why.chain)
    if not links or links[0] not in (subject, subject.partition("::")[0]):
        links.insert(0, subject)
    if len(links) > 1:
        return chain(links)
    if why.detail:
        return f"{one_line(links[0])}: {one_line(why.detail)}"
    return f"{one_line(links[0])} {_KINDS.get(why.kind, why.kind)}"


def mode(event: ev.ModeChanged) -> list[str]:
    """How the loop works until it is told otherwise, in phrases; none where it is as always."""
    changed = f", {plural(event.waiting, 'file')} changed" if event.waiting else ""
    said = [
        (event.paused, f"paused{changed}"),
        (event.failed_only, "failed only"),
        (event.paths, f"files with {one_line(event.paths, 40)}"),
        (event.names, f"tests with {one_line(event.names, 40)}"),
    ]
    return [phrase for holds, phrase in said if holds]


def selected_tests(plan: ev.PlanMade) -> str | None:
    """How many tests are due: ``3 of 120 tests``; None where there is none.

    A file whose tests are not known is said to be one.
    """
    if not plan.tests:
        return "all tests" if plan.all else None
    files = sum("::" not in test.nodeid for test in plan.tests)
    if plan.selected > len(plan.tests):
        files = 0
    tests = max(plan.selected, len(plan.tests)) - files
    if not tests:
        return plural(files, "test file")
    if files:
        return f"{plural(tests, 'test')} and {plural(files, 'test file')}"
    if plan.total > tests:
        return f"{tests:,} of {plural(plan.total, 'test')}"
    return f"all {plural(tests, 'test')}" if tests > 1 else plural(tests, "test")


def why_tests(plan: ev.PlanMade) -> str | None:
    """The strongest reason for the tests of a plan, which come in the order of theirs."""
    if plan.all_reason:
        return one_line(plan.all_reason)
    if plan.tests:
        first = plan.tests[0]
        if first.reason.kind == "asked":
            return "asked for"  # all of them were, not just the first one's file
        return reason(first.reason, first.nodeid)
    return None


def targets(word: str, items: Iterable[ev.PlannedTarget]) -> str | None:
    """``step css``, ``apps web, worker``; None where there is none."""
    names = [item.name for item in items]
    if not names:
        return None
    return f"{word}{'s' if len(names) > 1 else ''} {listed(names, 4)}"


class Declined:
    """Why starts were not warm; most reasons hold for every restart, so they are said of a first.

    One that comes again after a start without it is news: something has changed once more.
    """

    def __init__(self) -> None:
        self._last: dict[str, str | None] = {}

    def once(self, event: AppEvent) -> AppEvent:
        """An event, without a reason that its app's start before had, too.

        Args:
            event: any of an app.
        """
        if not isinstance(event, ev.AppStarted):
            return event
        before, self._last[event.name] = self._last.get(event.name), event.reason
        if event.reason is not None and event.reason == before:
            return msgspec.structs.replace(event, reason=None)
        return event


def app_state(event: AppEvent) -> str:
    """What has become of an app, without its name."""
    if isinstance(event, ev.AppStarted):
        why = f": {one_line(event.reason)}" if event.reason else ""
        return f"started (pid {event.pid}, {event.start}){why}"
    if isinstance(event, ev.AppReady):
        where = f" at {one_line(event.address)}" if event.address else ""
        return f"ready{where} in {duration(event.seconds)} (pid {event.pid}, {event.start})"
    if isinstance(event, ev.AppStopping):
        return f"stopping (pid {event.pid})"
    if isinstance(event, ev.AppExited):
        return f"{'stopped, ' if event.expected else ''}{ended(event)} (pid {event.pid})"
    then = f", next try in {duration(event.retry_in)}" if event.retry_in is not None else ""
    return f"failed: {one_line(event.message)}{then}"


def step_state(event: ev.StepStarted | ev.StepFinished) -> str:
    """What has become of a step, without its name."""
    if isinstance(event, ev.StepStarted):
        return "started"
    words = event.outcome.replace("-", " ")
    if event.outcome == "failed" and event.message:
        words = f"failed: {one_line(event.message)}"
    return f"{words} in {duration(event.seconds)}" if event.seconds else words


def failing_unrun(standing: Standing, event: ev.CycleFinished) -> list[str]:
    """The tests of which nothing is known here but that they failed in an earlier session.

    Args:
        standing: with the cycle's events applied.
        event: the cycle's end; of a cancelled one there are none, for it has only begun.
    """
    if event.outcome == "cancelled":
        return []
    return [one_line(nodeid) for nodeid in event.unrun if nodeid not in standing.failing]


def result_parts(standing: Standing, event: ev.CycleFinished) -> list[tuple[str, str]]:
    """A cycle's result as numbers.

    Args:
        standing: with the cycle's events applied.
        event: the cycle's end.

    Returns:
        Pairs of a kind (``failed``, ``passed``, ``quiet``) and a phrase, the gravest first; at
        least one.
    """
    counts = standing.counts
    parts = [
        ("failed", counts.failed, f"{counts.failed:,} failed"),
        ("failed", counts.errors, plural(counts.errors, "error")),
        ("passed", counts.passed, f"{counts.passed:,} passed"),
        ("quiet", counts.skipped, f"{counts.skipped:,} skipped"),
    ]
    plan = standing.plan
    unrun = len(failing_unrun(standing, event))
    still = max(len(standing.still), event.failing - len(standing.broken) - unrun)
    # By what, was said above, unless it was in an earlier session.
    hindered = 0 if counts.errors or still else event.hindered
    parts += [
        ("failed", still, f"{still:,} still failing"),
        ("failed", unrun, f"{unrun:,} not run that failed before"),
        ("failed", hindered, f"{plural(hindered, 'test file')} not collected"),
        ("quiet", event.due, f"{event.due:,} still due"),
        ("quiet", event.assumed, f"{event.assumed:,} assumed to pass"),
    ]
    said = [(kind, phrase) for kind, number, phrase in parts if number]
    if standing.run_failure is not None:
        said.insert(0, ("failed", "the test run broke off"))
    for word, names in (("step", standing.failed_steps), ("app", standing.failed_apps)):
        said += [("failed", f"{word} {name} failed") for name in names]
    return said or [("quiet", "done" if plan.steps or plan.apps else "nothing to run")]


def result(standing: Standing, event: ev.CycleFinished) -> str:
    """A cycle's result in one line: ``3 failed, 120 passed, 14 assumed to pass in 2.1s``."""
    said = ", ".join(phrase for _, phrase in result_parts(standing, event))
    if event.outcome == "cancelled":
        return f"cancelled after {duration(event.seconds)}: {said}"
    return f"{said} in {duration(event.seconds)}"


def broken_run(event: ev.RunFinished) -> str | None:
    """Why a test run has no whole result; None where it has one."""
    if event.outcome == "runner-failed":
        return f"the test run broke off: {one_line(event.message or 'no result')}"
    if event.outcome == "cancelled":
        why = f": {one_line(event.message)}" if event.message else ""
        return f"the test run was cancelled{why}"
    return None


def progress(event: ev.Progress) -> str:
    """How far a long piece of work is."""
    return f"{one_line(event.task)} {event.done:,}/{event.total:,}"


def notice(event: ev.Notice) -> str:
    """What a person should know, with what to do about it."""
    hint = f" ({one_line(event.hint)})" if event.hint else ""
    return one_line(event.message) + hint
