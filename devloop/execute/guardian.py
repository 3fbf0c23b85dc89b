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
import math
import os
import selectors
import signal
import socket
import termios
import time
from contextlib import suppress
from typing import Any

from devloop.execute import forking, tree
from devloop.execute.guardian_children import REST, Child, Children, kill
from devloop.inside import messages

VERSION = 1

ALONE = 10.0
"""Seconds that a process has at most to stop once devloop is gone: it may have been given an
hour, and nobody could be told that it still runs."""


class Guardian:
    """The one loop of this process.

    Args:
        channel: the socket to devloop; its closing is the order to end everything.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._token = os.urandom(6).hex()
        self._children = Children()
        self._inbox = messages.Inbox()
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
            for key, events in self._selector.select(self._children.patience()):
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
            for child in self._children:
                if child.stopping:
                    self._advance(child)
                elif child.ended and not self._children.members(child):
                    self._gone(child, [])
        self._end_strays()

    # What devloop asks

    def _receive(self) -> None:
        try:
            data, ancillary, _, _ = self._channel.recvmsg(messages.CHUNK, socket.CMSG_SPACE(4 * 64))
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
        for message in self._inbox.take(data):
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
            self._children.signal(child, message["signal"])
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
        self._end_all(None, most=ALONE)

    def _keep_terminal(self, modes: list[Any] | None) -> None:
        if self._terminal is not None:
            os.close(self._terminal[0])
            self._terminal = None
        if modes is not None:
            self._terminal = (self._fds.pop(0), modes)

    def _on_sigterm(self, *_: object) -> None:
        self._told_to_end = True

    def _end_all(self, timeout: float | None, most: float = math.inf) -> None:
        self._ending = True
        for child in self._children:
            limit = child.stop_timeout if timeout is None else timeout
            self._stop(child, child.stop_signal, min(limit, most))

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
        self._children.add(Child(number, pid, name, (message["stop"][0], message["stop"][1])))
        self._send({"m": "spawned", "id": number, "pid": pid, "name": name})

    def _adopt(self, message: dict[str, Any]) -> None:
        """Take on a process that has become our child without our doing (see inside/blank.py)."""
        number, pid = message["id"], message["pid"]
        fault = 0
        if self._ending:
            fault = errno.ESHUTDOWN
        elif self._children.runs(pid) or pid not in tree.children(os.getpid()):
            fault = errno.ECHILD
        elif tree.group(pid) != pid:
            fault = errno.EPERM
        if fault:
            self._send({"m": "failed", "id": number, "stage": "adopt", "errno": fault})
            return
        name = self._name(number)
        self._children.add(Child(number, pid, name, (message["stop"][0], message["stop"][1])))
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
            child = self._children.reaped(pid)
            if child is None:
                continue
            code = os.waitstatus_to_exitcode(status)
            left = bool(self._children.members(child))
            self._send({"m": "ended", "id": child.number, "status": code, "gone": not left})
            if not left:
                self._children.forget(child)

    def _stop(self, child: Child, number: int, timeout: float) -> None:
        self._children.stop(child, number, timeout)
        self._advance(child)

    def _advance(self, child: Child) -> None:
        left = self._children.advance(child)
        if left is not None:
            self._gone(child, left)

    def _gone(self, child: Child, left: list[int]) -> None:
        self._children.forget(child)
        self._send({"m": "gone", "id": child.number, "left": left})

    def _end_strays(self) -> None:
        """End those whose origin could not be told; there is nothing else left now."""
        deadline = time.monotonic() + REST
        while (left := _strays(self._token)) and time.monotonic() < deadline:
            for pid in left:
                kill(pid, signal.SIGKILL)
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


def _nothing(*_: object) -> None:
    """SIGCHLD needs a handler for the wake-up descriptor to be written."""


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
    # What we start must not hold it: devloop would not see our end.
    os.set_inheritable(fd, False)
    Guardian(socket.socket(fileno=fd)).run()
