"""What a fork would not take along, or would share: threads, processes, descriptors, settings."""

from __future__ import annotations

import os
import sys

from .control import private
from .forking import fork

# ruff: noqa: PTH115

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ENDING = 0.2
"""Seconds within which a thread that an import has started may end."""

_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")
_signal: Any = private("_signal")


class State:
    """What a fork would not take along, or would share."""

    def __init__(self) -> None:
        self.pythons = set(sys._current_frames())
        self.threads = set(_listing("/proc/self/task"))
        self.descriptors = _descriptors()
        self.children = _children()
        self.handlers = [_signal.getsignal(number) for number in _NUMBERS]
        self.policy = _policy()
        self.cwd = os.getcwd()  # noqa: PTH109

    def unsafe(self, before: State) -> str | None:
        """What has come since then that is not safe to hold.

        Args:
            before: how it was.

        Returns:
            The end of a sentence about the import; None where there is nothing.
        """
        if self.pythons - before.pythons:
            return "starts a thread"
        if self.threads - before.threads:
            return "starts a thread of its library's own"
        if self.children - before.children:
            return "starts a process"
        for fd, target in self.descriptors.items():
            if before.descriptors.get(fd) != target:
                kind = target.partition(":")[0]
                what = {"socket": "a socket", "pipe": "a pipe", "anon_inode": "an event queue"}
                return f"leaves {what.get(kind, target)} open"
        for number, old, new in zip(_NUMBERS, before.handlers, self.handlers):  # noqa: B905
            if old is not new and old != new:
                return f"handles signal {number}"
        if self.policy != before.policy:
            return "sets the event loop policy"
        if self.cwd != before.cwd:
            return "changes the working folder"
        return None


def settled(before: State) -> State:
    """The state, once threads that end have ended and libraries have seen a fork.

    OpenBLAS and others end their threads before each fork, and start them anew when they are
    needed (pthread_atfork(3)); these are no reason to leave a module out.

    Args:
        before: how it was before.
    """
    state = State()
    if state.pythons - before.pythons:
        import time

        deadline = time.monotonic() + ENDING
        while state.pythons - before.pythons and time.monotonic() < deadline:
            time.sleep(0.005)
            state = State()
    if state.threads - before.threads and not state.pythons - before.pythons:
        child = fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        state = State()
    return state


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _descriptors() -> dict[int, str]:
    found: dict[int, str] = {}
    folder = "/proc/self/fd"
    for name in _listing(folder):
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue  # that of the listing itself
        if target not in _HARMLESS:
            found[int(name)] = target
    return found


def _children() -> set[str]:
    found: set[str] = set()
    for thread in _listing("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children") as file:  # noqa: PTH123
                found.update(file.read().split())
        except OSError:
            continue
    return found


def _policy() -> Callable[[], Any] | None:
    """The type of asyncio's policy, where it is not the one that it makes itself."""
    events = sys.modules.get("asyncio.events")
    policy = getattr(events, "_event_loop_policy", None)
    if policy is None or type(policy).__module__ == "asyncio.unix_events":
        return None
    return type(policy)


_NUMBERS = [int(number) for number in range(1, _signal.NSIG) if number not in (9, 19)]
