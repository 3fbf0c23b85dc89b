"""Which of git's differences are ones in what matters to selection."""

from __future__ import annotations

from collections.abc import Mapping

from devloop.events import Change
from devloop.loop.difference import changed, contents_after, objects
from devloop.watch.revisions import Difference

EDITED = Difference(Change("a.py", "modified"), "1")
STAGED = Difference(Change("a.py", "modified"), "1", "2")


def found(
    differences: list[Difference], known: dict[str, bytes], tree: dict[str, bytes]
) -> Mapping[str, bytes]:
    """What has changed, up to what is staged where something is, else up to the tree."""
    return changed(differences, known, contents_after(differences, known, tree))


def test_only_the_contents_of_edited_sources_are_parsed() -> None:
    """What came or went is another one anyway, and data is compared by its bytes."""
    others = [
        Difference(Change("b.py", "created"), None, "3"),
        Difference(Change("c.py", "deleted"), "4"),
        Difference(Change("d.json", "modified"), "5"),
        Difference(Change("link.py", "modified"), None),
    ]
    assert objects([EDITED, *others]) == {"1"}
    assert objects([STAGED]) == {"1", "2"}


def test_the_tree_is_compared_where_nothing_is_staged() -> None:
    """By what the sources say; each comes with what it was before."""
    assert found([EDITED], {"1": b"x"}, {"a.py": b"x"}) == {}
    assert found([EDITED], {"1": b"x"}, {"a.py": b"y"}) == {"a.py": b"x"}
    assert found([STAGED], {"1": b"x", "2": b"x"}, {"a.py": b"y"}) == {}
    assert found([STAGED], {"1": b"x", "2": b"y"}, {"a.py": b"x"}) == {"a.py": b"x"}


def test_what_git_has_not_at_hand_counts_as_changed() -> None:
    """Of either side, and of files that are not there."""
    assert found([EDITED], {}, {"a.py": b"x"}) == {"a.py": b"1"}
    assert found([EDITED], {}, {}) == {"a.py": b"1"}
    assert found([STAGED], {"1": b"x"}, {"a.py": b"x"}) == {"a.py": b"x"}
