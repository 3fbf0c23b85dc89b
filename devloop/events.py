"""What happened: frozen values, and their one JSON form (DESIGN §4).

Every event is one object with `v`, `event`, `t` (seconds since the epoch) and, inside a
cycle, `cycle`. Consumers ignore what they do not know; so fields are added, never renamed.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

ChangeKind: TypeAlias = Literal["created", "modified", "deleted"]
TestOutcome: TypeAlias = Literal["passed", "failed", "skipped", "xfailed", "xpassed", "error"]
RunOutcome: TypeAlias = Literal["passed", "failed", "cancelled", "runner-failed"]
CycleOutcome: TypeAlias = Literal["passed", "failed", "cancelled"]
Trigger: TypeAlias = Literal["start", "change", "key", "control", "shadow"]
Severity: TypeAlias = Literal["error", "warning"]
Start: TypeAlias = Literal["warm", "spare", "cold"]


class Change(msgspec.Struct, frozen=True, order=True):
    """One path whose content differs from what it was.

    Args:
        path: relative to the project's root, with forward slashes; absolute outside it.
        kind: how it differs.
    """

    path: str
    kind: ChangeKind = "modified"


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why something was selected.

    Args:
        kind: one word of the field, e.g. ``edited``, ``imports``, ``failed``, ``new``, ``all``.
        chain: files and names, from what was selected to what was changed.
        detail: one sentence for a person, where the chain does not say it all.
    """

    kind: str
    chain: tuple[str, ...] = ()
    detail: str | None = None


class PlannedTest(msgspec.Struct, frozen=True):
    """A test that will run; a file's path stands for all its tests."""

    nodeid: str
    reason: Reason


class PlannedTarget(msgspec.Struct, frozen=True):
    """A step or an app that the plan holds."""

    name: str
    reason: Reason


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened.

    Args:
        t: seconds since the epoch.
        cycle: the number of the cycle that it belongs to, counted from 1.
    """

    event: ClassVar[str]
    t: float = 0.0
    cycle: int | None = None


class SessionStarted(Event, frozen=True):
    """devloop is up.

    Args:
        postponed: nothing begins before the first change.
    """

    event: ClassVar[str] = "session-started"
    root: str
    command: str
    version: str
    pid: int
    python: str | None = None
    postponed: bool = False


class SessionFinished(Event, frozen=True):
    """devloop ends; nothing comes after this."""

    event: ClassVar[str] = "session-finished"
    code: int


class Notice(Event, frozen=True):
    """Something that a person should know and that is neither a problem of theirs nor a result.

    Args:
        message: what happened.
        severity: ``warning`` where something is to be done.
        hint: what to do.
    """

    event: ClassVar[str] = "notice"
    message: str
    severity: Literal["info", "warning", "error"] = "info"
    hint: str | None = None


class Progress(Event, frozen=True):
    """A long piece of work goes on (reading a large project for the first time).

    Args:
        task: what is done.
        done: how many of `total`; equal to it when it is finished.
    """

    event: ClassVar[str] = "progress"
    task: str
    done: int
    total: int


class CycleStarted(Event, frozen=True):
    """A pass through the loop begins.

    Args:
        changes: what it takes up.
        asked: what a key or the control socket has asked for, in a few words.
    """

    event: ClassVar[str] = "cycle-started"
    trigger: Trigger
    changes: tuple[Change, ...] = ()
    asked: str | None = None


class ModeChanged(Event, frozen=True):
    """Somebody has told the loop to work in another way from now on.

    Args:
        paused: changes begin nothing until it goes on.
        failed_only: only tests run that failed when they last ran.
        paths: words; only test files run whose path holds them.
        names: words; only tests run whose name holds them.
        waiting: how many files have changed since it was paused.
    """

    event: ClassVar[str] = "mode-changed"
    paused: bool = False
    failed_only: bool = False
    paths: str = ""
    names: str = ""
    waiting: int = 0


class PlanMade(Event, frozen=True):
    """What this cycle does, and why.

    Args:
        selected: how many tests are due, as far as they are known.
        total: how many tests are known.
        all: everything is selected, for `all_reason`.
        note: what was left alone and why (an app that keeps running, say).
        held: how many tests are due that the filters leave out.
    """

    event: ClassVar[str] = "plan"
    steps: tuple[PlannedTarget, ...] = ()
    apps: tuple[PlannedTarget, ...] = ()
    tests: tuple[PlannedTest, ...] = ()
    selected: int = 0
    total: int = 0
    all: bool = False
    all_reason: str | None = None
    note: str | None = None
    held: int = 0


class Explained(Event, frozen=True):
    """Why the last cycle ran what it ran; somebody has asked for it.

    Args:
        target: what was asked about; None is all of it.
        changes: what the cycle took up.
        tests: those that it selected; with a target just what concerns that.
        all_reason: why it selected all tests, where it did.
    """

    event: ClassVar[str] = "explained"
    target: str | None = None
    changes: tuple[Change, ...] = ()
    tests: tuple[PlannedTest, ...] = ()
    steps: tuple[PlannedTarget, ...] = ()
    apps: tuple[PlannedTarget, ...] = ()
    all_reason: str | None = None


class StepStarted(Event, frozen=True):
    """A step's command runs."""

    event: ClassVar[str] = "step-started"
    name: str


