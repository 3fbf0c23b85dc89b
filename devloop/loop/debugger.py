"""Debugging a failing test, beside the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Literal, TypeAlias

import msgspec

from devloop.errors import CommandError, UsageError
from devloop.events import Event, Notice, Output
from devloop.execute import debugging
from devloop.execute.debugging import Debugging
from devloop.execute.guard import Guard
from devloop.execute.terminal import Size, Terminal
from devloop.loop.project import Project

Kind: TypeAlias = Literal["pdb", "debugpy"]


class Screen(msgspec.Struct, frozen=True):
    """The real terminal.

    Args:
        size: of its window, at the moment.
        show: writes bytes on it, as they are; None gives it back.
        lent: while it is entered, what is typed is handed over as it is, Ctrl-C too.
    """

    size: Callable[[], Size]
    show: Callable[[bytes | None], None]
    lent: Callable[[], AbstractContextManager[object]]


class Debugger:
    """Runs one test at a time under a debugger.

    Args:
        project: whose tests.
        guard: owns the processes.
        environment: the project's.
        emit: takes events.
        kind: which debugger.
    """

    def __init__(
        self,
        project: Project,
        guard: Guard,
        environment: Mapping[str, str],
        emit: Callable[[Event], None],
        kind: Kind,
    ) -> None:
        self._project = project
        self._guard = guard
        self._environment = environment
        self._emit = emit
        self._kind = kind
        self._running: Debugging | None = None
        self.screen: Screen | None = None
        """Where there is a terminal."""

    @property
    def terminal(self) -> Terminal | None:
        """Whose is all that is typed; None while nothing is debugged at the terminal."""
        return None if self._running is None else self._running.terminal

    def prepare(self, nodeid: str) -> Debugging | None:
        """Have a test debugged next, or end what is being debugged.

        Args:
            nodeid: of the test.

        Returns:
            What is to be given to `run`; None where one was ended instead.

        Raises:
            UsageError: it cannot be debugged here.
        """
        if self._running is not None:
            self._running.stop()
            return None
        if self._kind == "pdb" and self.screen is None:
            raise UsageError(
                "there is no terminal here to debug at",
                hint="With --debugger debugpy an editor can attach.",
            )
        project, tests = self._project, self._project.config.tests
        port = debugging.free_port() if self._kind == "debugpy" else None
        argv = debugging.command(project.interpreter, nodeid, tests.args, port=port)
        how = (
            f"debugpy waits on 127.0.0.1:{port} for an editor to attach; d again ends it"
            if port is not None
            else "c goes on, q leaves"
        )
        self._emit(Notice(f"debugging {nodeid}: {how}"))
        env = {**self._environment, **project.python_path(), **tests.env}
        self._running = Debugging(self._guard, argv, env, project.root)
        return self._running

    async def run(self, prepared: Debugging) -> None:
        """Be with a debugged test until it ends.

        Args:
            prepared: from `prepare`.
        """
        try:
            if self._kind == "debugpy" or self.screen is None:
                await prepared.in_lines(self._print)
            else:
                screen = self.screen
                with screen.lent():
                    screen.show(b"")
                    try:
                        await prepared.at_terminal(screen.size(), screen.show)
                    finally:
                        screen.show(None)
        except CommandError as error:
            self._emit(Notice(error.message, severity="warning", hint=error.hint))
        else:
            self._emit(Notice("the debugger has ended"))
        finally:
            self._running = None

    def resize(self, size: Size) -> None:
        """The window has another size.

        Args:
            size: rows and columns.
        """
        if self.terminal is not None:
            self.terminal.resize(size)

    def stop(self) -> None:
        """End what is being debugged."""
        if self._running is not None:
            self._running.stop()

    def _print(self, lines: list[str]) -> None:
        self._emit(Output(source="tests", name="debug", text="\n".join(lines)))
