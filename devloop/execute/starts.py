"""The start of an app's process: forked from a zygote, in a fresh interpreter, or left alone."""

from __future__ import annotations

import os

import anyio
import msgspec

from devloop.events import Start
from devloop.execute.blank import Blank
from devloop.execute.command import NotPython, Python
from devloop.execute.guard import Guard, Process, Spawn
from devloop.execute.held import Held
from devloop.execute.orders import Declined, Order, Running
from devloop.execute.terminal import Size
from devloop.execute.warm import Warm


class Begun(msgspec.Struct, frozen=True):
    """A process that was started.

    Args:
        process: it.
        start: where it comes from.
        reason: why it was not started warm, where that was wanted.
        running: the way to what runs in it; None where nothing of ours does.
        layered: it comes from a layer, with modules of the project.
    """

    process: Process
    start: Start = "cold"
    reason: str | None = None
    running: Running | None = None
    layered: bool = False


class Starts:
    """Starts the processes of one app.

    Args:
        guard: owns them.
        held: the app's sockets.
        warm: what a start may come from; None where all are cold.
        terminal: the app's streams are a terminal of that size.
    """

    def __init__(
        self, guard: Guard, held: Held, *, warm: Warm | None, terminal: Size | None
    ) -> None:
        self._guard = guard
        self._held = held
        self._warm = warm
        self._terminal = terminal

    async def begin(self, spawn: Spawn, command: Python | NotPython) -> Begun:
        """Start a process, and never leave one behind whose id is not known.

        Args:
            spawn: what, and how.
            command: what its words start.

        Returns:
            The process.

        Raises:
            CommandError: it could not be started.
            GuardianLost: the guardian has died.
        """
        if isinstance(command, NotPython):
            return await self._plain(spawn, command.reason)
        null = os.open(os.devnull, os.O_RDWR)
        try:
            # From here on it may run: so this is not left without knowing its id.
            with anyio.CancelScope(shield=True):
                begun = await self._begin(spawn, self._order(command, spawn, null))
        finally:
            os.close(null)
        return begun

    async def _begin(self, spawn: Spawn, order: Order) -> Begun:
        reason: str | None = None
        if self._warm is not None:
            if self._warm.layers is not None:
                order = msgspec.structs.replace(order, learn=self._warm.layers.unknown)
            reason = self._warm.judge(order.command, spawn)
            if reason is None:
                kind = self._warm.kind
                try:
                    running, layered = await self._warm.start(order)
                except Declined as declined:
                    reason = declined.reason
                else:
                    return Begun(running.process, kind, None, running, layered)
        try:
            blank = await Blank.start(
                self._guard, order.command, spawn.env, spawn.cwd, self._terminal
            )
            running = await blank.run(order)
        except Declined as declined:
            return await self._plain(spawn, reason or declined.reason)
        return Begun(running.process, "cold", reason or None, running)

    async def _plain(self, spawn: Spawn, reason: str) -> Begun:
        """Start a command as it is; of the held sockets it is given those of `listen = […]`."""
        process = await self._guard.spawn(
            msgspec.structs.replace(spawn, listen=self._held.listen_fds())
        )
        return Begun(process, "cold", reason if self._warm is not None else None)

    def _order(self, command: Python, spawn: Spawn, null: int) -> Order:
        stdin, stdout, stderr = (
            null if fd is None else fd for fd in (spawn.stdin, spawn.stdout, spawn.stderr)
        )
        return Order(
            command,
            spawn.env,
            spawn.cwd,
            stdin,
            stdout,
            stderr,
            terminal=spawn.terminal,
            handover=True,
            held=list(zip(*self._held.for_start(), strict=True)),
            stop_signal=spawn.stop_signal,
            stop_timeout=spawn.stop_timeout,
        )
