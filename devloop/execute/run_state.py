"""What is known of a test run: from the messages of our plugin to events and a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from devloop.events import (
    Diagnostic,
    Event,
    RunCollected,
    RunFinished,
    RunOutcome,
    TestFinished,
    TestOutcome,
    TestStarted,
)
from devloop.execute.recorded import Recorded
from devloop.select.records import Ran
from devloop.select.selection import SelectedFile

OK, TESTS_FAILED, INTERRUPTED, USAGE_ERROR, NOTHING_COLLECTED = 0, 1, 2, 4, 5
"""Exit codes of pytest's (`pytest.ExitCode`)."""


DIFFERENT = "the workers of pytest-xdist have collected different tests"


class RunResult(msgspec.Struct, frozen=True):
    """What a test run has shown.

    Args:
        finished: its last event.
        ran: the outcomes, and the files that are wholly known, in the words of selection.
        collected: for each file that was collected wholly the nodeids of all its tests, whether
            or not they ran; what is not among them has vanished.
        deselected: tests that the user's own options left out.
        broken: for each file that could not be collected, why; a folder's or a conftest.py's
            path where that is at fault.
        running: the tests that were begun and did not end.
        code: what a one-shot command ends with.
    """

    finished: RunFinished
    ran: Ran
    collected: Mapping[str, tuple[str, ...]]
    deselected: frozenset[str]
    broken: Mapping[str, str]
    running: tuple[str, ...]
    code: int


