"""Spares: interpreters that have imported what a command imports, and become that command.

Each is started with exec and used once. So what it holds need not be safe to fork, and a restart
costs no imports; but another one must import everything anew, in the background, and a restart
that comes before it has done so is a cold one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import anyio
import msgspec

from devloop.execute.blank import Blank, preloaded
from devloop.execute.holders import Purpose
from devloop.execute.orders import Declined, Preloaded
from devloop.execute.priority import low
from devloop.execute.zygote import ROUNDS
from devloop.plan.blame import crossing

NOT_YET = "the interpreter that is prepared for each start is not ready yet"
SLOWED = "it would run at a low priority"


class Spare:
    """Keeps one spare for the next start of a command. It does what a `Zygote` does, but forks.

    Args:
        purpose: what it is for.
    """

    kind: Literal["spare"] = "spare"
    """How an app that comes from one is said to have been started."""

    def __init__(self, purpose: Purpose) -> None:
        self.purpose = purpose
        self._modules: Sequence[str] = ()
        self._altered: Sequence[str] = ()
        self._outside: Sequence[str] = ()
        self._ready: Blank | None = None
        self._filling = anyio.Lock()

    async def close(self) -> None:
        """End what is ready; commands run on."""
        blank, self._ready = self._ready, None
        if blank is not None:
            await blank.close()

    @property
    def alive(self) -> bool:
        """Whether what is ready lives, as far as that is known; also where nothing is ready."""
        return self._ready is None or self._ready.process.ended is None

    @property
    def wanting(self) -> str | None:
        """Why nothing can be taken now; None where something can."""
        return NOT_YET if self._ready is None else None

    @property
    def pids(self) -> list[int]:
        """The process ids of all that waits here."""
        return [self._ready.process.pid] if self._ready is not None and self.alive else []

    async def preload(
        self, modules: Sequence[str], altered: Sequence[str] = (), outside: Sequence[str] = ()
    ) -> Preloaded:
        """Hold these modules, whatever they do, from now on.

        Args:
            modules: dotted names, in the order in which the command has completed their imports.
            altered: the environment variables that the command itself sets, or takes away.
            outside: see `Zygote.preload`.

        Returns:
            What has come of it.

        Raises:
            Declined: it is not possible.
            GuardianLost: the guardian has died.
        """
        async with self._filling:
            self._modules, self._altered = tuple(modules), tuple(altered)
            self._outside = tuple(outside)
            unsafe: dict[str, str] = {}
            for _ in range(ROUNDS):
                await self.close()
                self._ready, found = await self._fill()
                crossed = crossing(self._modules, found.crossed)
                if not crossed:
                    return msgspec.structs.replace(found, unsafe=unsafe)
                unsafe.update(crossed)
                self._modules = tuple(name for name in self._modules if name not in unsafe)
            await self.close()
        raise Declined("what it imports imports the project, in each of several tries")

    async def probe(self, modules: Sequence[str]) -> Preloaded:
        """Import modules in a process that is thrown away, and note which files are read.

        Args:
            modules: see `preload`.

        Returns:
            What has come of it, with files.

        Raises:
            Declined: it is not possible.
            GuardianLost: the guardian has died.
        """
        blank = await self.purpose.begin()
        try:
            async with low(blank.process.pid):
                answer, seconds = await blank.trace(modules, check=False)
        except TimeoutError:
            raise Declined(SLOWED) from None
        finally:
            await blank.close()
        return preloaded(answer, seconds)

    async def restock(self) -> None:
        """Prepare the next one; nothing happens where one is ready.

        Raises:
            Declined: it is not possible.
            GuardianLost: the guardian has died.
        """
        async with self._filling:
            if self._ready is None or not self.alive:
                await self.close()
                self._ready, _ = await self._fill()

    async def take(self) -> Blank:
        """Get the one that is ready.

        Raises:
            Declined: there is none.
        """
        blank, self._ready = self._ready, None
        if blank is None:
            raise Declined(NOT_YET)
        return blank

    async def _fill(self) -> tuple[Blank, Preloaded]:
        blank = await self.purpose.begin()
        try:
            async with low(blank.process.pid):
                found = await blank.preload(
                    self._modules, check=False, altered=self._altered, outside=self._outside
                )
            if found.unsafe:
                name, reason = next(iter(found.unsafe.items()))
                raise Declined(f"{name} {reason}")
        except TimeoutError:
            await blank.close()
            raise Declined(SLOWED) from None
        except BaseException:
            await blank.close()
            raise
        return blank, found
