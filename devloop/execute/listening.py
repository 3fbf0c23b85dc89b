"""What sockets a process has, asked every few milliseconds while an app starts or retires.

That time is taken from the app that is starting: so on Linux the kernel is asked, not psutil.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable
from contextlib import suppress

from devloop.execute import sock_diag, tree

_SOCKET = re.compile(r"^socket:\[(\d+)\]$")


def address_of(
    pid: int, *, besides: frozenset[int] = frozenset(), port: int | None = None
) -> str | None:
    """Where a process, or one that came of it, listens.

    Args:
        pid: of an app.
        besides: inodes of listening sockets that it was given, which prove nothing.
        port: only that one counts; None is any, and any path.

    Returns:
        ``:PORT``, or the path of a Unix socket; None while it does not listen.
    """
    members = tree.family([pid])
    if sys.platform != "linux":
        return _by_psutil(members, port)
    try:
        listening = _listening(pid, members, besides)
    except OSError:
        return _by_psutil(members, port)
    found = (listening[inode] for inode in sorted(listening))
    return next((at for at in found if port is None or at == f":{port}"), None)


def others_of(pid: int, known: Collection[int]) -> list[str]:
    """Where a process, or one that came of it, listens beside what is known, on Linux.

    Args:
        pid: of an app.
        known: inodes of sockets that do not count.

    Returns:
        ``:PORT`` or the path of each, in order; none also where the kernel does not tell.
    """
    if sys.platform != "linux":
        return []
    try:
        return sorted(set(_listening(pid, tree.family([pid]), known).values()))
    except OSError:
        return []


def _listening(pid: int, members: Iterable[int], besides: Collection[int]) -> dict[int, str]:
    """Where some processes listen, as ``:PORT`` or a path, by the sockets' inodes, on Linux.

    Args:
        pid: of a process in their network.
        members: they.
        besides: the inodes of sockets that do not count.

    Raises:
        OSError: a kernel, or a container, without sock_diag.
    """
    inodes: set[int] = set()
    for member in members:
        with suppress(OSError):
            inodes |= sockets(member)
    inodes.difference_update(besides)
    if not inodes:
        return {}
    everywhere = {tcp.inode: f":{tcp.port}" for tcp in sock_diag.dump(sock_diag.LISTENING)}
    everywhere |= _listening_unix(pid)
    return {inode: everywhere[inode] for inode in inodes & everywhere.keys()}


def sockets(pid: int) -> set[int]:
    """The sockets that a process has open, on Linux.

    Args:
        pid: of the process.

    Returns:
        Their inodes.

    Raises:
        OSError: it is gone, or may not be asked.
    """
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(OSError):
            # A string to a string: pathlib would cost more than the kernel does.
            target = os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115
            if match := _SOCKET.match(target):
                found.add(int(match[1]))
    return found


def _listening_unix(pid: int) -> dict[int, str]:
    """The path of each listening Unix socket of a process's network, by its inode."""
    try:
        return sock_diag.listening_unix()
    except OSError:
        pass  # the kernel has it for TCP only
    # Flags: __SO_ACCEPTCON (linux/net.h)
    return {
        int(inode): path for *_, flags, _, _, inode, path in unix_table(pid) if flags == "00010000"
    }


def unix_table(pid: int) -> list[list[str]]:
    """The Unix sockets that have a path, on Linux.

    Args:
        pid: of a process in the network that is asked about.

    Returns:
        The columns Num, RefCount, Protocol, Flags, Type, St, Inode and Path of each (unix(7)).
    """
    try:
        with open(  # noqa: PTH123 - pathlib would keep the name
            f"/proc/{pid}/net/unix", encoding="utf-8", errors="surrogateescape"
        ) as file:
            table = file.read()
    except OSError:
        return []
    lines = [line.split(maxsplit=7) for line in table.splitlines()[1:]]
    return [fields for fields in lines if len(fields) == 8]


def _by_psutil(members: list[int], port: int | None) -> str | None:
    import psutil

    for member in members:
        with suppress(psutil.Error):
            for connection in psutil.Process(member).net_connections("tcp"):
                if (
                    connection.status == psutil.CONN_LISTEN
                    and connection.laddr
                    and port in (None, connection.laddr.port)
                ):
                    return f":{connection.laddr.port}"
    return None
