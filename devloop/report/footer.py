"""The live lines of the terminal: what goes on while busy, how things stand while idle."""

from __future__ import annotations

import msgspec

from devloop import events as ev
from devloop.report import wording
from devloop.report.clean import one_line
from devloop.report.paint import Piece, Pieces, width
from devloop.report.standing import Standing

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR = 24
WORTH_PREDICTING = 1.0
"""Seconds from which on a run's predicted time is shown."""

_SEPARATOR: Piece = (" · ", "dim")


class Segment(msgspec.Struct, frozen=True):
    """A part of a line.

    Args:
        pieces: what it says.
        weight: what has less of it is left out first where a line is too long.
    """

    pieces: Pieces
    weight: int


class AppState(msgspec.Struct, frozen=True):
    """How an app is, in a word."""

    word: str
    style: str


class Footer:
    """Takes every event after `standing` has taken it.

    Args:
        standing: what stands.
        once: there is no watching after the cycle.
        keys: they are obeyed.
    """

    def __init__(self, standing: Standing, *, once: bool, keys: bool) -> None:
        self._standing = standing
        self._once = once
        self._keys = keys
        self._apps: dict[str, AppState] = {}
        self._pids: dict[str, int] = {}
        self._steps: dict[str, None] = {}
        self._mode = ev.ModeChanged()
        self._task: ev.Progress | None = None
        self._test: str | None = None
        self._run: ev.RunStarted | None = None
        self._expected = 0
        self._known = 0
        self._failing = 0
        self._began = 0.0
        self._up = True
        self.busy = False

    def apply(self, event: ev.Event) -> None:
        """Take one event."""
        if isinstance(event, ev.TestStarted):
            self._test = event.nodeid
        elif isinstance(event, ev.SessionStarted):
            # Until its first cycle begins it does not watch yet.
            self._up = event.postponed
        elif isinstance(event, ev.CycleStarted):
            self.busy, self._began, self._up = True, event.t, True
            if event.trigger == "start":
                self._apps.clear()  # of these some may be configured no more
        elif isinstance(event, ev.CycleFinished):
            self.busy = False
            self._known = max(self._known, self._standing.counts.ran + event.assumed)
            self._failing = max(event.failing, len(self._standing.failing))
        elif isinstance(event, ev.PlanMade):
            self._known = event.total or self._known
        elif isinstance(event, ev.RunStarted):
            self._run, self._expected = event, 0
        elif isinstance(event, ev.RunCollected):
            self._expected = event.total
        elif isinstance(event, ev.RunFinished):
            self._run, self._test = None, None
        elif isinstance(event, ev.StepStarted):
            self._steps[event.name] = None
        elif isinstance(event, ev.StepFinished):
            self._steps.pop(event.name, None)
        elif isinstance(event, ev.Progress):
            self._task = event if event.done < event.total else None
        elif isinstance(event, ev.ModeChanged):
            self._mode = event
        elif isinstance(event, wording.APP_EVENTS):
            self._app(event)

    def _app(self, event: wording.AppEvent) -> None:
        name = event.name
        if isinstance(event, ev.AppStarted):
            self._pids[name] = event.pid
            self._apps[name] = AppState("starting", "yellow")
        elif isinstance(event, (ev.AppStopping, ev.AppExited)) and event.pid != self._pids.get(
            name, event.pid
        ):
            return  # one from before, which ends beside the one that counts
        elif isinstance(event, ev.AppReady):
            where = f" {one_line(event.address)}" if event.address else ""
            self._apps[name] = AppState(f"ready{where}", "green")
        elif isinstance(event, ev.AppStopping):
            self._apps[name] = AppState("stopping", "yellow")
        elif name in self._standing.failed_apps:
            self._apps[name] = AppState("failed", "red")
        else:
            self._apps[name] = AppState("ended", "dim")

    def lines(self, now: float, columns: int) -> list[Pieces]:
        """The footer.

        Args:
            now: seconds since the epoch.
            columns: the width that there is.

        Returns:
            At most three lines, the first of them empty; none where there is nothing to show.
        """
        if not self.busy:
            return [] if self._once or not self._up else [[], join(self._idle(), columns)]
        lines: list[Pieces] = [[], join(self._working(now), columns)]
        if self._test is not None and self._run is not None and not self._run.workers:
            lines.append([("  ", ""), (one_line(self._test), "dim")])
        return lines

    def _idle(self) -> list[Segment]:
        segments = self._modes()
        if not self._mode.paused:
            segments.insert(0, Segment([("watching", "bold green")], 9))
        if self._known:
            tests: list[Piece] = [(wording.plural(self._known, "test"), "")]
            if self._failing:
                tests += [(", ", ""), (f"{self._failing:,} failing", "bold red")]
            segments.append(Segment(tests, 8))
        segments += [
            Segment([(f"step {name} failed", "red")], 7) for name in self._standing.failed_steps
        ]
        segments += self._app_segments(6)
        hint = "h help · q quits" if self._keys else "Ctrl-C quits"
        segments.append(Segment([(hint, "dim")], 1))
        return segments

    def _working(self, now: float) -> list[Segment]:
        elapsed = max(now - self._began, 0.0)
        spin = _SPINNER[int(elapsed * 10) % len(_SPINNER)]
        segments: list[Segment] = []
        if self._task is not None:
            segments.append(Segment([*bar(self._task), (wording.progress(self._task), "")], 8))
        if self._run is not None:
            segments += self._run_segments()
        segments += [Segment([(f"step {name}", "yellow")], 7) for name in self._steps]
        segments += self._modes()
        segments += self._app_segments(5)
        segments.append(Segment([(self._time(elapsed), "dim")], 6))
        first = segments[0]
        return [Segment([(f"{spin} ", "cyan"), *first.pieces], 9), *segments[1:]]

    def _modes(self) -> list[Segment]:
        return [Segment([(phrase, "bold yellow")], 8) for phrase in wording.mode(self._mode)]

    def _time(self, elapsed: float) -> str:
        """How long it has taken, and where that is worth knowing how long it will."""
        run = self._run
        said = wording.duration(elapsed)
        if run is None or run.predicted is None or run.predicted < WORTH_PREDICTING:
            return said
        expected = run.t - self._began + run.predicted
        return f"{said} of about {wording.duration(expected)}" if elapsed < expected else said

    def _run_segments(self) -> list[Segment]:
        counts = self._standing.counts
        if not self._expected:
            return [Segment([("collecting tests", "")], 9)]
        total = max(self._expected, counts.ran)
        found = [Segment([(f"{counts.ran:,}/{wording.plural(total, 'test')}", "")], 9)]
        bad = counts.failed + counts.errors
        if bad:
            found.append(Segment([(f"{bad:,} failed", "bold red")], 8))
        return found

    def _app_segments(self, weight: int) -> list[Segment]:
        return [
            Segment([(f"{one_line(name)} ", ""), (state.word, state.style)], weight)
            for name, state in self._apps.items()
        ]


def join(segments: list[Segment], columns: int) -> list[Piece]:
    """One line of segments, without the least of them where it would be too long.

    Args:
        segments: in their order.
        columns: the width that there is.
    """
    kept = list(segments)
    while True:
        line = [
            piece
            for index, segment in enumerate(kept)
            for piece in ([_SEPARATOR] if index else []) + list(segment.pieces)
        ]
        if len(kept) <= 1 or width(line) <= columns - 1:
            return line
        least = min(segment.weight for segment in kept)
        kept.pop(max(i for i, segment in enumerate(kept) if segment.weight == least))


def bar(task: ev.Progress) -> list[Piece]:
    """A bar as long as its task is done, and a space."""
    done = _BAR * task.done // max(task.total, 1)
    return [("━" * done, "cyan"), ("━" * (_BAR - done), "dim"), (" ", "")]
