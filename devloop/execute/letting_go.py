"""Whether a retired process has let go: of its listening sockets, and of its connections.

The kernel is asked, because not everything in a process's tree can answer: a worker that was
started with exec knows nothing of orders, a busy main thread gets to them late, and a program may
have a SIGURG handler of its own.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import anyio

from devloop.execute import listening, sock_diag, tree
from devloop.inside import addresses

IDLE = 0.1
"""Seconds without a word, from when on another question is not waited for."""

NEW = 1.0
"""Seconds in which a connection on which nothing was said yet may be one whose client is late."""

STARTING = 5.0
"""Seconds from its start in which a worker of multiprocessing is waited for, until it hears: its
interpreter comes up first, which takes long on a busy machine."""

_WORKER = "--multiprocessing-fork"
"""An argument of theirs (multiprocessing.spawn.get_command_line)."""

_REMIND = 0.02
"""Seconds after which those are signalled again, one by one, who have not let go: they may lead a
process group of their own, or have been forked just when the signal came."""

_PACE = ((0.02, 0.001), (0.2, 0.005), (float("inf"), 0.025))
"""(age in seconds up to which, pause until the next look)."""


async def hear(pid: int, sockets: Iterable[socket.socket]) -> bool:
    """Whether all processes of a tree that have any of some sockets open hear `retire`.

    Those that were started with exec have no handler for its signal, but for the workers of
    multiprocessing, which get one from `inside/spawned.py`: one that has only just been started
    is waited for.

    Args:
        pid: of the process that would be told.
        sockets: the held ones.
    """
    if sys.platform != "linux":
        return len(tree.family([pid])) == 1
    inodes = {os.fstat(sock.fileno()).st_ino for sock in sockets}

    deaf: list[int] = []

    def known() -> bool:
        members = [member for member in tree.family([pid]) if _has(member, inodes)]
        deaf[:] = [member for member in members if not catches(member, signal.SIGURG)]
        return not deaf or not all(map(_will_hear, deaf))

    await _until(known, STARTING)
    return not deaf


async def let_go(pid: int, sockets: Iterable[socket.socket], limit: float) -> bool:
    """Wait, after `retire`, until no process of a tree has any of some sockets open.

    Args:
        pid: of the process that was told to retire.
        sockets: the held ones.
        limit: seconds that it has.

    Returns:
        Whether it has come to that.
    """
    inodes = {os.fstat(sock.fileno()).st_ino for sock in sockets}

    reminded = anyio.current_time()

    def gone() -> bool:
        nonlocal reminded
        members = tree.family([pid])
        if sys.platform != "linux":
            # Nobody lists descriptors: it has answered, and there are no others.
            return len(members) == 1
        left = [member for member in members if _has(member, inodes)]
        if left and anyio.current_time() - reminded > _REMIND:
            reminded = anyio.current_time()
            for member in left:
                with suppress(OSError):
                    os.kill(member, signal.SIGURG)
        return not left

    return await _until(gone, limit)


async def drained(
    pid: int, sockets: Iterable[socket.socket], limit: float, answers: float = math.inf
) -> bool:
    """Wait until a tree of processes has answered all that came in at held addresses.

    A client may keep an idle connection for long, and what it asks then would be answered by old
    code: so a connection counts no longer when the last word was the process's, some time ago.
    One that is new has been made in order to ask, which takes a busy machine a while.

    Args:
        pid: of the process that was told to retire.
        sockets: the held ones.
        limit: seconds that it has.
        answers: seconds that each question has to be answered in, from here on or from when it
            came.

    Returns:
        Whether it has come to that.
    """
    ports, paths = _places(sockets)
    begin = anyio.current_time()

    def done() -> bool:
        since = anyio.current_time() - begin
        inodes = _unanswered(ports, since, answers)
        # St: SS_CONNECTED (linux/net.h)
        inodes |= {
            int(inode)
            for *_, state, inode, path in (
                listening.unix_table(pid) if paths and since < answers else ()
            )
            if state == "03" and path in paths
        }
        return not any(_has(member, inodes) for member in tree.family([pid]))

    return await _until_asked(done, limit)


def _places(sockets: Iterable[socket.socket]) -> tuple[set[int], set[str]]:
    """The ports of some sockets, and their paths as the kernel has them: relative, maybe."""
    ports, paths = set(), set()
    for sock in sockets:
        name = addresses.name(sock.family, sock.getsockname())
        if name and (port := addresses.port(name)):
            ports.add(int(port))
        elif name and addresses.path(name):
            paths.add(str(sock.getsockname()))
    return ports, paths


def _unanswered(ports: set[int], since: float, answers: float) -> set[int]:
    """The connections that came in at some ports, and on which somebody may want an answer.

    A question that comes in the same tick of the kernel's clock as the answer before it (4 ms, or
    less) is not told from that answer.
    """
    return {
        tcp.inode
        for tcp in (sock_diag.dump(sock_diag.CONNECTED) if ports else ())
        if tcp.port in ports
        and (
            _is_about_to_ask(tcp) or (_waits_for_answer(tcp) and min(since, tcp.received) < answers)
        )
    }


def _is_about_to_ask(tcp: sock_diag.Tcp) -> bool:
    return tcp.received == tcp.sent == math.inf and tcp.age < NEW


def _waits_for_answer(tcp: sock_diag.Tcp) -> bool:
    return bool(tcp.unread or tcp.unsent) or tcp.received < tcp.sent or tcp.age < IDLE


async def _until_asked(done: Callable[[], bool], limit: float) -> bool:
    try:
        return sys.platform == "linux" and await _until(done, limit)
    except OSError:
        return False  # no sock_diag here: nobody knows


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal, where the system tells (proc_pid_status(5)).

    Args:
        pid: of the process.
        number: of the signal.

    Returns:
        False also where it is not known.
    """
    try:
        with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123
            caught = next(line for line in file if line.startswith(b"SigCgt:"))
    except (OSError, StopIteration):
        return False
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def _will_hear(pid: int) -> bool:
    """Whether a process that has no handler yet is a worker of multiprocessing that starts."""
    begun = tree.started(pid)
    if begun is None:
        return True  # it has just ended, and leaves the tree
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - begun / os.sysconf("SC_CLK_TCK")
    return age < STARTING and _WORKER in tree.arguments(pid)


async def _until(check: Callable[[], bool], limit: float) -> bool:
    begin = anyio.current_time()
    while not check():
        age = anyio.current_time() - begin
        if age >= limit:
            return False
        await anyio.sleep(next(pause for until, pause in _PACE if age < until))
    return True


def _has(pid: int, inodes: set[int]) -> bool:
    """Whether a process has one of some sockets open; what may not be asked may have."""
    if not inodes:
        return False
    try:
        return not inodes.isdisjoint(listening.sockets(pid))
    except PermissionError:
        return tree.started(pid) is not None
    except OSError:
        return False
