"""All that is known of the watched trees, and what a raw event means to them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from devloop.config.types import Watch
from devloop.watch import names
from devloop.watch.baseline import Baseline
from devloop.watch.patterns import Named
from devloop.watch.places import Places, above
from devloop.watch.signatures import FOLDER, Known, Signature, look, signature_of
from devloop.watch.walk import RACY, Found, walk


class Tree:
    """The watched files and folders. Blocks on the disk: not for the event loop's thread.

    Args:
        root: the project's, absolute.
        config: the `watch` table.
        notice: told in one sentence what a person should know.
    """

    def __init__(self, root: str, config: Watch, notice: Callable[[str], None]) -> None:
        self.places = Places(root, config.paths, config.ignore, notice)
        self.baseline = Baseline(root)
        self.folders: dict[str, int] = {}
        self.pruned: set[str] = set()
        self.unreadable: set[str] = set()
        self.extra: frozenset[str] = frozenset()
        self.quiet = Named()
        self.muted: set[str] = set()
        self.fresh: set[str] = set()
        """Files that have come since somebody read everything."""
        self.forgotten: set[str] = set()
        """Files that have turned out to be ignored; whoever has noted them forgets them too."""
        self.links: dict[str, set[str]] = {}
        """The links among the files, by where they lead (absolute)."""
        self.listed: dict[str, int] = {}
        """The mtime of each folder that is watched for its entries alone."""
        self.awaited: set[str] = set()
        """Paths outside the watched folders whose coming or going changes what is attended."""
        self.moved = False
        """Other folders matter than before."""
        self.renewed = False
        """A folder has been replaced, and a watch follows the old one."""
        self.renamed: tuple[Collection[str], Mapping[str, Known]] | None = None
        """The paths that are to be watched although ignored from now on, and what is known of
        them."""
        self._notice = notice

    def start(self, known: Mapping[str, Known], extra: Collection[str]) -> None:
        """Walk over everything and take it as the baseline.

        Args:
            known: what somebody has read before; where there is any, what differs from it is a
                change. Nothing, where nobody has.
            extra: paths watched although ignored.
        """
        now = time.time_ns()
        found = self._walk_all(now)
        self._take(found)
        for path, signature in found.files.items():
            if path in known or not known:
                self._learn(path, signature, known, now)
            else:
                self.fresh.add(path)
        for path in known.keys() - found.files.keys():
            if not os.path.lexists(self.places.place(path)):
                self.baseline.put(path, known[path], now)
        self.name(extra, known)

    def enumerate(self, extra: Collection[str]) -> dict[str, Signature]:
        """Walk over everything and remember nothing.

        Args:
            extra: paths that count although ignored; of folders nothing is enumerated.
        """
        files = self._walk_all(time.time_ns()).files
        for path in {*map(self.places.named, extra), *self.places.files}.difference(files):
            if found := look(self.places.place(path)):
                files[path] = found
        return files

    def covered(self, paths: Iterable[str]) -> set[str]:
        """Those of some files, there or not, that are watched where they are there.

        Args:
            paths: as they are reported.
        """
        found = set()
        asked: dict[str, dict[str, list[str]]] = {}
        for path in paths:
            top = self.places.top(path)
            if path in self.places.files:
                found.add(path)
            elif top is not None:
                inner = self.places.inner(top, path)
                folders = [inner[:i] for i, sign in enumerate(inner, 1) if sign == "/"]
                asked.setdefault(top, {})[path] = [*folders, inner]
        for top, ways in asked.items():
            ignored = self.places.tops[top].ignored({part for way in ways.values() for part in way})
            found.update(path for path, way in ways.items() if ignored.isdisjoint(way))
        return found

    def name(self, extra: Collection[str], known: Mapping[str, Known] | None = None) -> None:
        """Say which paths are watched although ignored.

        Args:
            extra: files, and folders of which the entries are watched.
            known: what is known of their content.
        """
        now = time.time_ns()
        before = self.extra
        self.extra = frozenset(map(self.places.named, extra)) | self.places.files
        for path in before - self.extra:
            self.listed.pop(path, None)
        for path in self.extra - before:
            if os.path.isdir(self.places.place(path)):
                if path not in self.folders:
                    self.list_entries(path, now, new=True)
            elif path not in self.baseline and (found := look(self.places.place(path))):
                self._learn(path, found, known or {}, now)

    def attended(self) -> set[str]:
        """The folders in which events must be noticed (absolute); only existing ones."""
        if self.renamed is not None:
            (extra, known), self.renamed = self.renamed, None
            self.name(extra, known)
        wanted = set(self.folders)
        self.awaited.clear()
        for path in (*self.extra, *self.places.tops):
            if path in self.folders:
                continue
            if os.path.isdir(self.places.place(path)):
                wanted.add(path)
            # Should it come, go or be replaced, or a folder above it, then the watch is lost.
            if not os.path.isfile(self.places.place(path)):
                self.awaited.add(path)
            exists, folder = path in wanted, above(path)
            while folder is not None and folder not in self.folders:
                if not exists and (exists := os.path.isdir(self.places.place(folder))):
                    wanted.add(folder)
                self.awaited.add(folder)
                folder = above(folder)
        found = {self.places.place(path) for path in wanted}
        found.update(os.path.dirname(target) for target in self.links)
        return {place for place in found if os.path.isdir(place)}

    def files(self) -> dict[str, Signature]:
        """The signature of every watched file."""
        return {
            path: known.signature
            for path, known in self.baseline.items()
            if above(path) not in self.listed
        }

    def tracked(self) -> frozenset[str] | None:
        """The files that git tracks; None outside a checkout."""
        found: frozenset[str] | None = None
        for rules in self.places.rules:
            paths = rules.tracked()
            if paths is not None:
                named = frozenset(rules.prefix + path for path in paths) if rules.prefix else paths
                found = named if found is None else found | named
        return found

    def locked(self) -> bool:
        """Whether git is moving files about just now."""
        return any(rules.locked() for rules in self.places.rules)

    def close(self) -> None:
        """End the processes that answer for git."""
        for rules in self.places.rules:
            rules.close()

    def _walk_all(self, now: int) -> Found:
        found = Found()
        for rules in self.places.rules:
            tops = [top for top, owner in self.places.tops.items() if owner is rules]
            starts = [self.places.inner(top, top) for top in tops]
            with rules.listing():
                walk(rules, starts, found, now=now, named=starts)
        return found

    def _take(self, found: Found) -> None:
        self.folders = dict(found.folders)
        self.pruned = set(found.pruned)
        self.links = {}
        self._link(found)
        for path in sorted(found.unreadable - self.unreadable):
            self._notice(f"The folder {path} cannot be read: nothing in it is watched.")
        self.unreadable = set(found.unreadable)

    def _link(self, found: Found) -> None:
        for path, target in found.links.items():
            self.links.setdefault(target, set()).add(path)
            self.moved = True

    def _learn(self, path: str, signature: Signature, known: Mapping[str, Known], now: int) -> None:
        self.baseline.put(path, known.get(path) or Known(signature), now)

    def list_entries(self, path: str, now: int, *, new: bool = False) -> set[str]:
        """Look at the entries of a folder that is watched for them alone.

        Args:
            path: as it is reported.
            now: nanoseconds since the epoch.
            new: take them as the baseline.

        Returns:
            Those that may have changed.
        """
        place = self.places.place(path)
        changed = mtime(place)
        seen: set[str] = set()
        try:
            with os.scandir(place) as listing:
                for entry in listing:
                    if names.is_temporary(entry.name):
                        continue
                    inner = f"{path}/{entry.name}" if path else entry.name
                    seen.add(inner)
                    if new and inner not in self.baseline:
                        folder = entry.is_dir()
                        signature = FOLDER if folder else signature_of(entry.stat())
                        self.baseline.put(inner, Known(signature), now)
        except OSError:
            seen.clear()  # it is gone, or will be looked at again
        self.listed[path] = changed if changed < now - RACY else 0
        gone = [inner for inner in self.baseline.below(path) if above(inner) == path]
        return set() if new else seen.symmetric_difference(gone)

    def enter(self, path: str, now: int) -> set[str]:
        """Look at what a folder holds by now, and enter new folders in it.

        Args:
            path: as it is reported; watched, or to be watched from now on.
            now: nanoseconds since the epoch.

        Returns:
            The files that are new, or all that were in it where it is gone.
        """
        place = self.places.place(path)
        if not os.path.isdir(place) or os.path.islink(place):
            return set(self._leave(path))
        top = self.places.top(path)
        if top is None:
            return set()
        rules, found = self.places.tops[top], Found()
        start = self.places.inner(top, path)
        named = [start] if path in self.places.tops else []
        walk(rules, [start], found, now=now, named=named, known=self.folders)
        if found.folders.keys() - self.folders.keys():
            self.moved = True
        self.folders.update(found.folders)
        self.pruned |= found.pruned
        self._link(found)
        if path in found.pruned and path in self.folders:
            # It has turned out to be an environment or a cache.
            for name in self._leave(path):
                self.baseline.forget(name)
                self.forgotten.add(name)
            self.moved = True
        return set(found.files).difference(self.baseline)

    def walk_anew(self, *, patient: bool = False) -> set[str]:
        """Read all ignore rules anew and walk over everything.

        Args:
            patient: wait for a checkout that is being made.

        Returns:
            The files that have come to light, and those that are gone. What is ignored from now
            on is forgotten without a word, for its bytes have not changed.
        """
        for rules in self.places.rules:
            rules.renew(patient=patient)
        found = self._walk_all(time.time_ns())
        self._take(found)
        self.moved = True
        candidates = set(found.files).difference(self.baseline)
        for path in list(self.baseline):
            if path in found.files or path in self.extra or above(path) in self.listed:
                continue
            if os.path.lexists(self.places.place(path)):
                self.baseline.forget(path)
                self.forgotten.add(path)
            else:
                candidates.add(path)
        return candidates

    def _leave(self, path: str) -> list[str]:
        """Watch a folder no longer; gives the files that were in it."""
        prefix = f"{path}/"
        for folder in [name for name in self.folders if name == path or name.startswith(prefix)]:
            del self.folders[folder]
        return self.baseline.below(path)


def mtime(place: str) -> int:
    """When a folder's entries changed last, in nanoseconds; 0 where there is none.

    Args:
        place: absolute.
    """
    try:
        return os.stat(place).st_mtime_ns
    except OSError:
        return 0
