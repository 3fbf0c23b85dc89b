"""Keeps the paths of held Unix sockets: servers unlink them, before they bind or when they end.

What the program wants removed devloop removes, when it lets go of the socket.
"""

from __future__ import annotations

import os
import sys

from . import addresses, orders
from .control import private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_socket: Any = private("_socket")
_kept: dict[str, list[int] | None] = {}
"""What is at each path (see `addresses.file_at`). They stay, also once this process has retired."""


def keep(path: str, file: list[int] | None) -> None:
    """Have the program's `unlink` pass over a path.

    Args:
        path: of a held socket, absolute.
        file: what is there (see `addresses.file_at`); what takes its place may be unlinked.
    """
    if not isinstance(os.unlink, _Unlink):
        unlink = _Unlink(os.unlink)
        # CPython before 3.11 keeps the function itself in pathlib's accessor.
        accessor = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)
        if accessor is not None and accessor.unlink is os.unlink:
            accessor.unlink = unlink
        os.unlink, os.remove = unlink, _Unlink(os.remove)
    _kept[path] = file


def forget(path: str) -> None:
    """Let it be unlinked again.

    Args:
        path: see `keep`.
    """
    _kept.pop(path, None)


class _Unlink:
    """`os.unlink`, but for kept paths. No function: a class may have it as its attribute.

    Args:
        real: what it stands for.
    """

    def __init__(self, real: Callable[..., None]) -> None:
        self._real = real
        self.__name__ = real.__name__
        self.__doc__ = real.__doc__
        self.__module__ = "os"

    def __reduce__(self) -> str:
        return self.__name__

    # shutil asks whether it is among what takes a `dir_fd`, to choose how to remove a tree.

    def __eq__(self, other: object) -> bool:
        return other is self or other == self._real

    def __hash__(self) -> int:
        return hash(self._real)

    def __call__(self, path: Any, *, dir_fd: int | None = None) -> None:
        """See `os.unlink`."""
        if not (_kept and dir_fd is None and _is_kept(path)):
            self._real(path, dir_fd=dir_fd)


def _is_kept(path: Any) -> bool:
    """Whether a path leads to a held socket; devloop is told that it shall not, in the end."""
    try:
        name = addresses.name(_socket.AF_UNIX, os.fspath(path)) or ""
    except TypeError:
        return False
    found = addresses.path(name)
    if found not in _kept or addresses.file_at(found) != _kept[found]:
        return False
    orders.send({"m": "unlinked", "address": name})
    return True
