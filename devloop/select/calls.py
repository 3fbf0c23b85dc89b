"""Whether a call when a module is imported does nothing but give a value.

`inside/tame.py` finds the functions that may be such ones, and what each calls in turn; what a
name stands for is taken by its bare form, and everything of that name has to be harmless.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from devloop.select.outlines import Outline, Unit

CALL = 1
DECORATOR = 2
FACTORY = 4
"""The flags of `Function.tame`; see `inside/tame.py`."""

_CLASS, _IMPORT, _OWN = 4, 16, 32  # of `Unit.effect`
_HOOKS = frozenset({"__init__", "__new__", "__post_init__", "__set_name__"})
"""What runs when an object is made, or put into a class."""


class Hierarchy(Protocol):
    """Which classes are derived from which."""

    def line(self, name: str) -> frozenset[str] | None:
        """A class and all that it is derived from, of the project; None where one is unknown."""


class Calls:
    """The functions and classes of some sources, by bare name.

    Args:
        outlines: of the sources.
    """

    def __init__(self, outlines: Iterable[Outline]) -> None:
        self._functions: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        self._classes: set[str] = set()
        self._spoilt: set[str] = set()
        """Names that stand for something else, too."""
        self._hooked: set[str] = set()
        """Classes that do something of their own when an object of them is made."""
        self._known: dict[tuple[str, ...], bool] = {}
        for outline in outlines:
            for function in outline.functions:
                if "." not in function.key:
                    found = self._functions.setdefault(function.key, [])
                    found.append((function.tame, function.calls))
            for unit in outline.units:
                self._note(unit)

    def _note(self, unit: Unit) -> None:
        if unit.scope:
            if not _HOOKS.isdisjoint(unit.binds):
                self._hooked.add(unit.scope.rpartition(".")[2])
        elif unit.effect & _CLASS and not unit.wraps:
            self._classes.update(unit.binds)
        elif not (unit.effect & _IMPORT and unit.effect & _OWN) and not (
            unit.wraps and not unit.effect & _CLASS
        ):
            self._spoilt.update(unit.binds)

    def are_tame(self, names: tuple[str, ...], classes: Hierarchy) -> bool:
        """Whether some calls do nothing but give values.

        Args:
            names: as in `Unit.calls`.
            classes: tells of classes.
        """
        if names not in self._known:
            self._known[names] = self._are_tame(names, classes)
        return self._known[names]

    def _are_tame(self, names: tuple[str, ...], classes: Hierarchy) -> bool:
        seen: set[str] = set()
        todo = list(names)
        while todo:
            said = todo.pop()
            if said in seen:
                continue
            seen.add(said)
            name = said.strip("@()")
            if name in self._spoilt:
                return False
            if name in self._classes:
                if said != name or name in self._functions or not self._is_plain(name, classes):
                    return False
                continue
            wanted = CALL if said == name else FACTORY if said.endswith(")") else DECORATOR
            found = self._functions.get(name, ())
            if not found or not all(kinds & wanted for kinds, _ in found):
                return False
            for _, calls in found:
                todo += calls
        return True

    def _is_plain(self, name: str, classes: Hierarchy) -> bool:
        line = classes.line(name)
        return line is not None and self._hooked.isdisjoint(line)
