"""Whom another value behind some names can reach (DESIGN §6, "refined by name").

A name is followed by its bare form: whatever mentions it, in code, as an attribute, a keyword
or within a string, may have read the value. A statement that mentions it and only binds hands
it on to the names that it binds; one that may have any effect hands it to all that reach its
file. This is wider than any resolution of names, and needs none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

import msgspec

from devloop.select.classes import Classes
from devloop.select.outlines import (
    ANY_IMPORT,
    ANY_NAME,
    ATTEMPT,
    BY,
    CHOICE,
    CLASS,
    EXPORTS,
    GONE,
    IMPORT,
    MENTIONED,
    OWN_NAME,
    SIGNATURE,
    UNRENAMED,
    Outline,
    Unit,
)


class Taint(msgspec.Struct, frozen=True):
    """Whom the change reaches.

    Args:
        names: for each name the statement behind it, from the name to the change.
        wild: the sources that may do anything else when imported, each with the statement.
        hits: the functions (dependencies of kind ``f``) that may read one of the names, each
            with the name.
    """

    names: Mapping[str, tuple[str, ...]] = {}
    wild: Mapping[str, str] = {}
    hits: Mapping[str, str] = {}


def spread(
    changed: Mapping[str, tuple[str, ...]],
    importers: Mapping[str, Outline],
    readers: Mapping[str, Outline],
    classes: Classes,
) -> Taint:
    """Follow names.

    Args:
        changed: the names behind which another value may stand, each with where that was said.
        importers: the sources whose own statements may read them when they are imported.
        readers: the sources whose functions may.
        classes: those of all of them.

    Returns:
        All that is reached.
    """
    if not changed:
        return Taint()
    names = dict(changed)
    wild: dict[str, str] = {}
    served: dict[str, str] = {}
    by_name: dict[str, list[tuple[str, Unit]]] = {}
    scopes: dict[str, frozenset[str]] = {}
    todo = list(names)
    for path, outline in importers.items():
        for unit in outline.units:
            anything = classes.may_do_anything(unit)
            for index in (*unit.mentions, *unit.asides) if anything else unit.mentions:
                by_name.setdefault(outline.names[index], []).append((path, unit))
    while todo:
        name = todo.pop()
        if name.startswith(GONE):
            for path, unit in by_name.get(name.removeprefix(GONE), ()):
                if unit.effect & IMPORT and path not in wild:
                    wild[path] = unit.shown  # nothing of it can be imported any more
            continue
        shown = name.startswith(SIGNATURE)
        for path, unit in by_name.get(name.removeprefix(SIGNATURE), ()):
            if path in wild or (unit.effect & EXPORTS and _is_defined(name, importers)):
                continue
            if path not in scopes:
                scopes[path] = classes.wild_scopes(importers[path])
            if (
                unit.effect & (MENTIONED | EXPORTS)
                or name == ANY_IMPORT
                or unit.scope in scopes[path]
                or classes.may_do_anything(unit)
            ):
                wild[path] = unit.shown
                continue
            if unit.effect & CLASS and unit.qualname in scopes[path]:
                wild[path] = unit.shown
                continue
            if shown:
                # Whoever is given it by another name may look, too; who only calls it does not.
                for other in () if unit.wraps else (SIGNATURE + one for one in unit.binds):
                    if other not in names:
                        names[other] = (f"{path}: {unit.shown}", *names[name])
                        todo.append(other)
                continue
            if unit.effect & UNRENAMED and name in unit.binds:
                continue
            bound = [*unit.binds]
            if len(bound) == 1 or unit.effect & CHOICE:
                # Of a function, that it may be served by another default.
                for function in unit.qualnames:
                    for key in importers[path].named(function) or (function,):
                        served[f"f {path}::{key}"] = name
            if unit.scope:
                bound.append(unit.scope.rpartition(".")[2])
            for other in bound:
                if other not in names:
                    names[other] = (f"{path}: {unit.shown}", *names[name])
                    todo.append(other)
    return Taint(names, wild, {**served, **_hits(frozenset(names), readers)})


def _is_defined(name: str, sources: Mapping[str, Outline]) -> bool:
    """Whether classes and functions alone have a name, which stay such ones."""
    for outline in sources.values():
        for unit in outline.units:
            if unit.scope or name not in unit.binds or unit.effect & (CLASS | IMPORT) or unit.wraps:
                continue
            if not unit.effect & ATTEMPT or not outline.named(name):
                return False
    return True


def _hits(names: frozenset[str], readers: Mapping[str, Outline]) -> Mapping[str, str]:
    """The functions that mention one of some names."""
    found: dict[str, str] = {}
    for path, outline in readers.items():
        indices = {i: name for i, name in enumerate(outline.names) if name in names}
        if OWN_NAME in outline.names and (name := outline.owns(names)):
            indices[outline.names.index(OWN_NAME)] = name
        if ANY_NAME in names:
            indices.update(dict.fromkeys(_read_by_others(path, outline, readers), ANY_NAME))
        if not indices:
            continue
        for function in outline.functions:
            named = [indices[index] for index in function.mentions if index in indices]
            if named:
                # Names say more to a person than what may be any.
                found[f"f {path}::{function.key}"] = min(named, key=lambda name: " " in name)
    return found


def _read_by_others(path: str, outline: Outline, readers: Mapping[str, Outline]) -> list[int]:
    """Which of a source's names stand for a function of it that others mention, too (`BY`)."""
    found = []
    for index in range(bisect_left(outline.names, BY), len(outline.names)):
        name = outline.names[index]
        if not name.startswith(BY):
            break
        function = name.removeprefix(BY)
        if any(function in other.names for at, other in readers.items() if at != path):
            found.append(index)
    return found
