"""`devloop status`: what stands in the project's running `watch`."""

from __future__ import annotations

from typing import Literal

import click

from devloop.cli import options


@options.command(
    "status",
    "devloop status",
    "devloop status --format json | jq .failing",
    "devloop status --follow",
)
@options.format_option
@click.option("--follow", is_flag=True, help="Go on and report what happens, as `watch` does.")
def command(form: Literal["text", "json"], follow: bool) -> int:
    """Show what stands in the `devloop watch` that runs in this project.

    The last cycle, apps, steps, and the tests that fail. With --follow, --format json is that of
    `watch --reporter jsonl`. The exit code is 1 where something is known to fail, else 0.
    """
    import os
    import sys
    import time
    from pathlib import Path

    from devloop.config.root import find_root
    from devloop.serve.client import Client

    with Client.of(find_root(Path.cwd())) as client:
        if follow:
            from devloop.serve.following import follow as report

            kind = "jsonl" if form == "json" else None
            return report(client, options.make_reporter(kind, None, False, once=True))
        status = client.status()
    if form == "json":
        from devloop.events import encode

        click.echo(encode({"v": 1, **status}).decode())
    else:
        from devloop.report.paint import Paint
        from devloop.serve.status_text import render

        click.echo(render(status, time.time(), Paint.of(sys.stdout, os.environ)), nl=False)
    return 0 if status["ok"] else 1
