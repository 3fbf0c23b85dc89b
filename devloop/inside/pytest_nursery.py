"""PYTEST_DONT_REWRITE: the workers of pytest-xdist, forked from what a zygote holds.

execnet starts a worker by running an interpreter on one line, which reads the rest from standard
input. In a warm run processes are forked instead, before pytest begins, while nothing but the
zygote's modules is loaded; each waits until execnet wants to start an interpreter, and then runs
that line. They are children of the run's own process, as other workers are; one that dies is
replaced by a cold one.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import types
from typing import Any

MOST = 1 << 20
"""Bytes that an order has at most: it holds an environment, which the kernel limits to that."""


class Nursling:
    """A process that waits to become a worker.

    Args:
        pid: its id.
        order: the socket on which it waits.
    """

    def __init__(self, pid: int, order: socket.socket) -> None:
        self.pid = pid
        self._order = order
        self._status: int | None = None
        self.stdin: Any = None
        self.stdout: Any = None

    def start(self) -> None:
        """Let it begin, with pipes to this process."""
        stdin, writable = os.pipe()
        readable, stdout = os.pipe()
        self.stdin, self.stdout = os.fdopen(writable, "wb"), os.fdopen(readable, "rb")
        order = {"env": dict(os.environ), "cwd": os.getcwd()}  # noqa: PTH109
        data = json.dumps(order).encode("ascii")
        with self._order:
            socket.send_fds(self._order, [len(data).to_bytes(4, "big")], [stdin, stdout, 2])
            self._order.sendall(data)
        os.close(stdin)
        os.close(stdout)

    def dismiss(self) -> None:
        """End it: nobody wants it."""
        self._order.close()
        self.wait()

    def wait(self) -> int:
        """Wait for its end.

        Returns:
            Its exit code, as `subprocess` gives it.
        """
        if self._status is None:
            try:
                self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            except ChildProcessError:
                self._status = 0  # a test's own wait has taken it
        return self._status

    def kill(self) -> None:
        """Kill it."""
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)


_waiting: list[Nursling] = []


def settle(count: int) -> dict[str, Any] | None:
    """Fork them.

    Args:
        count: how many.

    Returns:
        In this process None; in one of them, once it is wanted, its order.
    """
    # What this process has yet to write is written by it alone.
    sys.modules["_devloop.become"].flush()
    for _ in range(count):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            for nursling in _waiting:
                nursling._order.close()
            _waiting.clear()
            return _await(theirs)
        theirs.close()
        _waiting.append(Nursling(pid, ours))
    return None


def _await(order: socket.socket) -> dict[str, Any]:
    with order:
        head, fds, _, _ = socket.recv_fds(order, 4, 3, socket.MSG_WAITALL)
        size, data = int.from_bytes(head, "big"), b""
        while len(head) == 4 and len(data) < size:
            part = order.recv(min(size - len(data), MOST))
            if not part:
                break
            data += part
    if not head or len(data) < size:
        os._exit(0)
    return {**json.loads(data), "fds": fds}


def work(order: dict[str, Any]) -> None:
    """Be ``python -u -c``, with execnet's line.

    Args:
        order: as it came.
    """
    become = sys.modules["_devloop.become"]
    become.descriptors(order["fds"], terminal=False)
    sys.modules["_devloop.seeds"].forked()
    become.renew()
    become.begin()
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.argv = ["-c"]
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = ""
    from execnet import gateway_io

    main = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=__builtins__, __loader__=None)
    sys.modules["__main__"] = main
    sys.orig_argv[1:] = ["-u", "-c", gateway_io.popen_bootstrapline]
    exec(gateway_io.popen_bootstrapline, main.__dict__)


@contextlib.contextmanager
def offered() -> Any:
    """Have execnet take those that wait, in place of new interpreters."""
    from execnet import gateway_io

    cold: Any = gateway_io.Popen2IOMaster
    line = [sys.executable, "-u", "-c", gateway_io.popen_bootstrapline]

    class Master(cold):  # type: ignore[misc]
        def __init__(self, args: list[str], execmodel: Any) -> None:
            if args != line or not _waiting:
                super().__init__(args, execmodel)
                return
            self.popen = _waiting.pop(0)
            self.popen.start()
            super(cold, self).__init__(self.popen.stdin, self.popen.stdout, execmodel=execmodel)

    gateway: Any = gateway_io
    gateway.Popen2IOMaster = Master
    try:
        yield
    finally:
        gateway.Popen2IOMaster = cold
        while _waiting:
            _waiting.pop().dismiss()
