"""Socket handover, the child's side: listening sockets outlive the process that listens.

`socket.bind` to an address that devloop holds takes over the held socket; the first socket that
listens on any other address is copied to devloop. On the order ``retire`` the listening sockets
are taken away from the program (`retiring.py`); forked workers hear that order like their parent.
"""

from __future__ import annotations

import os

from . import addresses, orders, other_sockets, retiring, socket_options, socket_paths, spawned
from .control import private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

BACKLOG = 4096
"""What a socket that was taken over listens with, whatever the server asks: what gathered
during the restart may be more than that, and the kernel would drop what comes next."""

YIELDING = 5
"""How much nicer (nice(2)) a retired process is to others than before: it has some requests to
finish and an interpreter to take down, while its successor is waited for."""

PATIENCE = 2.0
"""Seconds in which devloop lets go of a socket that is in the way."""

_errno: Any = private("errno")
_fcntl: Any = private("fcntl")
_select: Any = private("select")
_socket: Any = private("_socket")


class _Held:
    """A socket that devloop holds too.

    Args:
        name: of its address.
        fd: a descriptor of it, of which this keeps a copy.
        file: of a Unix socket, what was at its path (see `addresses.file_at`).
    """

    def __init__(self, name: str, fd: int, file: list[int] | None) -> None:
        try:
            self.fd: int = _fcntl.fcntl(fd, _fcntl.F_DUPFD_CLOEXEC, orders.FIRST_DESCRIPTOR)
        except OSError:
            self.fd = os.dup(fd)  # so high a number is not allowed
        self.identity = retiring.identity(fd)
        self.path = addresses.path(name)
        self.file = file
        self.taken = -1
        """The program's descriptor of it; -1 before the program has one."""

        self.bound_only = False
        """The program has bound it, and has not had it listen: it is to see no listening one."""

    @property
    def ours(self) -> bool:
        """Whether the copy is still there: some programs close all that they do not know."""
        return self.identity != 0 and retiring.identity(self.fd) == self.identity

    @property
    def in_use(self) -> bool:
        """Whether the program has it open at this time."""
        return self.taken >= 0 and retiring.identity(self.taken) == self.identity

    @property
    def in_place(self) -> bool:
        """Whether its path still leads to it."""
        return self.path is None or addresses.file_at(self.path) == self.file


_first = os.getpid()
"""The process that was started; those that are forked from it may serve for each other."""

_held: dict[str, _Held] = {}
_bound: dict[int, str] = {}
"""What may be held once it listens, by its identity: sockets that the program has bound."""

_sharing = 0
"""How many sockets are just being told of."""

_asked = False
"""Devloop waits until they are."""


def install(held: Iterable[tuple[Mapping[str, Any], int]]) -> None:
    """Hand over listening sockets from here on. Called in the main thread, after `orders`.

    Args:
        held: what devloop holds: the descriptions in its order, each with its descriptor, which
            is ours from now on.
    """
    global _first
    _first = os.getpid()
    for description, fd in held:
        _hold(description["address"], fd, description.get("file"))
        os.close(fd)
    folder = __file__.rpartition("/")[0]

    def spawning(module: Any) -> None:
        spawned.patch(module, folder, _identities, orders.shared)

    other_sockets.patch_all(_patch, listened, {spawned.MODULE: spawning})
    orders.on("retire", lambda _: _retire())
    orders.on("tell", lambda _: _tell())


def listened(fd: int) -> None:
    """A socket listens: devloop gets a copy, or is told that one was taken over.

    Args:
        fd: the program's descriptor.
    """
    if (name := _name_of(fd)) is not None:
        _held[name].bound_only = False
        copy = _socket.socket(fileno=os.dup(fd))
        copy.listen(BACKLOG)
        copy.close()
        orders.send({"m": "listening", "address": name})
    else:
        _share(fd, listens=True)


def _tell() -> dict[str, Any] | None:
    """Tell of all that listens: a program may be kept from that between the two.

    Returns:
        The answer, which follows what is told; None where it comes later.
    """
    global _asked
    _asked = _sharing > 0
    if _asked:
        return None
    for fd in retiring.descriptors(set(_bound)):
        if _listens(fd):
            _share(fd, listens=True)
    return {"m": "told"}


