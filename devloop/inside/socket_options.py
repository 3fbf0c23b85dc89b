"""What a program has set on a socket before it binds, against what a held one has."""

from __future__ import annotations

import os

from .control import private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_socket: Any = private("_socket")

_MUST_MATCH = (
    ("SOL_SOCKET", "SO_REUSEPORT"),
    ("SOL_SOCKET", "SO_PROTOCOL"),
    ("IPPROTO_IPV6", "IPV6_V6ONLY"),
)
"""They settle what a socket receives, or cannot be set once it is bound (socket(7), ipv6(7))."""

_CARRIED = (
    ("SOL_SOCKET", "SO_REUSEADDR"),
    ("SOL_SOCKET", "SO_KEEPALIVE"),
    ("IPPROTO_TCP", "TCP_NODELAY"),
    ("IPPROTO_TCP", "TCP_DEFER_ACCEPT"),
    ("IPPROTO_TCP", "TCP_FASTOPEN"),
    ("IPPROTO_TCP", "TCP_KEEPIDLE"),
    ("IPPROTO_TCP", "TCP_KEEPINTVL"),
    ("IPPROTO_TCP", "TCP_KEEPCNT"),
)
"""A program may have set them before it binds."""


def fit(sock: Any, fd: int) -> bool:
    """Whether a held socket is what the program would have got.

    Args:
        sock: the program's.
        fd: of the held one.
    """
    copy = _socket.socket(fileno=os.dup(fd))
    same = [_option(sock, *which) == _option(copy, *which) for which in _MUST_MATCH]
    family = copy.family
    copy.close()
    return all(same) and bool(family == sock.family)


def chosen(sock: Any) -> dict[tuple[str, str], int]:
    """What may have been set on a socket, as it is now.

    Args:
        sock: the program's.

    Returns:
        The values, by level and option.
    """
    found = {which: _option(sock, *which) for which in _CARRIED}
    return {which: value for which, value in found.items() if value is not None}


def choose(sock: Any, values: dict[tuple[str, str], int]) -> None:
    """Set that again, now that the socket is another one.

    Args:
        sock: the program's.
        values: by level and option.
    """
    for which, value in values.items():
        if _option(sock, *which) != value:
            try:
                sock.setsockopt(*(getattr(_socket, part) for part in which), value)
            except OSError:
                continue  # not in this state; it stays as the first process has set it


def _option(sock: Any, level: str, option: str) -> int | None:
    if not hasattr(_socket, level) or not hasattr(_socket, option):
        return None
    try:
        value: int = sock.getsockopt(getattr(_socket, level), getattr(_socket, option))
    except OSError:
        return None  # not one of this family's
    return value
