"""The part of the tests that a person works on: by path, by name, or those that failed last.

It narrows what runs, never what is due: what is left out stays due, and is told as such.
"""

from __future__ import annotations

import msgspec

from devloop.select.records import BROKEN, GOOD, HINDERED, Ran, Records
from devloop.select.selection import SelectedFile
from devloop.select.tests import Due, by_file

_WHOLE = frozenset({"edited", "new"})
"""Reasons for which a file may hold tests that nobody knows yet."""


class Focus(msgspec.Struct, frozen=True):
    """What is worked on.

    Args:
        paths: words that a test file's path holds, all of them; none is every path.
        names: words that a test's name (its nodeid without the path) holds.
        failed_only: just the tests that failed when they last ran.
    """

    paths: str = ""
    names: str = ""
    failed_only: bool = False

    def __bool__(self) -> bool:
        return self != Focus()

    def takes(self, nodeid: str) -> bool:
        """Whether a test lies in it, by path and name.

        Args:
            nodeid: of a test; of a file, whose tests are not known, the path alone counts.
        """
        path, _, name = nodeid.partition("::")
        return matches(self.paths, path) and (not name or matches(self.names, name))


class Narrowed(msgspec.Struct, frozen=True):
    """What of the due tests is worked on.

    Args:
        due: these.
        held: how many others are due; a file whose tests are not known counts as one.
    """

    due: Due
    held: int


def matches(words: str, text: str) -> bool:
    """Whether a text holds all of some words, in any order.

    Args:
        words: with spaces between; without a capital letter, case does not matter.
        text: a path or a name.
    """
    if words == words.lower():
        text = text.lower()
    return all(word in text for word in words.split())


def narrowed(due: Due, focus: Focus, records: Records) -> Narrowed:
    """Leave out of what is due what is not worked on.

    Args:
        due: the tests that are due.
        focus: what is worked on.
        records: names the single tests, and tells which failed.

    Returns:
        The rest in the same order, and how much was left out.
    """
    if not focus:
        return Narrowed(due, 0)
    known = by_file(records)
    kept, held = [], 0
    for file in due.files:
        nodeids = file.nodeids or tuple(verdict.nodeid for verdict in known.get(file.path, ()))
        all_of_it = len(nodeids) or 1
        mine = _mine(file, nodeids, focus, records)
        if mine is None:
            held += all_of_it
        else:
            kept.append(mine)
            held += all_of_it - len(mine.nodeids) if mine.nodeids else 0
    return Narrowed(Due(tuple(kept), due.all_reason if not held else None), held)


def _mine(
    file: SelectedFile, nodeids: tuple[str, ...], focus: Focus, records: Records
) -> SelectedFile | None:
    """What of a file is worked on; None where nothing of it is."""
    if not focus.takes(file.path):
        return None
    if records.collected.get(file.path) in (BROKEN, HINDERED):
        return file
    if focus.failed_only:
        verdicts = records.verdicts
        nodeids = tuple(n for n in nodeids if n in verdicts and verdicts[n].outcome not in GOOD)
    elif not nodeids or (focus.names and file.reason.kind in _WHOLE):
        return file
    mine = tuple(nodeid for nodeid in nodeids if focus.takes(nodeid))
    if not mine:
        return None
    whole = not file.nodeids and len(mine) == len(nodeids) and not focus.failed_only
    return file if whole else SelectedFile(file.path, file.reason, mine)


def joined(due: Due, asked: Due) -> Due:
    """What is due, and what was asked for beside it.

    Args:
        due: comes first, with its reasons.
        asked: the tests that somebody has asked for.

    Returns:
        Each file once; all of it where one of the two wants all of it.
    """
    if not asked.files:
        return due
    more = {file.path: file for file in asked.files}
    files = []
    for file in due.files:
        other = more.pop(file.path, None)
        if other is not None and file.nodeids:
            both = dict.fromkeys((*file.nodeids, *other.nodeids)) if other.nodeids else ()
            file = SelectedFile(file.path, file.reason, tuple(both))
        files.append(file)
    # What they held may be known of earlier contents.
    files.extend(msgspec.structs.replace(file, listed=False) for file in more.values())
    return Due(tuple(files), asked.all_reason or (due.all_reason if not more else None))


def left(asked: Due, ran: Ran) -> Due:
    """What of it has not run.

    Args:
        asked: tests that somebody has asked for.
        ran: a run that was given them, and cancelled.

    Returns:
        The rest; of a file that was asked for as a whole all, if it did not come to its end.
    """
    files = []
    for file in asked.files:
        if file.path in ran.whole or file.path in ran.broken:
            continue
        nodeids = tuple(nodeid for nodeid in file.nodeids if nodeid not in ran.outcomes)
        if nodeids or not file.nodeids:
            files.append(SelectedFile(file.path, file.reason, nodeids))
    return Due(tuple(files))
