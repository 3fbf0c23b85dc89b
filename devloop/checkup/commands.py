"""Checks of the commands: whether they can be run."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from devloop.checkup.finding import Finding
from devloop.config.types import App, Config, Ready, Step, argv
from devloop.execute.environment import for_project, read_file
from devloop.watch.patterns import Named


def check(
    root: Path,
    config: Config,
    interpreter: str | None,
    files: Collection[str],
    environ: Mapping[str, str],
    *,
    watching: bool,
) -> Iterator[Finding]:
    """Look at every app and step.

    Args:
        root: the project's.
        config: the configuration.
        interpreter: the project's, whose programs come first.
        files: the watched files.
        environ: the environment.
        watching: our own `watch` runs, and its apps listen.
    """
    base = for_project(environ, interpreter)
    for name, app in config.apps.items():
        faults = [*_command(f"app {name}", root, app, base), *_env_file(f"app {name}", root, app)]
        if not watching and app.ready is not None:
            faults += _port(f"app {name}", app.ready)
        yield from faults or [Finding(f"app {name}", "ok", _said(app))]
    for name, step in config.steps.items():
        faults = [*_command(f"step {name}", root, step, base)]
        faults += _inputs(f"step {name}", step, files, config)
        yield from faults or [Finding(f"step {name}", "ok", _said(step))]


def _said(item: App | Step) -> str:
    return item.command if isinstance(item.command, str) else " ".join(item.command)


def _command(
    subject: str, root: Path, item: App | Step, base: Mapping[str, str]
) -> Iterator[Finding]:
    folder = root / (item.cwd or ".")
    if not folder.is_dir():
        yield Finding(subject, "error", f"its cwd, {folder}, is no folder", "Correct `cwd`.")
        return
    program = argv(item.command)[0]
    if os.sep in program:
        found = os.access(folder / program, os.X_OK)
        place = f"{folder / program}"
    else:
        path = item.env.get("PATH", base.get("PATH", os.defpath))
        found = shutil.which(program, path=path) is not None
        place = ""
    if not found:
        where = (
            f"{place} cannot be executed or is not there"
            if place
            else f"{program} is neither in the project's environment nor on PATH"
        )
        yield Finding(
            subject, "error", where, f"Install {Path(program).name}, or correct `command`."
        )


def _env_file(subject: str, root: Path, app: App) -> Iterator[Finding]:
    if app.env_file is None:
        return
    if (root / app.env_file).is_dir():
        yield Finding(
            subject,
            "error",
            f'its env-file, "{app.env_file}", is a folder',
            "Name a file of variables, or take `env-file` out.",
        )
    elif problem := read_file(root / app.env_file).problem:
        yield Finding(subject, "warning", problem, "Write it, or correct `env-file`.")


def _inputs(subject: str, step: Step, files: Collection[str], config: Config) -> Iterator[Finding]:
    made = Named([output for other in config.steps.values() for output in other.outputs])
    for pattern in step.inputs:
        named = Named([pattern])
        if pattern not in made and not any(path in named for path in files):
            yield Finding(
                subject,
                "warning",
                f"no watched file matches its input {pattern}",
                "Correct `inputs`; patterns are relative to the project's root.",
            )


def _port(subject: str, ready: Ready) -> list[Finding]:
    host, port = "127.0.0.1", ready.port
    if ready.http is not None:
        parts = urlsplit(ready.http)
        host = parts.hostname or host
        port = parts.port or (443 if parts.scheme == "https" else 80)
    if port is None:
        return []
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return []
    return [
        Finding(
            subject,
            "warning",
            f"something else listens on {host}:{port}, where the app is expected",
            f"Stop it, or choose another port: lsof -i :{port} shows what it is.",
        )
    ]
