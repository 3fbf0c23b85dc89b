"""What sockets a process has, asked every few milliseconds while an app starts or retires.

psutil reads ``/proc/net/tcp`` for this, which walks all of the kernel's connection tables: some
7 ms on a small machine, taken from the app that is starting. On Linux the kernel answers the
same over a sock_diag(7) socket, for listening sockets alone, in some 0.1 ms.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

from devloop.execute import tree

_SOCKET = re.compile(r"^socket:\[(\d+)\]$")

# include/uapi/linux/netlink.h, sock_diag.h, inet_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_TCP_LISTEN = 10
_TCP_CONNECTED = (1, 8)
"""Established, and closed by the other side alone (include/net/tcp_states.h)."""

_NETLINK_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI48x")
"""inet_diag_req_v2: family, protocol, extensions, padding, states, and an empty address."""

_PORT_AT, _INODE_AT = 4, 68
"""Where inet_diag_msg has the port, in the network's byte order, and the inode."""


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
    inodes = set()
    for member in members:
        with suppress(OSError):
            inodes |= sockets(member) - besides
    if not inodes:
        return None
    try:
        listening = {inode: f":{port}" for inode, port in _tcp(_TCP_LISTEN).items()}
    except OSError:
        # A kernel, or a container, without sock_diag.
        return _by_psutil(members, port)
    listening |= _listening_unix(pid)
    found = (listening[inode] for inode in sorted(inodes & listening.keys()))
    return next((at for at in found if port is None or at == f":{port}"), None)


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


def connected(pid: int, ports: set[int], paths: set[str]) -> set[int]:
    """The connections that came in at some addresses, on Linux.

    Args:
        pid: of a process in the network that is asked about.
        ports: of TCP.
        paths: of Unix sockets.

    Returns:
        The inodes of those that are open on this side.
    """
    found = set()
    if ports:
        found = {inode for inode, port in _tcp(*_TCP_CONNECTED).items() if port in ports}
    if paths:
        # St: SS_CONNECTED (linux/net.h)
        found |= {
            int(inode)
            for *_, state, inode, path in _unix_table(pid)
            if state == "03" and path in paths
        }
    return found


def _tcp(*states: int) -> dict[int, int]:
    """The port of each TCP socket of this network that is in one of some states, by its inode."""
    found: dict[int, int] = {}
    mask = sum(1 << state for state in states)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, mask)
            head = _NETLINK_HEADER.pack(
                _NETLINK_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0
            )
            netlink.send(head + request)
            while _take(netlink.recv(1 << 16), found):
                pass
    return found


def _take(answer: bytes, found: dict[int, int]) -> bool:
    """Read one part of an answer; whether there is more to come."""
    at = 0
    while at + _NETLINK_HEADER.size <= len(answer):
        size, kind, *_ = _NETLINK_HEADER.unpack_from(answer, at)
        body = at + _NETLINK_HEADER.size
        if kind == _NLMSG_DONE:
            return False
        if kind == _NLMSG_ERROR:
            (code,) = struct.unpack_from("=i", answer, body)
            raise OSError(-code, "sock_diag")
        (port,) = struct.unpack_from("!H", answer, body + _PORT_AT)
        (inode,) = struct.unpack_from("=I", answer, body + _INODE_AT)
        found[inode] = port
        at += (size + 3) & ~3
    return True


def _listening_unix(pid: int) -> dict[int, str]:
    """The path of each listening Unix socket of a process's network, by its inode."""
    # Flags: __SO_ACCEPTCON (linux/net.h)
    return {
        int(inode): path for *_, flags, _, _, inode, path in _unix_table(pid) if flags == "00010000"
    }


def _unix_table(pid: int) -> list[list[str]]:
    """The Unix sockets with a path: Num RefCount Protocol Flags Type St Inode Path."""
    try:
        table = Path(f"/proc/{pid}/net/unix").read_text(encoding="utf-8", errors="surrogateescape")
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
