"""What ends a loop from outside: a signal, or the guardian's death."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import anyio

from devloop.errors import GuardianLost
from devloop.execute.guard import Guard
from devloop.loop.messages import Stop


async def obey_signals(guard: Guard, watch: bool, send: Callable[[Stop], Awaitable[None]]) -> None:
    """Pass on that devloop is to end; a second signal forces that.

    Args:
        guard: owns all processes.
        watch: Ctrl-C is how such a session ends, and no failure.
        send: takes the wish to stop.
    """
    times = 0
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for number in signals:
            times += 1
            if times > 1:
                # Nobody is given any more time.
                await guard.end(0.0)
            by_user = 0 if watch else 130
            await send(Stop(by_user if number == signal.SIGINT else 128 + number))


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
