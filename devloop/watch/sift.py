"""Which files may have changed: told by events, or found by looking at everything."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable

from devloop.watch import names
from devloop.watch.notify import Event
from devloop.watch.places import above
from devloop.watch.signatures import Signature, look
from devloop.watch.tree import Tree, mtime

REMEMBERED = 10_000
"""How many ignored files are remembered, so that git is not asked again at each of their events."""


class Sifter:
    """Reads raw events.

    Blocks on the disk: not for the event loop's thread, but for files that were saved just now.

    Args:
        tree: what is known of the watched files and folders; follows what the events tell.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._ignored: set[str] = set()
        self._rules: dict[str, Signature | None] = {}

    def sift(self, events: Iterable[Event]) -> set[str]:
        """Find out which files may have changed.

        Args:
            events: what has happened.

        Returns:
            Paths as they are reported; what is ignored, quiet or muted is not among them.
        """
        tree, now = self._tree, time.time_ns()
        found: set[str] = set()
        unknown: set[str] = set()
        folders: set[str] = set()
        for place, renewed, _ in events:
            path = tree.places.reported(place)
            found.update(tree.links.get(place, ()))
            if renewed and (path in tree.awaited or path in tree.folders):
                tree.moved = tree.renewed = True
            if path in tree.baseline or path in tree.extra:
                found.add(path)
            if above(path) in tree.listed and not names.is_temporary(os.path.basename(path)):
                found.add(path)
            elif path in tree.folders:
                folders.add(path)
            elif path not in self._ignored and path not in found:
                unknown.add(path)
        if any(os.path.basename(path) == ".git" for path in unknown):
            return self._loud(found | self.reload(patient=True))
        if self._rules_have_changed(found | unknown):
            return self._loud(found | self.reload())
        for path in sorted(folders, key=len):
            if path in tree.folders:
                found |= tree.enter(path, now)
            if path not in tree.folders:
                unknown.add(path)
        return self._loud(found | self._sort(unknown, now))

    def sweep(self) -> set[str]:
        """Look at every file and folder, without being told; some µs for each.

        Returns:
            As `sift`.
        """
        tree, now = self._tree, time.time_ns()
        found, tree.fresh = tree.fresh.union(tree.baseline.stale()), set()
        for path, changed in list(tree.folders.items()):
            if path in tree.folders and changed != (mtime(tree.places.place(path)) or -1):
                found |= tree.enter(path, now)
        for top in tree.places.tops:
            if top not in tree.folders and os.path.isdir(tree.places.place(top)):
                found |= tree.enter(top, now)
        for path, changed in list(tree.listed.items()):
            if changed != (mtime(tree.places.place(path)) or -1):
                found |= tree.list_entries(path, now)
        for path in tree.extra.difference(tree.baseline, tree.folders, tree.listed):
            if os.path.isdir(tree.places.place(path)):
                found |= tree.list_entries(path, now)
                tree.moved = True
            elif os.path.lexists(tree.places.place(path)):
                found.add(path)
        moved = any(rules.moved() for rules in tree.places.rules)
        if moved or self._rules_have_changed(found):
            found |= self.reload(patient=moved)
        return self._loud(found)

    def reload(self, *, patient: bool = False) -> set[str]:
        """Read all ignore rules anew and walk over everything.

        Args:
            patient: a checkout has come, or goes: it may not be whole yet.

        Returns:
            As `sift`.
        """
        self._ignored.clear()
        return self._tree.walk_anew(patient=patient)

    def _rules_have_changed(self, paths: Iterable[str]) -> bool:
        """Whether there is an ignore file among some paths that is not as it was read."""
        changed = False
        for path in paths:
            if not names.is_ignore_file(os.path.basename(path)):
                continue
            known = self._tree.baseline.get(path)
            now = look(self._tree.places.place(path))
            if now != self._rules.get(path, known and known.signature):
                self._rules[path] = now
                changed = True
        return changed

    def _sort(self, unknown: Iterable[str], now: int) -> set[str]:
        """Paths that are not known yet: ask the rules, enter folders."""
        tree = self._tree
        asked: dict[str, dict[str, str]] = {}
        for path in unknown:
            top = tree.places.top(path)
            first = None if top is None else self._first_unknown(path, top)
            if top is None or first is None:
                continue
            try:
                status = os.lstat(tree.places.place(first))
            except (OSError, ValueError):
                continue
            inner = tree.places.inner(top, first)
            slash = "/" if stat.S_ISDIR(status.st_mode) else ""
            asked.setdefault(top, {})[inner + slash] = first
        found: set[str] = set()
        for top, paths in asked.items():
            rules = tree.places.tops[top]
            ignored = rules.ignored([inner for inner, path in paths.items() if path != top])
            for inner, path in paths.items():
                folder = inner.endswith("/")
                if inner in ignored:
                    self._leave(path, folder=folder)
                elif folder:
                    tree.pruned.discard(path)
                    found |= tree.enter(path, now)
                elif os.path.basename(path) in names.MARKS:
                    found |= tree.enter(above(path) or "", now)
                else:
                    found.add(path)
        return found

    def _first_unknown(self, path: str, top: str) -> str | None:
        """The uppermost part of a path that is not known; None where it lies in a pruned folder."""
        first, folders = path, self._tree.folders
        while first != top and (folder := above(first)) is not None and folder not in folders:
            first = folder
        return None if first in self._tree.pruned and first != path else first

    def _leave(self, path: str, *, folder: bool) -> None:
        if folder:
            self._tree.pruned.add(path)
        elif len(self._ignored) < REMEMBERED:
            self._ignored.add(path)

    def _loud(self, found: set[str]) -> set[str]:
        muted, quiet = self._tree.muted, self._tree.quiet
        return {path for path in found if path not in muted and path not in quiet}
