"""What watching gives: all files at one moment, and sets of changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from devloop.config.types import Watch
from devloop.events import Change, Notice
from devloop.watch.signatures import Signature
from devloop.watch.tree import Tree


class ChangeSet(msgspec.Struct, frozen=True):
    """Files of which the content has changed, together.

    Args:
        changes: sorted by path.
        seen: when the first of them was noticed; monotonic, in seconds.
        rescan: events may have been lost, so all files were looked at.
        look: the number of a look that was asked for: all that had changed before has been
            reported. Then there are no changes.
    """

    changes: tuple[Change, ...]
    seen: float
    rescan: bool = False
    look: int | None = None


class Scan(NamedTuple):
    """All watched files, at one moment.

    Args:
        files: the signature of each.
        tracked: those that git tracks; None outside a checkout.
    """

    files: dict[str, Signature]
    tracked: frozenset[str] | None


def scan(
    root: Path,
    config: Watch,
    extra: Collection[str] = (),
    notice: Callable[[Notice], None] | None = None,
) -> Scan:
    """Enumerate the watched files once, without watching them. Blocks.

    Args:
        root: the project's.
        config: the `watch` table.
        extra: paths watched although ignored.
        notice: told what a person should know.

    Returns:
        Paths relative to the root, absolute outside it.
    """
    with _tree(root, config, notice) as tree:
        return Scan(tree.enumerate(extra), tree.tracked())


def covered(root: Path, config: Watch, paths: Collection[str]) -> set[str]:
    """Those of some files, there or not, that are watched where they are there. Blocks.

    Args:
        root: the project's.
        config: the `watch` table.
        paths: relative to the root.
    """
    with _tree(root, config) as tree:
        return tree.covered(paths)


@contextmanager
def _tree(
    root: Path, config: Watch, notice: Callable[[Notice], None] | None = None
) -> Iterator[Tree]:
    def tell(message: str) -> None:
        if notice is not None:
            notice(Notice(message=message, severity="warning"))

    tree = Tree(os.path.abspath(root), config, tell)
    try:
        yield tree
    finally:
        tree.close()
