"""A test run: pytest in the project's interpreter, each result told as it comes."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import anyio
import anyio.lowlevel
import msgspec

from devloop.config.pytest_settings import PytestSettings
from devloop.events import Event, Notice, Output, RunStarted
from devloop.execute import priority
from devloop.execute.channel import Channel
from devloop.execute.guard import Ended, Guard, Process, Spawn
from devloop.execute.holders import NOT_YET
from devloop.execute.interpreter import Interpreter
from devloop.execute.recorded import Recorded
from devloop.execute.run_state import RunResult, RunState
from devloop.execute.streams import Reader, Tail
from devloop.execute.warm_tests import RUNNER, TEARDOWN, Plan, Start, WarmTests
from devloop.execute.workers import (
    Workers,
    choose,
    filled_in,
    from_environment,
    makespan,
    names_xdist,
)
from devloop.inside import messages
from devloop.select.selection import SelectedFile

LINGER = 10.0
"""Seconds that pytest's process has to end once the session is over."""

INSIST = 2.0
"""Seconds between a further signal and the next stage."""


class Chosen(msgspec.Struct, frozen=True):
    """What is to run, and how.

    Args:
        selection: the chosen files, in order; None runs all that pytest finds.
        whole: all that is known to hold tests is chosen, and so is what pytest alone knows of.
        paths: given to pytest as its arguments: ``[tests] paths``, or what the user has named.
        args: further arguments, from the configuration.
        once: further arguments for this run alone (``--pytest-args``); what they leave out is
            no less due.
        workers: ``[tests] workers``.
        seconds: what each file's due tests have taken, as far as that is known.
        folders: those that pytest may put on `sys.path`, absolute.
        record: note on what each test depends.
        memos: functions that keep results, ``path::`` and what the sources' facts say of them;
            None where not all sources have been read.
    """

    selection: tuple[SelectedFile, ...] | None = None
    whole: bool = False
    paths: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    workers: Literal["auto"] | int = "auto"
    seconds: Mapping[str, float] = {}
    folders: tuple[str, ...] = ()
    record: bool = True
    memos: tuple[str, ...] | None = None

    def without_listings(self) -> Chosen:
        """The same, with all that is in the chosen files made."""
        files = self.selection and tuple(
            msgspec.structs.replace(file, listed=False) for file in self.selection
        )
        return msgspec.structs.replace(self, selection=files)


