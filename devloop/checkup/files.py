"""Checks of the tree: whether it can be watched, and records be kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from devloop.checkup.finding import Finding
from devloop.config import folder
from devloop.config.types import Watch
from devloop.store import presence
from devloop.store.sqlite import locks_work
from devloop.watch import mounts
from devloop.watch.tree import Tree

LIMITS = Path("/proc/sys/fs/inotify")
SHOWN = 8
"""How many ignored folders are named."""


class Survey(msgspec.Struct, frozen=True):
    """What lies in the watched tree.

    Args:
        files: relative to the root.
        folders: how many folders take a watch.
        pruned: the ignored folders at which watching stops.
        unreadable: folders that could not be listed.
        notices: what the ignore rules had to say.
    """

    files: frozenset[str]
    folders: int
    pruned: tuple[str, ...]
    unreadable: tuple[str, ...]
    notices: tuple[str, ...]


def survey(root: Path, config: Watch) -> Survey:
    """Walk over the watched tree as the watcher does.

    Args:
        root: the project's.
        config: the `watch` table.
    """
    notices: list[str] = []
    with closing(Tree(str(root), config, notices.append)) as tree:
        tree.start({}, ())
        return Survey(
            frozenset(tree.files()),
            len(tree.attended()),
            tuple(sorted(tree.pruned - tree.unreadable)),
            tuple(sorted(tree.unreadable)),
            tuple(notices),
        )


def git(root: Path, found: Survey) -> Iterator[Finding]:
    """See whether git says what is ignored."""
    inside = any((place / ".git").exists() for place in (root, *root.parents))
    for notice in found.notices:
        yield Finding("git", "warning", notice, "Run `git status` here; it says what is wrong.")
    if not found.notices:
        said = "it says what is ignored" if inside else "not a checkout; .gitignore files are read"
        yield Finding("git", "ok", said)


def watching(
    root: Path, config: Watch, found: Survey, *, limits: Path = LIMITS
) -> Iterator[Finding]:
    """See whether every folder can be watched.

    Args:
        root: the project's.
        config: the `watch` table.
        found: what lies in the tree.
        limits: where the kernel says how many watches there may be (man 7 inotify).
    """
    for path in config.paths:
        if not (root / path).exists():
            yield Finding(
                "watch.paths", "error", f"{path} does not exist", "Correct [watch] paths."
            )
    for path in found.unreadable:
        yield Finding(
            "folders", "warning", f"{path} cannot be read and is not watched", f"chmod u+rx {path}"
        )
    yield Finding("ignored", "ok", _ignored(found.pruned))
    if kind := mounts.silent(str(root)):
        yield Finding(
            "file system",
            "warning",
            f"{root} is on {kind}, which does not tell of all changes: files are polled",
            "A folder on a local disk is watched at no cost.",
        )
    else:
        yield Finding("file system", "ok", "it tells of changes as they happen")
    yield _watch_limit(found, limits)


def _watch_limit(found: Survey, limits: Path) -> Finding:
    size = f"{_plural(len(found.files), 'file')} in {_plural(found.folders, 'folder')}"
    try:
        limit = int((limits / "max_user_watches").read_text())
    except (OSError, ValueError):
        return Finding("watch limit", "ok", size)
    if found.folders > limit:
        wanted = max(524288, 2 * found.folders)
        return Finding(
            "watch limit",
            "warning",
            f"{size}, but the system allows {limit} watches: files are polled",
            f"Raise it: sudo sysctl fs.inotify.max_user_watches={wanted} (and put the same into "
            "/etc/sysctl.d/), or ignore more with [watch] ignore.",
        )
    return Finding("watch limit", "ok", f"{size}; the system allows {limit} watches")


def _plural(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _ignored(pruned: Collection[str]) -> str:
    """The ignored folders, those of one name that lie in many places together."""
    places: dict[str, list[str]] = {}
    for path in sorted(pruned, key=lambda p: (p.count("/"), p)):
        places.setdefault(path.rstrip("/").rpartition("/")[2], []).append(path.rstrip("/") + "/")
    # Nobody expects git's own to be watched.
    places.pop(".git", None)
    if not places:
        return "no folders"
    names = [
        among[0] if len(among) == 1 else f"{name}/ in {len(among)} places"
        for name, among in places.items()
    ]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def records(root: Path) -> Iterator[Finding]:
    """See whether records can be kept, and whether a `watch` runs here."""
    place = root / folder.NAME
    target = place if place.exists() else root
    try:
        if place.exists() and not folder.is_ours(place):
            yield Finding(
                "store", "error", f"{place} was not made by devloop", "Move it out of the way."
            )
            return
        tempfile.TemporaryFile(dir=target).close()
    except OSError as error:
        yield Finding(
            "store",
            "warning",
            f"{target} cannot be written ({error.strerror}): nothing is remembered",
            f"chmod u+rwx {target}",
        )
        return
    if locks_work(target):
        yield Finding("store", "ok", _stored(place))
    else:
        yield Finding(
            "store",
            "warning",
            f"{target} is on a file system without locks: two devloops may upset each other",
            "Run one devloop at a time here.",
        )
    pid = presence.holder(root)
    said = "no `devloop watch` runs here" if pid is None else f"one runs here, pid {pid}"
    yield Finding("watch", "ok", said)


def _stored(place: Path) -> str:
    size = sum(path.lstat().st_size for path in place.glob("store.db*"))
    if not size:
        return f"nothing is remembered yet; records will be in {place}"
    return f"{place}, {size / 1_000_000:.1f} MB" if size >= 100_000 else f"{place}, {size:,} bytes"


def named(root: Path, roots: tuple[str, ...] | None, tests: tuple[str, ...]) -> Iterator[Finding]:
    """Look for folders that the configuration names and that are not there."""
    for key, paths in (("python.roots", roots or ()), ("tests.paths", tests)):
        for path in paths:
            if not os.path.exists(root / path):  # noqa: PTH110 - false where it may not be asked
                yield Finding(key, "error", f"{path} does not exist", f"Correct {key}.")
