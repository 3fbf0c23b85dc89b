"""The one name that both sides give to an address that a socket listens on.

``127.0.0.1:8000``, ``[::1]:8000``, ``unix:/abs/app.sock``, ``unix:@abstract``: two spellings of
one address (a relative path, an empty host) have one name.
"""

from __future__ import annotations

import os

from .control import private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_socket: Any = private("_socket")

UNIX = "unix:"
FAMILIES = frozenset({_socket.AF_INET, _socket.AF_INET6, getattr(_socket, "AF_UNIX", -1)})


def name(family: int, address: Any) -> str | None:
    """Name what `socket.bind` is given, or what `getsockname` gives.

    Args:
        family: of the socket.
        address: as that family has it.

    Returns:
        The name; None where the kernel is to choose, or where this is no address.
    """
    try:
        if family == getattr(_socket, "AF_UNIX", -1):
            return _unix(os.fsencode(address))
        if family not in FAMILIES or not isinstance(address, tuple) or not address[1]:
            return None
        number = int(address[1])
        if family == _socket.AF_INET:
            return f"{_resolve(family, address[0], '0.0.0.0', number)[0]}:{number}"
        host, _, *more = _resolve(family, address[0], "::", number)
        scope = address[3] if len(address) > 3 else more[1] if len(more) > 1 else 0
    except (OSError, TypeError, ValueError, LookupError):
        return None  # what is wrong with it, the real `bind` says
    host = host.partition("%")[0]
    return f"[{host}%{scope}]:{number}" if scope else f"[{host}]:{number}"


def port(name: str) -> str | None:
    """The port of a named address; None for a Unix socket."""
    return None if name.startswith(UNIX) else name.rpartition(":")[2]


def path(name: str) -> str | None:
    """The path of a named Unix socket; None for what has none in the file system."""
    found = name[len(UNIX) :]
    return found if name.startswith(UNIX) and not found.startswith("@") else None


def file_at(path: str) -> list[int] | None:
    """What tells a socket's file from another one that took its place.

    Args:
        path: of the socket.

    Returns:
        Device and inode; None where there is no socket.
    """
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    is_socket = status.st_mode & 0o170000 == 0o140000
    return [status.st_dev, status.st_ino] if is_socket else None


def _unix(raw: bytes) -> str | None:
    if not raw:
        return None
    if raw[0] == 0:
        return f"{UNIX}@{os.fsdecode(raw[1:])}"
    # The socket is what the last part names; what leads there may be a link.
    folder, last = os.path.split(os.fsdecode(raw))
    return UNIX + os.path.join(os.path.realpath(folder), last)  # noqa: PTH118


def _resolve(family: int, host: Any, everywhere: str, port: int) -> tuple[Any, ...]:
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii")
    host = host or everywhere
    try:
        return _socket.inet_ntop(family, _socket.inet_pton(family, host)), port
    except OSError:
        found = _socket.getaddrinfo(host, port, family, _socket.SOCK_STREAM)
        address: tuple[Any, ...] = found[0][4]
        return address
