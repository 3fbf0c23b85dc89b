"""`devloop test`: one pass of the tests that are due."""

from __future__ import annotations

import shlex

import rich_click as click

from devloop.cli import options


@options.command(
    "test",
    "devloop test",
    "devloop test tests/unit",
    "devloop test --since main",
    "devloop test --staged",
    'devloop test --all --pytest-args "-x --pdb"',
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
    a test's nodeid) only what lies there is run.
    """
    options.check_revisions(since, staged, everything)
    try:
        words = tuple(shlex.split(pytest_args))
    except ValueError as error:
        raise click.UsageError(f"--pytest-args: {str(error).lower()}") from None
    loaded = options.find_project()
    inside = tuple(options.project_path(loaded.root, path) for path in paths)
    made = options.make_reporter(reporter, output, absolute_paths)
    from devloop.loop import session

    return session.test(
        loaded,
        made,
        paths=inside,
        everything=everything,
        since=since,
        staged=staged,
        pytest_args=words,
        shadow=shadow,
    )
