"""`devloop test`: one pass of the tests that are due."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from devloop.cli import options

if TYPE_CHECKING:
    from devloop.config.load import Loaded
    from devloop.report.reporter import Reporter

_ASKING = frozenset({"--pdb", "--trace"})
"""Options of pytest after which it waits for what is typed."""


@options.command(
    "test",
    "devloop test",
    "devloop test tests/unit",
    "devloop test --since main",
    "devloop test --staged",
    'devloop test --all --pytest-args "-x -vv"',
)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option(
    "--all", "everything", is_flag=True, envvar="DEVLOOP_ALL", help="Run every test, due or not."
)
@options.revision_options
@click.option(
    "--pytest-args", metavar='"ARGS"', default="", help="Further arguments for pytest, as one word."
)
@click.option(
    "--shadow",
    is_flag=True,
    help="Then run the tests that are not due, too, and say which were left out wrongly.",
)
@options.reporter_options
def command(
    paths: tuple[str, ...],
    everything: bool,
    since: str | None,
    staged: bool,
    pytest_args: str,
    shadow: bool,
    reporter: str | None,
    output: str | None,
    absolute_paths: bool,
) -> int:
    """Run the tests that are due, once.

    A test is due unless it has passed on the code as it is now. With a PATH (a folder, a file, or
    a test's nodeid) only what lies there is run. Where a `watch` runs in this project it runs
    them, warm, and this command reports what comes of it.
    """
    options.check_revisions(since, staged, everything)
    try:
        words = tuple(shlex.split(pytest_args))
    except ValueError as error:
        raise click.UsageError(f"--pytest-args: {str(error).lower()}") from None
    if asking := _ASKING.intersection(words):
        raise click.UsageError(
            f"--pytest-args: {min(asking)} needs a terminal, and test runs have none; in `devloop "
            "watch` the key d runs the first failing test under pdb"
        )
    loaded = options.find_project()
    inside = tuple(options.project_path(loaded.root, path) for path in paths)

    def report() -> Reporter:
        return options.make_reporter(reporter, output, absolute_paths)

    if not (staged or words or shadow):
        action = {"action": "test", "paths": inside, "all": everything, "since": since}
        code = _by_watch(loaded, report(), action)
        if code is not None:
            return code
    from devloop.loop import session

    return session.test(
        loaded,
        report(),
        paths=inside,
        everything=everything,
        since=since,
        staged=staged,
        pytest_args=words,
        shadow=shadow,
    )


def _by_watch(loaded: Loaded, reporter: Reporter, action: dict[str, Any]) -> int | None:
    """Have the tests run by the `watch` that runs here; None where there is none that does."""
    from devloop.store import presence

    if presence.holder(loaded.root) is None:
        return None
    from devloop.errors import NoTestsHere, NotWatching
    from devloop.loop.choice import lies_in
    from devloop.select.steps import needed
    from devloop.serve.client import Client
    from devloop.serve.following import carry_out, tests_of

    steps = needed(loaded.config.steps, loaded.config.tests.needs)
    judge = tests_of(action["paths"], steps, lies_in)
    try:
        with Client.of(loaded.root) as client:
            return carry_out(client, "test", action, reporter, judge)
    except (NoTestsHere, NotWatching):
        return None
