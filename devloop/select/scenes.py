"""What may mention something of some sources: found once, for all comparisons that ask for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from devloop.graph.graph import Graph
from devloop.select.classes import Classes
from devloop.select.outlines import CLASS, EXPORTS, IMPORT, Outline, Outlines
from devloop.select.records import Contents
from devloop.select.taint import Taint, spread

MOST = 3000
"""How many sources are looked through for the names of an edit; where more could mention one,
the whole closure is selected."""
KEPT = 50
"""How many scenes are kept; each takes about as much as what it was made of."""


CACHING = ("cache", "lazy", "memo", "once", "reify")
"""What decorators have in their names that keep results; see `inside/record_calls.py`."""
_Names = frozenset[tuple[str, tuple[str, ...]]]


class Scene:
    """What may mention something of some sources.

    Args:
        importers: those that import one of them, and they themselves.
        unread: those of the importers of which nobody knows what they say.
        readers: the outlines of the importers, and of all that these import.
        classes: of all of them.
        tests: those of the importers that are test files.
    """

    def __init__(
        self,
        importers: frozenset[str],
        unread: frozenset[str],
        readers: Mapping[str, Outline],
        classes: Classes,
        tests: frozenset[str],
    ) -> None:
        self.importers = importers
        self.tests = tests
        self.unread = unread
        self.readers = readers
        self.classes = classes
        self._own = {path: outline for path, outline in readers.items() if path in importers}
        self._followed: dict[tuple[_Names, frozenset[str] | None], Taint] = {}

    def follow(
        self, names: Mapping[str, tuple[str, ...]], late: frozenset[str] | None = None
    ) -> Taint:
        """Whom another value behind some names reaches.

        Args:
            names: each with where that was said.
            late: the importers whose statements may meet it; None is all of them.
        """
        key = frozenset(names.items()), None if late is None else late & self.importers
        found = self._followed.get(key)
        if found is None:
            own = self._own
            if late is not None:
                own = {path: outline for path, outline in own.items() if path in late}
            found = self._followed[key] = spread(names, own, self.readers, self.classes)
        return found

    def is_decorator(self, descriptor: str) -> bool:
        """Whether a descriptor does nothing but decorate methods, and says that it keeps something.

        Each method that it decorates then counts as keeping something by itself.

        Args:
            descriptor: the bare name of its class.
        """
        if not any(word in descriptor.lower() for word in CACHING):
            return False
        for path, outline in self._own.items():
            if descriptor not in outline.names:
                continue
            index = outline.names.index(descriptor)
            # A test may make a class of its own.
            if path not in self.tests and any(index in one.mentions for one in outline.functions):
                return False
            for unit in outline.units:
                if index in (*unit.mentions, *unit.asides):
                    itself = descriptor in unit.binds and unit.effect & CLASS
                    decorates = unit.scope and unit.wraps
                    if not (itself or decorates or unit.effect & (IMPORT | EXPORTS)):
                        return False
        return True

    def is_property(self, path: str, function: str) -> bool:
        """Whether a function is a method that whoever reads an attribute calls.

        Args:
            path: of its source.
            function: its qualified name.
        """
        outline = self.readers.get(path)
        return outline is not None and any(
            unit.wraps
            and unit.scope
            and unit.qualname == function
            and any("property" in outline.names[index].lower() for index in unit.mentions)
            for unit in outline.units
        )


class Scenes:
    """The scenes of one graph; those of the one before are forgotten."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._known: dict[frozenset[str], tuple[Mapping[str, bytes | None], Scene | None]] = {}

    def of(
        self,
        graph: Graph,
        contents: Contents,
        outlines: Outlines,
        files: Collection[str],
        more: Collection[Outline] = (),
    ) -> Scene | None:
        """The scene of some sources.

        Args:
            graph: as it is now.
            contents: as they are now.
            outlines: gives outlines by fingerprint.
            files: the sources.
            more: outlines of which the classes count, too.

        Returns:
            None where too many sources would have to be looked through.
        """
        if graph is not self._graph or len(self._known) > KEPT:
            self._graph, self._known = graph, {}
        key = frozenset(files)
        if not more and key in self._known:
            seen, scene = self._known[key]
            if all(contents.get(path) == content for path, content in seen.items()):
                return scene
        importers = frozenset(graph.affected(files))
        readers = graph.closure([*importers, *graph.closure(files)])
        scene = None
        there = [path for path in sorted(readers) if path in contents]
        if len(readers) <= MOST:
            known = outlines({contents[path] for path in there})
            now = {path: known[contents[path]] for path in there if contents[path] in known}
            unread = frozenset(p for p in importers if p not in now and p in contents)
            classes = Classes([*now.values(), *more], _own_names(graph, now))
            tests = importers.intersection(graph.tests)
            scene = Scene(importers, unread, now, classes, tests)
            if more or len(now) < len(there):
                return scene  # what is not at hand may be so the next time
        self._known[key] = {path: contents.get(path) for path in importers | readers}, scene
        return scene


def _own_names(graph: Graph, paths: Iterable[str]) -> frozenset[str]:
    """The names that some sources import from modules of the project, and from nowhere else."""
    own: set[str] = set()
    others: set[str] = set()
    for path in paths:
        for one in graph.files[path].imports:
            if not one.level:
                (own if graph.module_paths(one.module) else others).update(one.names)
    return frozenset(own - others)
