"""A process that the guardian owns, as the rest of devloop sees it."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import anyio
import msgspec

from devloop.errors import GuardianLost

STOP_REST = 4.0
"""Seconds beside the stop timeout after which the guardian must have answered."""


class Spawn(msgspec.Struct, frozen=True):
    """What is to be started.

    Args:
        argv: the program, found on `env`'s PATH, and its arguments.
        env: the whole environment.
        cwd: the working directory.
        stdin: our file descriptor for it; None is ``/dev/null``. So for the others. They stay
            ours: close them after `Guard.spawn`.
        stdout: see `stdin`.
        stderr: see `stdin`.
        terminal: `stdin` is a pseudo-terminal's slave, and shall control the new session.
        pass_fds: more of our file descriptors, to have the same numbers there.
        listen: listening sockets, each a name and our descriptor, that it finds from number 3
            on, as ``LISTEN_FDS`` says (sd_listen_fds(3)); there are no `pass_fds` then.
        stop_signal: what asks it to stop when devloop is gone.
        stop_timeout: seconds that it has for that.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    terminal: bool = False
    pass_fds: Sequence[int] = ()
    listen: Sequence[tuple[str, int]] = ()
    stop_signal: int = signal.SIGTERM
    stop_timeout: float = 5.0


class Ended(msgspec.Struct, frozen=True):
    """How a process ended.

    Args:
        code: its exit code, or None where a signal ended it.
        signal: that signal's name, as in ``SIGKILL``.
        left: processes of its tree that not even SIGKILL has ended.
    """

    code: int | None = None
    signal: str | None = None
    left: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"exit code {self.code}" if self.signal is None else f"signal {self.signal}"


class State(msgspec.Struct, eq=False):
    """What the guardian has said about one process.

    Args:
        number: by which it and devloop call it.
        answered: it runs, or could not be started.
        ended: it has ended.
        gone: all that came of it has ended, too.
        pid: its id; 0 where it has not been started.
        name: its mark.
        limit: seconds that it has to stop.
        failure: the stage in which it could not be started, and the error's number.
        how: how it ended.
    """

    number: int
    answered: anyio.Event = msgspec.field(default_factory=anyio.Event)
    ended: anyio.Event = msgspec.field(default_factory=anyio.Event)
    gone: anyio.Event = msgspec.field(default_factory=anyio.Event)
    pid: int = 0
    name: str = ""
    limit: float = 0.0
    failure: tuple[str, int] | None = None
    how: Ended | None = None


class Client(Protocol):
    """What a process needs to reach the guardian."""

    async def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send it a message."""

    def give_up(self) -> None:
        """Treat it as dead."""


class Process:
    """A process that the guardian owns. `Guard.spawn` makes these."""

    def __init__(self, guard: Client, state: State, stop_timeout: float) -> None:
        self._guard = guard
        self._state = state
        self._stop_timeout = stop_timeout

    @property
    def pid(self) -> int:
        """Its id; also that of its process group and of its session."""
        return self._state.pid

    @property
    def mark(self) -> str:
        """Its name, in the environment of all its descendants (`tree.MARK`)."""
        return self._state.name

    @property
    def ended(self) -> Ended | None:
        """How it ended; None while it runs."""
        return self._state.how

    async def wait(self) -> Ended:
        """Wait until it has ended; what it has started may live on.

        Returns:
            How it ended.

        Raises:
            GuardianLost: the guardian died meanwhile.
        """
        await self._state.ended.wait()
        return self._result()

    async def wait_tree(self) -> Ended:
        """Wait until it has ended, and all that came of it.

        Returns:
            How it ended.

        Raises:
            GuardianLost: the guardian died meanwhile.
        """
        await self._state.gone.wait()
        return self._result()

    async def stop(
        self,
        number: int = signal.SIGTERM,
        timeout: float | None = None,  # noqa: ASYNC109 - it is the process that has this time
    ) -> Ended:
        """End it and all that came of it, in stages, each within a set time.

        The signal goes to its process group; what has left the group is asked once the group
        is gone; at the timeout all that is left gets SIGKILL. A second call can only shorten
        the timeout. After its end this ends what it has left behind.

        Args:
            number: the signal that asks.
            timeout: seconds until SIGKILL; None is its `stop_timeout`.

        Returns:
            How it ended.

        Raises:
            GuardianLost: the guardian died; all that is known of the tree has been killed.
        """
        if timeout is None:
            timeout = self._stop_timeout
        if not self._state.gone.is_set():
            await self._guard.send(
                {"m": "stop", "id": self._state.number, "signal": number, "timeout": timeout}
            )
            with anyio.move_on_after(timeout + STOP_REST):
                await self._state.gone.wait()
            # Not by the scope: after a Ctrl-Z the answer and the timeout come at once.
            if not self._state.gone.is_set():
                self._guard.give_up()
        return self._result()

    async def limit(self, stop_signal: int, stop_timeout: float) -> None:
        """Say anew how it is stopped.

        Args:
            stop_signal: what asks it to stop when devloop is gone.
            stop_timeout: seconds that it has for that.
        """
        self._stop_timeout = self._state.limit = stop_timeout
        if not self._state.gone.is_set():
            stop = [int(stop_signal), stop_timeout]
            await self._guard.send({"m": "limits", "id": self._state.number, "stop": stop})

    async def signal(self, number: int) -> None:
        """Signal its process group; nothing happens if that has ended.

        Args:
            number: of the signal.
        """
        if not self._state.gone.is_set():
            await self._guard.send({"m": "signal", "id": self._state.number, "signal": number})

    def _result(self) -> Ended:
        if self._state.how is None:
            raise GuardianLost(f"the guardian died, and process {self.pid} with it")
        return self._state.how
