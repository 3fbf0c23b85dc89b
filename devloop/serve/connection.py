"""One client of the control socket: lines in, and a bounded queue of lines out."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import anyio

from devloop.serve.protocol import LONGEST, answer

QUEUE = 4 << 20
"""Bytes that may wait for a client, beside what stood when it came."""
PATIENCE = 30.0
"""Seconds that a dropped client has to read why."""
CHUNK = 1 << 16


class Connection:
    """A connected client. `send` never waits.

    Args:
        connection: does not block; `close` closes it.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._queue: deque[tuple[bytes, int]] = deque()
        self._unread = 0
        self._owed = 0
        self._dropped = False
        self._wake = anyio.Event()
        self._idle = anyio.Event()
        self._patience = anyio.CancelScope()

    def send(self, data: bytes, *, bounded: bool = True) -> None:
        """Queue some lines; a client that has left too many unread is dropped.

        Args:
            data: whole lines.
            bounded: they count as unread.
        """
        if self._dropped:
            return
        size = len(data) if bounded else 0
        if self._unread + size > QUEUE:
            self._drop()
        else:
            self._queue.append((data, size))
            self._unread += size
            self._stir()

    def owe(self) -> None:
        """Note that an answer will come later: who has said its last may yet wait for it."""
        self._owed += 1
        self._stir()

    def pay(self, data: bytes) -> None:
        """Send an answer that was owed.

        Args:
            data: a line.
        """
        self._owed -= 1
        self.send(data)
        self._stir()

    def refuse(self, message: str) -> None:
        """Say why it may not stay, and close.

        Args:
            message: in one sentence.
        """
        with suppress(OSError):
            self._connection.send(answer("refused", None, message=message))
        self.close()

    async def run(self, take: Callable[[bytes], None]) -> None:
        """Read and write until the client leaves or has been dropped.

        Args:
            take: is given each line that it sends, without its end.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, tasks.cancel_scope)
            await self._read(take)
            await self.sent()
            tasks.cancel_scope.cancel()

    async def sent(self) -> None:
        """Wait until nothing is queued or owed, or it cannot be sent any more."""
        await self._idle.wait()

    def close(self) -> None:
        """Let go of the client."""
        self._dropped = True
        self._connection.close()

    async def _read(self, take: Callable[[bytes], None]) -> None:
        inbox = bytearray()
        while True:
            await anyio.wait_readable(self._connection)
            try:
                data = self._connection.recv(CHUNK)
            except BlockingIOError:
                continue
            except OSError:
                return
            inbox += data
            *lines, rest = bytes(inbox).split(b"\n")
            if not data:  # the last line need not have an end
                lines, rest = [*lines, rest], b""
            inbox[:] = rest
            for line in lines:
                if line.strip():
                    take(line)
            if len(inbox) > LONGEST:
                self.send(answer("refused", None, message=f"a line is longer than {LONGEST} bytes"))
                return
            if not data:
                return

    async def _write(self, client: anyio.CancelScope) -> None:
        with self._patience:
            try:
                while self._queue or not self._dropped:
                    if self._queue:
                        data, size = self._queue.popleft()
                        await self._send(memoryview(data))
                        self._unread -= size
                    else:
                        if not self._owed:
                            self._idle.set()
                        await self._wake.wait()
                        self._wake = anyio.Event()
            except OSError:  # nobody is there any more
                pass
        self._idle.set()
        client.cancel()

    async def _send(self, data: memoryview) -> None:
        while data:
            try:
                data = data[self._connection.send(data) :]
            except BlockingIOError:
                await anyio.wait_writable(self._connection)

    def _drop(self) -> None:
        """Leave out all that waits, but for what is half sent, and say so."""
        message = "what was sent was not read in time; connect again, and follow anew"
        self._queue = deque([(answer("dropped", None, message=message), 0)])
        self._dropped = True
        self._patience.deadline = anyio.current_time() + PATIENCE
        self._stir()

    def _stir(self) -> None:
        if self._idle.is_set():
            self._idle = anyio.Event()
        self._wake.set()
