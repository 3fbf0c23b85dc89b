"""From a command to its loop: open the project, run the loop, load it anew, close it.

A changed configuration ends one loop and begins another in the same session; only a
configuration that can be read does so.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import anyio
import msgspec

import devloop
from devloop.config.load import Loaded
from devloop.errors import DevloopError, MissingDistribution
from devloop.events import Notice, SessionFinished, SessionStarted
from devloop.execute.parsing import Parsers
from devloop.loop import collector, difference
from devloop.loop.choice import within
from devloop.loop.debugger import Kind
from devloop.loop.loop import Loop
from devloop.loop.outside import Inside, Outside
from devloop.loop.project import Project
from devloop.loop.requests import Mode
from devloop.loop.scope import Scope
from devloop.report.joined import Joined
from devloop.report.locations import Locations
from devloop.report.reporter import ReaderGone, Reporter
from devloop.select import tests as select_tests
from devloop.select.tests import Due
from devloop.watch import revisions

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup


def watch(
    loaded: Loaded,
    reporter: Reporter,
    *,
    once: bool,
    postpone: bool,
    apps: bool,
    tests: bool,
    keys: bool,
    debugger: Kind,
    poll: float | None,
    outside: Outside | None = None,
) -> int:
    """Run `devloop watch`.

    Args:
        loaded: the configuration.
        reporter: who hears of it.
        once: one pass only.
        postpone: begin nothing before the first change.
        apps: run them.
        tests: run them.
        keys: obey them, where there is a terminal.
        debugger: for failing tests.
        poll: seconds between two looks at the tree; None where it is watched.
        outside: follows the session, and asks for what others want of it.

    Returns:
        The exit code.

    Raises:
        DevloopError: the session could not go on.
    """
    scope = Scope(
        watch=not once,
        postpone=postpone,
        apps=apps,
        tests=tests,
        keys=keys,
        debugger=debugger,
        poll=poll,
    )
    others = [Locations(loaded.root).handle]
    if outside is not None:
        others.append(outside.handle)
    return _session("watch", loaded, Joined(reporter, *others), scope, outside=outside)


def test(
    loaded: Loaded,
    reporter: Reporter,
    *,
    paths: tuple[str, ...],
    everything: bool,
    since: str | None,
    staged: bool,
    pytest_args: tuple[str, ...],
    shadow: bool,
) -> int:
    """Run `devloop test`.

    Args:
        loaded: the configuration.
        reporter: who hears of it.
        paths: only what lies there; folders, files and nodeids.
        everything: also tests that are not due.
        since: the tests that the changes since this revision reach.
        staged: test what is staged, in a folder of its own.
        pytest_args: further arguments for pytest.
        shadow: run the tests that are not due afterwards.

    Returns:
        The exit code.

    Raises:
        DevloopError: the session could not go on.
    """
    known: dict[str, bytes] = {}

    async def prepare(project: Project, parsers: Parsers) -> None:
        assert since is not None
        objects = difference.objects(difference.since(project, since))
        keep = project.store.save_outlines
        known.update(await difference.fingerprints(project.root, objects, parsers, keep))

    def choose(project: Project) -> Due:
        if everything:
            due = select_tests.everything(project.test_files, project.records, "all were asked for")
        elif since is not None:
            # Steps may have run since the fingerprints were found: git is asked anew.
            differences = difference.since(project, since)
            changed = difference.changed(differences, known, project.contents)
            due = project.verdicts.reached(changed)
        else:
            due = project.due()
        return within(due, paths, project.records)

    scope = Scope(
        watch=False,
        apps=False,
        choose=choose,
        prepare=prepare if since is not None else None,
        steps=loaded.config.tests.needs,
        pytest_args=pytest_args,
        shadow=shadow,
    )
    if not staged:
        return _session("test", loaded, reporter, scope)
    with tempfile.TemporaryDirectory(prefix="devloop-staged-") as folder:
        root = revisions.check_out_index(loaded.root, Path(folder))
        return _session("test", loaded, reporter, scope, staged=root)


def build(loaded: Loaded, reporter: Reporter, *, steps: tuple[str, ...] | None, force: bool) -> int:
    """Run `devloop build`.

    Args:
        loaded: the configuration.
        reporter: who hears of it.
        steps: only these and what they need; None is all.
        force: run steps that are up to date too.

    Returns:
        The exit code.

    Raises:
        DevloopError: the session could not go on.
    """
    scope = Scope(watch=False, apps=False, tests=False, steps=steps, force=force)
    return _session("build", loaded, reporter, scope)


def _session(
    command: str,
    loaded: Loaded,
    reporter: Reporter,
    scope: Scope,
    *,
    staged: Path | None = None,
    outside: Outside | None = None,
) -> int:
    code = 3
    try:
        code = anyio.run(_run, command, loaded, reporter, scope, staged, outside)
    except ReaderGone:
        code = 0
    except KeyboardInterrupt:
        code = 130
    finally:
        reporter.close()
    return code


async def _run(
    command: str,
    loaded: Loaded,
    reporter: Reporter,
    scope: Scope,
    staged: Path | None,
    outside: Outside | None,
) -> int:
    inside = Inside(reporter.handle)
    try:
        async with nullcontext() if outside is None else outside.open(inside):
            try:
                return await _loops(command, loaded, reporter, scope, staged, inside)
            finally:
                inside.close()
    except BaseExceptionGroup as group:
        raise _only(group) from None


async def _loops(
    command: str,
    loaded: Loaded,
    reporter: Reporter,
    scope: Scope,
    staged: Path | None,
    inside: Inside,
) -> int:
    """One loop after the other, as long as another configuration asks for another one."""
    cycles, code = 0, DevloopError.exit_code
    advised: set[str] = set()
    mode = Mode()
    started = SessionStarted(
        t=time.time(),
        root=str(loaded.root),
        command=command,
        version=devloop.__version__,
        pid=os.getpid(),
        postponed=scope.postpone,
    )
    reporter.handle(started)
    try:
        while True:
            project = Project.open(loaded, elsewhere=staged)
            with project.store:
                possible, notices = _possible(project, scope)
                loop = Loop(project, possible, reporter, cycles=cycles, advised=advised, mode=mode)
                for notice in (*project.store.notices, *notices):
                    loop.emit(notice)
                inside.begin(loop)
                code = await loop.run()
                inside.end()
            if not loop.reload:
                return code
            loop.emit(Notice(message="the configuration has changed: beginning anew"))
            cycles, mode, loaded = loop.cycles, loop.mode, loop.next_configuration()
            scope = msgspec.structs.replace(scope, postpone=False)
            del loop, project  # or two of them would be held at once
            collector.thaw()
    except BaseExceptionGroup as group:
        error = _only(group)
        code = getattr(error, "exit_code", code)
        raise error from None
    except DevloopError as error:
        code = error.exit_code
        raise
    finally:
        reporter.handle(SessionFinished(t=time.time(), code=code))


def _possible(project: Project, scope: Scope) -> tuple[Scope, list[Notice]]:
    """What of the scope can be done here, and what is to be said of the rest."""
    apps, steps = scope.apps and project.config.apps, project.config.steps
    if scope.tests and project.test_files:
        try:
            project.interpreter.require_pytest()
        except MissingDistribution as error:
            if not (scope.watch and apps):
                raise
            notice = Notice(message=error.message, severity="warning", hint=error.hint)
            return msgspec.structs.replace(scope, tests=False), [notice]
    elif not apps and not steps:
        missing = "no apps or steps are configured" if scope.apps else "no steps are configured"
        hint = None
        if scope.tests:
            missing = f"no tests were found, {missing}"
            hint = (
                "Write a file tests/test_something.py, or run an app: "
                "devloop watch -- python main.py"
            )
        message = f"there is nothing to run: {missing}"
        return scope, [Notice(message=message, severity="warning", hint=hint)]
    return scope, []


def _only(group: BaseExceptionGroup) -> BaseException:
    """The error behind a task group's."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        known = [e for e in error.exceptions if isinstance(e, DevloopError | ReaderGone)]
        error = known[0] if known else error.exceptions[0]
    return error
