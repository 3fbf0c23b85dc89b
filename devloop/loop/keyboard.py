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
from devloop.execute.terminal import (
    Size,
    Terminal,
    TerminalInput,
    handed_over,
    size_of,
    suspend,
    typing,
)
from devloop.loop.actions import Action
from devloop.loop.apps import Apps
from devloop.loop.candidates import candidates
from devloop.loop.debugger import Debugger, Screen
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
    debugger: Debugger,
    ask: Callable[[Action], None] | None,
) -> AsyncIterator[None]:
    """Bring what is typed to the app that reads it or else to the loop; the window's size to all.

    The terminal's modes come back afterwards, and from the guardian should devloop be killed.

    Args:
        guard: is told of the terminal.
        apps: those that are typed to.
        project: what prompts look through.
        reporter: shows them.
        debugger: has the terminal while it debugs at it.
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

    def reading() -> Terminal | None:
        others = apps.typed_to if ask is None else apps.reading
        return debugger.terminal or others()

    def resize(size: Size) -> None:
        apps.resize(size)
        debugger.resize(size)

    fd = sys.stdin.fileno()
    debugger.screen = Screen(lambda: size_of(fd), reporter.show, functools.partial(handed_over, fd))
    await guard.keep_terminal(fd)
    with typing(fd) as modes:
        async with anyio.create_task_group() as tasks:
            otherwise = None if ask is None else press
            tasks.start_soon(TerminalInput(fd, reading, otherwise).run)
            tasks.start_soon(_follow_size, fd, resize)
            tasks.start_soon(suspend, fd, modes)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
    await guard.keep_terminal(None)


async def _follow_size(fd: int, resize: Callable[[Size], None]) -> None:
    with anyio.open_signal_receiver(signal.SIGWINCH) as signals:
        async for _ in signals:
            resize(size_of(fd))
