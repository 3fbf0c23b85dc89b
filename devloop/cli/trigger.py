"""`devloop trigger`: asks the project's running `watch` for something."""

from __future__ import annotations

from typing import Any

import click

from devloop.cli import options

ACTIONS = ("all", "failed", "rerun", "restart", "step", "pause", "resume", "stop")
_DONE = {"pause": "paused", "resume": "not paused any more", "stop": "stopped"}
_NAMED = {"restart": "apps", "step": "steps"}


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of what is there, for the shell."""
    from pathlib import Path

    from devloop.config.root import find_root
    from devloop.errors import DevloopError
    from devloop.serve.client import Client

    kind = _NAMED.get(ctx.params.get("action") or "")
    if kind is None:
        return []
    try:
        with Client.of(find_root(Path.cwd())) as client:
            names = [one["name"] for one in client.status()[kind]]
    except DevloopError:
        return []
    return [name for name in names if name.startswith(incomplete)]


@options.command(
    "trigger",
    "devloop trigger all",
    "devloop trigger restart web",
    "devloop trigger step css",
    "devloop trigger pause",
)
@click.argument("action", type=click.Choice(ACTIONS))
@click.argument("name", required=False, shell_complete=_complete)
@options.reporter_options
def command(
    action: str,
    name: str | None,
    reporter: str | None,
    output: str | None,
    absolute_paths: bool,
) -> int:
    """Ask the `devloop watch` that runs in this project for something, and wait for its end.

    all, failed and rerun run tests; restart NAME restarts an app (all of them without a NAME);
    step NAME runs a step; pause, resume and stop are about devloop itself. The exit code says
    whether all is well when that is done.
    """
    from pathlib import Path

    from devloop.config.root import find_root
    from devloop.serve.client import Client
    from devloop.serve.following import carry_out, everything

    asked = _action(action, name)
    root = find_root(Path.cwd())
    made = options.make_reporter(reporter, output, absolute_paths, once=True)
    with Client.of(root) as client:
        code = carry_out(client, "trigger", asked, made, everything)
        if action == "stop":
            client.wait_for_the_end()
    if done := _DONE.get(action):
        click.echo(f"devloop: {done}", err=True)
    return code


def _action(action: str, name: str | None) -> dict[str, Any]:
    """What is asked for, in the form of the control socket.

    Raises:
        UsageError: a name is missing, or there is one where none belongs.
    """
    if name is not None and action not in _NAMED:
        raise click.UsageError(f"{action} takes no name; restart and step do")
    match action:
        case "restart":
            return {"action": "restart", "app": name}
        case "step":
            if name is None:
                raise click.UsageError("which step? devloop trigger step NAME")
            return {"action": "step", "name": name}
        case "pause" | "resume":
            return {"action": "pause", "on": action == "pause"}
        case _:
            return {"action": action}
