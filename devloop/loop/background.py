"""What goes on beside the loop; each comes back to it as a message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from devloop.loop.cycle import Cycle
from devloop.loop.emitter import Emitter
from devloop.loop.messages import Idle, Message, RunDone, StepsDone
from devloop.loop.project import Project
from devloop.loop.shadow import IDLE, Shadow
from devloop.loop.steps import Steps
from devloop.loop.tests import Tests

TICK = 0.2
"""How often a reporter may redraw while a cycle is busy, in seconds; never while idle."""


class Background:
    """Begins what takes its time.

    Args:
        project: whose.
        tasks: it goes on in these.
        send: takes the messages.
        emitter: knows the cycle that goes on.
        steps: of the loop.
        tests: of the loop.
        shadow: of the loop.
    """

    def __init__(
        self,
        project: Project,
        tasks: TaskGroup,
        send: Callable[[Message], Awaitable[None]],
        emitter: Emitter,
        steps: Steps,
        tests: Tests,
        shadow: Shadow,
    ) -> None:
        self.read = anyio.Event()
        """The whole project has been read, or nobody waits for that any more."""

        self._project = project
        self._tasks = tasks
        self._send = send
        self._emitter = emitter
        self._steps = steps
        self._tests = tests
        self._shadow = shadow

    def run_steps(self) -> None:
        """Run the steps that are due."""
        self._tasks.start_soon(self._run_steps)

    def run_tests(self) -> None:
        """Run the tests that were begun."""
        self._tasks.start_soon(self._run_tests)

    def run_shadow(self) -> None:
        """Run the tests that the shadow has chosen."""
        self._tasks.start_soon(self._run_shadow)

    def tell_when_idle(self, cycle: int) -> None:
        """Say after a while that there was nothing to do.

        Args:
            cycle: the last one.
        """
        self._tasks.start_soon(self._wait_until_idle, cycle)

    def tick(self, cycle: Cycle) -> None:
        """Let time pass on the screen.

        Args:
            cycle: as long as it goes on.
        """
        if self._emitter.ticks:
            self._tasks.start_soon(self._tick, cycle)

    async def _run_steps(self) -> None:
        self._project.indexer.edited.drop()
        await self._send(StepsDone(await self._steps.run()))

    async def _run_tests(self) -> None:
        # What both use, a port or a database, is not shared by two runs.
        await self._shadow.ended()
        self._project.indexer.edited.drop()
        result = await self._tests.run()
        # The first tests did not wait for the project to be read; their verdicts do.
        await self.read.wait()
        moved = await anyio.to_thread.run_sync(self._project.indexer.moved)
        await self._send(RunDone(result, moved))

    async def _run_shadow(self) -> None:
        self._project.indexer.edited.drop()
        await self._send(await self._shadow.run())

    async def _wait_until_idle(self, cycle: int) -> None:
        await anyio.sleep(IDLE)
        await self._send(Idle(cycle))

    async def _tick(self, cycle: Cycle) -> None:
        while self._emitter.cycle is cycle:
            self._emitter.tick()
            await anyio.sleep(TICK)
