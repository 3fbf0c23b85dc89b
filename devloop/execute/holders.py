"""What holds the imports of a command: what all kinds of it share, and how they are asked.

One that is asked for a process may be silent, or be replaced meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import anyio
import msgspec

from devloop.execute.blank import Blank
from devloop.execute.command import Python
from devloop.execute.guard import Guard
from devloop.execute.orders import Declined
from devloop.execute.terminal import Size

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds that a process has to be given: it takes milliseconds, and a cold start less."""

NOT_YET = "what it imports is still being loaded"
DIED = "the process that held its imports died"
SILENT = f"the process that holds its imports did not answer within {PATIENCE:.0f} s"


class Purpose(msgspec.Struct, frozen=True):
    """What something is made for that holds imports.

    Args:
        guard: owns its processes.
        command: whose interpreter, with its options.
        env: the command's environment.
        cwd: the command's working directory.
        terminal: the command gets a terminal, of about that size.
    """

    guard: Guard
    command: Python
    env: Mapping[str, str]
    cwd: str
    terminal: Size | None = None

    def suits(self, command: Python, cwd: str, terminal: Size | None) -> str | None:
        """Why another command cannot be started from what is made for this one.

        The environment's part in that is told by the process itself, which declines.

        Args:
            command: which.
            cwd: its working directory.
            terminal: what its streams are.

        Returns:
            One line; None where it can.
        """
        own = self.command
        if (own.program, own.options) != (command.program, command.options):
            return "its interpreter, or an option of it, is another one now"
        if self.cwd != cwd:
            return "its working folder is another one now"
        if (self.terminal is None) != (terminal is None):
            return "it has a terminal now, or has none any more"
        return None

    async def begin(self) -> Blank:
        """Start an interpreter that holds nothing yet.

        Raises:
            Declined: it cannot be started.
            GuardianLost: the guardian has died.
        """
        return await Blank.start(self.guard, self.command, self.env, self.cwd, self.terminal)


async def given(holder: Callable[[], object], ask: Callable[[], Awaitable[T]]) -> T:
    """Ask for a process, and once more where another holder has taken the place of that one.

    Args:
        holder: gives the one that is asked now; None where there is none any more.
        ask: asks that one; raises Declined.

    Returns:
        What it was given.

    Raises:
        Declined: it cannot be given; with `SILENT`, nobody has answered.
    """
    with anyio.move_on_after(PATIENCE):
        while True:
            before = holder()
            try:
                return await ask()
            except Declined:
                if holder() in (before, None):
                    raise
    raise Declined(SILENT)
