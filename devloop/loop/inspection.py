"""What `affected` and `why` answer; nothing is run but the parse workers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import Literal

import msgspec

from devloop.config.load import Loaded
from devloop.errors import UsageError
from devloop.events import Change, PlannedTarget, PlannedTest, Reason
from devloop.execute import interpreter
from devloop.loop import difference
from devloop.loop.asking import answer, opened
from devloop.loop.difference import Ahead
from devloop.loop.nodeids import holds, require_known
from devloop.loop.project import Project
from devloop.plan.plan import planned, targets
from devloop.report import tables
from devloop.report.paint import Paint
from devloop.select import tests as select_tests
from devloop.select.apps import AppTarget, affected_apps
from devloop.select.category import SOURCES
from devloop.select.foresight import foresee, seen
from devloop.select.records import Verdict
from devloop.select.steps import affected_steps
from devloop.store import peek
from devloop.watch import revisions


class Affected(msgspec.Struct, frozen=True):
    """What would run: the form of `affected --format json`."""

    changes: tuple[Change, ...]
    tests: tuple[PlannedTest, ...]
    all: bool
    all_reason: str | None
    steps: tuple[PlannedTarget, ...]
    apps: tuple[PlannedTarget, ...]
    v: int = 1


def affected(
    loaded: Loaded, *, since: str | None, staged: bool, form: Literal["text", "json"]
) -> int:
    """Print what would run and why.

    Args:
        loaded: the configuration.
        since: take what differs from this revision as the change.
        staged: take what is staged as the change.
        form: for a person or for a program.

    Returns:
        The exit code.

    Raises:
        DevloopError: the project cannot be read.
    """
    ask = revisions.staged if staged else None
    if since is not None:
        ask = partial(revisions.changed_since, revision=since)
    if ask is None:
        with opened(loaded) as project:
            found = find_affected(project)
    else:
        python = interpreter.find(loaded.root, loaded.config.python, os.environ, sys.executable)
        with Ahead(loaded.root, python, ask) as ahead, opened(loaded) as project:
            found = find_affected(project, ahead)
    answer(found, form, tables.affected)
    return 0


def find_affected(project: Project, ahead: Ahead | None = None) -> Affected:
    """Find what would run.

    Args:
        project: as it is now.
        ahead: what it finds is the change; None is what differs from the last run.

    Returns:
        Tests, steps and apps, each with its reason.
    """
    if ahead is not None:
        found, objects = ahead.result(project)
        changes = tuple(one.change for one in found)
        contents = difference.contents_after(found, objects, project.contents)
        before = difference.changed(found, objects, contents)
        changed = frozenset(before)
        due = project.verdicts.reached(before, contents)
    else:
        contents = project.contents
        changes = project.verdicts.changes()
        changed = frozenset(change.path for change in changes)
        due = project.due()
    touched = frozenset(change.path for change in changes)
    known = select_tests.by_file(project.records)
    tests = [
        test
        for file in due.files
        for test in planned(
            file,
            [verdict.nodeid for verdict in known.get(file.path, ())]
            if _holds_what_it_held(file.path, project, contents)
            else (),
        )
    ]
    apps = affected_apps(project.graph, _apps(project), changed, touched, project.categorise)
    return Affected(
        changes,
        tuple(tests),
        due.all_reason is not None,
        due.all_reason,
        targets(affected_steps(project.config.steps, touched)),
        targets(apps),
    )


def _holds_what_it_held(path: str, project: Project, contents: Mapping[str, bytes]) -> bool:
    """Whether a test file holds no other tests than when all of them were collected.

    Else it stands for them: there may be others by now, or what `-k` has left out.
    """
    records, facts = project.records, project.graph.files.get(path)
    listing = next(iter(records.listings.get(path, ())), None)
    if path not in records.collected or listing is None:
        return False
    if not path.endswith(SOURCES) and facts is not None and facts.examples is not None:
        return True  # all examples of a text are one test
    return records.content_of(path, listing.revision) == contents.get(path)


def why(loaded: Loaded, *, target: str, file: str | None) -> int:
    """Print why something was selected, or was not.

    Args:
        loaded: the configuration.
        target: a test file, a nodeid, a step or an app.
        file: whether an edit of this one would select it; None is the current edits.

    Returns:
        The exit code.

    Raises:
        UsageError: there is no such thing.
    """
    paint = Paint.of(sys.stdout, os.environ)
    with opened(loaded) as project:
        targets = (*project.config.apps, *project.config.steps)
        if file is not None and target not in targets:
            found = foresee(project.present(), *_tests(project, target), file)
            sys.stdout.write(tables.would(target, file, msgspec.to_builtins(found), paint))
            return 0
        reason = _current_reason(project, target) if file is None else _by(project, target, file)
        counts: Mapping[str, int] = {}
        if reason is None and target not in targets:
            counts = seen(project.present(), _tests(project, target)[1])
    shown = None if reason is None else msgspec.to_builtins(reason)
    sys.stdout.write(tables.why(target, shown, paint, counts))
    return 0


def _tests(project: Project, target: str) -> tuple[str, list[Verdict]]:
    """The file of a test, and the verdicts of all that its name means."""
    path = _test_file(project, target)
    known = select_tests.by_file(project.records).get(path, [])
    return path, [verdict for verdict in known if holds(target, verdict.nodeid)]


def _current_reason(project: Project, target: str) -> Reason | None:
    found = find_affected(project)
    named = {one.name: one.reason for one in (*found.apps, *found.steps)}
    if target in project.config.apps or target in project.config.steps:
        return named.get(target)
    path = _test_file(project, target)
    for test in found.tests:
        if test.nodeid in (target, path) or holds(target, test.nodeid):
            return test.reason
    if _tests(project, target)[1]:
        return None
    # It may have been written since its file was collected.
    whole = (file.reason for file in project.due().files if file.path == path and not file.nodeids)
    return next(whole, None)


def _by(project: Project, target: str, file: str) -> Reason | None:
    if target in project.config.steps:
        steps = affected_steps(project.config.steps, [file])
        return next((step.reason for step in steps if step.name == target), None)
    apps = affected_apps(project.graph, _apps(project), [file], [file], project.categorise)
    return next((app.reason for app in apps if app.name == target), None)


def _apps(project: Project) -> tuple[AppTarget, ...]:
    """What is known of the apps, from a `watch` of them, too."""
    if not project.config.apps:
        return ()
    imported = {name: record.own for name, record in peek.warm(project.loaded.root).items()}
    return project.app_targets(imported)


def _test_file(project: Project, target: str) -> str:
    path = target.partition("::")[0]
    if path not in project.test_files:
        names = [*project.config.apps, *project.config.steps]
        raise UsageError(
            f"{target} is not a test, a step or an app of this project",
            hint=f"The apps and steps are {', '.join(names)}." if names else None,
        )
    if project.contents.get(path) == project.records.content_of(path):
        require_known(project.records, target)
    return path
