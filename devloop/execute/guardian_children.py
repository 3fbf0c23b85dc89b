"""The processes that the guardian owns: who belongs to each, and how it is ended, in stages.

First its stop signal goes to its process group, or where it has ended itself, to each that it has
left behind; after its stop timeout SIGKILL goes to all.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

from devloop.execute import tree

REST = 2.0
"""Seconds after SIGKILL that a process may take to go; one in the kernel's hands may not."""

TICK = 0.25 if tree.QUICK else 0.02
"""Seconds between two looks while something stops. Only needed where orphans are not ours."""


class Child:
    """One process that devloop asked for, with all that came of it.

    Args:
        number: the client's number for it.
        pid: also its process group and session.
        name: its mark, in the environment of all its descendants.
        stop: the signal that asks it to stop, and the seconds that it has for that.
    """

    def __init__(self, number: int, pid: int, name: str, stop: tuple[int, float]) -> None:
        self.number = number
        self.pid = pid
        self.name = name
        self.stop_signal, self.stop_timeout = stop
        self.ended = False
        self.stopping = False
        self.deadline = 0.0
        self.kill_deadline: float | None = None
        self.group_asked = False
        self.asked: set[int] = set()
        self.seen: dict[int, float] = {}


class Children:
    """All of them of which something is left."""

    def __init__(self) -> None:
        self._by_number: dict[int, Child] = {}
        self._by_pid: dict[int, Child] = {}

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._by_number.values()))

    def __bool__(self) -> bool:
        return bool(self._by_number)

    def add(self, child: Child) -> None:
        """Another one has begun."""
        self._by_number[child.number] = self._by_pid[child.pid] = child

    def get(self, number: int) -> Child | None:
        """The one of a number, if anything of it is left."""
        return self._by_number.get(number)

    def runs(self, pid: int) -> bool:
        """Whether a process is one of them, and has not been reaped."""
        return pid in self._by_pid

    def reaped(self, pid: int) -> Child | None:
        """A process has been reaped: its id may be another's from now on.

        Args:
            pid: of any process.

        Returns:
            Which one it was; None where it is none of them.
        """
        child = self._by_pid.pop(pid, None)
        if child is not None:
            child.ended = True
        return child

    def forget(self, child: Child) -> None:
        """Nothing of it is left, or nothing that could be ended."""
        self._by_number.pop(child.number, None)

    def members(self, child: Child) -> list[int]:
        """The living processes of a child's tree, wherever they got away to."""
        roots = [] if child.ended else [child.pid]
        # Without a subreaper those who got away can be anywhere.
        others = tree.children(os.getpid()) if tree.QUICK else tree.everyone()
        roots += [pid for pid in others if pid not in self._by_pid and self._belongs(pid, child)]
        return [pid for pid in tree.family(roots) if tree.started(pid) is not None]

    def signal(self, child: Child, number: int) -> None:
        """Signal a process group. Its id is certain while we have not reaped its leader.

        Args:
            child: its leader.
            number: of the signal.
        """
        if not child.ended:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)
        else:
            for pid in self.members(child):
                if tree.group(pid) == child.pid:
                    kill(pid, number)

    def stop(self, child: Child, number: int, timeout: float) -> None:
        """Begin to end one; where that has begun, it can only be given less time.

        Args:
            child: which.
            number: of the signal that asks it to.
            timeout: seconds until SIGKILL.
        """
        now = time.monotonic()
        if child.stopping:
            child.deadline = min(child.deadline, now + timeout)
            return
        child.stopping = True
        child.deadline = now + timeout
        child.stop_signal = number
        # Who belongs to it is clear while it lives: later some may have a new parent.
        self._note(child)
        if not child.ended:
            child.group_asked = True
            self.signal(child, number)
            # A stopped process acts on its signal when it is continued.
            self.signal(child, signal.SIGCONT)

    def advance(self, child: Child) -> list[int] | None:
        """Bring a stop one stage further, if it is time.

        Args:
            child: which.

        Returns:
            What is left of it once that is over, which is nothing unless SIGKILL could not end
            it; None where it is not over.
        """
        members = self._note(child)
        now = time.monotonic()
        # A list of children that is read while one of them ends may miss another: look twice.
        if child.ended and not members and not self._note(child):
            return []
        if now < child.deadline:
            if child.ended and not (
                child.group_asked and any(tree.group(pid) == child.pid for pid in members)
            ):
                for pid in members:
                    if pid not in child.asked:
                        child.asked.add(pid)
                        kill(pid, child.stop_signal)
                        kill(pid, signal.SIGCONT)
            return None
        if child.kill_deadline is None:
            child.kill_deadline = now + REST
        self.signal(child, signal.SIGKILL)
        for pid in members:
            kill(pid, signal.SIGKILL)
        return members if now >= child.kill_deadline else None

    def patience(self) -> float | None:
        """Seconds until a stop needs attention; None while there is nothing to wait for."""
        now = time.monotonic()
        stopping = [child for child in self if child.stopping]
        waits = [TICK if child.kill_deadline is None else 0.02 for child in stopping]
        if not tree.QUICK and any(child.ended for child in self):
            # Nobody tells us when what it has left behind ends.
            waits.append(1.0)
        waits += [
            max(0.0, child.deadline - now) for child in stopping if child.kill_deadline is None
        ]
        return min(waits, default=None)

    def _note(self, child: Child) -> list[int]:
        """The living members of a child's tree; they are known from now on."""
        members = self.members(child)
        for pid in members:
            if (since := tree.started(pid)) is not None:
                child.seen[pid] = since
        return members

    def _belongs(self, pid: int, child: Child) -> bool:
        if child.pid in (tree.group(pid), tree.session(pid)):
            return True
        if pid in child.seen and child.seen[pid] == tree.started(pid):
            return True
        # One that hides its origin can only be the last one's.
        return (tree.QUICK and len(self._by_number) == 1) or tree.bears(pid, child.name)


def kill(pid: int, number: int) -> None:
    """Signal a process that may have gone, or may be another user's.

    Args:
        pid: its id.
        number: of the signal.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
