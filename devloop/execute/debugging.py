"""A failing test under a debugger, at a pseudo-terminal of its own or waiting for an editor.

Whatever the debugger does to its terminal, the real one is not its: that is handed bytes.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import anyio

from devloop.errors import UsageError
from devloop.execute.guard import Guard, Spawn
from devloop.execute.interpreter import Interpreter
from devloop.execute.streams import CHUNK, Reader
from devloop.execute.terminal import Size, Terminal
from devloop.execute.wiring import Wiring

PORT = 5678
"""Where debugpy listens by its own and its editors' habit."""

LAST = 1.0
"""Seconds in which the last output of a process that has ended is read."""

STOP = 3.0
"""Seconds that the debugged process has to end when it is told to."""


def command(
    interpreter: Interpreter, nodeid: str, args: Sequence[str], *, port: int | None = None
) -> tuple[str, ...]:
    """The words that run one test under a debugger.

    Args:
        interpreter: the project's.
        nodeid: of the test, or the path of a file that cannot be collected.
        args: of the configuration, for pytest.
        port: where debugpy waits for an editor; None is pytest's own debugger.

    Raises:
        UsageError: debugpy is asked for and not installed.
    """
    ours = ["-n0"] if interpreter.xdist else []
    if "pytest-cov" in interpreter.distributions:
        ours.append("--no-cov")  # both want to trace
    if port is None:
        return (interpreter.path, "-m", "pytest", *args, *ours, "--pdb", nodeid)
    if "debugpy" not in interpreter.distributions:
        raise UsageError(
            f"debugpy is not installed in {interpreter.path}", hint=interpreter.install("debugpy")
        )
    listen = ("-m", "debugpy", "--listen", f"127.0.0.1:{port}", "--wait-for-client")
    return (interpreter.path, *listen, "-m", "pytest", *args, *ours, nodeid)


def free_port() -> int:
    """The usual port, or another one where somebody has that."""
    for port in (PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    raise UsageError("there is no free port on 127.0.0.1")


class Debugging:
    """One debugged process.

    Args:
        guard: owns it.
        argv: see `command`.
        env: its environment, whole.
        root: where it runs.
    """

    def __init__(
        self, guard: Guard, argv: Sequence[str], env: Mapping[str, str], root: Path
    ) -> None:
        self._guard = guard
        self._argv = argv
        self._env = dict(env)
        self._root = root
        self._scope = anyio.CancelScope()
        self.terminal: Terminal | None = None
        """What a person types into, while it has one."""

    def stop(self) -> None:
        """End it."""
        self._scope.cancel()

    async def at_terminal(self, size: Size, show: Callable[[bytes], None]) -> None:
        """Run it at a pseudo-terminal until it ends, or is stopped.

        Args:
            size: of the window.
            show: takes all that it prints, as it is.

        Raises:
            CommandError: it cannot be started.
            GuardianLost: the guardian died.
        """
        # They would hide the window's real size.
        self._env.pop("LINES", None)
        self._env.pop("COLUMNS", None)
        self._env.setdefault("TERM", "xterm-256color")
        with Wiring(size) as wiring:
            self.terminal = wiring.terminal
            try:
                await self._run(wiring, lambda: _pass_on(wiring.output, show))
            finally:
                self.terminal = None

    async def in_lines(self, tell: Callable[[list[str]], None]) -> None:
        """Run it without a terminal until it ends, or is stopped.

        Args:
            tell: takes the lines that it prints.

        Raises:
            CommandError: it cannot be started.
            GuardianLost: the guardian died.
        """
        with Wiring(None) as wiring:
            reader = Reader(wiring.output, tell)
            await self._run(wiring, reader.run)
            reader.finish()

    async def _run(self, wiring: Wiring, read: Callable[[], Awaitable[None]]) -> None:
        process = await self._guard.spawn(
            Spawn(
                argv=self._argv,
                env=self._env,
                cwd=str(self._root),
                stdin=wiring.stdin,
                stdout=wiring.stdout,
                stderr=wiring.stdout,
                terminal=wiring.terminal is not None,
                stop_signal=signal.SIGTERM,
                stop_timeout=STOP,
            )
        )
        wiring.started()
        with self._scope:
            async with anyio.create_task_group() as tasks:
                over = anyio.Event()
                tasks.start_soon(_until_over, read, over)
                await process.wait()
                # What it has started may have its terminal, too, and go on.
                with anyio.move_on_after(LAST):
                    await over.wait()
                tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await process.stop(signal.SIGTERM, STOP)


async def _until_over(read: Callable[[], Awaitable[None]], over: anyio.Event) -> None:
    await read()
    over.set()


async def _pass_on(fd: int, show: Callable[[bytes], None]) -> None:
    os.set_blocking(fd, False)
    while True:
        await anyio.wait_readable(fd)
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            continue
        except OSError:
            return  # EIO: nobody has the other end open any more
        if not data:
            return
        show(data)