def _listens(fd: int) -> bool:
    sock = _socket.socket(fileno=os.dup(fd))
    try:
        return bool(sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN))
    finally:
        sock.close()


def _passed_on(fd: int) -> None:
    """A socket may be inherited: some servers bind, and have workers listen."""
    if (name := _name_of(fd)) is not None:
        orders.send({"m": "taken", "address": name})
    else:
        _share(fd, listens=False)


def _identities() -> list[int]:
    return [held.identity for held in list(_held.values())]


def _name_of(fd: int) -> str | None:
    identity = retiring.identity(fd)
    names = [name for name, held in list(_held.items()) if held.identity == identity]
    return names[0] if names else None


def _share(fd: int, *, listens: bool) -> None:
    """Have devloop hold a socket that the program has bound."""
    global _sharing
    _sharing += 1
    try:
        _share_alone(fd, listens=listens)
    finally:
        _sharing -= 1
    if _asked:
        orders.carry_out({"m": "tell"})


def _share_alone(fd: int, *, listens: bool) -> None:
    name = _bound.pop(retiring.identity(fd), None)
    # Of several SO_REUSEPORT listeners the first alone: what is held and not attended would
    # go on to get its share of the connections.
    if name is None or name in _held:
        orders.send({"m": "loose", "inode": retiring.identity(fd)})
        return
    if not orders.reachable():
        return
    path = addresses.path(name)
    held = _hold(name, fd, addresses.file_at(path) if path else None)
    held.taken = fd
    copy = _socket.socket(fileno=os.dup(fd))
    message = {
        "m": "bound",
        "address": name,
        "family": copy.family,
        "type": copy.type,
        "proto": copy.proto,
        "file": held.file,
        "listens": listens,
    }
    copy.close()
    orders.send(message, [held.fd])


def _hold(name: str, fd: int, file: list[int] | None) -> _Held:
    held = _held[name] = _Held(name, fd, file)
    if held.path is not None:
        socket_paths.keep(held.path, file)
    return held


