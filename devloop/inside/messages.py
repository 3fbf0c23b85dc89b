"""The messages between devloop and what runs inside the project's interpreter.

Both sides load this one file: devloop as a module, the other side from its path. It speaks
frames (four bytes of length, big endian, then UTF-8 JSON) over a pipe or a socket, because
JSON is what every supported Python reads alike. The first message of the inner side is
`hello`, with the version; devloop refuses another one.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

VERSION = 1
HEADER = struct.Struct(">I")
CHUNK = 1 << 16
"""Bytes that are read at once. Room for as many is asked for each time: far more of it than comes
would leave holes in memory."""
CHANNEL = "DEVLOOP_CHANNEL"
"""The environment variable that holds the channel's file descriptor; taken out at once."""
WORKERS = "DEVLOOP_WORKERS"
"""The one that holds how many workers of pytest-xdist are to be forked; taken out at once."""


_encode = json.JSONEncoder(separators=(",", ":")).encode  # `json.dumps` makes one at each call


def pack(message: dict[str, Any]) -> bytes:
    """One frame.

    Args:
        message: plain values; ``"m"`` names its kind.

    Returns:
        Length and body.
    """
    body = _encode(message).encode("ascii")
    return HEADER.pack(len(body)) + body


def unpack(body: bytes) -> dict[str, Any]:
    """The message of one frame.

    Args:
        body: what follows the length.

    Returns:
        Plain values.
    """
    message: dict[str, Any] = json.loads(body)
    return message


class Inbox:
    """Puts messages together from bytes that come in pieces."""

    def __init__(self) -> None:
        self._data = bytearray()

    def take(self, data: bytes) -> list[dict[str, Any]]:
        """More bytes have come.

        Args:
            data: they.

        Returns:
            The messages that are whole by now and were not before.
        """
        self._data += data
        found = []
        start = 0
        while len(self._data) >= start + HEADER.size:
            body = start + HEADER.size
            end = body + HEADER.unpack_from(self._data, start)[0]
            if len(self._data) < end:
                break
            found.append(unpack(bytes(self._data[body:end])))
            start = end
        del self._data[:start]
        return found


def read_exactly(fd: int, size: int) -> bytes:
    """Read that many bytes.

    Args:
        fd: a blocking file descriptor.
        size: in bytes.

    Returns:
        The bytes; fewer only where the other side has closed.
    """
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read(fd: int) -> dict[str, Any] | None:
    """Wait for one message.

    Args:
        fd: a blocking file descriptor.

    Returns:
        The message, or None where the other side has closed.
    """
    header = read_exactly(fd, HEADER.size)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    body = read_exactly(fd, size)
    if len(body) < size:
        return None
    return unpack(body)


def write(fd: int, message: dict[str, Any], after: bytes = b"") -> None:
    """Send one message.

    Args:
        fd: a blocking file descriptor.
        message: plain values.
        after: frames that go before it.

    Raises:
        OSError: the other side has closed.
    """
    data = memoryview(after + pack(message))
    while data:
        data = data[os.write(fd, data) :]