class StepFinished(Event, frozen=True):
    """A step is done with.

    Args:
        changed: what it has made may be something else than what its last success made.
    """

    event: ClassVar[str] = "step-finished"
    name: str
    outcome: Literal["built", "up-to-date", "restored", "failed", "cancelled"]
    seconds: float = 0.0
    message: str | None = None
    changed: bool = False


class AppStopping(Event, frozen=True):
    """An app was told to stop."""

    event: ClassVar[str] = "app-stopping"
    name: str
    pid: int


class AppStarted(Event, frozen=True):
    """An app's process runs.

    Args:
        start: where it comes from: a process that held its imports, or a fresh one.
        reason: one line: why it was not started warm, where that was wanted.
    """

    event: ClassVar[str] = "app-started"
    name: str
    pid: int
    start: Start = "cold"
    reason: str | None = None


class AppReady(Event, frozen=True):
    """An app answers (or has lived for a second).

    Args:
        seconds: since the change was seen, or since the start.
        address: where it listens, as ``:8000`` or ``http://127.0.0.1:8000/``, where that is known.
        start: as of `AppStarted`.
    """

    event: ClassVar[str] = "app-ready"
    name: str
    pid: int
    seconds: float
    address: str | None = None
    start: Start = "cold"


class AppFailed(Event, frozen=True):
    """An app did not become ready.

    Args:
        message: one line: what happened.
        output: the end of what it had printed.
        retry_in: seconds until the next try; None where only a change brings one.
    """

    event: ClassVar[str] = "app-failed"
    name: str
    message: str
    output: str = ""
    retry_in: float | None = None


class AppExited(Event, frozen=True):
    """An app's process has ended.

    Args:
        code: its exit code, or None where a signal ended it.
        signal: the signal's name, as in ``SIGKILL``.
        expected: devloop had asked it to stop.
    """

    event: ClassVar[str] = "app-exited"
    name: str
    pid: int
    code: int | None = None
    signal: str | None = None
    expected: bool = False


class Output(Event, frozen=True):
    """What an app or a step has printed: whole lines, without their ends.

    Args:
        source: ``app`` or ``step`` or ``tests``.
        name: which one.
        text: as it was printed, control sequences kept; several lines are joined by newlines.
        partial: a line that has not ended, as a prompt does not. It comes again, whole, when it
            ends; so who does not know of this may print it or pass it over.
    """

    event: ClassVar[str] = "output"
    source: Literal["app", "step", "tests"]
    name: str
    text: str
    partial: bool = False


class RunStarted(Event, frozen=True):
    """A test run begins.

    Args:
        selected: how many tests (or files, until they are collected) it was given.
        workers: how many processes of pytest-xdist; 0 is none.
        start: where pytest's process comes from; warm is forked from one that holds its imports.
        reason: why it is a cold one although a warm one was wanted.
        predicted: seconds that its tests take, by what they have taken; None is not known.
    """

    event: ClassVar[str] = "run-started"
    selected: int
    workers: int = 0
    start: Literal["warm", "cold"] = "cold"
    reason: str | None = None
    predicted: float | None = None


class RunCollected(Event, frozen=True):
    """pytest has collected: so many tests will run."""

    event: ClassVar[str] = "run-collected"
    total: int


class TestStarted(Event, frozen=True):
    """A test runs now."""

    event: ClassVar[str] = "test-started"
    nodeid: str


class TestFinished(Event, frozen=True):
    """A test's outcome, its set-up and teardown included.

    Args:
        traceback: pytest's own text of the failure.
        captured: what the test printed, each part with its title.
    """

    event: ClassVar[str] = "test-finished"
    nodeid: str
    outcome: TestOutcome
    seconds: float
    traceback: str | None = None
    captured: tuple[tuple[str, str], ...] = ()


class Diagnostic(Event, frozen=True):
    """A problem at a place in a file.

    Args:
        path: relative to the project's root where it is inside it.
        line: counted from 1; None where it is not known.
        column: counted from 1.
        source: who found it: ``pytest``, a step's name, ``python``.
        nodeid: the test that it belongs to; a path stands for what cannot be collected.
        traceback: pytest's own text, where there is no end of a test that holds it.
    """

    event: ClassVar[str] = "diagnostic"
    path: str
    line: int | None
    message: str
    source: str
    column: int | None = None
    severity: Severity = "error"
    nodeid: str | None = None
    traceback: str | None = None


