"""Paths that the configuration names."""

from __future__ import annotations

import pytest

from devloop.watch.patterns import Named, spec


@pytest.mark.parametrize(
    ("pattern", "path", "held"),
    [
        ("static/app.css", "static/app.css", True),
        ("static/app.css", "other/static/app.css", False),
        ("app.css", "static/app.css", False),
        ("dist", "dist/a/b.js", True),
        ("dist/", "dist/a/b.js", True),
        ("./dist", "dist/a.js", True),
        ("dist", "distant/a.js", False),
        (".", "any/thing", True),
        ("templates/**", "templates/a/b.html", True),
        ("templates/**", "app/templates/b.html", False),
        ("styles/**/*.css", "styles/a.css", True),
        ("styles/**/*.css", "styles/a/b.css", True),
        ("styles/*.css", "styles/a/b.css", False),
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("/abs/out.txt", "/abs/out.txt", True),
        ("/abs/*.txt", "/abs/out.txt", True),
    ],
)
def test_patterns_are_anchored_at_the_root(pattern: str, path: str, held: bool) -> None:
    """Plain paths stand for themselves and what is in them, wildcards for files below the root."""
    assert (path in Named([pattern])) is held


def test_nothing_is_named_by_nothing() -> None:
    """No patterns hold no path."""
    assert not Named()
    assert "a.py" not in Named()


def test_a_line_that_is_no_pattern_is_left_out() -> None:
    """As git does: the other lines of the file still count."""
    assert spec(["[z-a]", "*.log"]).match_file("a.log")