class RunState:
    """Takes the plugin's messages, tells of them, and knows what they amount to.

    Args:
        emit: takes events.
        selection: what was to run; None for everything.
        recorded: takes what was recorded; None where nothing is.
        narrowed: the user has asked for a part of the tests just this once, so that what was
            left out is no less due.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        selection: Sequence[SelectedFile] | None,
        recorded: Recorded | None = None,
        *,
        narrowed: bool,
    ) -> None:
        self._emit = emit
        self._selection = selection
        self._recorded = recorded
        self._narrowed = narrowed
        self._collected: dict[str, tuple[str, ...]] = {}
        self._deselected: set[str] = set()
        self._known: set[str] = set()
        self._outcomes: dict[str, tuple[str, TestOutcome, float]] = {}
        self._running: dict[str, None] = {}
        self._broken: dict[str, str] = {}
        self._complete = False
        self._partial = False
        self._narrowed_files: frozenset[str] = frozenset()
        self._interrupted: str | None = None
        self._internal: str | None = None
        self.stopping = False
        self.passthrough = False
        self.distributed = False
        self.differs = False
        self.shifted: frozenset[str] = frozenset()
        """Files that do not hold the tests that they were known to hold: nothing has run."""

        self.excuse_difference = False
        self.finish_code: int | None = None
        self.lingered = False
        self.printed = ""
        self.loaded: list[dict[str, Any]] = []

    def take(self, message: dict[str, Any]) -> None:
        """Take a message of the plugin's.

        Args:
            message: as it came.
        """
        kind = message["m"]
        if kind == "start":
            nodeid = self._nodeid(message["id"])
            self._running[nodeid] = None
            self._emit(TestStarted(nodeid=nodeid))
        elif kind == "test":
            self._test(message)
        elif kind == "recorded" and self._recorded is not None:
            self._recorded.take(message)
        elif kind == "collected" and not self.stopping:
            self._take_collected(message)
        elif kind == "again":
            self.shifted |= set(message["files"])
        elif kind == "broken" and not self.stopping:
            # pytest 7 and 8 take an interrupt during an import for the file's fault, and go on.
            self._take_broken(message)
        elif kind == "session":
            self.distributed = message["distributed"]
            self.passthrough = message["capture"] in {"no", "tee-sys"}
        elif kind == "printed":
            self.printed = (self.printed + message["text"])[-(1 << 16) :]
        elif kind == "interrupted":
            place = message["place"]
            at = f"{place['path']}:{place['line']}: " if place.get("path") else ""
            self._interrupted = at + message["text"]
        elif kind == "internal":
            self._internal = message["text"]
        elif kind == "loaded":
            self.loaded.append(message)
        elif kind == "finish":
            self.finish_code = message["code"]

    def remaining(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What has not ended yet.

        Returns:
            The tests that run now; and those that are still to come, or, until they have been
            collected, their files.
        """
        running = tuple(self._running)
        done = self._outcomes.keys() | self._running.keys()
        rest: list[str] = []
        for path, wanted in self._wanted():
            if path in self._broken:
                continue
            if path not in self._collected:
                rest += [path] if not self._complete else []
                continue
            due = set(wanted)
            there = self._collected[path]
            if not due or not due <= set(there):
                due = set(there)
            due -= self._deselected
            rest += [nodeid for nodeid in there if nodeid in due and nodeid not in done]
        return running, tuple(rest)

    def result(
        self, ended: str, code: int | None, seconds: float, output: str, *, cancelled: bool
    ) -> RunResult:
        """Judge the run, now that its process has ended.

        Args:
            ended: how the process ended, in words.
            code: its exit code; None where a signal ended it.
            seconds: how long the run took.
            output: the end of what pytest printed.
            cancelled: devloop has stopped it.

        Returns:
            The result.
        """
        if self.lingered:
            code = self.finish_code
        counts = Counter(_COUNTED[outcome] for _, outcome, _ in self._outcomes.values())
        counts["errors"] += len(self._broken)
        bad = bool(counts["failed"] or counts["errors"])
        outcome: RunOutcome
        message: str | None = None
        exit_code = 0
        if cancelled:
            outcome, exit_code = "cancelled", INTERRUPTED
        elif self._told(code) and bad:
            outcome, exit_code = "failed", 1
        elif self._interrupted is not None and self.finish_code is not None:
            outcome, exit_code = "cancelled", INTERRUPTED
            message = f"pytest was interrupted: {self._interrupted}"
        elif self._told(code) and code in (OK, NOTHING_COLLECTED):
            outcome = "passed"
        else:
            outcome, exit_code = "runner-failed", 4 if code == USAGE_ERROR else 3
            message = self._runner_message(ended, code)
        failed = outcome == "runner-failed"
        finished = RunFinished(
            outcome=outcome,
            passed=counts["passed"],
            failed=counts["failed"],
            skipped=counts["skipped"],
            errors=counts["errors"],
            seconds=seconds,
            message=message,
            output=output if failed else "",
        )
        return RunResult(
            finished,
            Ran(
                self._outcomes,
                self._whole(),
                frozenset(self._broken),
                recording=self._recorded.recording(self._nodeid) if self._recorded else None,
            ),
            {} if self._partial else self._listed(),
            frozenset(self._deselected),
            self._broken,
            tuple(self._running),
            exit_code,
        )

    def _told(self, code: int | None) -> bool:
        """Whether pytest came to its end and its process says so too.

        A broken conftest.py is told before there is a session, and ends in a usage error.
        """
        if self.finish_code is None:
            return code == USAGE_ERROR and bool(self._broken) and not self._complete
        return self._internal is None and (code is not None or self.lingered)

    def _runner_message(self, ended: str, code: int | None) -> str:
        at = f" in {', '.join(self._running)}" if self._running else ""
        if self._internal is not None:
            return f"pytest failed{at}: {self._internal}"
        if self.finish_code is None:
            return f"pytest ended{at} without finishing: {ended}"
        if code == TESTS_FAILED:
            return "pytest reports a failure, and no test failed"
        return f"pytest ended with {ended}"

    def _listed(self) -> dict[str, tuple[str, ...]]:
        """The files that were collected with all that is in them."""
        narrowed = self._narrowed_files
        return {path: ids for path, ids in self._collected.items() if path not in narrowed}

    def _whole(self) -> dict[str, frozenset[str]]:
        if not self._complete or self._partial:
            return {}
        whole: dict[str, frozenset[str]] = {}
        for path, nodeids in self._listed().items():
            due = frozenset(nodeids) - self._deselected
            if due <= self._outcomes.keys() and (not self._narrowed or len(due) == len(nodeids)):
                whole[path] = due
        if self._narrowed or self._broken:
            return whole
        # pytest's own settings leave these out, or there is no test in them any more.
        for path, _ in self._wanted():
            if path not in self._collected:
                whole[path] = frozenset()
        return whole

    def _wanted(self) -> list[tuple[str, tuple[str, ...]]]:
        if self._selection is None:
            return [(path, ()) for path in self._collected]
        return [(file.path, file.nodeids) for file in self._selection]

    def _take_collected(self, message: dict[str, Any]) -> None:
        if self._complete:
            return  # another worker's, and the same
        self._complete = True
        self._partial = message["partial"]
        self._narrowed_files = frozenset(message["narrowed"])
        self._collected = {
            path: tuple(dict.fromkeys(nodeids))
            for path, nodeids in message["files"].items()
            if path not in self._broken
        }
        self._known = {nodeid for nodeids in self._collected.values() for nodeid in nodeids}
        self._deselected = set(message["deselected"])
        self._emit(RunCollected(total=message["total"]))

    def _take_broken(self, message: dict[str, Any]) -> None:
        path, place = message["path"], message["place"] or {}
        if "Different tests were collected between" in message["text"]:
            self.differs = True
            if self.excuse_difference:
                return
            # xdist names the worker, and tells the tests as a diff.
            path, place = _differing(message["text"]) or path, {"message": DIFFERENT}
        self._broken[path] = message["text"]
        self._collected.pop(path, None)
        self._emit(
            Diagnostic(
                path=place.get("path") or path,
                line=place.get("line"),
                column=place.get("column"),
                message=place.get("message") or _last_line(message["text"]),
                source="pytest",
                nodeid=path,
                traceback=message["text"],
            )
        )

    def _test(self, message: dict[str, Any]) -> None:
        nodeid = self._nodeid(message["id"])
        path = nodeid.partition("::")[0]
        outcome, seconds = message["outcome"], round(message["seconds"], 6)
        self._running.pop(nodeid, None)
        self._outcomes[nodeid] = (path, outcome, seconds)
        self._emit(
            TestFinished(
                nodeid=nodeid,
                outcome=outcome,
                seconds=seconds,
                traceback=message["text"],
                captured=tuple((title, text) for title, text in message["sections"]),
            )
        )
        place = message["place"]
        if place is not None:
            self._emit(
                Diagnostic(
                    path=place.get("path") or path,
                    line=place.get("line"),
                    column=place.get("column"),
                    message=place["message"],
                    source="pytest",
                    nodeid=nodeid,
                )
            )

    def _nodeid(self, given: str) -> str:
        """The nodeid without the group that xdist's ``--dist loadgroup`` adds to it."""
        if given not in self._known and "@" in given:
            plain = given.rpartition("@")[0]
            if plain in self._known:
                return plain
        return given


_COUNTED: Mapping[TestOutcome, str] = {
    "passed": "passed",
    "xpassed": "passed",
    "failed": "failed",
    "error": "errors",
    "skipped": "skipped",
    "xfailed": "skipped",
}


def _differing(text: str) -> str | None:
    changed = (line[1:] for line in text.splitlines() if line[:1] in {"+", "-"} and "::" in line)
    return next((nodeid.partition("::")[0] for nodeid in changed), None)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].removeprefix("E").strip() if lines else "cannot be collected"
