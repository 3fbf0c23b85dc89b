"""The patterns of devloop.toml."""

from __future__ import annotations

import pytest

from devloop.select.patterns import matches


@pytest.mark.parametrize(
    ("path", "patterns", "expected"),
    [
        ("a/b/c.css", ["*.css"], True),
        ("static/a/b.js", ["static/"], True),
        ("styles/a.css", ["styles/**/*.css"], True),
        ("styles/a/b/c.css", ["styles/**/*.css"], True),
        ("other/styles/a.css", ["styles/**/*.css"], False),
        ("styles/a.css", ["./styles/*.css"], True),
        ("a.css", ["*.css", "!a.css"], False),
        ("a.css", [], False),
        ("a.csss", ["*.css"], False),
    ],
)
def test_patterns_mean_what_they_mean_in_a_gitignore(
    path: str, patterns: list[str], expected: bool
) -> None:
    """At any depth without a slash, else from the root; a later `!` takes out again."""
    assert matches(path, patterns) is expected
