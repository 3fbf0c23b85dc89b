"""Post-import hooks: what is to be called with a module once it is imported (the idea of PEP 369).

A finder stands first, but for pytest's, while anything is waited for, and takes itself away after
that.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Act = Callable[[ModuleType], None]

_REWRITING = "_pytest.assertion.rewrite"
"""The module of pytest's hook, which finds modules to rewrite their assertions."""
_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
"""The file whose frames the interpreter takes out of the traceback of an import that fails."""


def when_imported(name: str, act: Act) -> None:
    """Call something with a module: at once where it is imported already.

    Args:
        name: of the module.
        act: called with it, once.
    """
    if name in sys.modules:
        act(sys.modules[name])
        return
    _waiting.setdefault(name, []).append(act)
    if _finder not in sys.meta_path:
        # pytest puts its own before what it finds: so this one is behind it, whoever comes first.
        behind = any(type(one).__module__ == _REWRITING for one in sys.meta_path[:1])
        sys.meta_path.insert(int(behind), _finder)


def forget(name: str, act: Act) -> None:
    """Call something no more.

    Args:
        name: as it was given.
        act: as it was given; nothing is done where it was called.
    """
    acts = _waiting.get(name, [])
    if act in acts:
        acts.remove(act)
        _tidy(name)


def _tidy(name: str) -> None:
    if not _waiting.get(name):
        _waiting.pop(name, None)
    if not _waiting and _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


_waiting: dict[str, list[Act]] = {}


class _Finder:
    """Has the others find a module, and follows its loader."""

    def __init__(self) -> None:
        self._searching: set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """See `importlib.abc.MetaPathFinder`."""
        # Another one may ask all the others, too.
        if name not in _waiting or name in self._searching:
            return None
        self._searching.add(name)
        try:
            for finder in list(sys.meta_path):
                find = None if finder is _finder else getattr(finder, "find_spec", None)
                spec = None if find is None else find(name, path, target)
                if spec is not None:
                    _follow(spec.loader, name)
                    return spec
        finally:
            self._searching.discard(name)
        return None


_finder: Any = _Finder()


def _follow(loader: Any, name: str) -> None:
    """Have a loader call what waits for the module that it executes.

    A module may be found and never loaded: so it waits until it was executed.
    """
    execute = getattr(loader, "exec_module", None)
    # A loader that is a class has all that is built in or frozen.
    if execute is None or isinstance(loader, type):
        return

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if module.__name__ != name:
            return  # such a loader may load others
        if loader.exec_module is exec_module:
            del loader.exec_module
        acts = _waiting.pop(name, [])
        _tidy(name)
        for act in acts:
            act(module)

    # The import of a module that fails tells of that module, and of nobody in between.
    exec_module.__code__ = exec_module.__code__.replace(co_filename=_IMPORT_SYSTEM)
    try:
        loader.exec_module = exec_module
    except AttributeError:
        return  # it takes no attributes: nothing will be called
