"""Go ahead with a command before it is wanted, up to where it could meet what may change till then.

What a command does before it imports anything of the project (it reads its options, registers
plugins, makes an event loop) is the same at each start. So a process that waits for its order does
that meanwhile, and then waits in the midst of it: at the first import of a module that it does not
hold and that is not the library's, or where the command says so itself.

That it does nothing else, which others would see, is found out by a process that is thrown away:
it ends before it would do such a thing, and devloop lets no other one go ahead.
"""

from __future__ import annotations

import os
import sys

from .noting import ACTS, Noting

# What is loaded here would be found by the command.
# ruff: noqa: PTH120

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SEEN = {
    **ACTS,
    "socket.bind": "opens a port",
    "_thread.start_new_thread": "starts a thread",
    "_thread.start_joinable_thread": "starts a thread",
}
"""What must not be done before it is wanted."""

_bootstrap: Any = sys.modules["_frozen_importlib"]
_external: Any = sys.modules["_frozen_importlib_external"]
_library = os.path.dirname(os.__file__) + os.sep
_find: Any = None
_waits: Callable[[], None] | None = None
_then: list[Callable[[], None]] = []
codes: list[str] = []
"""Cached files of modules that the command will probably import."""

noting: Noting | None = None
"""What a process notes that is thrown away."""


def begin(waits: Callable[[], None]) -> None:
    """From here on the command runs, and is not wanted yet.

    Args:
        waits: called at its first `meet`; returns when it is wanted.
    """
    global _find, _waits
    _waits = waits
    _find = _bootstrap._find_spec
    _put(_find_spec)


def _put(find: Any) -> None:
    """Have modules looked for by a function; `importlib.util` has a copy, which `runpy` calls."""
    _bootstrap._find_spec = find
    if (util := sys.modules.get("importlib.util")) is not None:
        util._find_spec = find  # type: ignore[attr-defined]


def note(refuse: Callable[[str], None]) -> None:
    """Note what is read from here on.

    Args:
        refuse: called with the end of a sentence about the command, before it does what must not
            be done before it is wanted.
    """
    global noting
    noting = _Probing(refuse)
    noting.__enter__()


def unwanted() -> bool:
    """Whether the command is not wanted yet."""
    return _waits is not None


def then(done: Callable[[], None]) -> None:
    """Have something done as soon as the command is wanted, before anything else of it.

    Args:
        done: that.
    """
    _then.append(done)


def meet() -> None:
    """What comes next may differ from what it was before: wait until the command is wanted."""
    global _waits
    if _waits is None:
        return
    waits, _waits = _waits, None
    _put(_find)
    waits()
    for done in _then:
        done()
    _then.clear()


def _find_spec(name: str, path: Any, target: Any = None) -> Any:
    """In the place of what looks for a module at its first import (importlib/_bootstrap.py)."""
    if not name.startswith("_devloop") and not _of_the_library(name, path):
        meet()
    return _find(name, path, target)


def _of_the_library(name: str, path: Any) -> bool:
    package, _, last = name.rpartition(".")
    if last == "__main__" and package in sys.modules:
        return True  # it goes with its package, which is held
    finders = (_bootstrap.BuiltinImporter, _bootstrap.FrozenImporter, _external.PathFinder)
    for finder in finders:
        spec = finder.find_spec(name, path)
        if spec is not None:
            place = spec.origin or ""
            inside = place.startswith(_library) and "-packages" + os.sep not in place
            return inside or place in ("built-in", "frozen")
    return False


class _Probing(Noting):
    """Ends the process before it does what others see."""

    def __init__(self, refuse: Callable[[str], None]) -> None:
        super().__init__()
        self.kinds = SEEN
        self._refuse = refuse

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.acts:
            return  # to refuse is to act
        super().heard(event, arguments)
        if self.acts:
            self._refuse(self.acts[0])
