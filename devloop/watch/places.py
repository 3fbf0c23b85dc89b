"""The places that are watched: the tops of trees, and single paths although ignored."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable

from devloop.watch.rules import Rules


class Places:
    """Translates between paths on disk and paths as they are reported.

    Args:
        root: the project's, absolute.
        paths: the configuration's `watch.paths`.
        ignore: the configuration's `watch.ignore`.
        notice: told why git could not be asked.
    """

    def __init__(
        self,
        root: str,
        paths: Iterable[str],
        ignore: Collection[str],
        notice: Callable[[str], None],
    ) -> None:
        self.root = root
        self._real = os.path.realpath(root)
        self.files: set[str] = set()
        self.tops: dict[str, Rules] = {}
        inside: Rules | None = None
        for path in sorted({self.named(path) for path in paths}, key=len):
            if os.path.isfile(self.place(path)):
                self.files.add(path)
            elif self.top(path) is None:
                if os.path.isabs(path):
                    rules = Rules(path, ignore, notice, prefix=f"{path.rstrip('/')}/")
                else:
                    rules = inside = inside or Rules(root, ignore, notice)
                self.tops[path] = rules

    @property
    def rules(self) -> list[Rules]:
        """The rules of every tree."""
        return list({id(rules): rules for rules in self.tops.values()}.values())

    def named(self, path: str) -> str:
        """Bring a path that somebody wrote into the form that is reported.

        Args:
            path: absolute, or relative to the root.
        """
        return self.reported(os.path.normpath(os.path.join(self.root, path)))

    def reported(self, place: str) -> str:
        """The reported form of a place on disk.

        Args:
            place: absolute.

        Returns:
            Relative to the root where it is inside it, else absolute; always forward slashes.
        """
        if os.sep != "/":
            place = place.replace(os.sep, "/")
        for root in (self.root, self._real):
            if place.startswith(root) and (len(place) == len(root) or place[len(root)] == "/"):
                return place[len(root) + 1 :]
        return place

    def place(self, path: str) -> str:
        """Where a reported path is on disk.

        Args:
            path: as it is reported.
        """
        return os.path.join(self.root, path) if path else self.root

    def top(self, path: str) -> str | None:
        """The top of the tree that a path lies in.

        Args:
            path: as it is reported.

        Returns:
            None where it is in none of the watched trees.
        """
        for top in self.tops:
            if not top:
                if not os.path.isabs(path):
                    return top
            elif path == top or path.startswith(f"{top}/"):
                return top
        return None

    def inner(self, top: str, path: str) -> str:
        """A reported path as the rules of its tree want it.

        Args:
            top: of that tree.
            path: as it is reported.
        """
        prefix = self.tops[top].prefix
        return path[len(prefix) :] if path.startswith(prefix) else ""


def above(path: str) -> str | None:
    """The folder that a path is in.

    Args:
        path: as it is reported.

    Returns:
        None for the root, and for a place above which there is nothing.
    """
    if not path or path == "/":
        return None
    cut = path.rfind("/")
    return path[:cut] if cut > 0 else "/" if cut == 0 else ""
