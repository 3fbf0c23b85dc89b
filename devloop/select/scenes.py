"""What may mention something of some sources: found once, for all comparisons that ask for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from devloop.graph.graph import Graph
from devloop.select.classes import Classes
from devloop.select.outlines import Outline, Outlines
from devloop.select.records import Contents
from devloop.select.taint import Taint, spread

MOST = 3000
"""How many sources are looked through for the names of an edit; where more could mention one,
the whole closure is selected."""
KEPT = 50
"""How many scenes are kept; each takes about as much as what it was made of."""


class Scene:
    """What may mention something of some sources.

    Args:
        importers: those that import one of them, and they themselves.
        unread: those of the importers of which nobody knows what they say.
        readers: the outlines of the importers, and of all that these import.
        classes: of all of them.
    """

    def __init__(
        self,
        importers: frozenset[str],
        unread: frozenset[str],
        readers: Mapping[str, Outline],
        classes: Classes,
    ) -> None:
        self.importers = importers
        self.unread = unread
        self.readers = readers
        self.classes = classes
        self._own = {path: outline for path, outline in readers.items() if path in importers}
        self._followed: dict[frozenset[tuple[str, tuple[str, ...]]], Taint] = {}

    def follow(self, names: Mapping[str, tuple[str, ...]]) -> Taint:
        """Whom another value behind some names reaches.

        Args:
            names: each with where that was said.
        """
        key = frozenset(names.items())
        found = self._followed.get(key)
        if found is None:
            found = self._followed[key] = spread(names, self._own, self.readers, self.classes)
        return found


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
            scene = Scene(importers, unread, now, classes)
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
