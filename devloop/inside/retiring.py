"""Takes listening sockets away from a server that knows nothing of it.

A socket that nobody can connect to is put in the place of each listening descriptor
(``dup2``), with the server none the wiser: its loop, its selector or its blocking ``accept``
just hears of no further connection, and it later closes that descriptor as it would have
closed its own. The connections that wait in the kernel stay with the real socket, which
devloop and the next process hold.
"""

from __future__ import annotations

import os
import sys

from .control import private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_select: Any = private("select")
_signal: Any = private("_signal")
_socket: Any = private("_socket")
_thread: Any = private("_thread")
_time: Any = private("time")

WAKE_TRIES, WAKE_PAUSE = 50, 0.001
"""How long other threads have for a turn of theirs: it takes some 50 µs on an idle machine."""

_SO_ATTACH_REUSEPORT_CBPF, _SO_DETACH_REUSEPORT_BPF = 51, 68
"""socket(7); the numbers are those of asm-generic/socket.h."""

_names: dict[int, Any] = {}
"""What `getsockname` gave for a socket that was taken away, by its substitute's identity."""

# What is loaded here would be found by the command: so strings it is.
# ruff: noqa: PTH115, PTH118, PTH123


def identity(fd: int) -> int:
    """What tells a socket from all others: the inode that its duplicates share.

    Args:
        fd: a descriptor.

    Returns:
        The inode; 0 where that is not an open socket.
    """
    try:
        status = os.fstat(fd)
    except OSError:
        return 0
    if status.st_mode & 0o170000 != 0o140000:
        return 0
    return status.st_ino or _from_name(fd)


def descriptors(sockets: set[int]) -> list[int]:
    """All descriptors of some sockets in this process.

    Args:
        sockets: their identities.

    Returns:
        Every descriptor that leads to one of them.
    """
    return [fd for fd in _open() if identity(fd) in sockets]


def attract(fd: int) -> None:
    """Have a socket get all connections that its SO_REUSEPORT siblings would have got.

    They are of this process, and nobody else's: what the kernel gave them from now on would be
    answered by old code, or reset when they are closed. What waits there already is accepted.

    Args:
        fd: of the first that listened, which has the index 0 among them (socket(7)).
    """
    if sys.platform == "linux" and _reuses(fd):
        ctypes: Any = private("ctypes")
        # A classic BPF program of one instruction: return 0 (linux/filter.h, BPF_RET | BPF_K).
        code = ctypes.create_string_buffer((6).to_bytes(2, sys.byteorder), 8)
        size = ctypes.sizeof(ctypes.c_void_p)
        where = ctypes.addressof(code).to_bytes(size, sys.byteorder)
        length = (1).to_bytes(2, sys.byteorder).ljust(size, b"\0")
        _set(fd, _SO_ATTACH_REUSEPORT_CBPF, length + where)


def share(fd: int) -> None:
    """Have the kernel spread connections over SO_REUSEPORT siblings again.

    Args:
        fd: of one of them.
    """
    if sys.platform == "linux" and _reuses(fd):
        _set(fd, _SO_DETACH_REUSEPORT_BPF, bytes(4))


def take_away(fds: list[int]) -> None:
    """Put a socket that never becomes ready in the place of each listening descriptor.

    Args:
        fds: the descriptors.
    """
    if not fds:
        return
    watched = _watchers(fds)
    # epoll(7) keys on the open file behind a descriptor. That one lives on elsewhere, so after
    # `dup2` no descriptor would lead to the entry any more: the loop could not be rid of it,
    # and would spin for as long as a connection waits.
    for epoll, fd, _ in watched:
        try:
            epoll.unregister(fd)
        except OSError:
            continue  # it is an old entry, of what had this number before
    for fd in fds:
        _replace(fd)
    for epoll, fd, events in watched:
        try:
            epoll.register(fd, events)
        except OSError:
            continue
    for epoll, _, _ in watched:
        epoll.close()
    _wake_threads()
    # Servers ask the name when they stop: gunicorn to unlink the path, others to say it.
    if (socket := sys.modules.get("socket")) is not None:
        socket.socket.getsockname = _named(socket.socket.getsockname)


def _reuses(fd: int) -> bool:
    found = _socket.socket(fileno=os.dup(fd))
    try:
        return bool(found.getsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEPORT))
    except OSError:
        return False  # not one of this family's
    finally:
        found.close()


