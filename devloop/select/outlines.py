"""What sources consist of, and what was edited between two contents of one (DESIGN §6).

`inside/outline.py` finds an outline; here two of them are compared.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from devloop.select.calls import Calls

CHANGED = 1
MENTIONED = 2
CLASS = 4
HEADLESS = 8
IMPORT = 16
OWN = 32
"""The flags of `Unit.effect`; see `inside/skeleton.py`."""
ANY_NAME = "any name"
OWN_NAME = "any name of its module"
ANY_SIGNATURE = "any signature"
"""Stand among the identifiers of what may read a value, or how a function is defined, without
saying whose; see `inside/reflection.py`."""


class Function(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A function of a source.

    Args:
        key: its qualified name.
        digest: of its own code.
        mentions: indices of the identifiers in it.
        tame: some of the flags of `devloop.select.calls`.
        calls: what has to be tame for that.
    """

    key: str
    digest: str
    mentions: tuple[int, ...]
    tame: int = 0
    calls: tuple[str, ...] = ()


class Unit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One statement of a module, or of a class.

    Args:
        scope: the qualified name of the class that it stands in; empty for the module.
        binds: names.
        digest: of what it says, function bodies left out.
        mentions: indices of the identifiers in it.
        effect: a union of flags.
        bases: of a class's header: the bases that only the project's sources can tell of.
        wraps: a digest of a function's decorators and its kind; of a class's decorators, if any.
        calls: what it calls of the project; where one of these may do anything, so may this.
        asides: indices of what more it mentions to whoever may do anything.
    """

    scope: str
    binds: tuple[str, ...]
    digest: str
    mentions: tuple[int, ...]
    effect: int
    bases: tuple[str, ...] = ()
    wraps: str = ""
    calls: tuple[str, ...] = ()
    asides: tuple[int, ...] = ()

    @property
    def qualname(self) -> str:
        """Of the class, or the function, that it binds."""
        return f"{self.scope}.{self.binds[0]}" if self.scope else self.binds[0]

    @property
    def shown(self) -> str:
        """What a person calls it."""
        name = ", ".join(self.binds) or "a statement"
        return f"{self.scope}.{name}" if self.scope else name


class Outline(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a source consists of.

    Args:
        names: all identifiers that are mentioned in it, in annotations as well.
        functions: by key.
        units: of its skeleton, in order.
    """

    names: tuple[str, ...] = ()
    functions: tuple[Function, ...] = ()
    units: tuple[Unit, ...] = ()

    def owns(self, names: Collection[str]) -> str:
        """One of some names that the module binds, or may have imported by a star; else nothing."""
        for unit in self.units:
            if not unit.scope and unit.effect & IMPORT and not unit.binds:
                return next(iter(names), "")
            found = next((n for n in unit.binds if n in names and n != "__doc__"), "")
            if found and not unit.scope:
                return found  # `__doc__` is that of whatever was edited
        return ""

    def names_of(self, part: Function | Unit) -> list[str]:
        """The identifiers that a part of it mentions."""
        return [self.names[index] for index in part.mentions]


Outlines = Callable[[Iterable[bytes]], Mapping[bytes, Outline]]
"""Gives the outlines of some fingerprints; those that are not at hand are left out."""

_decode = msgspec.json.Decoder(Outline).decode


def decode(packed: bytes) -> Outline:
    """Unpack an outline.

    Args:
        packed: as the parse worker gives it.

    Raises:
        msgspec.DecodeError, zlib.error: it is something else.
    """
    return _decode(zlib.decompress(packed))


class Classes:
    """The classes of some sources, by bare name.

    Args:
        outlines: of the sources.
    """

    def __init__(self, outlines: Collection[Outline]) -> None:
        self._calls = Calls(outlines)
        self._bases: dict[str, list[str] | None] = {}
        """For each name the bases of all classes of that name; None where one may do anything."""
        for outline in outlines:
            hooks = {u.scope for u in outline.units if "__init_subclass__" in u.binds}
            for unit in outline.units:
                if unit.effect & CLASS:
                    name = unit.binds[0]
                    if unit.effect & CHANGED or unit.qualname in hooks:
                        self._bases[name] = None
                    elif (known := self._bases.setdefault(name, [])) is not None:
                        known.extend(unit.bases)

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


