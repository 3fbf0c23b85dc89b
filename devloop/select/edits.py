"""What was edited between two contents of a source (DESIGN §6, *Selection*)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import msgspec

from devloop.select.classes import Classes
from devloop.select.outlines import (
    ANY_IMPORT,
    ANY_NAME,
    ANY_SIGNATURE,
    CHANGED,
    CHOICE,
    CLASS,
    GONE,
    HEADLESS,
    IMPORT,
    SIGNATURE,
    Outline,
    Unit,
)


class Edit(msgspec.Struct, frozen=True):
    """What differs between two contents of one source.

    Args:
        functions: the keys of those whose own code differs, that came or that went.
        names: the names behind which another value may stand, each with what a person calls
            the statement; `ANY_NAME` and `ANY_SIGNATURE` stand for those who read it unsaid,
            `SIGNATURE` and a name for those who are given what bears it.
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
        Keys; those that came and those that went are among them. Where another number of
        functions has one name, nobody knows which is which.
    """
    old = {function.key: function.digest for function in before.functions}
    new = {function.key: function.digest for function in after.functions}
    edited = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    moved = {key.partition("#")[0] for key in old.keys() ^ new.keys() if "#" in key}
    if moved:
        edited |= {key for key in old.keys() | new.keys() if key.partition("#")[0] in moved}
    return frozenset(edited)


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
            if not same and not unit.scope:
                names.setdefault(ANY_IMPORT, unit.shown)
            function = unit.qualname if unit.binds else ""
            if unit.effect & CHOICE:
                # Those that it defines may be served by other defaults.
                for key in unit.qualnames:
                    functions.update(before.named(key), after.named(key))
                names.setdefault("__doc__", unit.shown)
                names.setdefault(ANY_SIGNATURE, unit.shown)
            elif _is_def(outline, unit, function) and same:
                functions.update(before.named(function), after.named(function))
                if {unit.documents} != {one.documents for one in same}:
                    names.setdefault("__doc__", unit.shown)
                names.setdefault(ANY_SIGNATURE, unit.shown)
                if called := _called(unit):
                    names.setdefault(SIGNATURE + called, unit.shown)
                # Whoever is served by another default has run it, and so has whoever called
                # what a decorator that is known has made of it.
                if {unit.wraps} == {one.wraps for one in same}:
                    continue
                if _is_built_on(outline, unit):
                    return Edit(frozenset(functions), names, unit.shown)
                if not _decides_of_class(outline, unit):
                    names.update({name: unit.shown for name in unit.binds if name not in names})
                    continue
            for name in (*unit.binds, ANY_NAME):
                names.setdefault(name, unit.shown)
            if not unit.scope and not unit.effect & (CLASS | IMPORT) and not unit.wraps:
                constants.update(unit.binds)
            if unit.scope:
                names.setdefault(unit.scope.rpartition(".")[2], unit.shown)
    bound = {name for unit in after.units if not unit.scope for name in unit.binds}
    for unit in gone:
        for name in () if unit.scope else unit.binds:
            if name not in bound:
                names.setdefault(GONE + name, unit.shown)
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


def _called(unit: Unit) -> str:
    """The name of what is called where a function runs; "" for one of an object's own."""
    if not unit.scope:
        return unit.binds[0]
    return unit.scope.rpartition(".")[2] if unit.binds[0] in ("__init__", "__new__") else ""


def _is_built_on(outline: Outline, unit: Unit) -> bool:
    """Whether another function of that name follows: a setter fails without its property."""
    at = next(i for i, one in enumerate(outline.units) if one is unit)
    return any((u.scope, u.binds) == (unit.scope, unit.binds) for u in outline.units[at + 1 :])


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
