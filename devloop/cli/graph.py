"""`devloop graph`: what imports what."""

from __future__ import annotations

from typing import Literal

import rich_click as click

from devloop.cli import options


@options.command(
    "graph",
    "devloop graph src/shop/prices.py",
    "devloop graph --format dot | dot -Tsvg > imports.svg",
)
@click.argument("path", required=False)
@click.option(
    "--format",
    "form",
    envvar="DEVLOOP_FORMAT",
    type=click.Choice(["tree", "dot", "json"]),
    default="tree",
    help="Default: tree.",
)
def command(path: str | None, form: Literal["tree", "dot", "json"]) -> int:
    """Show what PATH imports and what imports it; without a PATH, the whole project."""
    loaded = options.find_project()
    path = path and options.project_path(loaded.root, path)
    from devloop.loop import inspection

    return inspection.graph(loaded, path=path, form=form)
