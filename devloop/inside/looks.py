"""PYTEST_DONT_REWRITE: hear of what is looked for.

No audit event tells of `os.stat` and its like: so the functions of the `os` module are wrapped,
which the import system does not use.
"""

from __future__ import annotations

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
        had = [(one, vars(one)[name]) for one in classes if one is not None and name in vars(one)]
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


def named_as(real: Any, wrapper: Any) -> Any:
    """A wrapper that looks like what it wraps, as `functools.wraps` makes it."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(wrapper, name, getattr(real, name))
    wrapper.__wrapped__ = real
    return wrapper
