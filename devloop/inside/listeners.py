"""Socket handover, the child's side: listening sockets outlive the process that listens.

`socket.bind` to an address that devloop holds takes over the held socket; the first socket that
listens on any other address is copied to devloop. On SIGURG, which nothing else uses and which
is ignored by default, devloop's orders are read; `retire` takes the listening sockets away
(`retiring`).
"""

from __future__ import annotations

import _socket
import errno
import os
import select
import signal
import socket
import stat
import sys
from _thread import allocate_lock
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devloop.inside import addresses, messages, other_sockets, retiring
else:
    addresses = sys.modules["_devloop_addresses"]
    messages = sys.modules["_devloop_messages"]
    other_sockets = sys.modules["_devloop_other_sockets"]
    retiring = sys.modules["_devloop_retiring"]

_poll = select.poll  # that of the module may become gevent's

BACKLOG = 4096
"""What a socket that was taken over listens with, whatever the server asks: what gathered
during the restart may be more than that, and the kernel would drop what comes next."""

PATIENCE = 2.0
"""Seconds in which devloop lets go of a socket that is in the way."""

FIRST_DESCRIPTOR = 512
"""Ours are above it, where a program meets them neither by counting nor by chance."""

_MUST_MATCH = [
    (getattr(socket, level, None), getattr(socket, option, None))
    for level, option in (
        ("SOL_SOCKET", "SO_REUSEPORT"),
        ("SOL_SOCKET", "SO_PROTOCOL"),
        ("IPPROTO_IPV6", "IPV6_V6ONLY"),
    )
]
_CARRIED = [
    (getattr(socket, level, None), getattr(socket, option, None))
    for level, option in (
        ("SOL_SOCKET", "SO_REUSEADDR"),
        ("SOL_SOCKET", "SO_KEEPALIVE"),
        ("IPPROTO_TCP", "TCP_NODELAY"),
        ("IPPROTO_TCP", "TCP_DEFER_ACCEPT"),
        ("IPPROTO_TCP", "TCP_FASTOPEN"),
        ("IPPROTO_TCP", "TCP_KEEPIDLE"),
        ("IPPROTO_TCP", "TCP_KEEPINTVL"),
        ("IPPROTO_TCP", "TCP_KEEPCNT"),
    )
]


class _Held:
    """A socket that devloop holds too.

    Args:
        fd: our own copy of it.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.identity = retiring.identity(fd)
        self.taken = -1
        """The program's descriptor of it; -1 before the program has one."""

    @property
    def ours(self) -> bool:
        """Whether the copy is still there: some programs close all that they do not know."""
        return self.identity != 0 and retiring.identity(self.fd) == self.identity

    @property
    def in_use(self) -> bool:
        """Whether the program listens on it at this time."""
        return self.taken >= 0 and retiring.identity(self.taken) == self.identity


