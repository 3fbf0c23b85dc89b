"""The sockets of one app that devloop holds: its connections outlive its process.

A listening socket that is copied to devloop (`inside/listeners.py`), or was asked for by
`listen = […]`, is passed on to each next process of the app. While none attends to it, the
kernel completes connections and keeps them for the one that comes.
"""

from __future__ import annotations

import errno
import math
import os
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from devloop.errors import CommandError
from devloop.execute import letting_go, listening
from devloop.inside import addresses

BACKLOG = 4095
"""Connections that may wait while nobody accepts; the system's own limit may be lower. It is a
number that no server asks for, so that it shows when one has listened (see `Held.attended`)."""

_TCP_INFO_MOST = 28
"""Where tcp_info has the length of a listening socket's queue (tcp_get_info in net/ipv4/tcp.c)."""

_NOT_AN_ADDRESS = 'Write "127.0.0.1:3000", "[::1]:3000" or "unix:run/app.sock".'


class _Socket(msgspec.Struct):
    """One held socket.

    Args:
        sock: our copy.
        file: what is at its path (see `addresses.file_at`).
        configured: it is one of `listen = […]`.
        taken: the newest process listens on it, or what that has started will.
        unlinked: the app has removed its path, as far as it knows.
        queue: how many connections may wait while nobody has listened anew; 0 is not known.
    """

    sock: socket.socket
    file: list[int] | None = None
    configured: bool = False
    taken: bool = False
    unlinked: bool = False
    queue: int = 0


