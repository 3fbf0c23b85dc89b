"""Changes that a cycle takes up together."""

from __future__ import annotations

from collections.abc import Iterable

from devloop.events import Change


def merged(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Make one change of all those of one path.

    Args:
        changes: in the order in which they were seen.

    Returns:
        One for each path, in the order in which the paths were first seen.
    """
    found: dict[str, Change] = {}
    for change in changes:
        first = found.get(change.path)
        kind = change.kind
        if first is not None and first.kind == "created" and kind == "modified":
            kind = "created"
        elif first is not None and first.kind == "deleted" and kind == "created":
            kind = "modified"
        found[change.path] = Change(change.path, kind)
    return tuple(found.values())
