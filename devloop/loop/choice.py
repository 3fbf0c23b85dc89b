"""The tests that a person has named, among those that a command would run."""

from __future__ import annotations

from collections.abc import Collection

from devloop.loop.nodeids import holds, require_known
from devloop.select.records import Records
from devloop.select.selection import SelectedFile
from devloop.select.tests import Due


def within(due: Due, paths: Collection[str], records: Records) -> Due:
    """Leave out what does not lie in some folders, files or nodeids.

    Args:
        due: the tests that would run.
        paths: relative to the root; none leaves out nothing.
        records: what earlier runs have shown.

    Returns:
        The rest, in the same order.

    Raises:
        UsageError: there is no such test.
    """
    if not paths:
        return due
    whole = {file.path for file in due.files if not file.nodeids}
    for path in paths:
        # A file that has been edited may hold new tests.
        if path.partition("::")[0] not in whole:
            require_known(records, path)
    files = []
    for file in due.files:
        named = tuple(path for path in paths if path.startswith(f"{file.path}::"))
        if any(lies_in(file.path, path) for path in paths):
            files.append(file)
        elif named:
            kept = tuple(
                nodeid for nodeid in file.nodeids if any(holds(name, nodeid) for name in named)
            )
            if kept or not file.nodeids:
                files.append(SelectedFile(file.path, file.reason, kept or named))
    return Due(tuple(files), due.all_reason)


def lies_in(nodeid: str, path: str) -> bool:
    """Whether a test, or a file, is what a person has named, or lies in it.

    Args:
        nodeid: of the test; of a file its path.
        path: a folder, a file or a nodeid, relative to the root.
    """
    file = nodeid.partition("::")[0]
    return path in (".", file) or file.startswith(f"{path}/") or holds(path, nodeid)
