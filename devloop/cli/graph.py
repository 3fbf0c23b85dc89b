"""`devloop graph`: what imports what."""

from __future__ import annotations

from typing import Literal

import click

from devloop.cli import options


@options.command(
    "graph",
    "devloop graph src/shop/prices.py",
    "devloop graph --format dot | dot -Tsvg > imports.svg",
    "devloop graph --format html > imports.html",
)
@click.argument("path", required=False)
@click.option(
    "--format",
    "form",
    envvar="DEVLOOP_FORMAT",
    type=click.Choice(["tree", "dot", "json", "html"]),
    default="tree",
    help="Default: tree.",
)
def command(path: str | None, form: Literal["tree", "dot", "json", "html"]) -> int:
    """Show what PATH imports and what imports it; without a PATH, the whole project.

    html is one page for a browser that shows the project, finds files, and shows which tests and
    files an edit of one reaches; at a terminal it goes into .devloop/.
    """
    loaded = options.find_project()
    path = path and options.project_path(loaded.root, path)
    from devloop.loop import imports

    return imports.graph(loaded, path=path, form=form)
