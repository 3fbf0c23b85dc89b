"""The real terminal of a session: its size, and what a person types."""

from __future__ import annotations

import codecs
import functools
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from devloop.execute.guard import Guard
from devloop.execute.terminal import TerminalInput, size_of, suspend, typing
from devloop.loop.actions import Action
from devloop.loop.apps import Apps
from devloop.loop.candidates import candidates
from devloop.loop.keys import Keys
from devloop.loop.project import Project
from devloop.report.reporter import Reporter


def is_at(reporter: Reporter) -> bool:
    """Whether a person sits at the terminal that a reporter draws on.

    Args:
        reporter: of the session.
    """
    return reporter.ticks and sys.stdin.isatty()


@asynccontextmanager
async def attended(
    guard: Guard,
    apps: Apps,
    project: Project,
    reporter: Reporter,
    ask: Callable[[Action], None] | None,
) -> AsyncIterator[None]:
    """Bring what is typed to the app that reads it or else to the loop; the window's size to all.

    The terminal's modes come back afterwards, and from the guardian should devloop be killed.

    Args:
        guard: is told of the terminal.
        apps: those that are typed to.
        project: what prompts look through.
        reporter: shows them.
        ask: takes what keys ask for; None has none, and all goes to the apps.
    """
    keys = Keys(functools.partial(candidates, project))

    def press(data: bytes) -> None:
        assert ask is not None
        for action in keys.press(decoder.decode(data)):
            ask(action)
        reporter.panel(keys.panel)

    # A character may come in two pieces.
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    fd = sys.stdin.fileno()
    await guard.keep_terminal(fd)
    with typing(fd) as modes:
        async with anyio.create_task_group() as tasks:
            if ask is None:
                tasks.start_soon(TerminalInput(fd, apps.typed_to).run)
            else:
                tasks.start_soon(TerminalInput(fd, apps.reading, press).run)
            tasks.start_soon(_follow_size, fd, apps)
            tasks.start_soon(suspend, fd, modes)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
    await guard.keep_terminal(None)


async def _follow_size(fd: int, apps: Apps) -> None:
    with anyio.open_signal_receiver(signal.SIGWINCH) as signals:
        async for _ in signals:
            apps.resize(size_of(fd))
