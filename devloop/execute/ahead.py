"""What the next start has done before it is wanted (`inside/ahead.py`).

A process that waits begins with the command that it will probably become. Whether the command
bears that, and what it reads by then, is found out by a process that is thrown away. Where one
of these has changed since then, or another command is wanted, another process is taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import msgspec

from devloop.execute.blank import Blank
from devloop.execute.command import Python
from devloop.execute.orders import Declined, Layered, Order
from devloop.execute.reads import Reads
from devloop.execute.zygote import Zygote


class Ahead:
    """Has a zygote's next process go ahead with a command.

    Args:
        zygote: whose.
        around: what the command finds by other means than by opening files and listing folders,
            as a value that is equal while that is the same.
        sift: gives what matters of what a command reads by then; raises Declined where it must
            not go ahead because of that.
    """

    def __init__(
        self,
        zygote: Zygote,
        around: Callable[[Order], Hashable],
        sift: Callable[[Order, Layered], Layered] = lambda _, noted: noted,
    ) -> None:
        self._zygote = zygote
        self._around = around
        self._sift = sift
        self._order: Order | None = None
        self._probed: _Evidence | None = None
        self._waiting: _Evidence | None = None
        """On what it stands that the process that waits has gone ahead."""

        self.refused: str | None = None
        """Why the command does not go ahead that was tried last."""

    async def prepare(self, order: Order, codes: Sequence[str] = ()) -> None:
        """Have the process that stands ready go ahead, if that may be.

        Args:
            order: what it will probably become; its descriptors are of no account.
            codes: cached files of modules that it will probably import.

        Raises:
            Declined: none can be forked.
            GuardianLost: the guardian has died.
        """
        order = _lasting(order)
        if _is_of_the_project(order.command):
            self.refused = "it begins with a script of the project"
        elif order != self._order or (
            self.refused is None and not self._holds(self._probed, order)
        ):
            await self._probe(order)
        if self.refused is not None:
            return
        blank = await self._zygote.stand_by(self._suits(order))
        if not blank.is_ahead:
            # What is probed later says nothing of what this one has read.
            self._waiting = self._probed
            try:
                await blank.go_ahead(order, codes)
            except Declined as declined:
                self.refused = declined.reason

    async def take(self, order: Order) -> Blank:
        """Get a process for a command.

        Args:
            order: what it shall become.

        Returns:
            The one that stands ready, where it has done what that would do.

        Raises:
            Declined: there is none, and none can be forked.
            GuardianLost: the guardian has died.
        """
        return await self._zygote.take(self._suits(order))

    def _suits(self, order: Order) -> Callable[[Blank], bool]:
        return lambda blank: (
            not blank.is_ahead or (blank.suits(order) and self._holds(self._waiting, order))
        )

    def _holds(self, evidence: _Evidence | None, order: Order) -> bool:
        """Whether what the command reads is what it was."""
        if evidence is None or evidence.reads.stale(order.env) is not None:
            return False
        return self._around(order) == evidence.found

    async def _probe(self, order: Order) -> None:
        self._order, self._probed = order, None
        found = self._around(order)
        reads = Reads(order.command.program, order.env, ())
        blank = await self._zygote.fork()
        try:
            noted = self._sift(order, await blank.probe(order))
        except Declined as declined:
            self.refused = declined.reason
        else:
            changed = reads.add(noted)
            self._probed = _Evidence(reads, found) if changed is None else None
            self.refused = None if changed is None else f"it reads {changed}, which changes"
        finally:
            await blank.close()


class _Evidence(NamedTuple):
    """What a command reads before the first module of the project, and finds by other means.

    Args:
        reads: that, as it was.
        found: see `around` of `Ahead`.
    """

    reads: Reads
    found: Hashable


def _is_of_the_project(command: Python) -> bool:
    """Whether the first thing that runs is not a program of the interpreter's environment."""
    if command.kind != "script":
        return False
    folder = _folder(command.program)
    # A bare name is looked for in the folders of programs, a bare script is right here.
    return not folder or _folder(command.target) != folder


def _folder(path: str) -> str:
    return os.path.dirname(os.path.normpath(path))  # noqa: PTH120


def _lasting(order: Order) -> Order:
    """An order without what each start has anew."""
    passed = [(name, -1) for name, _ in order.passed]
    return msgspec.structs.replace(order, stdin=-1, stdout=-1, stderr=-1, held=(), passed=passed)
