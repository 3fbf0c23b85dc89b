"""Zygotes: interpreters that hold imports, and fork processes that become commands.

The one that is started with exec, the root, holds nothing; a *holder* is forked from it and
imports, and blanks are forked from the holder. So a holder that turned out to be unsafe is thrown
away without another interpreter's start, and the next one is forked from the same root.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

import anyio

from devloop.execute.blank import Blank, preloaded
from devloop.execute.holders import Purpose
from devloop.execute.orders import Declined, Preloaded
from devloop.execute.pages import Pages
from devloop.plan.blame import crossing, unholdable

FORKS = sys.platform == "linux"
"""Forked processes can be handed to the guardian, and libraries expect to be forked."""

ROUNDS = 5
"""Holders that are tried until one is safe; what is not found out by then is not preloaded."""


class Zygote:
    """What holds the imports of one command: ``async with Zygote(…) as zygote``.

    Args:
        purpose: what it is for.
    """

    kind: Literal["warm"] = "warm"
    """How an app that comes from one is said to have been started."""

    wanting: str | None = None
    """Why nothing can be taken now; something always can."""

    def __init__(self, purpose: Purpose) -> None:
        self.purpose = purpose
        self._root: Blank | None = None
        self._holder: Blank | None = None
        self._ready: Blank | None = None
        self._passed_over: list[Blank] = []
        self.pages = Pages()
        self.packages: frozenset[str] = frozenset()
        """The top-level modules that it holds."""

        self._forking = anyio.Lock(fast_acquire=True)

    async def __aenter__(self) -> Zygote:
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @classmethod
    async def start(cls, purpose: Purpose) -> Zygote:
        """Start one.

        Args:
            purpose: what it is for.

        Raises:
            Declined: it cannot be started.
            GuardianLost: the guardian has died.
        """
        zygote = cls(purpose)
        await zygote._start()
        return zygote

    async def close(self) -> None:
        """End it, and what is forked in advance; commands run on."""
        await self._end_passed_over()
        for blank in (self._ready, self._holder, self._root):
            if blank is not None:
                await blank.close()
        self._ready = self._holder = self._root = None

    @property
    def alive(self) -> bool:
        """Whether something can be forked from it, as far as that is known."""
        return self._holder is not None and self._holder.process.ended is None

    @property
    def pids(self) -> list[int]:
        """The process ids of all that waits here."""
        blanks = (self._root, self._holder, self._ready, *self._passed_over)
        return [blank.process.pid for blank in blanks if blank and blank.process.ended is None]

    @property
    def ahead(self) -> int | None:
        """The process id of what stands ready and has gone ahead (see `Blank.go_ahead`)."""
        return self._ready.process.pid if self._ready is not None and self._ready.waits else None

    async def preload(
        self,
        modules: Sequence[str],
        pytest: Mapping[str, Any] | None = None,
        altered: Sequence[str] = (),
        outside: Sequence[str] = (),
    ) -> Preloaded:
        """Hold these modules, as far as that is safe, instead of what was held before.

        Args:
            modules: dotted names, in the order in which the command has completed their imports.
            pytest: they are for a test run; what `inside/pytest_warm.py` is to know.
            altered: the environment variables that the command itself sets, or takes away.
            outside: where there are any, modules outside these folders are kept out, with what
                imports them.

        Returns:
            What has come of it.

        Raises:
            Declined: it is not possible.
            GuardianLost: the guardian has died.
        """
        began = time.monotonic()
        unsafe: dict[str, str] = {}
        names = list(modules)
        for attempt in range(ROUNDS + 1):
            async with contextlib.AsyncExitStack() as stack:
                holder = await (await self._start()).fork()
                stack.push_async_callback(holder.close)
                try:
                    answer, _ = await holder.load(
                        "preload", names, check=True, pytest=pytest, altered=list(altered),
                        outside=list(outside),
                    )  # fmt: skip
                    fault = next(iter(answer["unsafe"].items()), None)
                except Declined:
                    if holder.importing is None:
                        raise
                    answer = {"suspects": [holder.importing]}
                    fault = (holder.importing, "ends the process")
                crossed = crossing(names, answer.get("crossed", {}))
                unsafe.update(crossed)
                # One that failed by it has left parts of itself behind.
                if fault is None and not crossed:
                    await self._hold(holder, (name for name, _ in answer["loaded"]))
                    stack.pop_all()
                    return preloaded({**answer, "unsafe": unsafe}, time.monotonic() - began)
            if fault is None:
                names = [name for name in names if name not in unsafe]
                continue
            if attempt >= ROUNDS - 1:
                # Up to here it was safe, and nobody knows what comes after.
                unsafe[fault[0]] = fault[1]
                late = names[names.index(fault[0]) :]
                unsafe.update(dict.fromkeys(late[1:], f"comes after {fault[0]}"))
            else:
                unsafe.update(await self._blame(names, fault, answer["suspects"], altered))
            names = [name for name in names if name not in unsafe]
        raise Declined(
            "its imports cannot be held: some of them are unsafe, in each of several tries"
        )

    async def _hold(self, holder: Blank, loaded: Iterable[str]) -> None:
        """Fork the next ones from another process than before, which has loaded these modules."""
        async with self._forking:
            old, self._holder = [self._ready, self._holder], holder
            self._ready, self.pages = None, Pages()
            self.packages = frozenset(name.partition(".")[0] for name in loaded)
        for blank in old:
            if blank is not None:
                await blank.close()

    async def _blame(
        self,
        names: list[str],
        fault: tuple[str, str],
        suspects: list[str],
        altered: Sequence[str],
    ) -> dict[str, str]:
        """Find out which module is at fault, and which ones import it.

        Args:
            names: all that were to be imported.
            fault: the one at whose import it showed, and what it was.
            suspects: what was imported on the way, in the order of completion.
            altered: see `preload`.

        Returns:
            Of `names`, those that cannot be held, with the reason.
        """
        probe = await (await self._start()).fork()
        edges: Mapping[str, Sequence[str]] = {}
        try:
            # Each stands after what it imports.
            answer, _ = await probe.trace(suspects, altered=altered)
            edges = answer["edges"]
            fault = next(iter(answer["unsafe"].items()), fault)
        except Declined:
            if probe.importing is not None:
                fault = (probe.importing, fault[1])
        finally:
            await probe.close()
        return unholdable(names, fault, edges)

    async def probe(self, modules: Sequence[str]) -> Preloaded:
        """Import modules in a process that is thrown away, and note which files are read.

        Args:
            modules: see `preload`; those that it has found to be safe.

        Returns:
            What has come of it, with files.

        Raises:
            Declined: it is not possible.
            GuardianLost: the guardian has died.
        """
        blank = await (await self._start()).fork()
        try:
            answer, seconds = await blank.trace(modules)
        finally:
            await blank.close()
        return preloaded(answer, seconds)

    async def restock(self) -> None:
        """Fork the next blank in advance; nothing happens where one is ready.

        Raises:
            Declined: it cannot be forked.
            GuardianLost: the guardian has died.
        """
        await self._end_passed_over()
        await self.stand_by(lambda _: True)

    async def _end_passed_over(self) -> None:
        while self._passed_over:
            await self._passed_over.pop().close()

    async def stand_by(self, suits: Callable[[Blank], bool]) -> Blank:
        """Have a blank stand ready that suits what is next.

        Args:
            suits: says whether the one that was forked in advance does.

        Returns:
            That one, or another one in its place; it goes on standing ready.

        Raises:
            Declined: it cannot be forked.
            GuardianLost: the guardian has died.
        """
        async with self._forking:
            blank = await self._stocked()
            if blank is not None and not suits(blank):
                self._passed_over.append(blank)
                blank = None
            if blank is None:
                blank = self._ready = await self.fork()
                await blank.copy(self.pages.ranges)
            return blank

    async def take(self, suits: Callable[[Blank], bool] = lambda _: True) -> Blank:
        """Get a blank that holds the modules.

        Args:
            suits: says whether the one that was forked in advance will do.

        Returns:
            The one that was forked in advance, or another one.

        Raises:
            Declined: it cannot be forked.
            GuardianLost: the guardian has died.
        """
        async with self._forking:
            blank = await self._stocked()
            self._ready = None
            if blank is not None and not suits(blank):
                self._passed_over.append(blank)
                blank = None
            return await self.fork() if blank is None else blank

    async def _stocked(self) -> Blank | None:
        """The one that is ready, if it lives."""
        if self._ready is not None and self._ready.process.ended is not None:
            await self._ready.close()
            self._ready = None
        return self._ready

    async def fork(self) -> Blank:
        """Get another blank than the one that stands ready.

        Raises:
            Declined: it cannot be forked.
            GuardianLost: the guardian has died.
        """
        if self._holder is None:
            raise Declined("nothing is preloaded yet")
        return await self._holder.fork()

    async def _start(self) -> Blank:
        if self._root is None or self._root.process.ended is not None:
            if self._root is not None:
                await self._root.close()
            self._root = await self.purpose.begin()
        return self._root
