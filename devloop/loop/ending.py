"""What ends a loop from outside: a signal, the guardian's death, the leaving of who reads it."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from devloop.errors import GuardianLost
from devloop.execute.guard import Guard
from devloop.loop.messages import Stop


@asynccontextmanager
async def signals_obeyed(
    watch: bool, send: Callable[[Stop], Awaitable[None]], force: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Pass on that devloop is to end, until all has ended.

    Args:
        watch: Ctrl-C is how such a session ends, and no failure.
        send: takes the wish to stop.
        force: called at a second signal: nobody is given any more time.
    """
    times = 0

    async def obey() -> None:
        nonlocal times
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async for number in signals:
                times += 1
                if times > 1:
                    await force()
                by_user = 0 if watch else 130
                await send(Stop(by_user if number == signal.SIGINT else 128 + number))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(obey)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
    if times:
        # All has ended. Who presses once more means just that, and the exit code is known.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


async def heed_guardian(guard: Guard) -> None:
    """Wait for the guardian's end.

    Args:
        guard: the connection to it.

    Raises:
        GuardianLost: it has ended.
    """
    await guard.lost.wait()
    raise GuardianLost(
        "the guardian, which owns every process, was killed",
        hint="All that devloop had started has been ended with it. Start devloop again.",
    )


async def heed_reader(send: Callable[[Stop], Awaitable[None]]) -> None:
    """Wait until nobody reads standard output any more, where that is a pipe.

    The end of a pipe that one writes to is ready to be *read* when its other end has been closed:
    so does poll(2) tell an error. Without this the leaving would show at the next event alone,
    perhaps in hours.

    Args:
        send: takes the wish to stop.
    """
    try:
        if not stat.S_ISFIFO(os.fstat(1).st_mode):
            return
        await anyio.wait_readable(1)
    except (OSError, ValueError):  # it is closed, or cannot be waited for
        return
    await send(Stop(0))