class TestRun:
    """One run of pytest. `wait` runs it; the other methods may be called meanwhile.

    Args:
        guard: owns the process.
        interpreter: the project's; it has pytest.
        root: the project's, where pytest runs.
        tests: what is to run.
        settings: pytest's own.
        env: the tests' whole environment.
        emit: takes events.
        warm: where the process may come from; None has every run be a cold one.
        low: it steps back for everything else that wants the processor.
    """

    __test__ = False

    def __init__(
        self,
        guard: Guard,
        interpreter: Interpreter,
        root: Path,
        tests: Chosen,
        settings: PytestSettings,
        env: Mapping[str, str],
        emit: Callable[[Event], None],
        warm: WarmTests | None = None,
        *,
        low: bool = False,
    ) -> None:
        self._warm = warm
        self._low = low
        self._guard = guard
        self._interpreter = interpreter
        self._root = root
        self._tests = tests
        self._settings = settings
        self._env = env
        self._emit = emit
        self.shifted: frozenset[str] = frozenset()
        """The files that turned out to hold other tests than they were known to hold."""

        self._state = self._fresh()
        self._tail = Tail()
        self._order: Literal["finish", "interrupt"] | None = None
        self._deadline = float("inf")
        self._ordered = anyio.Event()

    @property
    def plan(self) -> Plan:
        """What decides on the modules that it imports."""
        tests = self._tests
        settings = (repr(self._settings), *tests.args, *tests.once)
        return Plan(self._interpreter, settings, self._env, tests.folders)

    def remaining(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What has not ended yet.

        Returns:
            The tests that run now; and those that are still to come, or, until they have been
            collected, their files.
        """
        return self._state.remaining()

    def finish_current(self) -> None:
        """Let the tests that run now come to their end, and then stop.

        Every fixture is torn down. A run that has not collected yet stops doing so.
        """
        if self._order is None:
            self._change_order("finish")

    def interrupt(self, teardown: float = TEARDOWN) -> None:
        """Interrupt the tests that run now, as Ctrl-C would; every fixture is torn down.

        Args:
            teardown: seconds until it is forced, in stages, whatever it does. A second call
                can only shorten that.
        """
        self._deadline = min(self._deadline, time.monotonic() + teardown)
        self._change_order("interrupt")

    async def wait(self) -> RunResult:
        """Run to the end.

        Cancelling this interrupts the run, and waits for its teardown.

        Returns:
            What it has shown.

        Raises:
            CommandError: the interpreter cannot be started.
            GuardianLost: the guardian has died.
            MissingDistribution: workers are asked for, and xdist is not installed.
        """
        begun = time.monotonic()
        workers = self._choose_workers()
        self._state.excuse_difference = workers.ours
        result = await self._attempt(workers, begun)
        if self._state.shifted and self._order is None:
            self.shifted = self._state.shifted
            self._tests = self._tests.without_listings()
            self._state = self._fresh()
            self._state.excuse_difference = workers.ours
            result = await self._attempt(workers, begun)
        if self._state.differs and workers.ours and self._order is None:
            self._emit(
                Notice(
                    message="The workers collected different tests: they run in one process.",
                    hint="Tests whose parameters come from a set, the clock or chance have other "
                    "names each time. `[tests] workers = 0` saves this second try.",
                )
            )
            self._state = self._fresh()
            workers = Workers()
            result = await self._attempt(workers, begun)
        misled = self._warm.misled if self._warm is not None else None
        if misled is not None and self._order is None:
            self._emit(
                Notice(
                    f"The tests set ${misled}, which what they import had read before: run again."
                )
            )
            self._state = self._fresh()
            result = await self._attempt(workers, begun)
        self._emit(result.finished)
        return result

    def _fresh(self) -> RunState:
        recorded = Recorded(self._interpreter) if self._tests.record else None
        return RunState(
            self._emit, self._tests.selection, recorded, narrowed=bool(self._tests.once)
        )

    def _change_order(self, order: Literal["finish", "interrupt"]) -> None:
        self._order = order
        self._ordered.set()

    def _choose_workers(self) -> Workers:
        tests = self._tests
        addopts = (*self._settings.addopts, *from_environment(self._env))
        # Of "everything" nothing is predicted but what is known of it.
        paths = [f.path for f in tests.selection] if tests.selection is not None else tests.seconds
        workers = choose(
            tests.workers,
            [tests.seconds.get(path) for path in paths],
            self._interpreter,
            functools.partial(names_xdist, self._root),
            args=(*tests.args, *tests.once),
            addopts=addopts,
        )
        if workers.notice:
            self._emit(Notice(message=workers.notice))
        return workers

    def _predicted(self, workers: int) -> float | None:
        """Seconds that the tests will take; None where nothing is known of any of them."""
        taken = [self._tests.seconds.get(file.path) for file in self._tests.selection or ()]
        if all(value is None for value in taken):
            return None
        return round(makespan(filled_in(taken), workers), 3)

    def _args(self, workers: Workers) -> tuple[str, ...]:
        tests = self._tests
        # One file that does not import is no reason to leave the others out.
        ours = ["--continue-on-collection-errors", *workers.args]
        if tests.selection is not None and "pytest-cov" in self._interpreter.distributions:
            # Some of the tests cannot cover what all of them must.
            ours.append("--cov-fail-under=0")
        return (*tests.args, *tests.once, *ours, *tests.paths)

    async def _attempt(self, workers: Workers, begun: float) -> RunResult:
        with Channel() as channel, contextlib.ExitStack() as stack:
            readable, writable = os.pipe()
            stack.callback(os.close, readable)
            try:
                process = await self._start(workers, channel.child_fd, writable, stack)
            finally:
                os.close(writable)
            channel.handed_over()
            reader = Reader(readable, self._printed)
            try:
                ended = await self._follow(process, channel, reader)
            finally:
                # Also what the tests have left behind.
                with anyio.CancelScope(shield=True):
                    alive = process.ended is None
                    await process.stop(
                        signal.SIGINT if alive else signal.SIGTERM, TEARDOWN if alive else INSIST
                    )
            for message in channel.rest():
                self._state.take(message)
            reader.finish()
        printed = "\n".join(filter(None, (self._state.printed, self._tail.text)))
        seconds = round(time.monotonic() - begun, 3)
        return self._state.result(
            str(ended), ended.code, seconds, printed, cancelled=self._order is not None
        )

    async def _start(
        self, workers: Workers, channel: int, output: int, stack: contextlib.ExitStack
    ) -> Process:
        """Start pytest, from a zygote if that may be."""
        selected = sum(len(file.nodeids) or 1 for file in self._tests.selection or ())
        started = RunStarted(
            selected=selected, workers=workers.count, predicted=self._predicted(workers.count)
        )
        args = self._args(workers)
        if self._warm is not None:
            warm = self._warm
            stack.callback(lambda: warm.ended(self._state.loaded))
            running = await self._warm.begin(
                Start(
                    plan=self.plan,
                    args=args,
                    output=output,
                    channel=channel,
                    workers=workers.count,
                )
            )
            if running is not None:
                stack.callback(running.close)
                self._emit(msgspec.structs.replace(started, start="warm"))
                return running.process
            started = msgspec.structs.replace(started, reason=self._warm.reason)
            if started.reason not in (None, NOT_YET):
                self._emit(Notice(message=f"The tests start cold: {started.reason}."))
        self._emit(started)
        process = await self._guard.spawn(
            Spawn(
                argv=(self._interpreter.path, str(RUNNER), *args),
                env={**self._env, messages.CHANNEL: str(channel)},
                cwd=str(self._root),
                stdout=output,
                stderr=output,
                pass_fds=(channel,),
                # Should devloop be gone, the fixtures are torn down all the same.
                stop_signal=signal.SIGINT,
                stop_timeout=TEARDOWN,
            )
        )
        if self._low:
            priority.lowest(process.pid)
        return process

    async def _follow(self, process: Process, channel: Channel, reader: Reader) -> Ended:
        async with anyio.create_task_group() as group:
            group.start_soon(channel.send, self._selection_message())
            group.start_soon(reader.run)
            group.start_soon(self._carry_out, process, channel)
            finished = anyio.Event()
            group.start_soon(self._receive, channel, finished, process.pid)
            group.start_soon(self._limit_end, process, finished)
            ended = await process.wait()
            group.cancel_scope.cancel()
        return ended

    def _selection_message(self) -> dict[str, object]:
        selection = self._tests.selection
        files = None if selection is None else [(f.path, list(f.nodeids)) for f in selection]
        root = os.path.realpath(self._root)
        return {
            "m": "select",
            "root": root,
            "files": files,
            "listed": [file.path for file in selection or () if file.listed],
            "whole": self._tests.whole,
            "teach": self._warm is not None,
            "record": self._tests.record,
            "memos": self._tests.memos,
        }

    async def _receive(self, channel: Channel, finished: anyio.Event, pid: int) -> None:
        async for batch in channel.receive():
            for message in batch:
                self._state.take(message)
            if self._state.finish_code is not None and not finished.is_set():
                finished.set()
                if self._warm is not None:
                    await self._warm.finishing(pid)
            # Thousands of quick tests must not keep the rest of devloop waiting.
            await anyio.lowlevel.checkpoint()

    async def _limit_end(self, process: Process, finished: anyio.Event) -> None:
        """A thread that a test has left running must not keep the run from ending."""
        await finished.wait()
        await anyio.sleep(LINGER)
        self._state.lingered = True
        self._emit(
            Notice(
                message=f"The tests are over, but pytest's process still ran {LINGER:.0f} s later. "
                "It was stopped.",
                severity="warning",
                hint="A test has probably started a thread that does not end.",
            )
        )
        await process.stop(signal.SIGTERM, INSIST)

    async def _carry_out(self, process: Process, channel: Channel) -> None:
        """Hand an order on, and see to it that an interrupt takes effect in time."""
        done: str | None = None
        while done != "interrupt":
            await self._ordered.wait()
            self._ordered = anyio.Event()
            if self._order is None or self._order == done:
                continue
            done = self._order
            self._state.stopping = True
            await channel.send({"m": done})
        # In one process nobody reads the channel while a test runs. Workers get it from there:
        # an interrupt of their controller would cut their teardown short.
        if not self._state.distributed:
            _signal(process, signal.SIGINT)
        await self._until_deadline()
        await process.signal(signal.SIGINT)
        await anyio.sleep(INSIST)
        await process.stop(signal.SIGTERM, INSIST)

    async def _until_deadline(self) -> None:
        while (left := self._deadline - time.monotonic()) > 0:
            with anyio.move_on_after(left):
                await self._ordered.wait()
            self._ordered = anyio.Event()

    def _printed(self, lines: list[str]) -> None:
        self._tail.add(lines)
        if self._state.passthrough:
            self._emit(Output(source="tests", name="pytest", text="\n".join(lines)))


def _signal(process: Process, number: int) -> None:
    """Signal the process itself, not what its tests have started."""
    if process.ended is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
