"""The library setproctitle, which waits with what it does until there is a command.

At the first call of a function of its own it looks for the memory that the command line stands in,
and writes there. So a process that others are forked from must not call any: what is called before
there is a command is done as soon as there is one.
"""

from __future__ import annotations

import sys

from . import looks
from .libc import libc
from .post_import import forget, when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LIBRARY = "setproctitle"
_ASKING = ("getproctitle", "setproctitle")


class Watching:
    """Has it wait, where it is imported meanwhile."""

    def __enter__(self) -> None:
        wait()

    def __exit__(self, *_: object) -> None:
        forget(_LIBRARY, _imported)


def wait() -> None:
    """Have it wait, where it is imported from now on."""
    if libc is not None:
        when_imported(_LIBRARY, _imported)


def look() -> bool:
    """Have it look for the memory that it writes to.

    Returns:
        Whether it is there.
    """
    if _titles is None:
        return False
    _titles.look()
    return True


def begin(prepare: Callable[[], None] | None) -> None:
    """There is a command now: do what has waited.

    Args:
        prepare: is called before it looks for the first time, and has it `look`.
    """
    global _waits, _prepare
    _waits, _prepare = False, prepare
    if _titles is not None:
        _titles.catch_up()


class _Titles:
    def __init__(self, module: Any) -> None:
        self._module = module
        self._real: dict[str, Any] = {name: getattr(module, name) for name in _ASKING}
        self._looked = False
        self._waiting: list[tuple[Any, ...]] = []
        for name, real in self._real.items():
            setattr(module, name, _Asking(real, self))

    def call(self, real: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if _waits:
            self._waiting.append((real, arguments, named))
            titles = [given[0] for _, given, _ in self._waiting if given]
            asked = real is self._real["getproctitle"]
            return (titles[-1] if titles else " ".join(sys.orig_argv)) if asked else None
        if _prepare is not None and not self._looked:
            _prepare()
        return real(*arguments, **named)

    def look(self) -> None:
        self._looked = True
        for name, real in self._real.items():
            setattr(self._module, name, real)
        self._real["getproctitle"]()

    def catch_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self.call(*one)


class _Asking:
    def __init__(self, real: Any, titles: _Titles) -> None:
        looks.named_as(real, self)
        self._real = real
        self._titles = titles

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._titles.call(self._real, arguments, named)


_titles: _Titles | None = None
_waits = True
_prepare: Callable[[], None] | None = None


def _imported(module: Any) -> None:
    global _titles
    if _titles is None and all(hasattr(module, name) for name in _ASKING):
        _titles = _Titles(module)
