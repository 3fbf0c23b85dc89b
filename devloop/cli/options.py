"""Options that several commands have, and what becomes of them."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from devloop.config.load import Loaded
    from devloop.config.types import OnBusy
    from devloop.report.reporter import Reporter

COMMANDS = {
    "The loop": ["watch", "test", "build"],
    "A running watch": ["status", "trigger", "lsp"],
    "Ask": ["affected", "why", "graph", "stats"],
    "Look after": ["init", "doctor", "clean", "completion"],
}
"""The names of the commands, in the order of the help."""

F = TypeVar("F", bound=Callable[..., Any])

CONTEXT = {"auto_envvar_prefix": "DEVLOOP", "help_option_names": ["-h", "--help"]}
"""One name for one flag in every command: DEVLOOP_REPORTER, not DEVLOOP_WATCH_REPORTER."""


class Helped(click.Command):
    """A command whose help is rendered by rich-click, which is imported only then."""

    def get_help(self, ctx: click.Context) -> str:
        """The page."""
        from devloop.cli.help import render

        return render(ctx)


def command(name: str, *shown: str) -> Callable[[Callable[..., int]], Helped]:
    """Make a subcommand of a function that returns its exit code.

    Args:
        name: the subcommand's.
        shown: command lines that its help gives as examples.

    Returns:
        A decorator.
    """

    def decorate(function: Callable[..., int]) -> Helped:
        text = inspect.cleandoc(function.__doc__ or "")
        if shown:
            # The backspace is click's mark for a paragraph that is not to be wrapped.
            text = "\n".join((text, "", "\b", *shown))
        make = click.command(name, cls=Helped, context_settings=CONTEXT, help=text)
        return make(function)

    return decorate


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Check that an option is a duration; it stays text, as in devloop.toml.

    Raises:
        BadParameter: it has no unit, is no number, or makes no sense.
    """
    from devloop.config.limits import LONGEST_DEBOUNCE
    from devloop.config.types import DURATION, SPAN, seconds

    if value is None:
        return None
    if not re.search(DURATION, value):
        raise click.BadParameter(
            f'expected a duration with its unit, such as 20ms or 5s, got "{value}"', ctx, param
        )
    if param.name == "poll" and not re.search(SPAN, value):
        raise click.BadParameter(f'expected a duration above zero, got "{value}"', ctx, param)
    if seconds(value) > LONGEST_DEBOUNCE:
        limit = f"{LONGEST_DEBOUNCE:g}s"
        raise click.BadParameter(f'expected at most {limit}, got "{value}"', ctx, param)
    return value


def reporter_options(function: F) -> F:
    """Add `--reporter`, `--output` and `--absolute-paths`."""
    function = click.option(
        "--absolute-paths",
        is_flag=True,
        help="With plain: name the files of problems by absolute paths.",
    )(function)
    function = click.option(
        "--output",
        type=click.Choice(["events"]),
        help="With jsonl: give what apps and steps print as events, not on standard error.",
    )(function)
    return click.option(
        "--reporter",
        type=click.Choice(["terminal", "plain", "jsonl"]),
        help="How to report. Default: terminal on a terminal, else plain.",
    )(function)


def format_option(function: F) -> F:
    """Add `--format`, for a person or for a program."""
    return click.option(
        "--format",
        "form",
        envvar="DEVLOOP_FORMAT",
        type=click.Choice(["text", "json"]),
        default="text",
        help="Default: text.",
    )(function)


def revision_options(function: F) -> F:
    """Add `--since` and `--staged`."""
    function = click.option(
        "--staged", is_flag=True, help="Take what is staged for the next commit as the change."
    )(function)
    return click.option(
        "--since", metavar="REV", help="Take what differs from the commit REV as the change."
    )(function)


def check_revisions(since: str | None, staged: bool, everything: bool = False) -> None:
    """Refuse options that exclude one another.

    Raises:
        UsageError: more than one of them was given.
    """
    given = [
        name
        for name, value in (("--all", everything), ("--since", since), ("--staged", staged))
        if value
    ]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} cannot go together")


def find_project(
    *,
    debounce: str | None = None,
    on_busy: OnBusy | None = None,
    command: tuple[str, ...] = (),
) -> Loaded:
    """The configuration of the project that the current folder belongs to.

    Args:
        debounce: in place of the configured one.
        on_busy: in place of the configured one.
        command: an app's command in place of the configured apps; then any folder will do.

    Returns:
        What was loaded.

    Raises:
        NotAProject: there is none.
        ConfigError: its configuration has a fault.
    """
    from devloop.config.load import Overrides, load, require_paths
    from devloop.config.root import find_root
    from devloop.errors import NotAProject

    here = Path.cwd()
    try:
        root = find_root(here)
    except NotAProject:
        if not command:
            raise
        root = here
    loaded = load(root, Overrides(debounce=debounce, on_busy=on_busy, command=command))
    require_paths(loaded)
    return loaded


def project_path(root: Path, path: str, *, must_exist: bool = True) -> str:
    """A path of the command line as devloop writes it.

    Args:
        root: the project's root.
        path: relative to the current folder, or absolute; a test's nodeid begins with one.
        must_exist: refuse what is not there.

    Returns:
        Relative to the root, with forward slashes; absolute where it lies outside.

    Raises:
        UsageError: there is no such file.
    """
    file, separator, rest = path.partition("::")
    absolute = Path(os.path.normpath(Path.cwd() / file))
    if must_exist and not absolute.exists():
        raise click.UsageError(f"no such file or folder: {file}")
    inside = absolute.is_relative_to(root)
    return (absolute.relative_to(root) if inside else absolute).as_posix() + separator + rest


def make_reporter(
    reporter: Any,
    output: str | None,
    absolute_paths: bool,
    *,
    clear: bool = False,
    once: bool = True,
    keys: bool = False,
) -> Reporter:
    """Make the reporter that was asked for.

    Args:
        reporter: which one; None for what standard output calls for.
        output: ``events`` where apps' and steps' output is to be events.
        absolute_paths: problems name their files by absolute paths.
        clear: empty the screen when a cycle begins.
        once: one pass and no watching.
        keys: they are obeyed.

    Returns:
        The reporter, on standard output.

    Raises:
        UsageError: the options do not go together.
    """
    from devloop.report.reporter import default_kind, make

    kind = reporter or default_kind(sys.stdout, os.environ)
    if output is not None and kind != "jsonl":
        raise click.UsageError("--output events goes with --reporter jsonl")
    if absolute_paths and kind != "plain":
        raise click.UsageError("--absolute-paths goes with --reporter plain")
    return make(
        kind,
        sys.stdout,
        environ=os.environ,
        errors=sys.stderr,
        output_events=output == "events",
        absolute=absolute_paths,
        clear=clear,
        once=once,
        keys=keys and sys.stdin.isatty(),
    )


def said(name: str) -> bool:
    """Whether an environment variable is set to something that means yes."""
    return os.environ.get(name, "").lower() not in ("", "0", "false", "no")


def wants_color() -> bool | None:
    """Whether to colour; None leaves it to whether there is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if said("FORCE_COLOR") else None
