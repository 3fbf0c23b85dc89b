"""The `devloop` command: finds the subcommand, and turns every end into an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click
from click.exceptions import Exit

from devloop import __version__
from devloop.cli.options import COMMANDS, CONTEXT, Helped, wants_color
from devloop.errors import DevloopError

INTERRUPTED = 130
INTERNAL = 3
USAGE = 4
READER_GONE = 141
"""What a shell shows for SIGPIPE."""


HELP = """\
Save a file; what it can have broken runs, and nothing else.

Works without configuration; `devloop init` writes one. Every option can be given in the
environment too: --on-busy is DEVLOOP_ON_BUSY.

\b
devloop watch                       tests, steps and apps of this project
devloop watch -- uvicorn main:app   an app, restarted when its code changes
devloop test                        the tests that are due, once
devloop why tests/test_cart.py      why they would run
"""


class Group(Helped, click.Group):
    """Imports a subcommand's file only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return [name for names in COMMANDS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One subcommand."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"devloop.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand that the arguments begin with."""
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        from devloop.config.fault import nearest

        meant = nearest(name, self.list_commands(ctx))
        raise click.UsageError(
            f'"{name}" is not a command' + (f"; did you mean `devloop {meant}`?" if meant else ""),
            ctx,
        )


@click.group(
    "devloop",
    cls=Group,
    invoke_without_command=True,
    context_settings=CONTEXT,
    help=HELP,
)
@click.option(
    "-C",
    "--directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Work as if started in DIR.",
)
@click.version_option(__version__, "-V", "--version", message="devloop %(version)s")
@click.pass_context
def group(ctx: click.Context, directory: str | None) -> None:
    """Change to the folder that was asked for; without a subcommand, show the help."""
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError as error:
            raise click.UsageError(f"-C {directory}: {error.strerror}") from None
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> NoReturn:
    """Run the command line and end the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command line.

    Args:
        arguments: what follows the program's name.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="backslashreplace")  # names of files need not be valid text
    try:
        code = _invoke(arguments)
    except BrokenPipeError:
        _write_nowhere()
        return READER_GONE
    try:
        sys.stdout.flush()
    except OSError as error:
        # A pipe whose reader has gone, or a terminal that was closed.
        _write_nowhere()
        return READER_GONE if isinstance(error, BrokenPipeError) else code
    return code


def _invoke(arguments: Sequence[str]) -> int:
    if instruction := os.environ.get("_DEVLOOP_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(group, {}, "devloop", "_DEVLOOP_COMPLETE", instruction)
    try:
        with group.make_context("devloop", list(arguments)) as context:
            result: Any = group.invoke(context)
        return result if isinstance(result, int) else 0
    except Exit as end:
        return end.exit_code
    except click.ClickException as error:
        context_of = getattr(error, "ctx", None)
        hint = f"See `{context_of.command_path} --help`." if context_of else None
        _complain(error.format_message(), hint)
        return USAGE
    except DevloopError as error:
        _complain(f"{error.where}: {error.message}" if error.where else error.message, error.hint)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # whatever it is, a person gets a sentence and not a traceback
        from devloop.cli import crash

        _complain(*crash.report(error, arguments))
        return INTERNAL


def _complain(message: str, hint: str | None) -> None:
    label = click.style("error:", fg="red", bold=True)
    click.echo(f"{label} {message}", err=True, color=wants_color())
    if hint:
        click.echo(hint, err=True)


def _write_nowhere() -> None:
    """Let what is still in the buffers go, so that the interpreter's own flush says nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