class RunFinished(Event, frozen=True):
    """A test run has ended.

    Args:
        message: why, for ``runner-failed`` and ``cancelled``.
        output: the end of what pytest printed, for ``runner-failed``.
    """

    event: ClassVar[str] = "run-finished"
    outcome: RunOutcome
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    errors: int = 0
    seconds: float = 0.0
    message: str | None = None
    output: str = ""


class WrongSkipFound(Event, frozen=True):
    """A shadow run has shown that a test was left out although its outcome had changed.

    Args:
        assumed: the outcome that was taken to hold.
        outcome: the one that it has.
        missing: dependencies that only the new record has.
    """

    event: ClassVar[str] = "wrong-skip"
    nodeid: str
    assumed: TestOutcome
    outcome: TestOutcome
    missing: tuple[str, ...] = ()


class ShadowFinished(Event, frozen=True):
    """The tests that had been left out have been run beside the work.

    Args:
        tests: how many.
        confirmed: those with the outcome that was assumed.
        wrong: those that were skipped wrongly.
        seconds: how long it took, all together.
    """

    event: ClassVar[str] = "shadow-finished"
    tests: int
    confirmed: int
    wrong: int
    seconds: float


class CycleFinished(Event, frozen=True):
    """A pass through the loop has ended.

    Args:
        failing: tests known to fail now, whether or not they ran in this cycle.
        hindered: test files that cannot be collected because of something above them, as a
            conftest.py that does not import.
        due: tests that did not run and are still due.
        gone: tests that had failed and that this cycle has shown to exist no more.
        unrun: tests known to fail from an earlier session that this one has not run.
        verified: how many tests ran in this cycle and passed, or were skipped as they say.
        assumed: how many did not run, because their last verdict, a good one, still holds.
        flaky: tests that ran in this cycle and are known to have shown two outcomes on one
            content.
        restored: tests that failed when they last ran, on what has been taken back since: they
            have passed on what there is now, and are assumed to pass.
    """

    event: ClassVar[str] = "cycle-finished"
    outcome: CycleOutcome
    seconds: float
    failing: int = 0
    hindered: int = 0
    due: int = 0
    gone: tuple[str, ...] = ()
    unrun: tuple[str, ...] = ()
    verified: int = 0
    assumed: int = 0
    flaky: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()


class Announcement(Event, frozen=True):
    """A person who looks elsewhere is to be called (`[notify]`).

    Args:
        title: the project, and the verdict.
        message: one line.
        good: nothing is known to fail.
        ways: how: by the terminal's bell, by its own notifications, by the desktop's.
    """

    event: ClassVar[str] = "announcement"
    title: str
    message: str
    good: bool
    ways: tuple[Literal["bell", "terminal", "desktop"], ...]


VERSION = 1
_KINDS = {kind.event: kind for kind in Event.__subclasses__()}


def printable(text: str) -> str:
    r"""Make text that JSON and terminals can carry.

    Args:
        text: may hold lone surrogates, which stand for undecodable bytes of file names (PEP 383).

    Returns:
        The text with each such byte written as ``\xNN``.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return (
            "".join(f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c for c in text)
            .encode(errors="backslashreplace")
            .decode()
        )
    return text


def as_dict(event: Event) -> dict[str, Any]:
    """The JSON form of an event, as plain values.

    Args:
        event: any event.

    Returns:
        A dictionary whose first keys are ``v``, ``event``, ``t`` and, inside a cycle, ``cycle``.
    """
    body: dict[str, Any] = msgspec.to_builtins(event)
    t, cycle = body.pop("t"), body.pop("cycle")
    head: dict[str, Any] = {"v": VERSION, "event": event.event, "t": t}
    if cycle is not None:
        head["cycle"] = cycle
    return head | body


def to_json(event: Event) -> bytes:
    r"""One line of JSON, without the line's end.

    Args:
        event: any event.

    Returns:
        UTF-8; undecodable bytes of file names are written as ``\xNN``.
    """
    return encode(as_dict(event))


def from_dict(value: dict[str, Any]) -> Event | None:
    """The event that a JSON object stands for.

    Args:
        value: as `as_dict` gives it; keys that this devloop does not know are passed over.

    Returns:
        The event; None for one that this devloop does not know, or knows in another form.
    """
    kind = _KINDS.get(value.get("event", ""))
    try:
        return None if kind is None else msgspec.convert(value, kind)
    except msgspec.ValidationError:  # another version of devloop has sent it
        return None


def encode(value: Any) -> bytes:
    r"""JSON of plain values that may hold paths.

    Args:
        value: plain values.

    Returns:
        UTF-8; undecodable bytes of file names are written as ``\xNN``.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_printable_values(value))


def _printable_values(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(key): _printable_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable_values(item) for item in value]
    return value
