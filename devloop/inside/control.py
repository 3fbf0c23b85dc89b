"""The socket on which devloop gives orders to a process, with descriptors in both directions.

It speaks the frames of `messages.py`; a message that comes with descriptors says in ``fds`` how
many. A command that is started warm must find only those modules loaded that it would find
otherwise. So what this needs of the library are the parts in C, kept out of `sys.modules`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

HEADER = 4
"""Bytes that hold the length of what follows, big endian."""

MOST = 64
"""Descriptors that come at once at most; the kernel passes 253 (unix(7))."""


def private(name: str) -> ModuleType:
    """Import a module without leaving it, or what it imports, for others to find.

    Args:
        name: of a module of the standard library.

    Returns:
        The module.
    """
    before = set(sys.modules)
    module: ModuleType = __import__(name, fromlist=["*"])
    for added in set(sys.modules) - before:
        del sys.modules[added]
    return module


_socket: Any = private("_socket")
ROOM = _socket.CMSG_SPACE(4 * MOST)
_json: Any = private("_json")
_fcntl: Any = private("fcntl")


class _Reading:
    """What the scanner wants to know of its decoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = None
    memo: dict[str, str] = {}  # noqa: RUF012 - the scanner's own


_scan = _json.make_scanner(_Reading())
_encode = _json.make_encoder(
    None, str, _json.encode_basestring_ascii, None, ":", ",", False, False, True
)


def frame(message: dict[str, Any]) -> bytes:
    """A message as it is sent.

    Args:
        message: plain values; ``"m"`` names its kind.

    Returns:
        Length and body.
    """
    body = "".join(_encode(message, 0)).encode("ascii")
    return len(body).to_bytes(HEADER, "big") + body


class _Socket:
    """A socket object for a moment: one that stays would be warned of at the command's end."""

    def __init__(self, fd: int) -> None:
        self._object: Any = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)

    def __enter__(self) -> Any:
        return self._object

    def __exit__(self, *_: object) -> None:
        self._object.detach()


class Control:
    """Our end of it.

    Args:
        fd: of the socket; it is ours now, and not inherited.
    """

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self._fd = fd
        self._inbox = bytearray()
        self._fds: list[int] = []

    def fileno(self) -> int:
        """Its descriptor; -1 once it is closed."""
        return self._fd

    def close(self) -> None:
        """Close it, and what came with messages that nobody has read."""
        fd, self._fd = self._fd, -1
        os.close(fd)
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def move(self, lowest: int) -> None:
        """Give it another descriptor, which is not inherited.

        Args:
            lowest: the number from which on it takes the first free one.
        """
        fd, self._fd = self._fd, _fcntl.fcntl(self._fd, _fcntl.F_DUPFD_CLOEXEC, lowest)
        os.close(fd)

    def send(self, message: dict[str, Any], fds: list[int] | None = None) -> None:
        """Send a message.

        Args:
            message: plain values; ``"m"`` names its kind.
            fds: descriptors that go with it.

        Raises:
            OSError: devloop has gone.
        """
        if fds:
            message = {**message, "fds": len(fds)}
        data = memoryview(frame(message))
        rights = b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds or ())
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if rights else []
        with _Socket(self._fd) as end:
            while data:
                data = data[end.sendmsg([data], ancillary) :]
                ancillary = []

    def receive(self, *, wait: bool = True) -> tuple[dict[str, Any], list[int]] | None:
        """Take the next message.

        Args:
            wait: for one, if none is there.

        Returns:
            It, and the descriptors that came with it; None where devloop has gone.

        Raises:
            BlockingIOError: there is none, and it was not to be waited for.
        """
        while True:
            size = int.from_bytes(self._inbox[:HEADER], "big")
            if len(self._inbox) >= HEADER + size and len(self._inbox) >= HEADER:
                message, _ = _scan(self._inbox[HEADER : HEADER + size].decode("ascii"), 0)
                del self._inbox[: HEADER + size]
                count = message.get("fds", 0)
                fds, self._fds = self._fds[:count], self._fds[count:]
                return message, fds
            try:
                flags = 0 if wait else _socket.MSG_DONTWAIT
                with _Socket(self._fd) as end:
                    data, ancillary, _, _ = end.recvmsg(1 << 16, ROOM, flags)
            except ConnectionError:
                return None
            for level, kind, rights in ancillary:
                if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
                    for start in range(0, len(rights) - 3, 4):
                        fd = int.from_bytes(rights[start : start + 4], sys.byteorder)
                        os.set_inheritable(fd, False)
                        self._fds.append(fd)
            if not data:
                return None
            self._inbox += data
