"""The guardian: a small process that owns every app, step and test runner.

devloop may end in any way, SIGKILL included; nothing that it started may outlive it. So it
starts nothing itself but asks this process, over a socket that carries frames
(`inside/messages.py`) and the file descriptors of the children's streams. When that socket
closes, the guardian stops everything in stages, then ends. On Linux it is a *child subreaper*
(prctl(2)): a descendant whose parent has ended becomes its child, however it tried to get away.
Should the guardian itself be killed, its children get SIGKILL from the kernel
(PR_SET_PDEATHSIG), and its client ends what is left.

It is run by devloop's own interpreter, without site-packages' start-up (``-I -S``), imports
little and has one thread: so it may fork, and knows that a process id is valid until it has
reaped it itself.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import termios
import time
from contextlib import suppress
from typing import Any

from devloop.execute import forking, tree
from devloop.inside import messages

VERSION = 1
REST = 2.0
"""Seconds after SIGKILL that a process may take to go; one in the kernel's hands may not."""

TICK = 0.25 if tree.QUICK else 0.02
"""Seconds between two looks while something stops. Only needed where orphans are not ours."""


class Child:
    """One process that devloop asked for, with all that came of it.

    Args:
        number: the client's number for it.
        pid: also its process group and session.
        name: its mark, in the environment of all its descendants.
        stop: the signal that asks it to stop, and the seconds that it has for that.
    """

    def __init__(self, number: int, pid: int, name: str, stop: tuple[int, float]) -> None:
        self.number = number
        self.pid = pid
        self.name = name
        self.stop_signal, self.stop_timeout = stop
        self.ended = False
        self.stopping = False
        self.deadline = 0.0
        self.kill_deadline: float | None = None
        self.group_asked = False
        self.asked: set[int] = set()
        self.seen: dict[int, float] = {}


