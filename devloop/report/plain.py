"""Lines for logs, scripts and editors' problem matchers (DESIGN §4): no control codes, ever.

A cycle is a block from the line `BEGIN` to the line `END`; every problem that stands is one
line in it that `PROBLEM` matches, and no other line does. devloop's own lines begin with
``devloop:``, what others print with ``name |``, and tracebacks are indented.
"""

from __future__ import annotations

import posixpath
import re
from contextlib import suppress
from typing import TextIO

from devloop import events as ev
from devloop.report import tables, wording
from devloop.report.clean import bare, one_line
from devloop.report.paint import Paint
from devloop.report.panel import Panel
from devloop.report.sink import ReaderGone, Sink
from devloop.report.standing import Problem, Standing

BEGIN = "devloop: cycle started"
END = "devloop: cycle finished"
PROBLEM = re.compile(
    r"^(?P<path>(?:[A-Za-z]:[\\/])?[^\s:|][^:|]*):(?P<line>\d+):(?P<column>\d+): "
    r"(?P<severity>error|warning): (?P<message>.+?)"
    r"(?: \[(?P<nodeid>[^\[\]]+\.\w+(?:::.*)?)\])?$"
)
"""What a matcher looks for; the path is relative to the project's root or absolute."""

_DETAILED = 100
"""Failures of a run whose traceback is shown; the others are problem lines like all."""

_NAMED = 20