def _set(fd: int, option: int, value: bytes) -> None:
    found = _socket.socket(fileno=os.dup(fd))
    try:
        found.setsockopt(_socket.SOL_SOCKET, option, value)
    except OSError:
        return  # an older kernel; or there is nothing to detach
    finally:
        found.close()


def _open() -> list[int]:
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    return [int(name) for name in os.listdir(folder) if name.isdigit()]


def _from_name(fd: int) -> int:
    """The same for a kernel that numbers no sockets (XNU, for TCP): no two listen on one name."""
    found = _socket.socket(fileno=os.dup(fd))
    try:
        found.getpeername()
    except OSError:
        return hash(found.getsockname())
    else:
        return 0  # a connection has its listener's name
    finally:
        found.close()


def _watchers(fds: list[int]) -> list[tuple[Any, int, int]]:
    """The epolls that watch some descriptors, as (epoll, descriptor, events)."""
    found: list[tuple[Any, int, int]] = []
    if not hasattr(_select, "epoll"):
        return found
    for number in _open():
        try:
            if os.readlink(f"/proc/self/fd/{number}") != "anon_inode:[eventpoll]":
                continue
        except OSError:
            continue  # the folder's own descriptor
        for line in _read(f"/proc/self/fdinfo/{number}").splitlines():
            # proc_pid_fdinfo(5): "tfd: 5 events: 19 data: …", the events in hexadecimal digits.
            words = line.replace(b":", b": ").split()
            if words[:1] == [b"tfd:"] and int(words[1]) in fds:
                # `fromfd` owns what it is given, and would close the program's.
                epoll = _select.epoll.fromfd(os.dup(number))
                found.append((epoll, int(words[1]), int(words[3], 16)))
    return found


def _replace(fd: int) -> None:
    real = _socket.socket(fileno=os.dup(fd))
    name = real.getsockname()
    real.close()
    silent = _silent()
    _names[identity(silent.fileno())] = name
    # A server that blocks in `accept` goes on to do so: an error would end it, with the
    # requests that it still answers in other threads.
    os.set_blocking(silent.fileno(), os.get_blocking(fd))
    os.dup2(silent.fileno(), fd, os.get_inheritable(fd))
    silent.close()


def _silent() -> Any:
    """A listening socket that nobody knows how to reach.

    One that does not listen is not silent: poll(2) says that it hung up, and `accept` fails with
    an error that no server expects.
    """
    silent = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    if sys.platform == "linux":
        silent.bind("")  # unix(7), autobind
    else:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            silent.bind(os.path.join(folder, "s"))
    silent.listen(1)
    return silent


def _wake_threads() -> None:
    """Interrupt what other threads wait in: a system call holds on to the file that it got.

    An ``accept`` that was begun before would take the next connection away from the new
    process; interrupted, Python begins it again (PEP 475), on what the descriptor is now.
    """
    turns = {thread: _turns(thread) for thread in _sleeping()}
    for ident in sys._current_frames():
        if ident != _thread.get_ident():
            try:
                _signal.pthread_kill(ident, _signal.SIGURG)
            except OSError:
                continue  # it has just ended
    # On a busy machine one gets its turn late, and takes a connection that came in between.
    for _ in range(WAKE_TRIES):
        turns = {one: turn for one, turn in turns.items() if turn and _turns(one) == turn}
        if not turns:
            break
        _time.sleep(WAKE_PAUSE)


def _sleeping() -> list[int]:
    """The ids of Python's other threads that wait for something, as the kernel numbers them."""
    found = []
    threads = getattr(sys.modules.get("threading"), "_active", {})
    for ident, thread in list(threads.items()):
        if ident != _thread.get_ident():
            stat = _read(f"/proc/self/task/{thread.native_id}/stat")
            if stat.rpartition(b") ")[2][:1] == b"S":
                found.append(thread.native_id)
    return found


def _turns(thread: int) -> bytes:
    """How often a thread has run, in its way (proc_pid_schedstat, sched-stats.rst)."""
    return _read(f"/proc/self/task/{thread}/schedstat").rpartition(b" ")[2]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _named(real: Any) -> Any:
    def getsockname(self: Any) -> Any:
        """See the `getsockname` of sockets."""
        name = _names.get(identity(self.fileno()))
        return real(self) if name is None else name

    return getsockname
