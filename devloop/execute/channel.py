"""Our end of a channel to what runs inside the project's interpreter (`inside/messages.py`)."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import anyio

from devloop.inside import messages

PACE = 0.01
"""Seconds between two readings, where much comes."""

MUCH = 16
"""Readings, as many as which in a row that were no further apart show that much comes."""


class Pace:
    """When to read again: the sender pays for each reader that it wakes, some 30 µs a test."""

    def __init__(self) -> None:
        self._readings: deque[float] = deque(maxlen=MUCH)

    def after(self, now: float) -> float:
        """Something was read.

        Args:
            now: seconds, by any clock that goes on steadily.

        Returns:
            The seconds for which nothing is to be read: none where a single message is waited for.
        """
        self._readings.append(now)
        row = self._readings
        return PACE if len(row) == MUCH and now - row[0] < MUCH * PACE else 0.0


class Channel:
    """A pair of sockets, one of them for a child: ``with Channel() as channel``."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._inbox = messages.Inbox()
        self._sending = anyio.Lock()

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ours.close()
        self._theirs.close()

    @property
    def child_fd(self) -> int:
        """The descriptor that the child inherits."""
        return self._theirs.fileno()

    def handed_over(self) -> None:
        """Close the child's end here: the child holds it now."""
        self._theirs.close()

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message; nothing happens where the child has closed its end.

        Args:
            message: plain values.
        """
        data = memoryview(messages.pack(message))
        async with self._sending:
            while data:
                try:
                    data = data[self._ours.send(data) :]
                except BlockingIOError:
                    await anyio.wait_writable(self._ours)
                except OSError:
                    return

    async def receive(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Wait for messages until the child has closed its end.

        Yields:
            All those that have come by then.
        """
        pace = Pace()
        while True:
            await anyio.wait_readable(self._ours)
            batch, ended = self._take()
            if batch:
                yield batch
            if ended:
                return
            if pause := pace.after(anyio.current_time()):
                await anyio.sleep(pause)

    def rest(self) -> list[dict[str, Any]]:
        """Take the messages that are there now, without waiting for any.

        A child that has ended may have left a process that still holds its end open.
        """
        batch: list[dict[str, Any]] = []
        while True:
            more, ended = self._take()
            batch += more
            if ended or not more:
                return batch

    def _take(self) -> tuple[list[dict[str, Any]], bool]:
        try:
            data = self._ours.recv(messages.CHUNK)
        except (BlockingIOError, InterruptedError):
            return [], False
        except OSError:
            data = b""
        return self._inbox.take(data), not data
