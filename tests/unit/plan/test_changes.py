"""Changes that one cycle takes up."""

from __future__ import annotations

import pytest

from devloop.events import Change, ChangeKind
from devloop.plan.changes import merged


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["created", "modified"], "created"),
        (["created", "modified", "modified"], "created"),
        (["deleted", "created"], "modified"),
        (["modified", "deleted"], "deleted"),
        (["modified", "deleted", "created"], "modified"),
        (["modified", "modified"], "modified"),
    ],
)
def test_changes_of_one_path_become_one(kinds: list[ChangeKind], expected: ChangeKind) -> None:
    """What it comes to, from before the first to after the last."""
    assert merged(Change("a", kind) for kind in kinds) == (Change("a", expected),)


def test_paths_keep_the_order_in_which_they_were_seen() -> None:
    """The first change of a path gives its place."""
    changes = [Change("b", "modified"), Change("a", "modified"), Change("b", "deleted")]
    assert [change.path for change in merged(changes)] == ["b", "a"]
