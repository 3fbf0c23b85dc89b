"""`devloop why`: why something was selected, or was not."""

from __future__ import annotations

import click

from devloop.cli import options


@options.command(
    "why",
    "devloop why tests/test_cart.py",
    "devloop why web",
    "devloop why tests/test_cart.py --file src/shop/prices.py",
)
@click.argument("target")
@click.option("--file", metavar="F", help="Would an edit of F select it? By which chain?")
def command(target: str, file: str | None) -> int:
    """Explain why TARGET was selected by the current edits, or was not.

    TARGET is a test file, a test's nodeid, a step or an app.
    """
    loaded = options.find_project()
    named = target in loaded.config.apps or target in loaded.config.steps
    target = target if named else options.project_path(loaded.root, target, must_exist=False)
    file = file and options.project_path(loaded.root, file, must_exist=False)
    from devloop.loop import inspection

    return inspection.why(loaded, target=target, file=file)
