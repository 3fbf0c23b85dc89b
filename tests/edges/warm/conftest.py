"""Processes that hand over their sockets, driven as devloop drives them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.execute import holders
from devloop.execute.held import Held
from devloop.inside import messages

INSIDE = Path(messages.__file__).parent

STAND_IN = """
import os, sys

_, inside, control, held, *sys.argv[:] = sys.argv
package = sys.modules["_devloop"] = type(sys)("_devloop")
package.__path__ = [inside]
from _devloop import listeners, orders
from _devloop.control import Control, _scan
orders.install(Control(int(control)))
orders.on("report", lambda _: {"m": "loaded", "modules": list(sys.modules)})
listeners.install(_scan(held, 0)[0])
orders.listen()
del package, listeners, orders, Control, inside, control, held
if sys.argv[0] == "-m":
    import runpy
    del sys.argv[0]
    sys.path.insert(0, os.getcwd())
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    __file__ = os.path.abspath(sys.argv[0])
    with open(__file__) as _file:
        exec(compile(_file.read(), __file__, "exec"))
"""
"""What a blank does when it becomes a command, as far as sockets go."""


class Life:
    """One process of an app.

    Args:
        popen: it.
        control: our end of its control socket.
        held: what its messages are given to.
    """

    def __init__(self, popen: subprocess.Popen[bytes], control: socket.socket, held: Held) -> None:
        self.popen = popen
        self.pid = popen.pid
        self.messages: list[dict[str, Any]] = []
        self._control = control
        self._held = held
        self._inbox = bytearray()
        self._fds: list[int] = []
        self._news = anyio.Event()
        control.setblocking(False)
        asyncio.get_running_loop().add_reader(control, self._receive)

    async def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for that many messages of a kind."""
        with anyio.fail_after(60):
            while True:
                found = [message for message in self.messages if message["m"] == kind]
                if len(found) >= count:
                    return found
                await self.more()

    async def more(self) -> None:
        """Wait until it tells more."""
        assert self._control.fileno() >= 0, f"it has ended: {self.popen.wait(60)}"
        await self._news.wait()

    def order(self, kind: str) -> None:
        """Give it an order."""
        assert self._control.send(messages.pack({"m": kind}))
        if kind == "retire":
            os.killpg(self.pid, signal.SIGURG)
        else:
            os.kill(self.pid, signal.SIGURG)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Signal its group, wait for its end, and give its exit code."""
        if self.popen.poll() is None:
            os.killpg(self.pid, number)
        with anyio.fail_after(60):
            while self.popen.poll() is None:  # noqa: ASYNC110 - subprocess has no event
                await anyio.sleep(0.005)
        self.close()
        return self.popen.returncode

    def close(self) -> None:
        """Forget it, whether it lives or not."""
        if self._control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
        if self.popen.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()

    def _receive(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, 1 << 16, 16)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        for fd in fds:
            os.set_inheritable(fd, False)
        self._fds += fds
        self._inbox += data
        head = messages.HEADER.size
        while len(self._inbox) >= head:
            (size,) = messages.HEADER.unpack_from(self._inbox)
            if len(self._inbox) < head + size:
                break
            message = messages.unpack(bytes(self._inbox[head : head + size]))
            del self._inbox[: head + size]
            given = [self._fds.pop(0) for _ in range(message.pop("fds", 0))]
            self._held.take(message, given)
            self.messages.append(message)
        if not data:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
        self._news.set()
        self._news = anyio.Event()


class Handover:
    """An app in a folder of its own, whose processes hand over.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.held = Held(str(root))
        self.python = sys.executable
        self.lives: list[Life] = []

    def write(self, name: str, code: str) -> str:
        """Write a program; gives its name."""
        (self.root / name).write_text(textwrap.dedent(code), encoding="utf-8")
        return name

    def start(self, *command: str, env: dict[str, str] | None = None) -> Life:
        """Start a process of the app: ``-m module`` or a script, with arguments."""
        self.held.starting()
        described, fds = self.held.for_start()
        ours, theirs = socket.socketpair()
        with theirs:
            for fd in fds:
                os.set_inheritable(fd, True)
            popen = subprocess.Popen(
                [
                    self.python, "-c", STAND_IN, str(INSIDE), str(theirs.fileno()),
                    json.dumps(list(zip(described, fds, strict=True))), *command,
                ],
                cwd=self.root,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
                pass_fds=[theirs.fileno(), *fds],
                start_new_session=True,
            )  # fmt: skip
        self.lives.append(Life(popen, ours, self.held))
        return self.lives[-1]

    async def retire(self, life: Life, limit: float = 60.0) -> bool:
        """Have a process retire; whether it has let go."""
        self.held.attend(False)
        life.order("retire")
        return await self.held.let_go_by(life.pid, limit)

    def close(self) -> None:
        """End everything."""
        for life in self.lives:
            life.close()
        self.held.close()


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No start is cold because the machine is busy: what holds imports may take long to answer."""
    monkeypatch.setattr(holders, "PATIENCE", 60.0)


@pytest.fixture(scope="session")
def servers(server_environment: Callable[[], str]) -> str:
    """The folder of the servers of tests/servers.txt, for PYTHONPATH."""
    (found,) = Path(server_environment()).parents[1].glob("lib/python*/site-packages")
    return str(found)


@pytest.fixture
async def handover(tmp_path: Path) -> AsyncIterator[Handover]:
    """An app whose processes hand over."""
    app = Handover(tmp_path)
    try:
        yield app
    finally:
        app.close()
