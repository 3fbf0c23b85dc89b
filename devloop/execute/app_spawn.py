"""What an app's process is started as: its words, its environment, its streams."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from devloop.config.types import App, argv, seconds
from devloop.events import Event, Notice
from devloop.execute.command import NotPython, Python, parse
from devloop.execute.environment import for_project, read_file
from devloop.execute.guard import Spawn
from devloop.execute.staleness import FRESH
from devloop.execute.wiring import Wiring
from devloop.plan.reloader import Tamed, tame


class Made(msgspec.Struct, frozen=True):
    """What is to be started.

    Args:
        spawn: as it is started.
        command: what its words start.
        problem: what a person should know of it, at each start.
        note: the same, at the first one.
        at: when this was found out, on the monotonic clock.
    """

    spawn: Spawn
    command: Python | NotPython
    problem: str | None
    note: str | None
    at: float


class AppSpawn:
    """Makes, for each start of an app anew, what is to be started.

    Args:
        name: in the configuration.
        app: its table there.
        emit: called with what a person should know of it.
        root: the project's.
        interpreter: the path of the project's interpreter, where there is one.
        environ: what its environment is made from.
        terminal: its streams are a pseudo-terminal.
    """

    def __init__(
        self,
        name: str,
        app: App,
        *,
        emit: Callable[[Event], None],
        root: Path,
        interpreter: str | None,
        environ: Mapping[str, str],
        terminal: bool,
    ) -> None:
        self._name = name
        self._app = app
        self._emit = emit
        self._root = root
        self._interpreter = interpreter
        self._environ = environ
        self._terminal = terminal
        self._noted: str | None = None
        self._ahead: Made | None = None

    def look(self) -> None:
        """A start may come in some milliseconds: find out by now what would be started."""
        self._ahead = self._make()

    def make(self, wiring: Wiring) -> tuple[Spawn, Python | NotPython]:
        """What is to be started now; its environment file is read again.

        Args:
            wiring: its standard streams.

        Returns:
            That, and what its words start.
        """
        made, self._ahead = self._ahead, None
        if made is None or time.monotonic() - made.at >= FRESH:
            made = self._make()
        if made.problem is not None:
            self._emit(Notice(f"app {self._name}: {made.problem}", severity="warning"))
        if made.note is not None:
            self.note(made.note)
        streams = {"stdin": wiring.stdin, "stdout": wiring.stdout, "stderr": wiring.stdout}
        return msgspec.structs.replace(made.spawn, **streams), made.command

    def note(self, text: str) -> None:
        """Say something of the command that a person should know, unless that was said last.

        Args:
            text: one line.
        """
        if text != self._noted:
            self._noted = text
            self._emit(Notice(text))

    def _make(self) -> Made:
        app = self._app
        env = for_project(self._environ, self._interpreter, buffered=self._terminal)
        if self._terminal:
            # They would hide the window's real size, and what the terminal is.
            env.pop("LINES", None)
            env.pop("COLUMNS", None)
            env.setdefault("TERM", "xterm-256color")
        problem = add(env, app, self._root)
        command = argv(app.command)
        tamed = tame(command, env) or Tamed(command)
        env.update(tamed.env)
        cwd = os.path.join(self._root, app.cwd) if app.cwd else str(self._root)  # noqa: PTH118
        spawn = Spawn(
            argv=tamed.argv,
            env=env,
            cwd=cwd,
            terminal=self._terminal,
            stop_signal=signal.Signals[app.stop_signal],
            stop_timeout=seconds(app.stop_timeout),
        )
        parsed = parse(tamed.argv, env, cwd)
        return Made(spawn, parsed, problem, tamed.message, time.monotonic())


def add(env: dict[str, str], app: App, root: Path) -> str | None:
    """Add an app's own variables: those of its file, and over them those of its table.

    Args:
        env: they are added to it.
        app: its table in the configuration.
        root: the project's.

    Returns:
        What is wrong with the file, in one sentence.
    """
    problem = None
    if app.env_file is not None:
        file = read_file(root / app.env_file)
        problem = file.problem
        env.update(file.values)
    env.update(app.env)
    return problem
