"""Our end of a control socket (`inside/control.py`): messages and descriptors, both ways."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import anyio

from devloop.inside import messages

MOST = 64
"""Descriptors that come at once at most."""


class Control:
    """One end of a pair of sockets.

    Args:
        end: the socket; it is ours now.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._inbox = messages.Inbox()
        self._waiting: deque[dict[str, Any]] = deque()
        self._fds: list[int] = []
        self._sending = anyio.Lock(fast_acquire=True)

    @classmethod
    def pair(cls) -> tuple[Control, socket.socket]:
        """Make one, and the other end, which is for a child: close it once that has it."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; a process that has no order yet ends by that."""
        if self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
            self._socket.close()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    async def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send a message; nothing happens where the other end is closed.

        Args:
            message: plain values.
            fds: descriptors that go with it; they stay ours.
        """
        if fds:
            message = {**message, "fds": len(fds)}
        data = whole = memoryview(messages.pack(message))
        async with self._sending:
            try:
                while data:
                    try:
                        # The descriptors travel with the first byte, and only with that.
                        data = data[socket.send_fds(self._socket, [data], list(fds)) :]
                    except BlockingIOError:
                        await anyio.wait_writable(self._socket)
                    except OSError:
                        return
                    else:
                        fds = ()
            except BaseException:
                # Nobody could make sense of what would follow a part.
                if len(data) < len(whole):
                    self.close()
                raise

    async def receive(self) -> AsyncIterator[tuple[dict[str, Any], list[int]]]:
        """Wait for messages until the other end is closed.

        Yields:
            Each, and the descriptors that came with it, which are the receiver's to close.
        """
        while (got := await self.next()) is not None:
            yield got

    async def next(self) -> tuple[dict[str, Any], list[int]] | None:
        """Wait for a message.

        Returns:
            It, and its descriptors; None where the other end is closed.
        """
        while not self._waiting:
            if self._socket.fileno() < 0:
                return None
            with suppress(BlockingIOError, InterruptedError):
                if not self._read():
                    return None
                continue
            try:
                await anyio.wait_readable(self._socket)
            except (anyio.ClosedResourceError, OSError):
                return None
        message = self._waiting.popleft()
        count = message.pop("fds", 0)
        fds, self._fds = self._fds[:count], self._fds[count:]
        return message, fds

    def _read(self) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, messages.CHUNK, MOST)
        except ConnectionError:
            return False
        for fd in fds:
            os.set_inheritable(fd, False)
        self._fds += fds
        self._waiting += self._inbox.take(data)
        return bool(data)
