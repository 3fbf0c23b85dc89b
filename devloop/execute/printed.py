"""What a process prints while it waits for its order."""

from __future__ import annotations

import asyncio
import os

import anyio
import msgspec

from devloop.execute.wiring import Wiring

PATIENCE = 10.0
"""Seconds in which what was printed comes in; it takes some milliseconds."""

SAID = 16_000
"""Bytes that are kept of what imports print."""


class Printed(msgspec.Struct):
    """What processes print that are not commands yet: one that was started, and all its forks.

    Args:
        wiring: their standard streams.
    """

    wiring: Wiring
    said: bytearray = msgspec.field(default_factory=bytearray)
    reading: bool = False
    news: anyio.Event = msgspec.field(default_factory=anyio.Event)

    def begin(self) -> None:
        """Read it from now on."""
        self.wiring.started()
        os.set_blocking(self.wiring.output, False)
        asyncio.get_running_loop().add_reader(self.wiring.output, self.read)
        self.reading = True

    def read(self) -> None:
        """Take in what has come."""
        try:
            data = os.read(self.wiring.output, 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
        self.said += data[: max(0, SAID - len(self.said))]
        self.news.set()
        self.news = anyio.Event()

    def take(self) -> bytes:
        """What has been printed by now, as it was before a terminal got to it."""
        self.read()
        said = bytes(self.said)
        self.said.clear()
        return said if self.wiring.terminal is None else said.replace(b"\r\n", b"\n")

    async def parts(self, count: int) -> list[bytes]:
        """Wait for what was printed before each of so many zero bytes, which are on their way.

        Args:
            count: how many.
        """
        with anyio.move_on_after(PATIENCE):
            while self.reading and self.said.count(0) < count and len(self.said) < SAID:
                await self.news.wait()
        found = bytes(self.said).split(b"\0")[:-1]
        self.said.clear()
        # Where one has printed more than is kept, those after it cannot be told apart.
        return [*found, *[b"?"] * (count - len(found))][:count]

    def end(self) -> None:
        """Read no more."""
        if self.reading:
            self.reading = False
            asyncio.get_running_loop().remove_reader(self.wiring.output)

    def close(self) -> None:
        """Read no more, and close the streams."""
        self.end()
        self.wiring.__exit__(None, None, None)
