"""What a command has imported, for devloop to learn from."""

from __future__ import annotations

import os
import sys

from . import orders
from .preload import file_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_told: set[str] = set()
"""The modules that devloop knows of, or will hear of from the process that this is forked from."""


_held: dict[str, str | None] = {}
"""The files of the modules that are held."""

_environment: dict[str, str] = {}

_IMPORTING = "<frozen importlib._bootstrap>"


def hold() -> None:
    """What is loaded now is held for others: its files are noted.

    In a forked process each look at a module costs the copy of a page.
    """
    _held.update((name, file_of(name)) for name in list(sys.modules) if name != "__main__")


def begin() -> None:
    """The command begins: what it changes from now on is its own doing.

    Devloop's questions for modules are answered, in forked children too.
    """
    _environment.update(os.environ)
    orders.on("report", lambda _: loaded())
    orders.on("news", lambda _: news())
    os.register_at_fork(after_in_child=lambda: _told.update(sys.modules))


def finders() -> list[str]:
    """What finds modules for the import system, each by the name of its kind."""
    found = [*sys.meta_path, *sys.path_hooks]
    kinds = [one if hasattr(one, "__qualname__") else type(one) for one in found]
    return [kind.__qualname__ for kind in kinds if not kind.__module__.startswith("_devloop")]


_PATCHERS = (
    ("gevent", "gevent.monkey", "saved"),
    ("eventlet", "eventlet.patcher", "already_patched"),
)
"""Packages that replace parts of the standard library, and where each keeps account of that."""


def _replaces() -> str | None:
    """The package by which parts of the standard library were replaced."""
    for package, module, account in _PATCHERS:
        if getattr(sys.modules.get(module), account, None):
            return package
    return None


def _altered() -> list[str]:
    names = {*_environment, *os.environ}
    return sorted(name for name in names if os.environ.get(name) != _environment.get(name))


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return None


def loaded() -> dict[str, Any]:
    """All modules, in the order in which their imports ended, and what else a start settles.

    That is `sys.modules`' own order: the import system puts each module there once more at its
    end (``_load_unlocked`` in importlib/_bootstrap.py).
    """
    names = [name for name in list(sys.modules) if not name.startswith("_devloop")]
    _told.update(names)
    return {
        "m": "loaded",
        "modules": [[name, _held[name] if name in _held else file_of(name)] for name in names],
        "path": [entry for entry in sys.path if isinstance(entry, str)],
        "flags": list(sys.flags),
        "main": file_of("__main__"),
        "cwd": _folder(),
        "finders": finders(),
        "replaces": _replaces(),
        "altered": _altered(),
        "importing": _importing(),
    }


def _importing() -> bool:
    """Whether what is told here is told in the midst of an import."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "_find_and_load" and code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False


def news() -> dict[str, Any] | None:
    """The modules that devloop has not been told of, in the same order; None where there are none.

    A forked child tells of what it has imported itself.
    """
    names = [name for name in list(sys.modules) if name not in _told]
    _told.update(names)
    modules = [[name, file_of(name)] for name in names if not name.startswith("_devloop")]
    if not modules:
        return None
    return {"m": "news", "modules": modules, "replaces": _replaces(), "altered": _altered()}
