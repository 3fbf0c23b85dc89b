"""Whether a process listens, asked every few milliseconds while an app starts.

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
_NETLINK_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI48x")
"""inet_diag_req_v2: family, protocol, extensions, padding, states, and an empty address."""

_PORT_AT, _INODE_AT = 4, 68
"""Where inet_diag_msg has the port, in the network's byte order, and the inode."""


def address_of(pid: int) -> str | None:
    """Where a process, or one that came of it, listens.

    Args:
        pid: of an app.

    Returns:
        ``:PORT``, or the path of a Unix socket; None while it does not listen.
    """
    members = tree.family([pid])
    if sys.platform != "linux":
        return _by_psutil(members)
    inodes = {inode for member in members for inode in _sockets(member)}
    if not inodes:
        return None
    try:
        listening = {inode: f":{port}" for inode, port in _listening_tcp().items()}
    except OSError:
        # A kernel, or a container, without sock_diag.
        return _by_psutil(members)
    listening |= _listening_unix(pid)
    return next((listening[inode] for inode in sorted(inodes & listening.keys())), None)


def _sockets(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                # A string to a string: pathlib would cost more than the kernel does.
                target = os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115
                if match := _SOCKET.match(target):
                    found.append(int(match[1]))
    return found


def _listening_tcp() -> dict[int, int]:
    """The port of each listening TCP socket of this network, by its inode."""
    found: dict[int, int] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _TCP_LISTEN)
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
    try:
        table = Path(f"/proc/{pid}/net/unix").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return {}
    # Num RefCount Protocol Flags Type St Inode Path; Flags: __SO_ACCEPTCON (linux/net.h)
    lines = [line.split(maxsplit=7) for line in table.splitlines()[1:]]
    return {
        int(fields[6]): fields[7]
        for fields in lines
        if len(fields) == 8 and fields[3] == "00010000"
    }


def _by_psutil(members: list[int]) -> str | None:
    import psutil

    for member in members:
        with suppress(psutil.Error):
            for connection in psutil.Process(member).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr:
                    return f":{connection.laddr.port}"
    return None
