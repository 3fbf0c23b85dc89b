"""Talks to the `watch` of a project from another process (see `protocol`). It imports little."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from devloop.errors import NoTestsHere, NotWatching, UsageError, WatchLost
from devloop.events import VERSION, Event, encode, from_dict
from devloop.serve import address
from devloop.store import presence

ANSWERS_IN = 10.0
"""Seconds that a loop may take to say what stands: it may be busy for a while, not for ever."""
STARTS_IN = 5.0
"""Seconds from a `watch` being there to its listening."""
CHUNK = 1 << 16


class Client:
    """A connection to the `watch` of a project: ``with Client.of(root) as client``.

    Args:
        connection: to its control socket.
        root: the project's.
    """

    def __init__(self, connection: socket.socket, root: Path) -> None:
        self._connection = connection
        self._root = root
        self._inbox = bytearray()
        self._lines: list[bytes] = []
        self._events: list[dict[str, Any]] = []
        """Those that came while an answer was waited for."""

    @classmethod
    def of(cls, root: Path) -> Client:
        """Connect.

        Args:
            root: the project's.

        Raises:
            NotWatching: no `watch` runs there, or none that can be asked.
        """
        try:
            return cls(_connect(root), root)
        except OSError as error:
            pid = presence.holder(root)
            if isinstance(error, PermissionError):
                raise NotWatching(f"the `devloop watch` in {root} is another user's") from None
            if pid is None:
                raise NotWatching(
                    f"no `devloop watch` runs in {root}", hint="Start one: devloop watch"
                ) from None
            raise NotWatching(
                f"`devloop watch` (pid {pid}) runs in {root}, but its control socket cannot be "
                f"reached: {error.strerror or error}",
                hint="Its own first lines say why.",
            ) from None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def status(self) -> dict[str, Any]:
        """What stands: the form of `devloop status --format json`.

        Raises:
            WatchLost: the session has ended, or does not answer.
        """
        self._ask({"ask": "status"})
        found: dict[str, Any] = self._answer(ANSWERS_IN)["status"]
        return found

    def act(self, action: dict[str, Any]) -> dict[str, Any]:
        """Ask for something.

        Args:
            action: see `loop.actions`.

        Returns:
            ``cycle``, the number of the cycle that carries it out, and ``message``, where there
            are any.

        Raises:
            UsageError: it cannot be carried out.
            WatchLost: the session has ended.
        """
        self._ask({"ask": "act", "action": action})
        return self._answer(None)

    def follow(self, *, output: bool = True) -> int:
        """From now on have `events` give what happens.

        Args:
            output: what is printed too.

        Returns:
            How many events will come first that tell what stands.

        Raises:
            WatchLost: the session has ended, or does not answer.
        """
        self._ask({"ask": "follow", "output": output})
        return int(self._answer(ANSWERS_IN)["events"])

    def events(self, every: float | None = None) -> Iterator[Event | None]:
        """What happens; ends with the session.

        Args:
            every: seconds after which None is given where nothing happens.

        Raises:
            WatchLost: the connection has ended before the session did.
        """
        while True:
            if self._events:
                message: dict[str, Any] | None = self._events.pop(0)
            else:
                message = self._message(every)
            if message is None:
                yield None
            elif "event" in message:
                event = from_dict(message)
                if event is not None:
                    yield event
                if message["event"] == "session-finished":
                    return
            elif message.get("answer") == "dropped":
                raise WatchLost(f"`devloop watch` in {self._root}: {message['message']}")

    def wait_for_the_end(self) -> None:
        """Wait until the session has ended, and let go of what is its own."""
        try:
            while self._message(None) is not None:
                pass
        except WatchLost:
            pass

    def _ask(self, request: dict[str, Any]) -> None:
        try:
            self._connection.sendall(encode({"v": VERSION, **request}) + b"\n")
        except OSError:
            raise self._lost() from None

    def _answer(self, patience: float | None) -> dict[str, Any]:
        while True:
            message = self._message(patience)
            if message is None:
                raise WatchLost(
                    f"the `devloop watch` in {self._root} does not answer",
                    hint="It may be stopped (Ctrl-Z): look at its terminal.",
                )
            if "event" in message:
                self._events.append(message)
            elif message.get("answer") == "refused":
                kind = NoTestsHere if message.get("elsewhere") else UsageError
                raise kind(message["message"], hint=message.get("hint"))
            else:
                return message

    def _message(self, patience: float | None) -> dict[str, Any] | None:
        """The next line; None where none comes in time."""
        while not self._lines:
            self._connection.settimeout(patience)
            try:
                data = self._connection.recv(CHUNK)
            except TimeoutError:
                return None
            except OSError:
                data = b""
            if not data:
                raise self._lost()
            self._inbox += data
            *lines, rest = bytes(self._inbox).split(b"\n")
            self._inbox[:] = rest
            self._lines = [line for line in lines if line]
        found: dict[str, Any] = msgspec.json.decode(self._lines.pop(0))
        return found

    def _lost(self) -> WatchLost:
        return WatchLost(f"the `devloop watch` in {self._root} has ended without a word")


def _connect(root: Path) -> socket.socket:
    """Connect; a `watch` that has only just been started is given time to listen."""
    deadline = time.monotonic() + STARTS_IN
    while True:
        try:
            return address.connect(root, timeout=ANSWERS_IN)
        except PermissionError:
            raise
        except OSError:
            if presence.holder(root) is None or time.monotonic() > deadline:
                raise
        time.sleep(0.02)