class Guardian:
    """The one loop of this process.

    Args:
        channel: the socket to devloop; its closing is the order to end everything.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._token = os.urandom(6).hex()
        self._children: dict[int, Child] = {}
        self._by_pid: dict[int, Child] = {}
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._fds: list[int] = []
        self._terminal: tuple[int, list[Any]] | None = None
        self._connected = True
        self._ending = False
        self._told_to_end = False
        forking.reap_descendants()
        self._selector = selectors.DefaultSelector()
        self._wake_up, wake = socket.socketpair()
        for end in (self._channel, self._wake_up, wake):
            end.setblocking(False)
        self._wake = wake
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._selector.register(self._wake_up, selectors.EVENT_READ)
        self._selector.register(self._channel, selectors.EVENT_READ)
        self._send({"m": "hello", "v": VERSION, "pid": os.getpid(), "name": self._token})

    def run(self) -> None:
        """Serve until the channel has closed and nothing is left."""
        while not (self._ending and not self._children):
            for key, events in self._selector.select(self._patience()):
                if key.fileobj is self._wake_up:
                    _drain(self._wake_up)
                else:
                    if events & selectors.EVENT_WRITE:
                        self._flush()
                    if events & selectors.EVENT_READ:
                        self._receive()
            self._reap()
            if self._told_to_end and not self._ending:
                self._end_all(None)
            for child in list(self._children.values()):
                if child.stopping:
                    self._advance(child)
                elif child.ended and not self._members(child):
                    self._gone(child, [])
        self._end_strays()

    # What devloop asks

    def _receive(self) -> None:
        try:
            data, ancillary, _, _ = self._channel.recvmsg(1 << 18, socket.CMSG_SPACE(4 * 64))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary = b"", []
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = memoryview(payload)[: len(payload) - len(payload) % 4].cast("i").tolist()
                for fd in fds:
                    os.set_inheritable(fd, False)
                self._fds += fds
        if not data:
            self._disconnected()
            return
        self._inbox += data
        while len(self._inbox) >= messages.HEADER.size:
            (size,) = messages.HEADER.unpack_from(self._inbox)
            end = messages.HEADER.size + size
            if len(self._inbox) < end:
                break
            message = messages.unpack(bytes(self._inbox[messages.HEADER.size : end]))
            del self._inbox[:end]
            self._dispatch(message)

    def _dispatch(self, message: dict[str, Any]) -> None:
        kind = message["m"]
        if kind == "spawn":
            self._spawn(message)
        elif kind == "terminal":
            self._keep_terminal(message["modes"])
        elif kind == "adopt":
            self._adopt(message)
        elif kind == "end":
            self._end_all(message.get("timeout"))
        elif (child := self._children.get(message["id"])) is None:
            self._send({"m": "gone", "id": message["id"], "left": []})
        elif kind == "limits":
            child.stop_signal, child.stop_timeout = message["stop"]
        elif kind == "signal":
            self._signal_group(child, message["signal"])
        elif kind == "stop":
            self._stop(child, message["signal"], message["timeout"])

    def _disconnected(self) -> None:
        """Devloop is gone: give the terminal back as it was, and stop everything."""
        self._connected = False
        self._selector.unregister(self._channel)
        self._channel.close()
        if self._terminal is not None:
            fd, modes = self._terminal
            # The terminal may be gone as well; there is nobody left to tell.
            with suppress(OSError, termios.error):
                termios.tcsetattr(fd, termios.TCSANOW, modes)
        self._end_all(None)

    def _keep_terminal(self, modes: list[Any] | None) -> None:
        if self._terminal is not None:
            os.close(self._terminal[0])
            self._terminal = None
        if modes is not None:
            self._terminal = (self._fds.pop(0), modes)

    def _on_sigterm(self, *_: object) -> None:
        self._told_to_end = True

    def _end_all(self, timeout: float | None) -> None:
        self._ending = True
        for child in list(self._children.values()):
            limit = child.stop_timeout if timeout is None else timeout
            self._stop(child, child.stop_signal, limit)

    # Starting

    def _spawn(self, message: dict[str, Any]) -> None:
        targets: list[int] = message["fds"]
        fds, self._fds = self._fds[: len(targets)], self._fds[len(targets) :]
        number = message["id"]
        env: dict[str, str] = message["env"]
        name = self._name(number)
        env[tree.MARK] = f"{env[tree.MARK]}/{name}" if env.get(tree.MARK) else name
        stage, code = "fork", errno.ESHUTDOWN
        pid = 0
        if not self._ending:
            try:
                pid, stage, code = forking.start(message, fds, targets)
            except OSError as error:
                code = error.errno or errno.EAGAIN
        for fd in fds:
            os.close(fd)
        if code:
            self._send({"m": "failed", "id": number, "stage": stage, "errno": code})
            return
        child = Child(number, pid, name, (message["stop"][0], message["stop"][1]))
        self._children[number] = self._by_pid[pid] = child
        self._send({"m": "spawned", "id": number, "pid": pid, "name": name})

    def _adopt(self, message: dict[str, Any]) -> None:
        """Take on a process that has become our child without our doing (see inside/blank.py)."""
        number, pid = message["id"], message["pid"]
        fault = 0
        if self._ending:
            fault = errno.ESHUTDOWN
        elif pid in self._by_pid or pid not in tree.children(os.getpid()):
            fault = errno.ECHILD
        elif tree.group(pid) != pid:
            fault = errno.EPERM
        if fault:
            self._send({"m": "failed", "id": number, "stage": "adopt", "errno": fault})
            return
        name = self._name(number)
        child = Child(number, pid, name, (message["stop"][0], message["stop"][1]))
        self._children[number] = self._by_pid[pid] = child
        self._send({"m": "spawned", "id": number, "pid": pid, "name": name})

    def _name(self, number: int) -> str:
        """A mark; all are of one length, so that one can be written over another."""
        return f"{self._token}.{number:08}"

    # Ending

    def _reap(self) -> None:
        """Learn of every child that has ended, those that were reparented to us included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            child = self._by_pid.pop(pid, None)
            if child is None:
                continue
            child.ended = True
            code = os.waitstatus_to_exitcode(status)
            left = bool(self._members(child))
            self._send({"m": "ended", "id": child.number, "status": code, "gone": not left})
            if not left:
                del self._children[child.number]

    def _signal_group(self, child: Child, number: int) -> None:
        """Signal a process group. Its id is certain while we have not reaped its leader."""
        if not child.ended:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)
        else:
            for pid in self._members(child):
                if tree.group(pid) == child.pid:
                    _kill(pid, number)

    def _stop(self, child: Child, number: int, timeout: float) -> None:
        now = time.monotonic()
        if child.stopping:
            child.deadline = min(child.deadline, now + timeout)
        else:
            child.stopping = True
            child.deadline = now + timeout
            child.stop_signal = number
            # Who belongs to it is clear while it lives: later some may have a new parent.
            self._note(child)
            if not child.ended:
                child.group_asked = True
                self._signal_group(child, number)
                # A stopped process acts on its signal when it is continued.
                self._signal_group(child, signal.SIGCONT)
        self._advance(child)

    def _advance(self, child: Child) -> None:
        """Bring a stop one stage further, if it is time."""
        members = self._note(child)
        now = time.monotonic()
        # A list of children that is read while one of them ends may miss another: look twice.
        if child.ended and not members and not self._note(child):
            self._gone(child, [])
        elif now < child.deadline:
            if child.ended and not (
                child.group_asked and any(tree.group(pid) == child.pid for pid in members)
            ):
                for pid in members:
                    if pid not in child.asked:
                        child.asked.add(pid)
                        _kill(pid, child.stop_signal)
                        _kill(pid, signal.SIGCONT)
        else:
            if child.kill_deadline is None:
                child.kill_deadline = now + REST
            self._signal_group(child, signal.SIGKILL)
            for pid in members:
                _kill(pid, signal.SIGKILL)
            if now >= child.kill_deadline:
                self._gone(child, members)

    def _gone(self, child: Child, left: list[int]) -> None:
        self._children.pop(child.number, None)
        self._send({"m": "gone", "id": child.number, "left": left})

    def _note(self, child: Child) -> list[int]:
        """The living members of a child's tree; they are known from now on."""
        members = self._members(child)
        for pid in members:
            if (since := tree.started(pid)) is not None:
                child.seen[pid] = since
        return members

    def _members(self, child: Child) -> list[int]:
        roots = [] if child.ended else [child.pid]
        # Without a subreaper those who got away can be anywhere.
        others = tree.children(os.getpid()) if tree.QUICK else tree.everyone()
        roots += [pid for pid in others if pid not in self._by_pid and self._belongs(pid, child)]
        return [pid for pid in tree.family(roots) if tree.started(pid) is not None]

    def _belongs(self, pid: int, child: Child) -> bool:
        if child.pid in (tree.group(pid), tree.session(pid)):
            return True
        if pid in child.seen and child.seen[pid] == tree.started(pid):
            return True
        # One that hides its origin can only be the last one's.
        return (tree.QUICK and len(self._children) == 1) or tree.bears(pid, child.name)

    def _end_strays(self) -> None:
        """End those whose origin could not be told; there is nothing else left now."""
        deadline = time.monotonic() + REST
        while (left := _strays(self._token)) and time.monotonic() < deadline:
            for pid in left:
                _kill(pid, signal.SIGKILL)
            self._selector.select(0.02)
            _drain(self._wake_up)
            self._reap()

    # Talking

    def _send(self, message: dict[str, Any]) -> None:
        if self._connected:
            self._outbox += messages.pack(message)
            self._flush()

    def _flush(self) -> None:
        try:
            while self._outbox:
                del self._outbox[: self._channel.send(self._outbox)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            # Its closing is read, too, and acted upon there.
            self._outbox.clear()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outbox else 0)
        if self._selector.get_key(self._channel).events != wanted:
            self._selector.modify(self._channel, wanted)

    def _patience(self) -> float | None:
        """Seconds until a stop needs attention; None while there is nothing to wait for."""
        now = time.monotonic()
        waits = [
            TICK if child.kill_deadline is None else 0.02
            for child in self._children.values()
            if child.stopping
        ]
        if not tree.QUICK and any(child.ended for child in self._children.values()):
            # Nobody tells us when what it has left behind ends.
            waits.append(1.0)
        waits += [
            max(0.0, child.deadline - now)
            for child in self._children.values()
            if child.stopping and child.kill_deadline is None
        ]
        return min(waits, default=None)


def _nothing(*_: object) -> None:
    """SIGCHLD needs a handler for the wake-up descriptor to be written."""


def _kill(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _strays(token: str) -> list[int]:
    if tree.QUICK:
        found = tree.family(tree.children(os.getpid()))
    else:
        found = [pid for pid in tree.everyone() if token in tree.mark(pid)]
    return [pid for pid in found if tree.started(pid) is not None]


def _drain(end: socket.socket) -> None:
    with suppress(BlockingIOError, InterruptedError):
        while end.recv(4096):
            pass


def main(fd: int) -> None:
    """Be the guardian.

    Args:
        fd: of the socket to devloop.
    """
    os.chdir("/")
    # It came to us by inheritance; who else had it would keep devloop from seeing our end.
    os.set_inheritable(fd, False)
    # It was passed on to us, and what we start must not hold it.
    os.set_inheritable(fd, False)
    Guardian(socket.socket(fileno=fd)).run()