class _Control:
    """The way to devloop.

    Args:
        fd: of the control socket.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._identity = retiring.identity(fd)
        self._inbox = b""

    def send(self, message: Mapping[str, Any], fds: Sequence[int]) -> bool:
        """Send one message; whether devloop can have got it."""
        if retiring.identity(self.fd) != self._identity:
            return False
        channel = _socket.socket(fileno=self.fd)
        more = {"fds": len(fds)} if fds else {}
        data = memoryview(messages.pack({**message, **more}))
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"".join(map(_packed, fds)))]
        try:
            while data:
                # The descriptors travel with the first byte.
                flags = getattr(socket, "MSG_NOSIGNAL", 0)
                data = data[channel.sendmsg([data], rights if fds else [], flags) :]
                fds = ()
        except OSError:
            return False
        finally:
            channel.detach()
        return True

    def orders(self) -> list[str]:
        """What devloop has asked for since the last time."""
        if retiring.identity(self.fd) != self._identity:
            return []
        channel = _socket.socket(fileno=self.fd)
        with suppress(OSError):
            while part := channel.recv(1 << 16, socket.MSG_DONTWAIT):
                self._inbox += part
        channel.detach()
        found = []
        head = messages.HEADER.size
        while len(self._inbox) >= head:
            (size,) = messages.HEADER.unpack_from(self._inbox)
            if len(self._inbox) < head + size:
                break
            found.append(messages.unpack(self._inbox[head : head + size])["m"])
            self._inbox = self._inbox[head + size :]
        return found


_control: _Control | None = None
_orders: Mapping[str, Callable[[], Mapping[str, Any]]] = {}
_held: dict[str, _Held] = {}
_bound: dict[int, str] = {}
"""Sockets that may be held once they listen, by identity."""

_paths: set[str] = set()
"""Paths of held Unix sockets: they stay, also once this process has retired."""

_lock = allocate_lock()
_asked = False
_forked = False


def install(
    control: int,
    held: Iterable[tuple[Mapping[str, Any], int]],
    orders: Mapping[str, Callable[[], Mapping[str, Any]]] | None = None,
) -> None:
    """Hand over listening sockets from here on. Called in the main thread.

    Args:
        control: the descriptor of the control socket; only this module reads it from now on.
        held: what devloop holds: the descriptions in its order, each with its descriptor, which
            is ours from now on.
        orders: what answers devloop's other orders: a function for each kind of message, that
            returns the answer. The one of ``report`` is also asked at ``retire``.
    """
    global _control, _orders
    _control = _Control(control)
    _orders = orders or {}
    for description, fd in held:
        _hold(str(description["address"]), fd)
        os.close(fd)
    _patch(socket.socket, _socket.socket)
    unlink = _Unlink(os.unlink)
    # CPython before 3.11 keeps the function itself in pathlib's accessor.
    accessor = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)
    if accessor is not None and accessor.unlink is os.unlink:
        accessor.unlink = unlink
    os.unlink = unlink
    os.remove = _Unlink(os.remove)
    other_sockets.when_imported(_patch, listened)
    os.register_at_fork(after_in_child=_after_fork)
    # System calls are interrupted, as is Python's default, and Python begins them again: with
    # SA_RESTART the kernel would, and no handler run in a main thread that waits in `accept`.
    signal.signal(signal.SIGURG, _on_signal)


def send(message: Mapping[str, Any], fds: Sequence[int] = ()) -> bool:
    """Send a message to devloop, from any thread.

    Args:
        message: plain values.
        fds: descriptors that go with it; they stay ours.

    Returns:
        Whether devloop can have got it; never in a forked child.
    """
    with _lock:
        sent = _control is not None and _control.send(message, fds)
    _obey()  # what came while the lock was held
    return sent


def listened(fd: int) -> None:
    """A socket listens: devloop gets a copy, or is told that one was taken over.

    Args:
        fd: the program's descriptor.
    """
    identity = retiring.identity(fd)
    for name, held in list(_held.items()):
        if held.identity == identity:
            copy = _socket.socket(fileno=fd)
            with suppress(OSError):
                copy.listen(BACKLOG)
            copy.detach()
            send({"m": "listening", "address": name})
            return
    name = _bound.pop(identity, "")
    # Of several SO_REUSEPORT listeners the first alone: what is held and not attended would
    # go on to get its share of the connections.
    if not name or name in _held:
        return
    with socket.socket(fileno=os.dup(fd)) as copy:
        description = {"family": copy.family, "type": copy.type, "proto": copy.proto}
    if send({"m": "bound", "address": name, **description}, [fd]):
        _hold(name, fd).taken = fd


def _hold(name: str, fd: int) -> _Held:
    held = _held[name] = _Held(_high(fd))
    if path := addresses.path(name):
        _paths.add(path)
    return held


def _high(fd: int) -> int:
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR)
    except OSError:
        # There may be no such number: macOS allows 256.
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64)


def _patch(kind: Any, real: Any) -> None:
    """Have a class of sockets hand over.

    Args:
        kind: the class.
        real: where its `bind` and `listen` come from.
    """

    def bind(self: Any, address: Any, /) -> None:
        """See the `bind` of sockets."""
        name = _name(self, address)
        if name is not None:
            held = _held.get(name)
            if held is not None and held.ours and not held.in_use:
                if _fits(self, held):
                    _take_over(self, held)
                    return
                _let_go([name])
        try:
            real.bind(self, address)
            blocked = False
        except OSError as error:
            blocked = error.errno == errno.EADDRINUSE
            if not blocked or not (rivals := _in_the_way(name)) or not _let_go(rivals):
                raise
        if blocked:
            real.bind(self, address)
        if name is not None:
            _bound[retiring.identity(self.fileno())] = name

    def listen(self: Any, *backlog: int) -> None:
        """See the `listen` of sockets."""
        real.listen(self, *backlog)
        listened(self.fileno())

    for function in (bind, listen):
        function.__doc__ = getattr(real, function.__name__).__doc__
        function.__qualname__ = f"{kind.__name__}.{function.__name__}"
        function.__module__ = kind.__module__
        setattr(kind, function.__name__, function)


def _name(sock: Any, address: Any) -> str | None:
    if sock.type != socket.SOCK_STREAM or sock.family not in addresses.FAMILIES:
        return None
    return addresses.name(sock.family, address)


def _fits(sock: Any, held: _Held) -> bool:
    """Whether a held socket is what the program would have got."""
    with socket.socket(fileno=os.dup(held.fd)) as copy:
        if copy.family != sock.family:
            return False
        return all(_option(sock, *which) == _option(copy, *which) for which in _MUST_MATCH)


def _option(sock: Any, level: int | None, option: int | None) -> int | None:
    if level is not None and option is not None:
        with suppress(OSError):  # not one of this family's
            value: int = sock.getsockopt(level, option)
            return value
    return None


def _take_over(sock: Any, held: _Held) -> None:
    fd = sock.fileno()
    carried = [(which, _option(sock, *which)) for which in _CARRIED]
    os.dup2(held.fd, fd, os.get_inheritable(fd))
    # Whether it blocks is kept in what all copies share, so another process may have set it.
    os.set_blocking(fd, sock.gettimeout() is None)
    for (level, option), value in carried:
        if value is not None and _option(sock, level, option) != value:
            with suppress(OSError):
                sock.setsockopt(level, option, value)
    held.taken = fd


def _in_the_way(name: str | None) -> list[str]:
    """What is held and not taken over, and may be why an address is in use."""
    if name is None:
        return []
    port = addresses.port(name)
    return [
        other
        for other, held in list(_held.items())
        if not held.in_use and (other == name or (port and addresses.port(other) == port))
    ]


def _let_go(names: list[str]) -> bool:
    """Have devloop close held sockets; whether it has."""
    done, theirs = os.pipe()
    try:
        sent = send({"m": "release", "addresses": names}, [theirs])
        os.close(theirs)
        if not sent:
            return False
        for name in names:
            held = _held.pop(name)
            _paths.discard(addresses.path(name) or "")
            if held.ours:
                os.close(held.fd)
        poll = _poll()
        poll.register(done, select.POLLIN)
        return bool(poll.poll(PATIENCE * 1000))
    finally:
        os.close(done)


class _Unlink:
    """`os.unlink`, but for the paths of held sockets. No function: a class may keep it.

    Args:
        real: what it stands for.
    """

    def __init__(self, real: Callable[..., None]) -> None:
        self._real = real
        self.__name__ = real.__name__
        self.__doc__ = real.__doc__

    # It is looked for among what takes a `dir_fd`, when shutil chooses how to remove a tree.

    def __eq__(self, other: object) -> bool:
        return other is self or other == self._real

    def __hash__(self) -> int:
        return hash(self._real)

    def __call__(self, path: Any, *, dir_fd: int | None = None) -> None:
        """See `os.unlink`."""
        if _paths and dir_fd is None:
            with suppress(TypeError, ValueError):
                name = addresses.name(socket.AF_UNIX, os.fspath(path)) or ""
                if addresses.path(name) in _paths and _is_socket(path):
                    send({"m": "unlinked", "address": name})
                    return
        self._real(path, dir_fd=dir_fd)


def _is_socket(path: Any) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False


def _after_fork() -> None:
    """A forked worker has its listeners taken away like its parent, but nobody to tell."""
    global _control, _forked, _lock
    if _control is not None and retiring.identity(_control.fd) == _control._identity:
        os.close(_control.fd)
    _control, _forked, _lock = None, True, allocate_lock()


def _on_signal(number: int, frame: Any) -> None:
    global _asked
    _asked = True
    _obey()


def _obey() -> None:
    """Do what devloop asks for, unless that is being done: the handler may come at any time."""
    global _asked
    while _asked and _lock.acquire(False):
        try:
            _asked = False
            if _forked:
                _retire()
            elif _control is not None:
                for order in _control.orders():
                    for answer in _answers(order):
                        _control.send(answer, ())
        finally:
            _lock.release()


def _answers(order: str) -> list[Mapping[str, Any]]:
    if order == "retire":
        return [_retire(), *_answers("report")]
    return [_orders[order]()] if order in _orders else []


def _retire() -> Mapping[str, Any]:
    """Take away every listener that devloop holds.

    Returns:
        The answer, with the number of descriptors; the program hears of no error of ours.
    """
    for held in _held.values():
        if held.ours:
            os.close(held.fd)
    sockets = {held.identity for held in _held.values() if held.identity}
    _held.clear()
    try:
        fds = retiring.descriptors(sockets) if sockets else []
        retiring.take_away(fds)
    except Exception as error:
        return {"m": "retired", "listeners": 0, "error": str(error)}
    return {"m": "retired", "listeners": len(fds)}


def _packed(fd: int) -> bytes:
    return fd.to_bytes(4, sys.byteorder)
