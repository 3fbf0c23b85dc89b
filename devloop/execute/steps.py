"""Running steps: those that are out of date, in the order of their needs, side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio
import anyio.abc
import anyio.to_thread

from devloop.config.types import Step, argv, seconds
from devloop.errors import CommandError
from devloop.events import Diagnostic, Event, Output, StepFinished, StepStarted
from devloop.execute import step_files
from devloop.execute.guard import Guard, Process, Spawn
from devloop.execute.streams import Reader, plain
from devloop.plan import diagnostics
from devloop.plan.diagnostics import Problem
from devloop.plan.steps import Schedule, StepRecord, is_up_to_date, key, made
from devloop.select.steps import needed

RUNS = 3
"""How often a step runs in one pass while its own inputs change meanwhile."""
REST = 1.0
"""Seconds that the output of what a step left behind may take to end."""


class StepStore(Protocol):
    """Where the last successes of steps are kept."""

    def load_steps(self) -> Mapping[str, StepRecord]:
        """The last success of every step, by its name."""

    def save_step(self, name: str, record: StepRecord | None) -> None:
        """Remember a success; None forgets it."""


async def run_steps(
    steps: Mapping[str, Step],
    names: Collection[str],
    *,
    scope: anyio.CancelScope,
    guard: Guard,
    store: StepStore,
    root: Path,
    environment: Mapping[str, str],
    emit: Callable[[Event], None],
    force: Collection[str] = (),
) -> tuple[StepFinished, ...]:
    """Bring steps up to date, and first what they need.

    Args:
        steps: all of them, by name.
        names: those that are asked for.
        scope: to cancel the pass: what runs is stopped, what waits does not begin.
        guard: owns the processes.
        store: where the last successes are kept.
        root: the project's.
        environment: the project's; each step's own is put on top.
        emit: is given what happens.
        force: those that run even if they are up to date.

    Returns:
        How each step of `names`, and each other one that ran, came out.

    Raises:
        GuardianLost: the guardian died.
    """
    current = _Pass(steps, frozenset(names), guard, store, root, environment, emit, force)
    with scope:
        await current.run()
    return current.result()


class _Pass:
    """One pass over some steps."""

    def __init__(
        self,
        steps: Mapping[str, Step],
        asked: frozenset[str],
        guard: Guard,
        store: StepStore,
        root: Path,
        environment: Mapping[str, str],
        emit: Callable[[Event], None],
        force: Collection[str],
    ) -> None:
        self._steps = steps
        self._asked = asked
        self._guard = guard
        self._store = store
        self._root = root
        self._environment = environment
        self._emit = emit
        self._force = force
        self._records = dict(store.load_steps())
        self._finished: dict[str, StepFinished] = {}
        self._limit = anyio.CapacityLimiter(os.cpu_count() or 1)

    async def run(self) -> None:
        """Run them all."""
        schedule = Schedule(self._steps, needed(self._steps, self._asked))
        send, receive = anyio.create_memory_object_stream[StepFinished](len(self._steps))
        async with send, receive, anyio.create_task_group() as tasks:
            while schedule.active:
                start, skipped = schedule.ready()
                for name, bad in skipped:
                    message = f"it needs the step {bad}, which failed"
                    self._end(StepFinished(name=name, outcome="failed", message=message))
                for name in start:
                    tasks.start_soon(self._bring_up_to_date, name, send)
                if schedule.active:
                    finished = await receive.receive()
                    schedule.ended(finished.name, ok=finished.outcome != "failed")

    def result(self) -> tuple[StepFinished, ...]:
        """How they came out; what has not ended was cancelled."""
        return tuple(
            self._finished.get(name) or StepFinished(name=name, outcome="cancelled")
            for name in self._steps
            if name in self._asked or name in self._finished
        )

    async def _bring_up_to_date(
        self, name: str, send: anyio.abc.ObjectSendStream[StepFinished]
    ) -> None:
        async with self._limit:
            step, asked = self._steps[name], name in self._asked
            now, outputs = await self._look(step)
            fresh = is_up_to_date(step, self._records.get(name), now, outputs, asked=asked)
            if fresh and not (asked and name in self._force):
                finished = StepFinished(name=name, outcome="up-to-date")
                if asked:
                    self._end(finished)
            else:
                finished = await self._build(name, step, now)
                self._end(finished)
        await send.send(finished)

    async def _build(self, name: str, step: Step, now: bytes) -> StepFinished:
        began = time.monotonic()
        self._emit(StepStarted(name=name))
        last = self._records.get(name)
        self._remember(name, None)  # if it does not end, nobody knows what it has written
        done = partial(StepFinished, name=name)
        try:
            for _ in range(RUNS):
                problem = await self._execute(name, step)
                if problem is not None:
                    return done(outcome="failed", seconds=_since(began), message=problem)
                before = now
                now, outputs = await self._look(step)
                if now == before:
                    break
            # A tool that mends its inputs is quiet the second time. One that never is has
            # been given `RUNS` chances to see an edit; what it left is taken as it is.
            missing = await anyio.to_thread.run_sync(self._missing, step)
            if missing:
                names = ", ".join(missing)
                message = f"it ended well and has not made {names}"
                return done(outcome="failed", seconds=_since(began), message=message)
            # Where nothing is declared, each success may have made something else.
            token = made(outputs) if step.outputs else os.urandom(16)
            self._remember(name, StepRecord(now, outputs, token))
            note = None if now == before else "it changes its own inputs each time it runs"
            return done(
                outcome="built",
                seconds=_since(began),
                message=note,
                changed=last is None or last.made != token,
            )
        except anyio.get_cancelled_exc_class():
            self._end(done(outcome="cancelled", seconds=_since(began)))
            raise

    async def _execute(self, name: str, step: Step) -> str | None:
        """Run its command once; return what is wrong, if something is."""
        out, into = os.pipe()
        try:
            try:
                process = await self._guard.spawn(
                    Spawn(
                        argv=argv(step.command),
                        env={**self._environment, **step.env},
                        cwd=str(self._root / (step.cwd or "")),
                        stdout=into,
                        stderr=into,
                    )
                )
            except CommandError as error:
                return str(error)
            finally:
                os.close(into)
            problems: list[Problem] = []
            parse = diagnostics.reader(step.diagnostics) if step.diagnostics is not None else None
            reader = Reader(out, partial(self._on_lines, name, parse, problems))
            limit = seconds(step.timeout) if step.timeout is not None else None
            message = await self._attend(process, reader, limit)
            for problem in problems:
                self._emit(self._diagnostic(name, step, problem, failed=message is not None))
            return message
        finally:
            os.close(out)

    async def _attend(self, process: Process, reader: Reader, limit: float | None) -> str | None:
        """Read what a process prints until it has ended, in one way or another."""
        closed = anyio.Event()

        async def read() -> None:
            await reader.run()
            closed.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            try:
                with anyio.move_on_after(limit) as timer:
                    await process.wait()
            finally:
                # Also what it has left behind goes; so its output ends.
                with anyio.CancelScope(shield=True):
                    ended = await process.stop()
            with anyio.move_on_after(REST):
                await closed.wait()
            tasks.cancel_scope.cancel()
        reader.finish()
        if timer.cancelled_caught:
            return f"it had not ended after {limit:g} s and was stopped"
        return None if ended.code == 0 else str(ended)

    def _on_lines(
        self,
        name: str,
        parse: Callable[[str], Problem | None] | None,
        problems: list[Problem],
        lines: list[str],
    ) -> None:
        self._emit(Output(source="step", name=name, text="\n".join(lines)))
        if parse is not None:
            problems.extend(found for line in lines if (found := parse(plain(line))))

    def _diagnostic(self, name: str, step: Step, problem: Problem, *, failed: bool) -> Diagnostic:
        path = Path(os.path.normpath(self._root / (step.cwd or "") / problem.path))
        if path.is_relative_to(self._root):
            path = path.relative_to(self._root)
        return Diagnostic(
            path=path.as_posix(),
            line=problem.line,
            column=problem.column,
            message=problem.message,
            severity=problem.severity or ("error" if failed else "warning"),
            source=name,
        )

    async def _look(self, step: Step) -> tuple[bytes, dict[str, bytes]]:
        """The step's key as things are, and the outputs that are there."""
        found = await anyio.to_thread.run_sync(
            step_files.inputs, self._root, step.inputs, step.outputs
        )
        outputs, _ = await anyio.to_thread.run_sync(step_files.outputs, self._root, step.outputs)
        needs = {need: self._records[need].made for need in step.needs if need in self._records}
        return key(step, found, needs), outputs

    def _missing(self, step: Step) -> tuple[str, ...]:
        return step_files.outputs(self._root, step.outputs)[1]

    def _remember(self, name: str, record: StepRecord | None) -> None:
        if record is not None:
            self._records[name] = record
        elif self._records.pop(name, None) is None:
            return
        self._store.save_step(name, record)

    def _end(self, finished: StepFinished) -> None:
        self._finished[finished.name] = finished
        self._emit(finished)


def _since(began: float) -> float:
    return time.monotonic() - began
