"""What an app's process is started as: its words, its environment, its streams."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from devloop.config.types import App, argv, seconds
from devloop.events import Event, Notice
from devloop.execute.environment import for_project, read_file
from devloop.execute.guard import Spawn
from devloop.execute.wiring import Wiring
from devloop.plan.reloader import Tamed, tame


class AppSpawn:
    """Makes, for each start of an app anew, what is to be started.

    Args:
        name: in the configuration.
        app: its table there.
        emit: called with what a person should know of it.
        root: the project's.
        interpreter: the path of the project's interpreter, where there is one.
        environ: what its environment is made from.
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
    ) -> None:
        self._name = name
        self._app = app
        self._emit = emit
        self._root = root
        self._interpreter = interpreter
        self._environ = environ
        self._said: str | None = None

    def make(self, wiring: Wiring) -> Spawn:
        """What is to be started now; its environment file is read again.

        Args:
            wiring: its standard streams.
        """
        app = self._app
        env = for_project(self._environ, self._interpreter, buffered=wiring.terminal is not None)
        if wiring.terminal is not None:
            # They would hide the window's real size, and what the terminal is.
            env.pop("LINES", None)
            env.pop("COLUMNS", None)
            env.setdefault("TERM", "xterm-256color")
        if (problem := add(env, app, self._root)) is not None:
            self._emit(Notice(f"app {self._name}: {problem}", severity="warning"))
        command = argv(app.command)
        tamed = tame(command, env) or Tamed(command)
        env.update(tamed.env)
        if tamed.message is not None and tamed.message != self._said:
            self._said = tamed.message
            self._emit(Notice(tamed.message))
        return Spawn(
            argv=tamed.argv,
            env=env,
            cwd=os.path.join(self._root, app.cwd) if app.cwd else str(self._root),  # noqa: PTH118
            stdin=wiring.stdin,
            stdout=wiring.stdout,
            stderr=wiring.stdout,
            terminal=wiring.terminal is not None,
            stop_signal=signal.Signals[app.stop_signal],
            stop_timeout=seconds(app.stop_timeout),
        )


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
