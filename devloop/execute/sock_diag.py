"""The TCP sockets of this network, as the kernel lists them over sock_diag(7).

psutil reads ``/proc/net/tcp`` for this, which walks all of the kernel's connection tables: some
7 ms on a small machine. This is some 0.1 ms for listening sockets.
"""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LISTENING = (10,)
CONNECTED = (1, 8)
"""Established, and closed by the other side alone (include/net/tcp_states.h)."""

# include/uapi/linux/netlink.h, sock_diag.h, inet_diag.h, tcp.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_INET_DIAG_INFO = 2
_NETLINK_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI48x")
"""inet_diag_req_v2: family, protocol, extensions, padding, states, and an empty address."""

_PORT_AT, _QUEUES_AT, _INODE_AT, _MESSAGE_SIZE = 4, 56, 68, 72
"""Where inet_diag_msg has the port, in the network's byte order, two lengths, and the inode."""

_SENT_AT, _RECEIVED_AT, _SEGMENTS_AT = 44, 52, 152
"""Where tcp_info has how long ago data was sent and received last, in milliseconds, and how many
segments of data came in and went out."""


@dataclass(frozen=True)
class Tcp:
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
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            extensions = 1 << (_INET_DIAG_INFO - 1)
            request = _REQUEST.pack(family, socket.IPPROTO_TCP, extensions, 0, mask)
            head = _NETLINK_HEADER.pack(
                _NETLINK_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0
            )
            netlink.send(head + request)
            more = True
            while more:
                answer = netlink.recv(1 << 16)
                more = bool(answer)
                for kind, body in _parts(answer):
                    if kind == _NLMSG_ERROR:
                        (code,) = struct.unpack_from("=i", body)
                        raise OSError(-code, "sock_diag")
                    if kind == _NLMSG_DONE:
                        more = False
                    else:
                        found.append(_tcp(body))
    return found


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
    at = _MESSAGE_SIZE
    while at + 4 <= len(body):
        size, kind = struct.unpack_from("=HH", body, at)
        info = body[at + 4 : at + size]
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
        at += max(4, (size + 3) & ~3)
    return Tcp(inode, port, unread, unsent)
