"""Checks of warm starts: what is held for each app and the tests, what is not, and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from devloop.checkup.beforehand import set_up
from devloop.checkup.finding import Finding
from devloop.config.types import App, Config, argv
from devloop.execute import app_spawn, cold
from devloop.execute.command import NotPython, Python, parse
from devloop.execute.environment import for_project
from devloop.execute.warm import stamp_of
from devloop.execute.warm_tests import WarmTests
from devloop.execute.zygote import FORKS
from devloop.plan.reloader import Tamed, tame
from devloop.plan.warm import WarmRecord
from devloop.store import peek

NO_FORK = "processes cannot be forked safely on this system"
SLOW = "what must not be held while a process forks takes a good part of the time"
NAMED = 8
"""How many packages are named."""


def check(
    root: Path, config: Config, interpreter: str | None, environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Look at every app, and at the runs of the tests.

    Args:
        root: the project's.
        config: the configuration.
        interpreter: the project's.
        environ: the environment.
    """
    records = peek.warm(root)
    if config.warm.tests and (tests := records.get(WarmTests.NAME)) is not None and tests.held:
        yield from _held("warm runs of the tests", tests)
    for name, app in config.apps.items():
        subject = f"warm start of {name}"
        env = for_project(environ, interpreter)
        app_spawn.add(env, app, root)
        words = argv(app.command)
        command = parse((tame(words, env) or Tamed(words)).argv, env, str(root / (app.cwd or "")))
        record = records.get(name)
        if record is not None and record.not_handed_over and _is_of(root, name, app, command):
            yield Finding(
                f"handover of {name}",
                "ok",
                f"it listens at {', '.join(record.not_handed_over)} without the socket module of "
                "Python, or in a program of its own, where the next process cannot take over: it "
                "waits for the end of the one before, and requests are refused until it listens",
            )
        if app.start == "cold":
            yield Finding(subject, "ok", 'turned off: start = "cold"')
        elif isinstance(command, NotPython):
            yield Finding(subject, "ok", f"starts cold: {command.reason}")
        elif record is not None and record.refused is not None:
            yield Finding(subject, "ok", f"starts cold: {record.refused}")
        elif record is None or not (record.held or record.off):
            yield Finding(subject, "ok", "nothing is known yet: it is found out while it runs")
        elif record.off is not None:
            yield Finding(
                subject,
                "warning",
                f"turned off: {record.off}",
                f"It is tried again when something is installed; for good: [apps.{name}] start = "
                '"cold".',
            )
        else:
            yield from _held(subject, record)
            yield from _set_up(subject, record, root, root / (app.cwd or ""), command)
            for function, reason in record.not_kept.items():
                mend = f"Take it out of [apps.{name}] keep, or mend it."
                yield Finding(subject, "warning", f"{function} is not kept: {reason}", mend)


def _is_of(root: Path, name: str, app: App, command: Python | NotPython) -> bool:
    """Whether what is known of an app's starts is known of what it is now."""
    if app.start == "cold":
        stamp = cold.stamp_of(argv(app.command))
    elif isinstance(command, Python):
        stamp = stamp_of(command)
    else:
        return False
    return peek.is_warm_of(root, name, stamp)


def _held(subject: str, record: WarmRecord) -> Iterator[Finding]:
    count, packages = len(record.held), _packages(record.held)
    if record.spare or not FORKS:
        why = SLOW if FORKS else NO_FORK
        what = f"an interpreter that is used once imports {count:,} modules ahead of each start"
        yield Finding(subject, "ok", f"{what}: {packages} ({why})")
    else:
        yield Finding(subject, "ok", f"{count:,} modules are held: {packages}")
        if record.not_ahead is not None:
            why = f"nothing of its command runs ahead of a save: {record.not_ahead}"
            yield Finding(subject, "ok", why)
    reasons: dict[str, list[str]] = {}
    for module, reason in record.left_out.items():
        reasons.setdefault(reason, []).append(module)
    for reason, names in reasons.items():
        yield Finding(subject, "ok", f"not held: {_packages(names)}: {reason}")
    for path, reason in record.anew.items():
        yield Finding(subject, "ok", f"not held, nor what imports it: {path}: {reason}")


def _set_up(
    subject: str, record: WarmRecord, root: Path, cwd: Path, command: Python
) -> Iterator[Finding]:
    """What a held library was imported without, as far as the project's sources say so."""
    for path in sorted({*record.own, *_main(root, cwd, command)}):
        try:
            source = (root / path).read_bytes()
        except OSError:
            continue
        for line, what, library in set_up(source, record.held):
            yield Finding(
                subject,
                "ok",
                f"{path}:{line} {what} before it imports {library}, which is held and was "
                "imported without that",
                f'Where that matters: [warm] exclude = ["{library}"].',
            )


def _main(root: Path, cwd: Path, command: Python) -> list[str]:
    """Where the source of the command itself may be, relative to the root."""
    if command.kind == "script":
        places = [cwd / command.target]
    else:
        folder = cwd.joinpath(*command.target.split("."))
        places = [folder.with_name(f"{folder.name}.py"), folder / "__main__.py"]
    return [os.path.relpath(place, root) for place in places if place.is_relative_to(root)]


def _packages(modules: list[str] | tuple[str, ...]) -> str:
    """The packages of some modules, those with the most first."""
    found = Counter(name.partition(".")[0] for name in modules)
    names = [name for name, _ in found.most_common()]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
