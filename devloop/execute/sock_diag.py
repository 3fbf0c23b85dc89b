"""The sockets of this network, as the kernel lists them over sock_diag(7).

psutil reads ``/proc/net/tcp`` for this, which walks all of the kernel's connection tables: some
7 ms on a small machine. This is some 0.1 ms for listening sockets.
"""

from __future__ import annotations

import math
import os
import socket
import struct
from collections.abc import Iterable, Iterator

import msgspec

LISTENING = (10,)
CONNECTED = (1, 8)
"""Established, and closed by the other side alone (include/net/tcp_states.h)."""

# include/uapi/linux/netlink.h, sock_diag.h, inet_diag.h, unix_diag.h, tcp.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_INET_DIAG_INFO = 2
_NETLINK_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI48x")
"""inet_diag_req_v2: family, protocol, extensions, padding, states, and an empty address."""

_UNIX_REQUEST = struct.Struct("=BBHIII8x")
"""unix_diag_req: family, protocol, padding, states, any inode, and what is to be told."""

_UNIX_NAME = 0
_UNIX_INODE_AT, _UNIX_MESSAGE_SIZE = 4, 16
"""Where unix_diag_msg has the inode, and its length; attributes follow."""

_PORT_AT, _QUEUES_AT, _INODE_AT, _MESSAGE_SIZE = 4, 56, 68, 72
"""Where inet_diag_msg has the port, in the network's byte order, two lengths, and the inode."""

_SENT_AT, _RECEIVED_AT, _SEGMENTS_AT = 44, 52, 152
"""Where tcp_info has how long ago data was sent and received last, in milliseconds, and how many
segments of data came in and went out."""


class Tcp(msgspec.Struct, frozen=True):
    """A TCP socket.

    Args:
        inode: as ``/proc/PID/fd`` names it.
        port: on this side.
        unread: bytes that came and were not read here.
        unsent: bytes that were sent and have not arrived there.
        sent: seconds since it sent data; infinite where it has sent none.
        received: seconds since it received data; infinite where it has received none.
        age: seconds since any of that, or since it was connected.
    """

    inode: int
    port: int
    unread: int = 0
    unsent: int = 0
    sent: float = math.inf
    received: float = math.inf
    age: float = 0.0


def dump(states: Iterable[int]) -> list[Tcp]:
    """List sockets, of IPv4 and of IPv6.

    Args:
        states: `LISTENING` or `CONNECTED`; how long ago is told of the latter only.

    Returns:
        All of this network that are in one of those states.

    Raises:
        OSError: a kernel, or a container, without sock_diag.
    """
    found: list[Tcp] = []
    mask = sum(1 << state for state in states)
    for family in (socket.AF_INET, socket.AF_INET6):
        extensions = 1 << (_INET_DIAG_INFO - 1)
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, extensions, 0, mask)
        found += map(_tcp, _asked(request))
    return found


def listening_unix() -> dict[int, str]:
    """List the Unix sockets that listen at a path.

    Returns:
        The path of each as it was given, by inode; abstract ones begin with ``@``.

    Raises:
        OSError: a kernel, or a container, without sock_diag for them.
    """
    mask = sum(1 << state for state in LISTENING)
    found = {}
    for body in _asked(_UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, mask, 0, 1 << _UNIX_NAME)):
        (inode,) = struct.unpack_from("=I", body, _UNIX_INODE_AT)
        for kind, value in _attributes(body, _UNIX_MESSAGE_SIZE):
            if kind == _UNIX_NAME and value:
                name = value.rstrip(b"\0") if value[0] else b"@" + value[1:]
                found[inode] = os.fsdecode(name)
    return found


def _asked(request: bytes) -> Iterator[bytes]:
    """What the kernel answers to a request for many sockets: a message of each."""
    size = _NETLINK_HEADER.size + len(request)
    head = _NETLINK_HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        netlink.send(head + request)
        while answer := netlink.recv(1 << 16):
            for kind, body in _parts(answer):
                if kind == _NLMSG_ERROR:
                    (code,) = struct.unpack_from("=i", body)
                    raise OSError(-code, "sock_diag")
                if kind == _NLMSG_DONE:
                    return
                yield body


def _attributes(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(body):
        size, kind = struct.unpack_from("=HH", body, at)
        yield kind, body[at + 4 : at + size]
        at += max(4, (size + 3) & ~3)


def _parts(answer: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _NETLINK_HEADER.size <= len(answer):
        size, kind, *_ = _NETLINK_HEADER.unpack_from(answer, at)
        yield kind, answer[at + _NETLINK_HEADER.size : at + size]
        at += (size + 3) & ~3


def _tcp(body: bytes) -> Tcp:
    (port,) = struct.unpack_from("!H", body, _PORT_AT)
    (inode,) = struct.unpack_from("=I", body, _INODE_AT)
    unread, unsent = struct.unpack_from("=II", body, _QUEUES_AT)
    for kind, info in _attributes(body, _MESSAGE_SIZE):
        if kind == _INET_DIAG_INFO and len(info) >= _SEGMENTS_AT + 8:
            (sent_ago,) = struct.unpack_from("=I", info, _SENT_AT)
            (received_ago,) = struct.unpack_from("=I", info, _RECEIVED_AT)
            came, went = struct.unpack_from("=II", info, _SEGMENTS_AT)
            return Tcp(
                inode,
                port,
                unread,
                unsent,
                sent_ago / 1000 if went else math.inf,
                received_ago / 1000 if came else math.inf,
                min(sent_ago, received_ago) / 1000,
            )
    return Tcp(inode, port, unread, unsent)
