"""`devloop watch`: the loop."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from devloop.cli import options

if TYPE_CHECKING:
    from devloop.config.types import OnBusy
    from devloop.loop.debugger import Kind


@options.command(
    "watch",
    "devloop watch",
    "devloop watch -- uvicorn main:app --port 8000",
    "devloop watch --no-tests",
    "devloop watch --reporter jsonl | my-dashboard",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--once", is_flag=True, help="One pass, then end; the default where CI is set.")
@click.option("--postpone", is_flag=True, help="Begin nothing before the first change.")
@click.option("--no-app", is_flag=True, help="Leave the apps alone.")
@click.option("--no-tests", is_flag=True, help="Leave the tests alone.")
@click.option(
    "--on-busy",
    type=click.Choice(["restart", "queue", "ignore"]),
    help="What a change does while work goes on: restart what it touches (default), queue, ignore.",
)
@click.option(
    "--debounce",
    metavar="20ms",
    callback=options.duration,
    help="How long to wait for further changes after the first.",
)
@click.option(
    "--poll",
    metavar="[=500ms]",
    callback=options.duration,
    is_flag=False,
    flag_value="500ms",
    help="Look at the files at intervals, where the system reports no changes.",
)
@click.option("--clear", is_flag=True, help="Clear the screen, never the scrollback, each cycle.")
@click.option(
    "--debugger",
    type=click.Choice(["pdb", "debugpy"]),
    default="pdb",
    help="What the key d runs the first failure under: pdb at the terminal (default), or debugpy, "
    "which waits on 127.0.0.1 for an editor.",
)
@click.option("--no-keys", is_flag=True, help="Obey no keys; what is typed goes to the apps.")
@options.reporter_options
def command(
    command: tuple[str, ...],
    once: bool,
    postpone: bool,
    no_app: bool,
    no_tests: bool,
    on_busy: OnBusy | None,
    debounce: str | None,
    poll: str | None,
    clear: bool,
    debugger: Kind,
    no_keys: bool,
    reporter: str | None,
    output: str | None,
    absolute_paths: bool,
) -> int:
    """Watch the project; on each change run the tests, steps and apps that it affects.

    With a COMMAND that is the app: it is run, and restarted when a file that it imports changes.
    """
    from devloop.config.types import seconds
    from devloop.errors import AlreadyWatching

    once = once or options.said("CI")
    if once and postpone:
        raise click.UsageError("--once and --postpone cannot go together: nothing would run")
    loaded = options.find_project(debounce=debounce, on_busy=on_busy, command=command)
    keys = not (no_keys or once)
    made = options.make_reporter(
        reporter, output, absolute_paths, clear=clear, once=once, keys=keys
    )
    from devloop.config import schema
    from devloop.store import presence

    schema.refresh(loaded.root)

    try:
        with nullcontext() if once else presence.hold(loaded.root):
            from devloop.loop import session
            from devloop.serve.server import ControlServer

            return session.watch(
                loaded,
                made,
                once=once,
                postpone=postpone,
                apps=not no_app,
                tests=not no_tests,
                keys=keys,
                debugger=debugger,
                poll=None if poll is None else seconds(poll),
                outside=None if once else ControlServer(loaded.root, os.environ),
            )
    except AlreadyWatching as error:
        if once or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise
        click.echo(f"{error.message}.", err=True)
        if not click.confirm("Follow it?", default=True, err=True):
            return 0
    from devloop.serve.client import Client
    from devloop.serve.following import follow

    # Its keys are its own terminal's: here they would be typed to nobody.
    followed = options.make_reporter(reporter, output, absolute_paths, clear=clear)
    with Client.of(loaded.root) as client:
        return follow(client, followed)
