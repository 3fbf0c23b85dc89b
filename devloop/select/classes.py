"""What the classes, and the calls, of some sources may do when a module is imported."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable

from devloop.select.calls import Calls
from devloop.select.outlines import CHANGED, CLASS, Outline, Unit


class Classes:
    """The classes of some sources, by bare name.

    Args:
        outlines: of the sources.
        own: as of `Calls`.
    """

    def __init__(self, outlines: Collection[Outline], own: frozenset[str] = frozenset()) -> None:
        self._outlines = outlines
        self._own = own

    @functools.cached_property
    def _calls(self) -> Calls:
        return Calls(self._outlines, self._own)

    @functools.cached_property
    def _bases(self) -> dict[str, list[str] | None]:
        """For each name the bases of all classes of that name; None where one may do anything."""
        found: dict[str, list[str] | None] = {}
        for outline in self._outlines:
            hooks = {u.scope for u in outline.units if "__init_subclass__" in u.binds}
            for unit in outline.units:
                if unit.effect & CLASS:
                    name = unit.binds[0]
                    if unit.effect & CHANGED or unit.qualname in hooks:
                        found[name] = None
                    elif (known := found.setdefault(name, [])) is not None:
                        known.extend(unit.bases)
        return found

    def are_tame(self, bases: Iterable[str]) -> bool:
        """Whether to be derived from some classes has no effect elsewhere.

        Args:
            bases: their bare names.
        """
        return all(self.line(name) is not None for name in bases)

    def line(self, name: str) -> frozenset[str] | None:
        """A class, and all of the project that it is derived from.

        Args:
            name: its bare name.

        Returns:
            Bare names; None where being derived from one of them may have any effect.
        """
        seen: set[str] = set()
        todo = [name]
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            bases_of = self._bases.get(name)
            if bases_of is None:
                return None
            todo += bases_of
        return frozenset(seen)

    def may_do_anything(self, unit: Unit) -> bool:
        """Whether a statement calls something of the project that is not known to be harmless."""
        return bool(unit.calls) and not self._calls.are_tame(unit.calls, self)

    def wild_scopes(self, outline: Outline) -> frozenset[str]:
        """The classes of a source whose statements may have any effect.

        Args:
            outline: of the source.

        Returns:
            Qualified names; a class within such a class is one, too.
        """
        wild: set[str] = set()
        for unit in outline.units:
            if unit.effect & CLASS and (
                unit.scope in wild or unit.effect & CHANGED or not self.are_tame(unit.bases)
            ):
                wild.add(unit.qualname)
        return frozenset(wild)
