"""The guardian's client: how everything in devloop starts and ends a process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import anyio
import anyio.to_thread
import msgspec

import devloop
from devloop.errors import ExecuteError, GuardianLost
from devloop.execute import tree
from devloop.execute.process import STOP_REST, Ended, Process, Spawn, State
from devloop.execute.start_faults import command_error
from devloop.inside import messages

__all__ = ["Ended", "Guard", "Process", "Spawn"]

VERSION = 1
START_TIMEOUT = 20.0
"""Seconds that the guardian has to say hello; it needs some hundredths on an idle machine."""

SPAWN_TIMEOUT = 30.0
"""Seconds that a program has to be loaded; a slow network drive may need a few."""

_LOST = "the guardian, which owns every process, died"
_BOOT = (
    "import sys; sys.path[:0] = sys.argv[2:]; "
    "from devloop.execute import guardian; guardian.main(int(sys.argv[1]))"
)


class Guard:
    """Starts the guardian and talks to it: ``async with Guard() as guard``.

    Leaving it ends every process that it has started; each has its own stop timeout for that.
    """

    def __init__(self) -> None:
        self.lost = anyio.Event()
        """Set when the guardian died although nobody had asked it to."""

        self._states: dict[int, State] = {}
        self._number = 0
        self._inbox = messages.Inbox()
        self._sending = anyio.Lock(fast_acquire=True)
        self._hello = anyio.Event()
        self._closed = anyio.Event()
        self._ending = False
        self._name = ""
        self._version: int | None = None
        self._popen: subprocess.Popen[bytes]
        self._channel: socket.socket

    async def __aenter__(self) -> Guard:
        self._channel, theirs = socket.socketpair()
        self._channel.setblocking(False)
        with theirs:
            # vfork and exec: a millisecond or two, and asyncio's own way needs a child watcher.
            self._popen = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, "-I", "-S", "-c", _BOOT, str(theirs.fileno()), *_paths()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        asyncio.get_running_loop().add_reader(self._channel, self._receive)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.end()

    @property
    def pid(self) -> int:
        """The guardian's process id."""
        return self._popen.pid

    async def spawn(self, spawn: Spawn) -> Process:
        """Start a process.

        Args:
            spawn: what, and how.

        Returns:
            The process, which runs its program by now.

        Raises:
            CommandError: it could not be started.
            GuardianLost: the guardian has died.
        """
        if self._closed.is_set():
            raise GuardianLost(_LOST)
        self._number += 1
        state = self._states[self._number] = State(self._number, limit=spawn.stop_timeout)
        with contextlib.ExitStack() as stack:
            null = -1
            if None in (spawn.stdin, spawn.stdout, spawn.stderr):
                null = os.open(os.devnull, os.O_RDWR)
                stack.callback(os.close, null)
            streams = (spawn.stdin, spawn.stdout, spawn.stderr)
            fds = [null if fd is None else fd for fd in streams] + list(spawn.pass_fds)
            fds += [fd for _, fd in spawn.listen]
            message = {
                "m": "spawn",
                "id": state.number,
                "argv": list(spawn.argv),
                "env": dict(spawn.env),
                "cwd": spawn.cwd,
                "fds": [0, 1, 2, *spawn.pass_fds, *range(3, 3 + len(spawn.listen))],
                "listen": [name for name, _ in spawn.listen],
                "terminal": spawn.terminal,
                "stop": [int(spawn.stop_signal), spawn.stop_timeout],
            }
            # From here on it may run: so this is not left without knowing its id.
            with anyio.CancelScope(shield=True), anyio.move_on_after(SPAWN_TIMEOUT):
                await self._greeted()
                await self.send(message, fds)
                await state.answered.wait()
        if not state.answered.is_set():
            self.give_up()
        if state.failure is not None:
            del self._states[state.number]
            raise command_error(spawn, *state.failure)
        if not state.pid:
            raise GuardianLost(_LOST)
        return Process(self, state, spawn.stop_timeout)

    async def adopt(
        self, pid: int, stop_signal: int = signal.SIGKILL, stop_timeout: float = 0.0
    ) -> Process:
        """Own a process that was forked by another one, in a way that made it the guardian's.

        Args:
            pid: its process id; it leads its session.
            stop_signal: what asks it to stop when devloop is gone.
            stop_timeout: seconds that it has for that.

        Returns:
            The process.

        Raises:
            ExecuteError: it is not the guardian's child, or has ended.
            GuardianLost: the guardian has died.
        """
        if self._closed.is_set():
            raise GuardianLost(_LOST)
        self._number += 1
        state = self._states[self._number] = State(self._number, limit=stop_timeout)
        message = {"m": "adopt", "id": state.number, "pid": pid}
        with anyio.CancelScope(shield=True), anyio.move_on_after(SPAWN_TIMEOUT):
            await self.send({**message, "stop": [int(stop_signal), stop_timeout]})
            await state.answered.wait()
        if not state.answered.is_set():
            self.give_up()
        if state.failure is not None:
            del self._states[state.number]
            raise ExecuteError(f"process {pid} is not ours: {os.strerror(state.failure[1])}")
        if not state.pid:
            raise GuardianLost(_LOST)
        return Process(self, state, stop_timeout)

    async def keep_terminal(self, fd: int | None) -> None:
        """Have a terminal's modes of now restored, should devloop die without doing so.

        Args:
            fd: the terminal; None forgets it again.
        """
        modes: list[Any] | None = None
        if fd is not None:
            # Asked here and now: what is set after this call must not be what is kept.
            *modes, characters = termios.tcgetattr(fd)
            modes.append([ord(c) if isinstance(c, bytes) else c for c in characters])
        await self._greeted()
        await self.send({"m": "terminal", "modes": modes}, () if fd is None else (fd,))

    async def end(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - it is the processes that have this time
    ) -> None:
        """End every process and then the guardian.

        A second call can only shorten the time that the first one gives.

        Args:
            timeout: seconds until SIGKILL, for all; None gives each its own.
        """
        self._ending = True
        if not self._closed.is_set():
            await self.send({"m": "end"} if timeout is None else {"m": "end", "timeout": timeout})
            # Each process has its stop timeout; the guardian keeps to these. So what is waited
            # for here is its answer, and the bound only guards against its own fault.
            longest = max((state.limit for state in self._states.values()), default=0.0)
            with anyio.move_on_after((longest if timeout is None else timeout) + 2 * STOP_REST):
                await self._closed.wait()
        self._disconnect()
        try:
            await anyio.to_thread.run_sync(self._popen.wait, 2.0)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def give_up(self) -> None:
        """Treat a guardian that does not answer as dead, so that nobody waits for it."""
        self._popen.kill()
        self._disconnect()

    async def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send one frame; nothing happens where the guardian has died.

        Args:
            message: plain values.
            fds: file descriptors that go with it.
        """
        data = messages.pack(message)
        async with self._sending:
            while data and not self._closed.is_set():
                try:
                    # The descriptors travel with the first byte, and only with that.
                    sent = socket.send_fds(self._channel, [data], list(fds))
                except BlockingIOError:
                    await anyio.wait_writable(self._channel)
                    continue
                except OSError:
                    self._disconnect()
                    return
                fds = ()
                data = data[sent:]

    async def _greeted(self) -> None:
        with anyio.move_on_after(START_TIMEOUT):
            await self._hello.wait()
        if not self._hello.is_set():
            self.give_up()
        if self._version not in (None, VERSION):
            raise ExecuteError(
                f"the guardian speaks version {self._version}, not {VERSION}",
                hint="devloop was replaced while it ran: start it again.",
            )

    def _receive(self) -> None:
        try:
            data = self._channel.recv(messages.CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._disconnect()
            return
        for message in self._inbox.take(data):
            self._dispatch(message)

    def _dispatch(self, message: dict[str, Any]) -> None:
        kind = message["m"]
        if kind == "hello":
            self._version = message["v"]
            self._name = message["name"]
            self._hello.set()
            return
        state = self._states.get(message["id"])
        if state is None:
            return
        if kind == "spawned":
            state.pid, state.name = message["pid"], message["name"]
            state.answered.set()
        elif kind == "failed":
            state.failure = (message["stage"], message["errno"])
            state.answered.set()
        elif kind == "ended":
            state.how = _ended(message["status"])
            state.ended.set()
            if message["gone"]:
                state.gone.set()
        elif kind == "gone":
            left = tuple(message["left"])
            # Not even its own end was seen: it hangs in the kernel.
            state.how = msgspec.structs.replace(state.how or _ended(-signal.SIGKILL), left=left)
            state.ended.set()
            state.gone.set()
        if state.gone.is_set():
            del self._states[state.number]

    def _disconnect(self) -> None:
        """The guardian has gone, asked to or not."""
        if self._closed.is_set():
            return
        self._closed.set()
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        if not self._ending:
            self._popen.kill()
            self._kill_known()
            self.lost.set()
        self._hello.set()
        for state in self._states.values():
            state.answered.set()
            state.ended.set()
            state.gone.set()

    def _kill_known(self) -> None:
        """Kill what the guardian owned: its children got SIGKILL by its death, others did not."""
        import psutil

        for _ in range(3):
            marked = [pid for pid in psutil.pids() if self._name and self._name in tree.mark(pid)]
            groups = [
                state.pid
                for state in self._states.values()
                if state.pid and state.how is None and tree.group(state.pid) == state.pid
            ]
            for pid in marked:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            for pid in groups:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)


def _ended(status: int) -> Ended:
    if status >= 0:
        return Ended(code=status)
    try:
        return Ended(signal=signal.Signals(-status).name)
    except ValueError:
        # Real-time signals have numbers only.
        return Ended(signal=f"SIG{-status}")


def _paths() -> list[str]:
    """Where the guardian finds devloop and psutil, without site-packages' start-up."""
    origins = [devloop.__file__]
    spec = importlib.util.find_spec("psutil")
    if spec is not None and spec.origin is not None:
        origins.append(spec.origin)
    return list(dict.fromkeys(str(Path(origin).absolute().parents[1]) for origin in origins))