class PlainReporter:
    """Writes lines.

    Args:
        stream: standard output.
        absolute: problems name their files by absolute paths; some editors know no others.
    """

    ticks = False

    def __init__(self, stream: TextIO, *, absolute: bool = False) -> None:
        self._sink = Sink(stream)
        self._absolute = absolute
        self._standing = Standing()
        self._declined = wording.Declined()
        self._open = False
        self._details: list[str] = []
        self._tasks: set[str] = set()

    def handle(self, event: ev.Event) -> None:
        """Write what an event says.

        Raises:
            ReaderGone: nobody reads the stream.
        """
        self._standing.apply(event)
        if isinstance(event, ev.TestFinished):
            if event.outcome in ("failed", "error") and len(self._details) < _DETAILED:
                self._details.append(detail(event))
        elif isinstance(event, ev.Diagnostic):
            if event.traceback and len(self._details) < _DETAILED:
                name = one_line(event.nodeid or event.path)
                self._details.append(f"devloop: not collected {name}\n{block(event.traceback)}")
        elif isinstance(event, ev.Output):
            if event.partial:
                return  # it comes again when it has ended
            name = bare(event.name)
            self._sink.write("".join(f"{name} | {bare(line)}\n" for line in event.text.split("\n")))
        elif isinstance(event, ev.CycleStarted):
            self._open = True
            self._sink.write(f"{BEGIN}\n")
            changed = "changed: " if event.changes else ""
            self._say(changed + wording.trigger(event, most=5))
        elif isinstance(event, ev.CycleFinished):
            self._finish(event)
        else:
            self._other(event)

    def recall(self, event: ev.Event) -> None:
        """Take an event without a line."""
        self._standing.apply(event)

    def tick(self, now: float) -> None:
        """Nothing: lines do not change."""

    def show(self, data: bytes | None) -> None:
        """Nobody types here: an app gets no terminal."""

    def panel(self, panel: Panel | None) -> None:
        """Nobody types here."""

    def close(self) -> None:
        """End a cycle that is still open, for whoever waits for its last line."""
        if self._open:
            with suppress(ReaderGone):
                self._end("")

    def _other(self, event: ev.Event) -> None:
        if isinstance(event, ev.PlanMade):
            self._plan(event)
        elif isinstance(event, (ev.StepStarted, ev.StepFinished)):
            self._say(f"step {event.name}: {wording.step_state(event)}")
        elif isinstance(event, wording.APP_EVENTS):
            state = wording.app_state(self._declined.once(event))
            self._say(f"app {event.name}: {state}")
        elif isinstance(event, ev.RunFinished):
            self._run(event)
        elif isinstance(event, ev.Notice):
            word = "note" if event.severity == "info" else event.severity
            self._say(f"{word}: {wording.notice(event)}")
        elif isinstance(event, ev.ShadowFinished):
            self._say(f"note: {wording.shadow(event)}")
        elif isinstance(event, ev.Progress):
            self._progress(event)
        elif isinstance(event, ev.ModeChanged):
            self._say(", ".join(wording.mode(event)) or "no filters, not paused")
        elif isinstance(event, ev.Explained):
            for line in tables.explained(event, Paint()).splitlines():
                self._say(line)
        elif isinstance(event, ev.SessionStarted):
            python = f", python {event.python}" if event.python else ""
            self._say(f"{event.version} {event.command} in {event.root}{python}")

    def _say(self, text: str) -> None:
        self._sink.write(f"devloop: {one_line(text)}\n")

    def _plan(self, plan: ev.PlanMade) -> None:
        tests, why = wording.selected_tests(plan), wording.why_tests(plan)
        parts = [
            wording.targets("step", plan.steps),
            f"{tests} ({why})" if tests and why else tests,
            wording.targets("app", plan.apps),
        ]
        self._say(", ".join(part for part in parts if part) or "nothing is affected")
        if plan.note:
            self._say(plan.note)

    def _run(self, event: ev.RunFinished) -> None:
        details = "".join(self._details)
        self._details = []
        if event.outcome == "runner-failed":
            details += block(event.output)
        if details:
            self._sink.write(details)
        broken = wording.broken_run(event)
        if broken:
            self._say(broken)

    def _progress(self, event: ev.Progress) -> None:
        if event.done >= event.total:
            if event.task in self._tasks:
                self._tasks.discard(event.task)
                self._say(f"{event.task}: done")
        elif event.task not in self._tasks:
            self._tasks.add(event.task)
            self._say(f"{event.task}: {event.total:,}")

    def _finish(self, event: ev.CycleFinished) -> None:
        for nodeid in self._standing.fixed[:_NAMED]:
            self._say(f"fixed {nodeid}")
        for nodeid in self._standing.restored[:_NAMED]:
            self._say(f"assumed to pass again {nodeid}")
        for nodeid in wording.failing_unrun(self._standing, event)[:_NAMED]:
            self._say(f"failed before, and was not run: {nodeid}")
        self._end(f"devloop: {wording.result(self._standing, event)}\n")

    def _end(self, summary: str) -> None:
        root = self._standing.root if self._absolute else ""
        problems = "".join(f"{problem_line(p, root)}\n" for p in self._standing.problems())
        details = "".join(self._details)
        self._details = []
        self._open = False
        self._sink.write(f"{details}{summary}{problems}{END}\n")


def problem_line(problem: Problem, root: str = "") -> str:
    """One problem as matchers read it.

    Args:
        problem: what stands.
        root: the folder that its path is made absolute with; left as it is where there is none.

    Returns:
        ``path:line:column: severity: message [nodeid]``.
    """
    path = posixpath.join(root, problem.path)
    head = f"{one_line(path)}:{problem.line}:{problem.column}: {problem.severity}: "
    tail = f" [{one_line(problem.nodeid)}]" if problem.nodeid else ""
    return f"{head}{problem.message}{tail}"


def detail(event: ev.TestFinished) -> str:
    """A failed test in full.

    Args:
        event: its end.

    Returns:
        Lines, with the end of the last one.
    """
    seconds = wording.duration(event.seconds)
    text = f"devloop: {event.outcome} {one_line(event.nodeid)} in {seconds}\n"
    text += block(event.traceback or "")
    for title, captured in event.captured:
        if captured.strip():
            text += f"    {one_line(title)}:\n{block(captured)}"
    return text


def block(text: str) -> str:
    """Foreign text, indented so that no line of it is taken for a problem.

    Args:
        text: lines.

    Returns:
        The same lines without control codes; nothing for no text.
    """
    lines = [f"    {bare(line)}".rstrip() for line in text.rstrip().split("\n")]
    return "".join(f"{line}\n" for line in lines) if text.strip() else ""
