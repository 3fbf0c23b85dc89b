"""The reporter for a person: results as lines that scroll, and a small live footer.

What passes is counted, what fails is shown when it fails, and at the end stands what is still
broken. Nothing is cut but what is said elsewhere in full.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TextIO

from devloop import events as ev
from devloop.report import calls, tables, wording
from devloop.report import panel as panels
from devloop.report.clean import bare, one_line
from devloop.report.failures import Failures
from devloop.report.footer import Footer
from devloop.report.paint import Paint, Piece, cells, crop, crop_start, width
from devloop.report.panel import Panel
from devloop.report.screen import Screen
from devloop.report.sink import ReaderGone, Sink
from devloop.report.standing import Problem, Standing
from devloop.report.terminal_sink import TerminalSink, is_terminal

_NAMES = ("cyan", "magenta", "blue", "yellow", "green")
_RESULTS = {
    "passed": ("PASS", "bold green reverse"),
    "failed": ("FAIL", "bold red reverse"),
    "cancelled": ("CANCELLED", "bold yellow reverse"),
}
_PARTS = {"failed": "bold red", "passed": "green", "quiet": "dim"}
_NOTICES = {"info": ("●", "blue"), "warning": ("▲", "yellow"), "error": ("✗", "red")}

DETAILED = 25
"""Failures of a cycle that are shown in full; the others are one line each."""

LISTED = 10
"""Names in a list at the end of a cycle."""

REDRAWN = 0.1
"""Seconds between two drawings of the footer while tests finish."""


class TerminalReporter:
    """Writes for a person.

    Args:
        stream: standard output.
        environ: the environment.
        clear: empty the screen when a cycle begins.
        once: one pass and no watching.
        keys: they are obeyed.
        columns: the width of the terminal at the moment; asked of the stream where None.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        environ: Mapping[str, str],
        clear: bool = False,
        once: bool = False,
        keys: bool = False,
        columns: Callable[[], int] | None = None,
    ) -> None:
        self._environ = environ
        self._paint = Paint.of(stream, environ)
        self.ticks = self._paint.animated
        self._columns = columns or (lambda: columns_of(stream))
        sink = TerminalSink(stream) if is_terminal(stream) else Sink(stream)
        self._screen = Screen(sink, self._paint, self._columns)
        self._standing = Standing()
        self._declined = wording.Declined()
        self._footer = Footer(self._standing, once=once, keys=keys)
        self._failures = Failures(self._paint, "")
        self._clear = clear
        self._once = once
        self._panel: Panel | None = None
        self._drawn = 0.0
        self._shown = 0
        self._broken = False
        self._waiting: list[str] | None = None
        self._changes: tuple[ev.Change, ...] = ()
        self._times = 1
        self._names: dict[str, str] = {}
        self._longest = 0
        self._unended: ev.Output | None = None

    def handle(self, event: ev.Event) -> None:
        """Show an event.

        Raises:
            ReaderGone: nobody reads the stream.
        """
        known_failed = isinstance(event, ev.AppExited) and event.name in self._standing.failed_apps
        told = isinstance(event, ev.Diagnostic) and event.nodeid in self._standing.broken
        self._standing.apply(event)
        self._footer.apply(event)
        if isinstance(event, ev.TestStarted):
            self._draw_sometimes(event.t)
        elif isinstance(event, ev.TestFinished):
            if event.outcome in ("failed", "error"):
                self._failed(event)
            self._draw_sometimes(event.t)
        elif isinstance(event, ev.Output):
            self._output(event)
        elif isinstance(event, ev.SessionFinished):
            self._screen.footer([])
        else:
            if not known_failed and not told:
                self._other(event)
            self._draw(event.t)

    def recall(self, event: ev.Event) -> None:
        """Take an event without a line."""
        self._standing.apply(event)
        self._footer.apply(event)

    def tick(self, now: float) -> None:
        """Move what moves while a cycle goes on.

        Args:
            now: seconds since the epoch.
        """
        if self.ticks and self._footer.busy:
            self._draw(now)

    def show(self, data: bytes | None) -> None:
        """Let an app that reads keys have the screen; see `Reporter.show`."""
        self._screen.lend(data)
        self._unended = None
        if data is None:
            self._draw(time.time())

    def panel(self, panel: Panel | None) -> None:
        """Show something in the place of the footer; see `Reporter.panel`."""
        self._panel = panel
        self._draw(time.time())

    def close(self) -> None:
        """Remove the footer: the shell's prompt stands where it stood."""
        with suppress(ReaderGone):
            self._screen.close()

    def _draw(self, now: float) -> None:
        if self.ticks:
            self._drawn = now
            columns = self._columns()
            if self._panel is not None:
                self._screen.footer(panels.lines(self._panel, columns - 1))
            else:
                lines = self._footer.lines(now, columns)
                if self._unended is not None and lines:
                    lines[0] = self._prompt(self._unended, columns - 1)
                self._screen.footer(lines)

    def _draw_sometimes(self, now: float) -> None:
        # Not abs(): a clock that was set back must not stop the footer.
        if not 0 <= now - self._drawn < REDRAWN:
            self._draw(now)

    def _print(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        if text:
            self._show_waiting()
            self._screen.print(text)

    def _print_first(self, lines: Iterable[str]) -> None:
        """Print what a result begins with: before there is one the last one stays readable."""
        if self._waiting is None:
            self._print(lines)
        else:
            self._waiting += [f"{line}\n" for line in lines]

    def _show_waiting(self) -> None:
        if self._waiting is not None:
            text, self._waiting = "".join(self._waiting), None
            self._screen.clear()
            self._screen.print(text)

    def _other(self, event: ev.Event) -> None:
        if isinstance(event, ev.CycleStarted):
            self._begin(event)
        elif isinstance(event, ev.PlanMade):
            self._plan(event)
        elif isinstance(event, ev.StepFinished):
            self._step(event)
        elif isinstance(event, wording.APP_EVENTS):
            self._app(event)
        elif isinstance(event, ev.RunFinished):
            self._run(event)
        elif isinstance(event, ev.CycleFinished):
            self._end(event)
        elif isinstance(event, ev.Diagnostic):
            self._diagnostic(event)
        elif isinstance(event, ev.Notice):
            self._notice(event)
        elif isinstance(event, ev.ShadowFinished):
            self._notice(ev.Notice(message=wording.shadow(event)))
        elif isinstance(event, ev.Announcement):
            self._screen.call(calls.of(event, self._environ))
        elif isinstance(event, ev.Explained):
            self._print(["", *tables.explained(event, self._paint).splitlines()])
        elif isinstance(event, ev.SessionStarted):
            self._failures = Failures(self._paint, event.root)
            python = f" · {event.python}" if event.python else ""
            about = one_line(f"{event.version} {event.command} · {event.root}{python}")
            self._print([f"{self._paint('devloop', 'bold')} {self._paint(about, 'dim')}"])

    # A cycle

    def _begin(self, event: ev.CycleStarted) -> None:
        self._shown = 0
        self._broken = False
        self._waiting = [] if self._clear else None
        same = event.trigger == "change" and event.changes == self._changes
        self._times = self._times + 1 if same else 1
        self._changes = event.changes
        if self._once and event.trigger == "start":
            # What set it off is the command, which the line above names.
            return
        clock = time.strftime("%H:%M:%S", time.localtime(event.t))
        head = [("● ", "cyan"), (wording.trigger(event), "bold")]
        if self._times > 1:
            head.append((f" ×{self._times}", "yellow"))  # noqa: RUF001
        self._print_first(["", self._fit(head, f"  {clock}")])

    def _plan(self, plan: ev.PlanMade) -> None:
        tests, why = wording.selected_tests(plan), wording.why_tests(plan)
        parts = [
            wording.targets("step", plan.steps),
            wording.targets("app", plan.apps),
            tests,
        ]
        said = " · ".join(part for part in parts if part)
        targets = (*plan.steps, *plan.apps)
        if why is None and targets:
            why = wording.reason(targets[0].reason, targets[0].name)
        lines = [self._fit([("  ", ""), (said or "nothing is affected", "")], f"  {why or ''}")]
        if plan.note:
            lines.append(self._paint(f"  {one_line(plan.note)}", "dim"))
        self._print_first(lines)

    def _run(self, event: ev.RunFinished) -> None:
        lines: list[str] = []
        broken = wording.broken_run(event)
        if broken:
            self._broken = event.outcome == "runner-failed"
            lines += ["", self._mark("✗", "red", broken) if self._broken else f"  {broken}"]
        if self._broken:
            lines += indented(self._failures.traceback(event.output)) if event.output else []
        self._print(lines)

    def _end(self, event: ev.CycleFinished) -> None:
        standing = self._standing
        fixed, still = standing.fixed, standing.still
        lines = [self._mark("✓", "green", f"fixed {one_line(n)}") for n in fixed[:LISTED]]
        if len(fixed) > LISTED:
            lines.append(f"  … and {len(fixed) - LISTED:,} more fixed")
        back, again = standing.restored, "assumed to pass again"
        lines += [self._mark("✓", "green", f"{again} {one_line(n)}") for n in back[:LISTED]]
        if len(back) > LISTED:
            lines.append(f"  … and {len(back) - LISTED:,} more assumed to pass again")
        for nodeid in still[:LISTED]:
            head: list[Piece] = [("  ✗ ", "red"), (f"still failing {one_line(nodeid)}", "")]
            lines.append(self._fit(head, f"  {standing.failing[nodeid]}"))
        if len(still) > LISTED:
            lines.append(f"  … and {len(still) - LISTED:,} more still fail")
        unrun = wording.failing_unrun(standing, event)
        lines += [
            self._mark("✗", "red", f"failed before, and was not run: {n}") for n in unrun[:LISTED]
        ]
        if len(unrun) > LISTED:
            lines.append(f"  … and {len(unrun) - LISTED:,} more that failed before")
        # Why the run broke off was said when it did.
        others = [
            problem
            for problem in standing.problems()
            if problem.nodeid is None and not (self._broken and problem.source == "pytest")
        ]
        lines += [self._problem(problem) for problem in others[:LISTED]]
        if len(others) > LISTED:
            lines.append(f"  … and {len(others) - LISTED:,} more problems")
        if standing.slow:
            slow = ", ".join(f"{wording.duration(s)} {one_line(n)}" for s, n in standing.slow)
            lines.append(self._fit([], f"  slowest: {slow}"))
        if lines or self._shown or self._broken:
            lines.insert(0, "")
        self._print([*lines, *self._result(event)])

    def _result(self, event: ev.CycleFinished) -> list[str]:
        """The result, in as many lines as a narrow terminal takes."""
        word, style = _RESULTS[event.outcome]
        badge = f" {word} " if self._paint.color else word
        parts = wording.result_parts(self._standing, event)
        parts[-1] = (parts[-1][0], f"{parts[-1][1]} in {wording.duration(event.seconds)}")
        lines: list[list[Piece]] = [[(badge, style)]]
        separator: Piece = (" ", "")
        for kind, phrase in parts:
            if width(lines[-1]) + cells(phrase) + 3 > self._columns():
                lines.append([])
                separator = ("  ", "")
            lines[-1] += [separator, (phrase, _PARTS[kind])]
            separator = (" · ", "dim")
        return [self._paint.render(line) for line in lines]

    # What happens in it

    def _failed(self, event: ev.TestFinished) -> None:
        about = wording.duration(event.seconds)
        if event.outcome == "error":
            about = "set-up or teardown" if "::" in event.nodeid else "not collected"
        lines: list[str] = []
        if self._shown < DETAILED:
            if event.traceback:
                lines += indented(self._failures.traceback(event.traceback))
            for title, text in event.captured:
                lines += indented(self._failures.captured(title, text))
        self._failure(event.nodeid, about, lines)

    def _diagnostic(self, event: ev.Diagnostic) -> None:
        """A file that cannot be collected; what others find is listed at the cycle's end."""
        if event.nodeid is None or event.severity != "error":
            return
        lines: list[str] = []
        if self._shown < DETAILED:
            place = f"{event.path}:{event.line or 1}: in <module>"
            text = event.traceback or f"{place}\nE   {event.message}"
            lines += indented(self._failures.traceback(text))
        self._failure(event.nodeid, "not collected", lines)

    def _failure(self, nodeid: str, about: str, lines: list[str]) -> None:
        self._shown += 1
        head: list[Piece] = [("  ✗ ", "red"), (one_line(nodeid), "bold"), (f"  {about}", "dim")]
        if self._shown > DETAILED:
            self._print([self._fit(head, f"  {self._standing.failing.get(nodeid, '')}")])
        else:
            self._print(["", self._paint.render(head), *lines])

    def _step(self, event: ev.StepFinished) -> None:
        state = f"{event.name} {wording.step_state(event)}"
        if event.outcome == "failed":
            self._print([self._mark("✗", "red", state)])
        elif event.outcome == "up-to-date":
            self._print([self._paint(f"  ✓ {state}", "dim")])
        elif event.outcome != "cancelled":
            self._print([self._mark("✓", "green", state)])

    def _app(self, event: wording.AppEvent) -> None:
        event = self._declined.once(event)
        state = f"{one_line(event.name)} {wording.app_state(event)}"
        if isinstance(event, ev.AppReady):
            self._print([self._mark("✓", "green", state)])
        elif isinstance(event, ev.AppFailed):
            self._print([self._mark("✗", "red", state)])
        elif isinstance(event, ev.AppExited) and not event.expected:
            failed = event.name in self._standing.failed_apps
            self._print(
                [self._mark("✗", "red", state) if failed else self._mark("○", "yellow", state)]
            )
        elif isinstance(event, ev.AppStarted) and event.reason:
            self._print([self._paint(f"  {state}", "dim")])

    def _output(self, event: ev.Output) -> None:
        if event.partial:
            self._unended = event
            self._draw(event.t)
            return
        if self._unended is not None and self._unended.name == event.name:
            self._unended = None
            self._draw(event.t)
        prefix = self._paint.render(self._prefix(event.name))
        lines = event.text.split("\n")
        self._show_waiting()
        self._screen.print("".join(f"{prefix}{self._paint.foreign(line)}\n" for line in lines))

    def _prompt(self, event: ev.Output, columns: int) -> list[Piece]:
        """A line that has not ended: live, as somebody may be typing at its end."""
        prefix = self._prefix(event.name)
        text = bare(event.text).expandtabs()
        return [*prefix, (crop_start(text, columns - width(prefix)), "")]

    def _prefix(self, name: str) -> list[Piece]:
        """What a line begins with that was printed by something of that name."""
        name = one_line(name)
        color = self._names.setdefault(name, _NAMES[len(self._names) % len(_NAMES)])
        self._longest = max(self._longest, cells(name))
        return [
            (name, color),
            (" " * (self._longest - cells(name) + 1), ""),
            ("│", "dim"),
            (" ", ""),
        ]

    def _notice(self, event: ev.Notice) -> None:
        sign, style = _NOTICES[event.severity]
        lines = [self._mark(sign, style, one_line(event.message))]
        if event.hint:
            lines.append(self._paint(f"    {one_line(event.hint)}", "dim"))
        self._print(lines)

    # Small things

    def _mark(self, sign: str, style: str, text: str, text_style: str = "") -> str:
        return f"  {self._paint(sign, style)} {self._paint(text, text_style)}"

    def _problem(self, problem: Problem) -> str:
        sign, style = _NOTICES[problem.severity]
        column = problem.column if problem.column > 1 else None
        place = self._failures.place(problem.path, problem.line, column)
        source = "" if problem.source in problem.message else f"  {problem.source}"
        about = self._paint(source, "dim")
        return f"  {self._paint(sign, style)} {place} {problem.message}{about}"

    def _fit(self, head: list[Piece], tail: str) -> str:
        """A line whose dim end is cut, or left out, where a terminal is narrow."""
        pieces: list[Piece] = [*head]
        room = self._columns() - width(head)
        if tail.strip() and room > min(12, cells(tail)):
            pieces += crop([(tail, "dim")], room)
        return self._paint.render(pieces)


def columns_of(stream: TextIO) -> int:
    """The width of a stream's terminal; unlimited where it is none.

    Args:
        stream: where text goes.
    """
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 10_000


def indented(lines: Iterable[str]) -> list[str]:
    """Lines below a heading."""
    return [f"    {line}" if line else "" for line in lines]
