"""The one name that both sides give to an address that a socket listens on.

``127.0.0.1:8000``, ``[::1]:8000``, ``unix:/abs/app.sock``, ``unix:@abstract``: two spellings of
one address (a relative path, an empty host) have one name.
"""

from __future__ import annotations

import os
import socket
from typing import Any

UNIX = "unix:"
FAMILIES = {socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_UNIX", socket.AF_INET)}


def name(family: int, address: Any) -> str | None:
    """Name what `socket.bind` is given, or what `getsockname` gives.

    Args:
        family: of the socket.
        address: as that family has it.

    Returns:
        The name; None where the kernel is to choose, or where this is no address.
    """
    try:
        if family == getattr(socket, "AF_UNIX", None):
            return _unix(os.fsencode(address))
        host, port = address[0], int(address[1])
        if port == 0 or family not in FAMILIES:
            return None
        if isinstance(host, (bytes, bytearray)):
            host = host.decode("ascii")
        if family == socket.AF_INET:
            return f"{_resolve(family, host or '0.0.0.0', port)[0]}:{port}"
        host, _, *scope = _resolve(family, host or "::", port)
        number = int(address[3]) if len(address) > 3 else 0
        number = number or (int(scope[1]) if len(scope) > 1 else 0)
    except (OSError, TypeError, ValueError, IndexError):
        return None  # what is wrong with it, the real `bind` says
    host = host.partition("%")[0]
    return f"[{host}%{number}]:{port}" if number else f"[{host}]:{port}"


def port(name: str) -> str | None:
    """The port of a named address; None for a Unix socket."""
    return None if name.startswith(UNIX) else name.rpartition(":")[2]


def path(name: str) -> str | None:
    """The path of a named Unix socket; None for what has none in the file system."""
    found = name[len(UNIX) :]
    return found if name.startswith(UNIX) and not found.startswith("@") else None


def _unix(raw: bytes) -> str | None:
    if not raw:
        return None
    if raw[0] == 0:
        return f"{UNIX}@{os.fsdecode(raw[1:])}"
    # The socket is what the last part names; what leads there may be a link.
    folder, last = os.path.split(os.fsdecode(raw))
    return UNIX + os.path.join(os.path.realpath(folder), last)  # noqa: PTH118


def _resolve(family: int, host: str, port: int) -> tuple[Any, ...]:
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, host)), port
    except OSError:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        return found[0][4]
