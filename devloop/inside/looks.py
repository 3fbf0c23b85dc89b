"""PYTEST_DONT_REWRITE: hear of what is looked for, and of paths that begin in an open folder.

No audit event tells of `os.stat` and its like, and that of `os.open` does not tell of its
``dir_fd``: so the functions of the `os` module are wrapped, which the import system does not use.
"""

from __future__ import annotations

import _thread
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LOOKING = ("stat", "lstat", "access", "readlink")
HOLDING = (("pathlib", "_NormalAccessor"), ("glob", "_StringGlobber"))
"""Classes of the standard library that have them from when they were made (3.10; 3.13)."""

ASKING = frozenset(
    {"exists", "lexists", "isfile", "isdir", "islink", "ismount", "samefile", "is_file", "is_dir",
     "is_symlink", "is_mount", "is_block_device", "is_char_device", "is_fifo", "is_socket", "which",
     "_access_check", "access", "mkdir", "makedirs"}
)  # fmt: skip
"""The functions that only ask whether something is there, and what kind of thing it is."""


def wrap(around: Callable[[Any], Any], names: tuple[str, ...] = LOOKING) -> Callable[[], None]:
    """Wrap them.

    Args:
        around: makes a wrapper of a function.
        names: of the functions.

    Returns:
        Undoes it.
    """
    classes = [getattr(sys.modules.get(module), name, None) for module, name in HOLDING]
    wrapped = []
    for name in names:
        real = getattr(os, name)
        wrapper = around(real)
        setattr(os, name, wrapper)
        had = [(one, vars(one)[name]) for one in classes if getattr(one, name, None) is real]
        for one, _ in had:
            setattr(one, name, staticmethod(wrapper))
        able = [
            members
            for members in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks,
                            os.supports_effective_ids)
            if real in members
        ]  # fmt: skip
        for members in able:
            members.add(wrapper)
        wrapped.append((name, real, wrapper, had, able))

    def undo() -> None:
        for name, real, wrapper, had, able in wrapped:
            setattr(os, name, real)
            for one, before in had:
                setattr(one, name, before)
            for members in able:
                members.discard(wrapper)

    return undo


class Opening:
    """In the place of `os.open`, to tell of paths that begin in an open folder.

    Args:
        real: it.
        within: the threads whose audit events nobody hears. One that opens such a path is among
            them meanwhile: its event tells of that path as of one in the current folder.
        opened: called with an absolute path and the flags, before it is opened.
    """

    def __init__(self, real: Any, within: set[int], opened: Callable[[str, Any], None]) -> None:
        named_as(real, self)
        self._real = real
        self._within = within
        self._opened = opened

    def __call__(self, path: Any, *arguments: Any, **named: Any) -> Any:
        """Open a file."""
        __tracebackhide__ = True
        at, mine = named.get("dir_fd"), _thread.get_ident()
        if at is None or mine in self._within:
            return self._real(path, *arguments, **named)
        whole = below(path, at) if isinstance(path, (str, bytes, os.PathLike)) else None
        if whole is not None:
            self._opened(whole, named.get("flags", *arguments[:1]))
        self._within.add(mine)
        try:
            return self._real(path, *arguments, **named)
        finally:
            self._within.discard(mine)


def below(name: Any, at: int) -> str | None:
    """A path that begins in an open folder, as one that begins at the root.

    Args:
        name: the path, as it was given; one that begins at the root stays as it is.
        at: the folder's descriptor.

    Returns:
        None where it is not known which folder that is.

    Raises:
        TypeError: it is no path.
    """
    text = os.fsdecode(name)
    if text.startswith(os.sep):
        return text
    folder = path_of(at)
    return None if folder is None else folder + os.sep + text


def path_of(fd: int) -> str | None:
    """The path that a descriptor was opened by, as it is now.

    Args:
        fd: of a file or folder.

    Returns:
        None where it has none.
    """
    try:
        if sys.platform == "darwin":
            path = os.fsdecode(_path_on_macos(fd))
        else:
            path = os.fsdecode(_readlink(f"/proc/self/fd/{fd}"))
    except (OSError, ValueError, TypeError):
        return None
    return path if path.startswith(os.sep) else None


_readlink = os.readlink
_F_GETPATH = 50
"""Of macOS (fcntl(2))."""


def _path_on_macos(fd: int) -> bytes:
    known = "fcntl" in sys.modules
    import fcntl

    if not known:
        del sys.modules["fcntl"]  # a command that has not imported it would find it
    return fcntl.fcntl(fd, _F_GETPATH, bytes(1024)).rstrip(b"\0")


def named_as(real: Any, wrapper: Any) -> Any:
    """A wrapper that looks like what it wraps, as `functools.wraps` makes it."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(wrapper, name, getattr(real, name))
    wrapper.__wrapped__ = real
    return wrapper
