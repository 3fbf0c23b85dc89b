"""`devloop affected`: what would run, and why."""

from __future__ import annotations

from typing import Literal

from devloop.cli import options


@options.command(
    "affected",
    "devloop affected",
    "devloop affected --since main",
    "devloop affected --format json | jq -r '.tests[].nodeid'",
)
@options.revision_options
@options.format_option
def command(since: str | None, staged: bool, form: Literal["text", "json"]) -> int:
    """Show what would run and why; run nothing."""
    options.check_revisions(since, staged)
    loaded = options.find_project()
    from devloop.loop import inspection

    return inspection.affected(loaded, since=since, staged=staged, form=form)