class Edit(msgspec.Struct, frozen=True):
    """What differs between two contents of one source.

    Args:
        functions: the keys of those whose own code differs, that came or that went.
        names: the names behind which another value may stand, each with what a person calls
            the statement; `ANY_NAME` and `ANY_SIGNATURE` stand for those who read it unsaid.
        wild: what a person calls a statement that may have any effect; None where there is none.
        constants: those of the names that a module binds otherwise than by a definition.
    """

    functions: frozenset[str] = frozenset()
    names: Mapping[str, str] = {}
    wild: str | None = None
    constants: frozenset[str] = frozenset()

    @property
    def of_skeleton(self) -> bool:
        """Whether more than functions' bodies differ."""
        return bool(self.names) or self.wild is not None


def functions_edited(before: Outline, after: Outline) -> frozenset[str]:
    """The functions that differ between two contents.

    Args:
        before: the earlier one.
        after: the later one.

    Returns:
        Keys; those that came and those that went are among them.
    """
    old = {function.key: function.digest for function in before.functions}
    new = {function.key: function.digest for function in after.functions}
    return frozenset(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def same_skeleton(before: Outline, after: Outline) -> bool:
    """Whether two contents differ in functions' bodies at most."""
    return [(u.scope, u.digest) for u in before.units] == [(u.scope, u.digest) for u in after.units]


def compare(before: Outline, after: Outline, classes: Classes) -> Edit:
    """Find what differs between two contents of a source.

    Args:
        before: the earlier one.
        after: the later one.
        classes: those that its classes may be derived from.

    Returns:
        The difference.
    """
    functions = set(functions_edited(before, after))
    old, new = _counted(before), _counted(after)
    gone = [u for u in before.units if _left(old, new, u)]
    come = [u for u in after.units if _left(new, old, u)]
    kept_then = [(u.scope, u.digest) for u in before.units if (u.scope, u.digest) in new]
    kept_now = [(u.scope, u.digest) for u in after.units if (u.scope, u.digest) in old]
    if kept_then != kept_now:
        return Edit(frozenset(functions), wild="the order of its statements")
    wild_scopes = classes.wild_scopes(before) | classes.wild_scopes(after)
    names: dict[str, str] = {}
    constants: set[str] = set()
    then, now = _bound(gone), _bound(come)
    for outline, units, others in ((before, gone, now), (after, come, then)):
        for unit in units:
            same = list(others.get((unit.scope, unit.binds), ()))
            if _is_wild(unit, same, wild_scopes) or classes.may_do_anything(unit):
                return Edit(frozenset(functions), names, unit.shown)
            function = unit.qualname if unit.binds else ""
            if _is_def(outline, unit, function) and same:
                functions.add(function)
                names.setdefault("__doc__", unit.shown)
                names.setdefault(ANY_SIGNATURE, unit.shown)
                # Whoever is served by another default has run it, and so has whoever called
                # what a decorator that is known has made of it.
                if {unit.wraps} == {one.wraps for one in same}:
                    continue
                if not _decides_of_class(outline, unit):
                    names.update({name: unit.shown for name in unit.binds if name not in names})
                    continue
            for name in (*unit.binds, ANY_NAME):
                names.setdefault(name, unit.shown)
            if not unit.scope and not unit.effect & (CLASS | IMPORT) and not unit.wraps:
                constants.update(unit.binds)
            if unit.scope:
                names.setdefault(unit.scope.rpartition(".")[2], unit.shown)
    return Edit(frozenset(functions), names, constants=frozenset(constants))


def _counted(outline: Outline) -> Counter[tuple[str, str]]:
    return Counter((u.scope, u.digest) for u in outline.units)


def _left(own: Counter[tuple[str, str]], other: Counter[tuple[str, str]], unit: Unit) -> bool:
    key = (unit.scope, unit.digest)
    return own[key] != other[key]


def _bound(units: Collection[Unit]) -> Mapping[tuple[str, tuple[str, ...]], list[Unit]]:
    found: dict[tuple[str, tuple[str, ...]], list[Unit]] = {}
    for unit in units:
        found.setdefault((unit.scope, unit.binds), []).append(unit)
    return found


def _decides_of_class(outline: Outline, unit: Unit) -> bool:
    """Whether a method's decorator may say that its class has no objects."""
    return any("abstract" in name for name in outline.names_of(unit))


def _is_def(outline: Outline, unit: Unit, function: str) -> bool:
    return any(one.key == function for one in outline.functions)


def _is_wild(unit: Unit, same: Collection[Unit], wild_scopes: Collection[str]) -> bool:
    """Whether a statement that differs may have any effect.

    Args:
        unit: the statement.
        same: of the other content, those that bind the same; none where it came or went.
        wild_scopes: the classes in which any statement may.
    """
    if unit.effect & CHANGED or unit.scope in wild_scopes:
        return True
    if unit.effect & CLASS:
        return bool(same) or unit.qualname in wild_scopes
    return bool(unit.effect & HEADLESS) and not same
