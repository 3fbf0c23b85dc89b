"""Shadow runs: tests that were left out are run while nothing else is to be done.

Selection says of them that they would have the outcome that they had. A shadow run finds out. It
runs at the lowest priority, in slices, and gives way to whatever else begins. What it shows counts
only if the project was the same from its beginning to its end; and a test is said to have been
skipped wrongly only if it shows the other outcome alone, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

import anyio
import anyio.to_thread

from devloop.events import (
    Event,
    Notice,
    Reason,
    ShadowFinished,
    TestFinished,
    TestOutcome,
    WrongSkipFound,
)
from devloop.execute.run_state import RunResult
from devloop.execute.runs import TestRun
from devloop.loop.messages import ShadowDone
from devloop.loop.project import Project
from devloop.select.proofs import ShadowTotals, Shown, WrongSkip, as_assumed, judged
from devloop.select.records import GOOD, Records
from devloop.select.selection import SelectedFile

IDLE = 2.0
"""Seconds after the end of a cycle until the first shadow run begins."""

SLICE = 10.0
"""Seconds that the tests of one run have taken before, in a session that goes on."""

ALONE = 20
"""How many tests with another outcome are run alone after one run; the others come again."""

MISSING = 5
"""How many dependencies are named that a test was not known to have."""

TEARDOWN = 2.0
"""Seconds that a run has for its teardown when it must give way."""

_TAKEN = ("Address already in use", "address already in use", "EADDRINUSE", "Errno 98")
"""What a test says whose port is held by something else, such as the app that is running."""

MakeRun = Callable[[tuple[SelectedFile, ...], Callable[[Event], None]], TestRun]


class Shadow:
    """The shadow runs of a loop.

    Args:
        project: whose tests.
        make_run: makes a run of some files that tells its events to nobody else.
        emit: takes events.
        sliced: work in slices, because something else may be to be done at any time.
    """

    def __init__(
        self,
        project: Project,
        make_run: MakeRun,
        emit: Callable[[Event], None],
        *,
        sliced: bool,
    ) -> None:
        self._project = project
        self._make_run = make_run
        self._emit = emit
        self._sliced = sliced
        self._run: TestRun | None = None
        self._over = anyio.Event()
        self._over.set()
        self._given_way = False
        self._files: tuple[SelectedFile, ...] = ()
        self._contents: Mapping[str, bytes] = {}
        self._began = 0
        self._tried: set[str] = set()
        self._totals = ShadowTotals()
        self._wrong = 0

    @property
    def running(self) -> bool:
        """A run is in progress."""
        return not self._over.is_set()

    def begin(self, assumed: Collection[str]) -> bool:
        """Plan a run on the contents of now.

        Args:
            assumed: the tests that were left out, oldest verdict first.

        Returns:
            Whether there is something to run; `run` runs it.
        """
        if self._contents != self._project.contents:
            self._contents = dict(self._project.contents)
            self._tried.clear()
        records = self._project.records
        revision = {nodeid: records.verdicts[nodeid].revision for nodeid in assumed}
        # What ran on the very contents of now has nothing to prove.
        shown = {r for r in {*revision.values()} if not records.changed_since(r, self._contents)}
        files = self._slice(
            [n for n in assumed if n not in self._tried and revision[n] not in shown]
        )
        if not files:
            self._tell_end()
            return False
        self._given_way = False
        self._over = anyio.Event()
        self._files = files
        self._began = time.time_ns()
        return True

    def _slice(self, open_: Collection[str]) -> tuple[SelectedFile, ...]:
        """The files with the oldest verdicts, as many as there is time for."""
        verdicts = self._project.records.verdicts
        files: dict[str, list[str]] = {}
        for nodeid in open_:
            files.setdefault(verdicts[nodeid].path, []).append(nodeid)
        chosen: list[SelectedFile] = []
        left = SLICE if self._sliced else float("inf")
        for path, nodeids in files.items():
            some = []
            for nodeid in nodeids:
                if left > 0:
                    some.append(nodeid)
                    left -= verdicts[nodeid].seconds
            if some:
                reason = Reason("shadow", (path,), "was left out by selection")
                chosen.append(SelectedFile(path, reason, tuple(some)))
        return tuple(chosen)

    async def run(self) -> ShadowDone:
        """Run what was planned, and alone what has shown another outcome.

        Returns:
            What it has shown; to be given to `done`.
        """
        began = time.monotonic()
        try:
            result, _ = await self._run_some(self._files)
            alone: dict[str, Shown] = {}
            for nodeid in self._differing(result)[:ALONE]:
                if self._given_way:
                    break
                alone[nodeid] = await self._run_alone(nodeid)
            moved = await anyio.to_thread.run_sync(self._project.indexer.moved)
        finally:
            self._over.set()
        whole = not self._given_way and not moved and result.finished.outcome != "runner-failed"
        return ShadowDone(result, alone, time.monotonic() - began, whole)

    async def _run_some(
        self, files: tuple[SelectedFile, ...]
    ) -> tuple[RunResult, Mapping[str, TestFinished]]:
        told: dict[str, TestFinished] = {}

        def take(event: Event) -> None:
            if isinstance(event, TestFinished):
                told[event.nodeid] = event

        self._run = self._make_run(files, take)
        try:
            if self._given_way:
                self._run.interrupt(TEARDOWN)
            return await self._run.wait(), told
        finally:
            self._run = None

    async def _run_alone(self, nodeid: str) -> Shown:
        path = self._project.records.verdicts[nodeid].path
        reason = Reason("shadow", (path,), "showed another outcome")
        result, told = await self._run_some((SelectedFile(path, reason, (nodeid,)),))
        if nodeid not in result.ran.outcomes:
            return Shown(None)
        text = told[nodeid].traceback or ""
        return Shown(result.ran.outcomes[nodeid][1], any(word in text for word in _TAKEN))

    def _differing(self, result: RunResult) -> list[str]:
        verdicts = self._project.records.verdicts
        return [
            nodeid
            for nodeid, (_, outcome, _) in result.ran.outcomes.items()
            if nodeid in verdicts and not as_assumed(verdicts[nodeid], outcome)
        ]

    def done(self, message: ShadowDone) -> bool:
        """Keep what a run has shown.

        Args:
            message: of `run`.

        Returns:
            Whether tests fail that were taken to pass: they are due now.
        """
        if not message.whole or self._contents != self._project.contents:
            if not self._given_way:
                # What cannot be run, or itself changes the project, is not tried again and again.
                self._tried.update(name for file in self._files for name in file.nodeids)
            return False
        project = self._project
        found = judged(project.records, message.result.ran, message.alone)
        self._tried.update(name for file in self._files for name in file.nodeids)
        self._tried.difference_update(found.unclear)
        before = project.records
        project.learn(found.ran, self._contents, project.codebase.known, {}, self._began)
        now = time.time()
        skips = [
            self._wrongly(before, nodeid, outcome, now)
            for nodeid, outcome in found.other.items()
            # What shows two outcomes on one content says nothing of selection.
            if nodeid not in project.verdicts.proofs.flaky
        ]
        count = len(message.result.ran.outcomes)
        totals = ShadowTotals(1, count, found.confirmed, message.seconds)
        project.verdicts.note_shadow(totals, skips)
        self._totals += totals
        self._wrong += len(skips)
        for skip in skips:
            self._tell(skip)
        return any(outcome not in GOOD for outcome in found.other.values())

    def _wrongly(self, before: Records, nodeid: str, outcome: TestOutcome, now: float) -> WrongSkip:
        """What is to be known of a test that was skipped wrongly."""
        last = before.verdicts[nodeid].outcome
        seen = self._project.records.dependencies(nodeid)
        missing = sorted(seen - before.dependencies(nodeid))[:MISSING]
        assumed = last if last in GOOD else "passed"
        return WrongSkip(nodeid, now, assumed, outcome, tuple(missing))

    def _tell(self, skip: WrongSkip) -> None:
        self._emit(
            WrongSkipFound(
                nodeid=skip.nodeid,
                assumed=skip.assumed,
                outcome=skip.outcome,
                missing=skip.missing,
            )
        )
        found = ""
        if skip.missing:
            found = f" It was not known to depend on: {', '.join(skip.missing)}."
        said = f"{skip.nodeid} was skipped wrongly: it was taken to be {skip.assumed}, and it is "
        self._emit(
            Notice(
                message=f"{said}{skip.outcome}.",
                severity="error",
                hint=f"From now on every change selects it.{found}",
            )
        )

    def _tell_end(self) -> None:
        """All that was left out has been run."""
        totals, self._totals = self._totals, ShadowTotals()
        wrong, self._wrong = self._wrong, 0
        if totals.runs:
            self._emit(
                ShadowFinished(
                    tests=totals.tests,
                    confirmed=totals.confirmed,
                    wrong=wrong,
                    seconds=round(totals.seconds, 3),
                )
            )

    def give_way(self) -> None:
        """Something else is to be done: end the run; its teardown runs."""
        self._given_way = True
        if self._run is not None:
            self._run.interrupt(TEARDOWN)

    async def ended(self) -> None:
        """Wait until no run is in progress."""
        await self._over.wait()
