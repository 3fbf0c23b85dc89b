"""What files hold: compared with what they held before."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Container, Iterable

from devloop.events import Change
from devloop.watch.places import above
from devloop.watch.signatures import Known, Unsettled
from devloop.watch.tree import Tree


class Contents:
    """Reads watched files.

    Blocks on the disk: not for the event loop's thread, but for files that were saved just now.

    Args:
        tree: what is known of them; its baseline becomes what they are now.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def missing(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of some files that were there and are not.

        Args:
            paths: as they are reported.
        """
        return frozenset(
            path
            for path in paths
            if path in self._tree.baseline and not os.path.exists(self._tree.places.place(path))
        )

    def empty(self, paths: Iterable[str]) -> bool:
        """Whether there is nothing in one of some files.

        Args:
            paths: as they are reported.
        """
        for path in paths:
            try:
                if not os.stat(self._tree.places.place(path)).st_size:
                    return True
            except OSError:
                continue
        return False

    def examine_all(
        self, paths: Collection[str], *, patient: bool, wary: bool
    ) -> tuple[list[Change], set[str]] | None:
        """Compare files with the baseline, if none is missing that was there.

        Args:
            paths: as they are reported.
            patient: as for `examine`.
            wary: as for `examine`.

        Returns:
            As `examine`; None where one is missing.
        """
        return None if self.missing(paths) else self.examine(paths, (), patient, wary)

    def examine(
        self,
        paths: Iterable[str],
        deleted: Container[str],
        patient: bool = True,
        wary: bool = False,
    ) -> tuple[list[Change], set[str]]:
        """Compare files with the baseline, which becomes what they are now.

        Args:
            paths: as they are reported.
            deleted: those that may be missing; where another one is, it may come back.
            patient: leave alone what is being written just now.
            wary: leave alone what is empty all of a sudden.

        Returns:
            What has changed, and the paths that are to be examined once more.
        """
        changes: list[Change] = []
        again: set[str] = set()
        now = time.time_ns()
        for path in sorted(paths):
            try:
                kind = self._tree.baseline.examine(
                    path,
                    now,
                    entry=above(path) in self._tree.listed,
                    deleted=path in deleted,
                    patient=patient,
                    wary=wary,
                )
            except Unsettled:
                again.add(path)
                continue
            if kind is not None:
                changes.append(Change(path, kind))
        return changes, again

    def look(self, paths: Iterable[str]) -> list[Change]:
        """Look at some files now, quiet ones too.

        Args:
            paths: files, or folders with all that is in them, as somebody wrote them.
        """
        files: set[str] = set()
        for path in map(self._tree.places.named, paths):
            place = self._tree.places.place(path)
            files.update([path], self._tree.baseline.below(path))
            for folder, _, inner in os.walk(place):
                files.update(
                    self._tree.places.reported(os.path.join(folder, name)) for name in inner
                )
        return self.examine(files, deleted=files, patient=False)[0]

    def learn(self, path: str, known: Known) -> None:
        """Take over what somebody else has read, unless the file has changed since.

        Args:
            path: as it is reported.
            known: what was read.
        """
        old = self._tree.baseline.get(path)
        if old is None or (old.signature == known.signature and old.digest is None):
            self._tree.baseline.put(path, known, time.time_ns())

    def unread(self, size: int) -> list[str]:
        """Files of which the bytes have not been read.

        Args:
            size: the largest, in bytes.
        """
        return [
            path
            for path, known in list(self._tree.baseline.items())
            if known.digest is None and 0 <= known.signature.size <= size
        ]

    def fill(self, paths: Iterable[str]) -> None:
        """Read such files.

        Args:
            paths: as they are reported.
        """
        now = time.time_ns()
        for path in paths:
            self._tree.baseline.fill(path, now)
