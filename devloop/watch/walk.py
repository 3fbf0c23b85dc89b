"""One walk over a tree: which files are in it, and in which folders they lie."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable

import msgspec

from devloop.watch.names import MARKS
from devloop.watch.rules import Rules
from devloop.watch.signatures import Signature, signature_of

RACY = 50_000_000
"""Nanoseconds within which a time stamp may stay the same though more has happened: a kernel's
clock ticks every 1 to 10 ms, and what is written between two ticks has one mtime."""


class Found(msgspec.Struct):
    """What a walk has come across; all by the path that is reported.

    Args:
        files: the signature of each file that is not ignored.
        folders: the mtime of each folder that is not ignored; 0 where it is too young to be
            trusted.
        pruned: the folders at which the walk turned back.
        links: the links among the files, and where they lead (absolute).
        unreadable: the folders that could not be listed; also among the pruned.
    """

    files: dict[str, Signature] = msgspec.field(default_factory=dict)
    folders: dict[str, int] = msgspec.field(default_factory=dict)
    pruned: set[str] = msgspec.field(default_factory=set)
    links: dict[str, str] = msgspec.field(default_factory=dict)
    unreadable: set[str] = msgspec.field(default_factory=set)


def walk(
    rules: Rules,
    starts: Iterable[str],
    found: Found,
    *,
    now: int,
    named: Container[str] = frozenset(),
    known: Container[str] = frozenset(),
) -> None:
    """Walk over a tree, or over some folders of it. Links to folders are not followed, as in git.

    Args:
        rules: of the tree.
        starts: folders, relative to its top, that are not ignored.
        found: is added to.
        now: nanoseconds since the epoch.
        named: starts that are entered even if they look like an environment or a cache.
        known: folders, by the path that is reported, that are not entered again.
    """
    todo = list(starts)
    while todo:
        folder = todo.pop()
        path = _reported(rules, folder)
        place = os.path.join(rules.base, folder) if folder else rules.base
        try:
            mtime = os.stat(place).st_mtime_ns
            with os.scandir(place) as listing:
                entries = list(listing)
        except PermissionError:
            found.pruned.add(path)
            found.unreadable.add(path)
            continue
        except OSError:
            continue
        if folder not in named and any(entry.name in MARKS for entry in entries):
            found.pruned.add(path)
            continue
        if folder and any(entry.name == ".git" for entry in entries):
            rules.checkout(folder)
        found.folders[path] = mtime if mtime < now - RACY else 0
        todo += _sort(rules, folder, entries, found, known)


def _sort(
    rules: Rules,
    folder: str,
    entries: list[os.DirEntry[str]],
    found: Found,
    known: Container[str],
) -> list[str]:
    """Put the entries of a folder where they belong; the folders to enter are left over."""
    inner = f"{folder}/" if folder else ""
    outer = rules.prefix + inner
    folders: dict[str, os.DirEntry[str]] = {}
    files: dict[str, os.DirEntry[str]] = {}
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                folders[f"{inner}{entry.name}/"] = entry
            else:
                files[inner + entry.name] = entry
        except OSError:
            continue
    ignored = rules.ignored([*folders, *files])
    for path, entry in files.items():
        if path not in ignored:
            _file(outer + entry.name, entry, found)
    enter: list[str] = []
    for path, entry in folders.items():
        if path in ignored:
            found.pruned.add(outer + entry.name)
        elif outer + entry.name not in known:
            enter.append(path[:-1])
    return enter


def _file(path: str, entry: os.DirEntry[str], found: Found) -> None:
    try:
        status = entry.stat()
        if not stat.S_ISREG(status.st_mode):
            return
        if entry.is_symlink():
            found.links[path] = os.path.realpath(entry.path)
    except OSError:  # a dangling or circular link, or it has vanished
        return
    found.files[path] = signature_of(status)


def _reported(rules: Rules, folder: str) -> str:
    return rules.prefix + folder if folder else rules.prefix.rstrip("/")
