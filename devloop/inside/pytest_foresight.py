"""PYTEST_DONT_REWRITE: what pytest will find in its plugins, found before the run is wanted.

At the start of each session pytest looks at every name of every plugin for fixtures: some two
thousand names, of which a dozen are one. A process that has gone ahead sorts them out while it
waits.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Iterable
from typing import Any


class _Module:
    """The names of a module that are fixtures, as long as it holds what it held then.

    Args:
        module: it.
        is_fixture: tells one.
    """

    def __init__(self, module: types.ModuleType, is_fixture: Callable[[Any], bool]) -> None:
        held = vars(module)
        self._module = module
        self._keys = list(held)
        self._values = list(held.values())
        self._fixtures = sorted(name for name, value in held.items() if is_fixture(value))

    def names(self) -> list[str] | None:
        """Those names; None where the module holds something else now."""
        held = vars(self._module)
        same = list(held) == self._keys and all(map(operator.is_, held.values(), self._values))
        return self._fixtures if same else None


class _Kind:
    """The same of a class, of whose objects pytest looks at what the class defines.

    Args:
        kind: it.
        is_fixture: tells one.
    """

    def __init__(self, kind: type, is_fixture: Callable[[Any], bool]) -> None:
        self._kind = kind
        self._sizes = self._count()
        self._fixtures = sorted(name for name in dir(kind) if is_fixture(getattr(kind, name, None)))

    def _count(self) -> list[int]:
        return [len(vars(base)) for base in self._kind.__mro__]

    def names(self) -> list[str] | None:
        """Those names; None where something was added to the class since."""
        return self._fixtures if self._count() == self._sizes else None


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
    modules = [
        one for one in plugins if type(one) is types.ModuleType and "__dir__" not in vars(one)
    ]
    kinds = {
        kind
        for module in modules
        if module.__name__.startswith(("_pytest.", "_devloop"))
        for kind in [*vars(module).values()]
        if isinstance(kind, type) and any(name.startswith("pytest_") for name in dir(kind))
    }
    of_modules = {id(module): _Module(module, is_fixture) for module in modules}
    of_kinds = {kind: _Kind(kind, is_fixture) for kind in kinds if "__dir__" not in vars(kind)}

    def names(*of: object) -> list[str]:
        holder = of[0] if of else None
        known = of_modules.get(id(holder)) or of_kinds.get(type(holder))
        found = None if known is None else known.names()
        return dir(*of) if found is None else found

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
