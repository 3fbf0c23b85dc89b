"""Whether a call when a module is imported does nothing but give a value.

`inside/tame.py` finds the functions that may be such ones, and what each calls in turn; what a
name stands for is taken by its bare form, and everything of that name has to be harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from devloop.select.outlines import CLASS, OWN, UNRENAMED, Outline, Unit

CALL = 1
DECORATOR = 2
FACTORY = 4
"""The flags of `Function.tame`; see `inside/tame.py`."""

_HOOKS = frozenset({"__init__", "__new__", "__post_init__", "__set_name__", "__setattr__"})
"""What runs when an object is made, or put into a class."""


class Hierarchy(Protocol):
    """Which classes are derived from which."""

    def line(self, name: str) -> frozenset[str] | None:
        """A class and all that it is derived from, of the project; None where one is unknown."""


class Calls:
    """The functions and classes of some sources, by bare name.

    Args:
        outlines: of the sources.
        own: the names that they import from modules of the project alone, wherever they say the
            module's whole name.
    """

    def __init__(self, outlines: Iterable[Outline], own: frozenset[str] = frozenset()) -> None:
        self._own = own
        self._functions: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        self._classes: set[str] = set()
        self._spoilt: set[str] = set()
        """Names that stand for something else, too."""
        self._hooked: set[str] = set()
        """Classes that do something of their own when an object of them is made."""
        self._inits: dict[str, list[str]] = {}
        """What the `__init__` of a class calls, where it only fills the object."""
        self._known: dict[tuple[str, ...], bool] = {}
        for outline in outlines:
            for function in outline.functions:
                if "." not in function.key:
                    found = self._functions.setdefault(function.key, [])
                    found.append((function.tame, function.calls))
            inits = {
                f.key: f.calls for f in outline.functions if f.tame and f.key.endswith(".__init__")
            }
            for unit in outline.units:
                self._note(unit, inits, sets="setter" in outline.names_of(unit))

    def _note(self, unit: Unit, inits: Mapping[str, tuple[str, ...]], *, sets: bool) -> None:
        if unit.scope:
            name = unit.scope.rpartition(".")[2]
            if unit.binds == ("__init__",) and unit.qualname in inits:
                self._inits.setdefault(name, []).extend(inits[unit.qualname])
            elif sets or not _HOOKS.isdisjoint(unit.binds):
                self._hooked.add(name)
        elif unit.effect & CLASS and not unit.wraps:
            self._classes.update(unit.binds)
        elif unit.effect & UNRENAMED and not unit.effect & OWN:
            self._spoilt.update(name for name in unit.binds if name not in self._own)
        elif not unit.effect & OWN and not (unit.wraps and not unit.effect & CLASS):
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
                line = classes.line(name)
                if said != name or name in self._functions or line is None:
                    return False
                if not self._hooked.isdisjoint(line):
                    return False
                todo += [call for one in line for call in self._inits.get(one, ())]
                continue
            wanted = CALL if said == name else FACTORY if said.endswith(")") else DECORATOR
            found = self._functions.get(name, ())
            if not found or not all(kinds & wanted for kinds, _ in found):
                return False
            for _, calls in found:
                todo += calls
        return True
