"""Values of the right type that make no sense: durations, names, paths, patterns, ports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from devloop.config.document import KeyPath
from devloop.config.fault import Fault, quoted
from devloop.config.types import App, Config, Step, seconds

LONGEST = 24 * 3600.0
"""Seconds that any duration may have."""
LONGEST_DEBOUNCE = 60.0
"""Seconds; whoever wants to wait longer wants `--postpone`, or no watching."""

_MAYBE_BROKEN = re.compile(r"\[|\\|^!?/*$")
"""Only such patterns can be broken; to compile all of them takes long."""


def faults(config: Config) -> Iterator[Fault]:
    """What makes no sense, in the order of the tables.

    Args:
        config: has the right shape.

    Yields:
        Faults.
    """
    yield from _duration(("watch", "debounce"), config.watch.debounce, most=LONGEST_DEBOUNCE)
    yield from _patterns(("watch", "ignore"), config.watch.ignore)
    for name, app in config.apps.items():
        yield from _app(("apps", name), app)
    yield from _environment(("tests", "env"), config.tests.env)
    yield from _twice(("tests", "needs"), config.tests.needs)
    for name, step in config.steps.items():
        yield from _step(("steps", name), step)


def _app(table: KeyPath, app: App) -> Iterator[Fault]:
    yield from _environment((*table, "env"), app.env)
    yield from _patterns((*table, "watch"), app.watch)
    if app.ready is not None and app.ready.http is not None:
        yield from _address((*table, "ready", "http"), app.ready.http)
    yield from _duration((*table, "ready-timeout"), app.ready_timeout)
    yield from _duration((*table, "stop-timeout"), app.stop_timeout)
    yield from _twice((*table, "needs"), app.needs)


def _step(table: KeyPath, step: Step) -> Iterator[Fault]:
    yield from _environment((*table, "env"), step.env)
    yield from _patterns((*table, "inputs"), step.inputs)
    yield from _patterns((*table, "outputs"), step.outputs)
    yield from _outputs((*table, "outputs"), step.outputs)
    yield from _duration((*table, "timeout"), step.timeout)
    yield from _twice((*table, "needs"), step.needs)


def _duration(key: KeyPath, given: str | None, *, most: float = LONGEST) -> Iterator[Fault]:
    if given is not None and seconds(given) > most:
        limit = "24h" if most == LONGEST else f"{most:g}s"
        yield Fault(key, f"expected at most {limit}, got {quoted(given)}")


def _environment(key: KeyPath, env: Mapping[str, str]) -> Iterator[Fault]:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name:
            hint = None
            if "=" in name:
                before, _, after = name.partition("=")
                hint = f'Write {before} = "{after}".' if before else None
            yield Fault(
                (*key, name), "expected the name of a variable, without = and not empty", hint
            )
        elif "\0" in value:
            yield Fault((*key, name), "a variable's value cannot hold the character NUL")


def _patterns(key: KeyPath, patterns: tuple[str, ...]) -> Iterator[Fault]:
    for index, pattern in enumerate(patterns):
        if not pattern.strip():
            yield Fault((*key, index), "expected a pattern, got an empty one")
        elif _MAYBE_BROKEN.search(pattern) and not _compiles(pattern):
            yield Fault(
                (*key, index),
                f"not a pattern: {quoted(pattern)}",
                "Patterns are as in .gitignore: *.css, static/, styles/**/*.css.",
            )


def _compiles(pattern: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([pattern])
    except (ValueError, re.error):
        return False
    return True


def _outputs(key: KeyPath, outputs: tuple[str, ...]) -> Iterator[Fault]:
    for index, output in enumerate(outputs):
        path = PurePosixPath(output)
        if path.is_absolute() or ".." in path.parts:
            yield Fault(
                (*key, index),
                f"expected a path in the project, relative to its root, got {quoted(output)}",
                "What lies outside the project cannot be watched as an output; leave it out.",
            )
        elif not path.parts:
            yield Fault((*key, index), f"{quoted(output)} is the whole project, not an output")


def _address(key: KeyPath, url: str) -> Iterator[Fault]:
    # Late: it takes a twentieth of a short command's time.
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        yield Fault(
            key,
            f"expected a URL with a host and a port from 1 to 65535, got {quoted(url)}",
            'A URL looks like "http://127.0.0.1:8000/".',
        )


def _twice(key: KeyPath, needs: tuple[str, ...]) -> Iterator[Fault]:
    for index, need in enumerate(needs):
        if need in needs[:index]:
            yield Fault((*key, index), f'"{need}" is named twice')
