"""A notification of the desktop's, by the program that each system has for it."""

from __future__ import annotations

import os
import sys

import anyio

from devloop.errors import CommandError
from devloop.execute.guard import Guard, Spawn

LIMIT = 10.0
"""Seconds that the program may take."""

_APPLE = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)


def command(title: str, message: str, platform: str = sys.platform) -> tuple[str, ...]:
    """The words that show a notification.

    Args:
        title: one line.
        message: one line.
        platform: as `sys.platform` names it.
    """
    if platform == "darwin":
        script = (word for line in _APPLE for word in ("-e", line))
        return ("osascript", *script, title, message)
    return ("notify-send", "--app-name=devloop", "--", title, message)


async def notify(guard: Guard, title: str, message: str) -> str | None:
    """Show a notification.

    Args:
        guard: owns the program's process.
        title: one line.
        message: one line.

    Returns:
        Why it was not shown, in one sentence; None where it was.

    Raises:
        GuardianLost: the guardian died.
    """
    argv = command(title, message)
    try:
        process = await guard.spawn(Spawn(argv=argv, env=dict(os.environ), cwd="/"))
    except CommandError as error:
        return error.message
    with anyio.move_on_after(LIMIT) as scope:
        ended = await process.wait()
    if scope.cancelled_caught:
        await process.stop()
        return f"{argv[0]} did not end within {LIMIT:g} s"
    return None if ended.code == 0 else f"{argv[0]} ended with {ended}"
