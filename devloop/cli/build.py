"""`devloop build`: one pass of the steps that are out of date."""

from __future__ import annotations

from collections.abc import Mapping

import click

from devloop.cli import options


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the steps, for the shell."""
    from devloop.errors import DevloopError

    try:
        steps = options.find_project().config.steps
    except DevloopError:
        return []
    return [name for name in steps if name.startswith(incomplete)]


@options.command(
    "build",
    "devloop build",
    "devloop build css",
    "devloop build --force",
)
@click.argument("steps", metavar="[STEP]...", nargs=-1, shell_complete=_complete)
@click.option("--force", is_flag=True, help="Run steps that are up to date too.")
@options.reporter_options
def command(
    steps: tuple[str, ...],
    force: bool,
    reporter: str | None,
    output: str | None,
    absolute_paths: bool,
) -> int:
    """Run the steps that are out of date, and what they need, once.

    A step is up to date while its inputs, its command and its outputs are what they were.
    """
    loaded = options.find_project()
    for name in steps:
        if name not in loaded.config.steps:
            raise click.UsageError(_unknown(name, loaded.config.steps))
    made = options.make_reporter(reporter, output, absolute_paths)
    from devloop.loop import session

    return session.build(loaded, made, steps=steps or None, force=force)


def _unknown(name: str, steps: Mapping[str, object]) -> str:
    from devloop.config.fault import nearest

    if not steps:
        return f'"{name}" is not a step: no steps are configured'
    meant = nearest(name, steps)
    known = f'did you mean "{meant}"?' if meant else f"the steps are {', '.join(steps)}"
    return f'"{name}" is not a step; {known}'