def _patch(kind: Any) -> None:
    """Have a class of sockets hand over.

    Args:
        kind: the class; what it has inherited does the real work.
    """
    real_bind, real_listen, real_getsockopt = kind.bind, kind.listen, kind.getsockopt

    def bind(self: Any, address: Any, /) -> None:
        """See the `bind` of sockets."""
        name = _name(self, address)
        if name is not None and _take_over(self, name):
            return
        try:
            real_bind(self, address)
            rivals = []
        except OSError as error:
            rivals = _in_the_way(name) if error.errno == _errno.EADDRINUSE else []
            if not rivals:
                raise
        if rivals:
            _let_go(rivals)
            real_bind(self, address)
        if name is not None:
            _bound[retiring.identity(self.fileno())] = name

    def listen(self: Any, *backlog: int) -> None:
        """See the `listen` of sockets."""
        real_listen(self, *backlog)
        listened(self.fileno())

    def getsockopt(self: Any, level: int, option: int, *length: int) -> Any:
        """See the `getsockopt` of sockets."""
        value = real_getsockopt(self, level, option, *length)
        if (level, option) == (_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
            name = _name_of(self.fileno())
            # Servers that ask, as gunicorn does, would not have it listen.
            if name is not None and _held[name].bound_only:
                return bytes(len(value)) if length else 0
        return value

    real_connect, real_connect_ex = kind.connect, kind.connect_ex

    def connect(self: Any, address: Any, /) -> None:
        """See the `connect` of sockets."""
        if _would_wait_for_itself(self, address):
            raise OSError(_errno.ECONNREFUSED, os.strerror(_errno.ECONNREFUSED))
        real_connect(self, address)

    def connect_ex(self: Any, address: Any, /) -> int:
        """See the `connect_ex` of sockets."""
        if _would_wait_for_itself(self, address):
            refused: int = _errno.ECONNREFUSED
            return refused
        result: int = real_connect_ex(self, address)
        return result

    _replace(kind, connect, real_connect)
    _replace(kind, connect_ex, real_connect_ex)
    _replace(kind, bind, real_bind)
    _replace(kind, listen, real_listen)
    _replace(kind, getsockopt, real_getsockopt)
    if (real_set_inheritable := getattr(kind, "set_inheritable", None)) is not None:

        def set_inheritable(self: Any, inheritable: bool) -> None:
            """See the `set_inheritable` of sockets."""
            real_set_inheritable(self, inheritable)
            if inheritable:
                _passed_on(self.fileno())

        _replace(kind, set_inheritable, real_set_inheritable)


def _replace(kind: Any, function: Any, real: Any) -> None:
    function.__doc__ = real.__doc__
    function.__qualname__ = f"{kind.__name__}.{function.__name__}"
    function.__module__ = kind.__module__
    setattr(kind, function.__name__, function)


def _name(sock: Any, address: Any) -> str | None:
    if sock.type != _socket.SOCK_STREAM or sock.family not in addresses.FAMILIES:
        return None
    return addresses.name(sock.family, address)


def _would_wait_for_itself(sock: Any, address: Any) -> bool:
    """Whether a connection would be to what the program itself has yet to listen on.

    Some look whether an address is free before they bind it (portend, of CherryPy).
    """
    waiting = {name for name, held in list(_held.items()) if held.taken < 0 and held.ours}
    if not waiting or os.getpid() != _first or _has_children():
        return False
    if isinstance(address, tuple) and not any(
        addresses.port(one) == str(part) for part in address[1:2] for one in waiting
    ):
        return False  # its host's name need not be looked up
    name = _name(sock, address)
    if name is None:
        return False
    host, _, port = name.rpartition(":")
    anywhere = {"[::1]": "[::]"}.get(host, "0.0.0.0" if host.startswith("127.") else host)
    return bool(waiting & {name, f"{anywhere}:{port}"})


def _has_children() -> bool:
    """Whether other processes may serve for this one."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _take_over(sock: Any, name: str) -> bool:
    """Put the held socket of an address in the place of a program's; whether there is one."""
    held = _held.get(name)
    if held is None or not held.ours or held.in_use:
        return False
    if not held.in_place or not socket_options.fit(sock, held.fd):
        _let_go([name])
        return False
    fd = sock.fileno()
    chosen = socket_options.chosen(sock)
    os.dup2(held.fd, fd, os.get_inheritable(fd))
    retiring.share(fd)
    # Whether it blocks is kept in what all copies share, so another process may have set it.
    os.set_blocking(fd, sock.gettimeout() is None)
    socket_options.choose(sock, chosen)
    held.taken = fd
    held.bound_only = True
    return True


def _in_the_way(name: str | None) -> list[str]:
    """What is held and not taken over, and may be why an address is in use."""
    if name is None or not orders.reachable():
        return []
    port = addresses.port(name)
    return [
        other
        for other, held in list(_held.items())
        if not held.in_use and (other == name or (port and addresses.port(other) == port))
    ]


def _let_go(names: list[str]) -> None:
    """Have devloop close held sockets, and wait until it has."""
    for name in names:
        held = _held.pop(name)
        socket_paths.forget(held.path or "")
        if held.ours:
            os.close(held.fd)
    done, theirs = os.pipe()
    orders.send({"m": "release", "addresses": names}, [theirs])
    poll = _select.poll()
    poll.register(done, _select.POLLIN)
    poll.poll(PATIENCE * 1000)
    os.close(done)
    os.close(theirs)


def _retire() -> dict[str, Any]:
    """Take away every listener that devloop holds.

    Returns:
        The answer, with the number of descriptors; the program hears of no error of ours.
    """
    held = [one for one in _held.values() if one.ours]
    _held.clear()
    try:
        for one in held:
            retiring.attract(one.fd)
        found = retiring.descriptors({one.identity for one in held})
        fds = [fd for fd in found if all(fd != one.fd for one in held)]
        retiring.take_away(fds)
        # Last, because devloop waits until no process has it open.
        for one in held:
            os.close(one.fd)
        if held:
            os.nice(YIELDING)
    except Exception as error:
        return {"m": "retired", "listeners": 0, "fault": f"{type(error).__name__}: {error}"}
    return {"m": "retired", "listeners": len(fds)}