class Held:
    """What is held for one app.

    Args:
        root: the project's root, which relative paths of `listen = […]` start from.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._sockets: dict[str, _Socket] = {}
        self._released: set[int] = set()
        """The inodes of what the newest process had and took no more; its workers may have it."""

    def __bool__(self) -> bool:
        return bool(self._sockets)

    @property
    def addresses(self) -> list[str]:
        """The names of what is held, in the order in which it came."""
        return list(self._sockets)

    @property
    def sockets(self) -> list[socket.socket]:
        """What is held; whoever accepts on one sees to its blocking flag, which all share."""
        return [held.sock for held in self._sockets.values()]

    def bind(self, specs: Sequence[str]) -> None:
        """Listen on the addresses of `listen = […]`, and on those alone from now on.

        Args:
            specs: as they are written there.

        Raises:
            CommandError: one cannot be listened on.
        """
        wanted = {}
        for spec in specs:
            name, family, address = _parsed(spec, self._root)
            wanted[name] = spec
            if name not in self._sockets:
                sock = _listening(spec, name, family, address)
                path = addresses.path(name)
                self._sockets[name] = _Socket(sock, addresses.file_at(path) if path else None)
            self._sockets[name].configured = True
        for name, held in list(self._sockets.items()):
            if held.configured and name not in wanted:
                self._let_go(name)

    def take(self, message: Mapping[str, Any], fds: Sequence[int]) -> bool:
        """Act on a message of the app's process.

        Args:
            message: as it came.
            fds: the descriptors that came with it; they are ours from now on.

        Returns:
            False where it is about something else.
        """
        kind = message["m"]
        mine = list(fds) if kind in ("bound", "release") else []
        try:
            if kind == "bound":
                self._hold(message, mine.pop(0))
            elif kind == "release":
                for name in message["addresses"]:
                    if held := self._sockets.get(name):
                        self._released.add(os.fstat(held.sock.fileno()).st_ino)
                    self._let_go(name)
            elif kind in ("listening", "taken", "unlinked"):
                if held := self._sockets.get(message["address"]):
                    held.taken |= kind != "unlinked"
                    held.unlinked |= kind == "unlinked"
            else:
                return False
        finally:
            for fd in mine:
                with suppress(OSError):
                    os.write(fd, b"\0")  # the answer to a `release`; it may not wait any more
                os.close(fd)
        return True

    def starting(self) -> None:
        """A process is about to be started: nobody has taken anything over."""
        self._released.clear()
        for held in self._sockets.values():
            held.taken = held.unlinked = False
        self.attend(False)

    def for_start(self) -> tuple[list[dict[str, Any]], list[int]]:
        """What a process is given that can take over.

        Returns:
            A description of each socket, and the descriptors in that order; they stay ours.
        """
        described = [
            {
                "family": int(held.sock.family),
                "type": int(held.sock.type),
                "proto": held.sock.proto,
                "address": name,
                "file": held.file,
            }
            for name, held in self._sockets.items()
        ]
        return described, [sock.fileno() for sock in self.sockets]

    def listen_fds(self) -> list[tuple[str, int]]:
        """What a process is given that understands ``LISTEN_FDS`` (sd_listen_fds(3)).

        Returns:
            Each socket of `listen = […]` with a name for it, a port or a file's name.
        """
        given = []
        for name, held in self._sockets.items():
            if held.configured:
                held.sock.setblocking(True)  # as systemd hands them over
                path = addresses.path(name)
                title = Path(path).name if path else addresses.port(name)
                given.append(((title or "socket").replace(":", "_"), held.sock.fileno()))
        return given

    def attend(self, attended: bool) -> None:
        """Say whether some process accepts.

        Args:
            attended: where it is False, many connections may wait from now on.
        """
        if not attended:
            for name, held in list(self._sockets.items()):
                if _listens(held.sock):
                    held.queue = _lengthen(held.sock)
                else:
                    self._let_go(name)

    def attended(self, name: str) -> bool | None:
        """Whether somebody has listened on a held socket since nobody attended to it.

        A server's workers may do that, which cannot tell us.

        Args:
            name: of its address.

        Returns:
            None where that cannot be known.
        """
        held = self._sockets.get(name)
        return None if held is None or not held.queue else _queue(held.sock) != held.queue

    def others_of(self, pid: int, loose: Collection[int]) -> list[str]:
        """Where a tree of processes listens that nobody takes over, as what is bound in C.

        Args:
            pid: of the process.
            loose: the inodes of sockets that are in nobody's way.

        Returns:
            See `listening.others_of`.
        """
        held = {os.fstat(sock.fileno()).st_ino for sock in self.sockets}
        return listening.others_of(pid, held | self._released | {*loose})

    def settle(self) -> None:
        """The process is ready: let go of what it has not taken over."""
        for name, held in list(self._sockets.items()):
            if not (held.taken or held.configured) or not _listens(held.sock):
                with suppress(OSError):
                    # The process has a copy, too; so nothing listens there any more (Linux).
                    held.sock.shutdown(socket.SHUT_RDWR)
                self._let_go(name)

    async def can_retire(self, pid: int) -> bool:
        """Whether all processes of a tree that have a held socket open hear `retire`.

        Args:
            pid: of the process that would be told.
        """
        return await letting_go.hear(pid, self.sockets)

    async def let_go_by(self, pid: int, limit: float) -> bool:
        """Wait, after `retire`, until no process of a tree has a held socket open.

        Args:
            pid: of the process that was told to retire.
            limit: seconds that it has.

        Returns:
            Whether it has come to that; where not, nothing may run beside it.
        """
        return await letting_go.let_go(pid, self.sockets, limit)

    async def drained(self, pid: int, limit: float, *, answers: float = math.inf) -> bool:
        """Wait until a tree of processes has answered all that came in at held addresses.

        Args:
            pid: of a process that has retired, and that its stop signal ends at once.
            limit: seconds that it has.
            answers: seconds that each question has to be answered in (see `letting_go.drained`).

        Returns:
            Whether it has come to that.
        """
        return await letting_go.drained(pid, self.sockets, limit, answers)

    def close(self) -> None:
        """Let go of everything."""
        for name in self.addresses:
            self._let_go(name)

    def _hold(self, message: Mapping[str, Any], fd: int) -> None:
        os.set_inheritable(fd, False)
        sock = socket.socket(message["family"], message["type"], message["proto"], fileno=fd)
        name = str(message["address"])
        before = self._sockets.get(name)
        self._sockets[name] = _Socket(sock, message["file"], taken=True)
        if before is not None:
            self._sockets[name].configured = before.configured
            before.sock.close()

    def _let_go(self, name: str) -> None:
        held = self._sockets.pop(name, None)
        if held is None:
            return
        held.sock.close()
        path = addresses.path(name)
        if path is None or held.file is None or addresses.file_at(path) != held.file:
            return
        if held.configured or held.unlinked or not held.taken:
            # What the app would have done, had we let it.
            Path(path).unlink(missing_ok=True)


def _lengthen(sock: socket.socket) -> int:
    """Have many connections wait; how many may, which is 0 where that cannot be told."""
    # That only sets the length of its queue (listen(2)).
    sock.listen(BACKLOG)
    queue = _queue(sock)
    if 1 < queue < BACKLOG:
        # As many as the system allows: a server may ask for just that.
        sock.listen(queue - 1)
        queue = _queue(sock)
    return queue


def _queue(sock: socket.socket) -> int:
    if sock.family == socket.AF_UNIX or sys.platform != "linux":
        return 0
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_MOST + 4)
    except OSError:
        return 0
    return int.from_bytes(info[_TCP_INFO_MOST:], sys.byteorder)


def _listens(sock: socket.socket) -> bool:
    """Whether it does: what was bound only, for workers that never came, is of no use."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _parsed(spec: str, root: str) -> tuple[str, socket.AddressFamily, Any]:
    """The name, the family and the address of one of `listen = […]`."""
    family = socket.AF_INET
    address: Any = None
    if spec.startswith(addresses.UNIX):
        path = spec[len(addresses.UNIX) :]
        family = socket.AF_UNIX
        if path.startswith("@"):
            address = "\0" + path[1:]
        elif path:
            address = os.path.join(root, path)  # noqa: PTH118 - as `bind` gets it
    else:
        host, _, port = spec.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            family, host = socket.AF_INET6, host[1:-1]
        clear = bool(host) and (family == socket.AF_INET6 or ":" not in host)
        if clear and port.isdecimal() and 0 < int(port) < 65536:
            address = (host, int(port))
    name = addresses.name(family, address) if address is not None else None
    if name is None:
        raise CommandError(f"listen: {spec!r} is not an address", hint=_NOT_AN_ADDRESS)
    return name, family, address


def _listening(spec: str, name: str, family: socket.AddressFamily, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if path := addresses.path(name):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            _clear(path)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CommandError(
            f"listen: {spec!r} cannot be listened on: {error.strerror or error}",
            hint="Something else listens there: end it, or choose another address."
            if error.errno == errno.EADDRINUSE
            else None,
        ) from None
    return sock


def _clear(path: str) -> None:
    """Remove what a server that has ended left behind."""
    if addresses.file_at(path) is not None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                Path(path).unlink(missing_ok=True)
