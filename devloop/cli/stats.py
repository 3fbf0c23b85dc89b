"""`devloop stats`: how quick the loop has been, and what it has spared."""

from __future__ import annotations

from typing import Literal

import click

from devloop.cli import options


@options.command("stats", "devloop stats", "devloop stats --format json", "devloop stats --html")
@options.format_option
@click.option(
    "--html",
    is_flag=True,
    help="A page for a browser, in one file: to standard output, or into .devloop/ at a terminal.",
)
def command(form: Literal["text", "json"], html: bool) -> int:
    """Show how long saves have taken to be answered, tests run and saved, slow and flaky tests.

    Each cycle of `watch`, `test` and `build` is measured; the last 5,000 of half a year are kept
    in .devloop/ and nowhere else. A test is flaky that has shown two outcomes on one content.
    """
    import os
    import sys
    from pathlib import Path

    import msgspec

    if html and form == "json":
        raise click.UsageError("--html and --format json cannot go together")

    from devloop.config.root import find_root
    from devloop.events import encode
    from devloop.plan.statistics import summarise
    from devloop.store import peek

    root = find_root(Path.cwd())
    found = summarise(peek.measures(root), peek.verdicts(root), peek.proofs(root))
    data = msgspec.to_builtins(found)
    if html:
        from devloop.report.pages import delivery, statistics

        delivery.deliver(statistics.render(data, root.name), root, "stats.html", sys.stdout)
    elif form == "json":
        sys.stdout.write(encode(data).decode() + "\n")
    else:
        from devloop.report import statistics as words
        from devloop.report.paint import Paint

        ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
        paint = Paint.of(sys.stdout, os.environ)
        sys.stdout.write(words.text(data, paint, ascii_only=ascii_only))
    return 0
