"""PYTEST_DONT_REWRITE: what pytest will find in its plugins, found before the run is wanted.

At the start of each session pytest looks at every name of every plugin for fixtures: some two
thousand names, of which a dozen are one. A process that has gone ahead sorts them out while it
waits.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any

_OURS = ("_pytest.", "_devloop")
"""How the names of pytest's own modules begin, and of those beside this one."""


class _Known:
    """What a module defines, or a class and its bases do, and which of that are fixtures.

    Args:
        holder: it.
        is_fixture: tells one.
    """

    def __init__(self, holder: types.ModuleType | type, is_fixture: Callable[[Any], bool]) -> None:
        self.holder = holder
        places = holder.__mro__ if isinstance(holder, type) else (holder,)
        self._places = [(vars(place), dict(vars(place))) for place in places]
        names = [name for name in dir(holder) if is_fixture(getattr(holder, name, None))]
        self._fixtures = frozenset(names)

    def names(self) -> list[str]:
        """Those that pytest needs to look at: fixtures, and what has become something else."""
        changed = [
            name
            for now, then in self._places
            for name, value in now.items()
            if then.get(name, self) is not value
        ]
        return sorted({*self._fixtures, *changed})


def foresee(plugins: Iterable[object]) -> None:
    """Sort out which names of plugins pytest needs to look at.

    Args:
        plugins: all that are registered; of those that are objects, and of those that modules of
            pytest's own will yet register, the class is looked at.
    """
    from _pytest import fixtures

    namespace: Any = fixtures
    is_fixture = _test_of(namespace)
    if is_fixture is None:
        return
    there = list(plugins)
    modules = [one for one in there if type(one) is types.ModuleType and "__dir__" not in vars(one)]
    kinds = {type(one) for one in there if type(one).__module__.startswith(_OURS)}
    kinds |= {
        kind
        for module in modules
        if module.__name__.startswith(_OURS)
        for kind in [*vars(module).values()]
        if isinstance(kind, type) and any(name.startswith("pytest_") for name in dir(kind))
    }
    of_modules = {id(module): _Known(module, is_fixture) for module in modules}
    of_kinds = {kind: _Known(kind, is_fixture) for kind in kinds if "__dir__" not in vars(kind)}

    def names(*of: object) -> list[str]:
        holder = of[0] if of else None
        known = of_modules.get(id(holder)) or of_kinds.get(type(holder))
        return dir(*of) if known is None else known.names()

    # Just its way of finding fixtures asks for names there (`FixtureManager.parsefactories`).
    namespace.dir = names


def _test_of(fixtures: Any) -> Callable[[Any], bool] | None:
    """How this pytest tells a fixture; None where we do not know that."""
    if (kind := getattr(fixtures, "FixtureFunctionDefinition", None)) is not None:
        kinds = (kind, staticmethod, classmethod)
        # It warns of a fixture that is wrapped in something else.
        return lambda value: isinstance(value, kinds) or "__wrapped__" in _attributes(value)
    if (marker := getattr(fixtures, "getfixturemarker", None)) is not None:
        return lambda value: marker(value) is not None
    return None


def _attributes(value: object) -> dict[str, Any]:
    found = getattr(value, "__dict__", None) if type(value) is types.FunctionType else None
    return found or {}


def forget() -> None:
    """Have pytest look at every name again: the session has begun."""
    from _pytest import fixtures

    vars(fixtures).pop("dir", None)
