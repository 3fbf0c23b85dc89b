"""A connection to the `watch` of a project for a program that does other things meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from devloop.errors import DevloopError, UsageError, WatchLost
from devloop.events import VERSION, Event, encode, from_dict
from devloop.serve import address

LONGEST = 64 << 20
"""Bytes of a line: an event with a long traceback is one."""


class Link:
    """A connection, while `run` runs.

    Args:
        reader: of the connection.
        writer: of the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}

    @classmethod
    async def to(cls, root: Path) -> Link:
        """Connect.

        Args:
            root: the project's.

        Raises:
            OSError: nobody listens there.
        """
        path = address.path_of(root)
        return cls(*await asyncio.open_unix_connection(str(path), limit=LONGEST))

    async def run(self, take: Callable[[Event], None]) -> None:
        """Follow the session until it ends, or the connection does.

        Args:
            take: is given what stands, and then each event; nothing of what is printed.
        """
        try:
            self._write({"ask": "follow", "output": False})
            while line := await self._reader.readline():
                message: dict[str, Any] = msgspec.json.decode(line)
                if "event" not in message:
                    self._answered(message)
                elif (event := from_dict(message)) is not None:
                    take(event)
        except (OSError, ValueError, msgspec.DecodeError, WatchLost):  # reset, or cut off in a line
            pass
        finally:
            self.close()

    async def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for something.

        Args:
            body: see `protocol`.

        Returns:
            The answer.

        Raises:
            UsageError: it was refused.
            WatchLost: the connection has ended.
        """
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._write({**body, "id": number})
            found: dict[str, Any] = await answer
            return found
        finally:
            self._asked.pop(number, None)

    def close(self) -> None:
        """Let go of it."""
        self._writer.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(WatchLost("the `devloop watch` has ended"))

    def _write(self, body: dict[str, Any]) -> None:
        if self._writer.is_closing():
            raise WatchLost("the `devloop watch` has ended")
        with contextlib.suppress(OSError):
            self._writer.write(encode({"v": VERSION, **body}) + b"\n")

    def _answered(self, message: dict[str, Any]) -> None:
        answer = self._asked.get(message.get("id", 0))
        if answer is None or answer.done():
            return
        if message["answer"] == "refused":
            error: DevloopError = UsageError(message["message"], hint=message.get("hint"))
            answer.set_exception(error)
        else:
            answer.set_result(message)
