"""A supervised app keeps its sockets from one process to the next."""

from __future__ import annotations

import os
import signal
import socket
import sys
import textwrap
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from devloop.config.types import Ready
from devloop.events import AppExited, AppFailed, AppStopping, Output
from devloop.execute import letting_go, life
from devloop.execute.guard import Guard

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patient")]

Supervised = Callable[..., AbstractAsyncContextManager[Any]]

SERVER = """
import http.server, os, signal, socketserver, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = VERSION.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self):
        return ""

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
"""
SLOW = """
import time

class Slow(Handler):
    def do_GET(self):
        if self.path == "/slow":
            print("accepted", flush=True)
            while not os.path.exists("go"):
                time.sleep(0.005)
        super().do_GET()

Server(('127.0.0.1', int(sys.argv[1])), Slow).serve_forever()
"""
SERVE = "Server(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
TCP = SERVER + SERVE
UNIX = (
    SERVER
    + """
class UnixServer(socketserver.ThreadingUnixStreamServer):
    pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if os.path.exists("app.sock"):
    os.unlink("app.sock")
try:
    UnixServer("app.sock", Handler).serve_forever()
finally:
    os.unlink("app.sock")
"""
)


def write(root: Path, code: str, version: str) -> None:
    """Write the app."""
    (root / "app.py").write_text(f"VERSION = {version!r}\n" + textwrap.dedent(code))


async def get(client: httpx.AsyncClient, accept: str = "*/*") -> httpx.Response:
    """Ask the app."""
    return await client.get("http://localhost/", headers={"Accept": accept})


def client(root: Path, port: int | None) -> httpx.AsyncClient:
    """A client that connects to the app, whatever the URL says."""
    if port is None:
        transport = httpx.AsyncHTTPTransport(uds=str(root / "app.sock"))
        return httpx.AsyncClient(transport=transport, timeout=60)
    return httpx.AsyncClient(
        timeout=120, trust_env=False, mounts={"http://localhost": _To(f"http://127.0.0.1:{port}")}
    )


class _To(httpx.AsyncHTTPTransport):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = httpx.URL(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it there, with the name that it was meant for."""
        request.url = request.url.copy_with(host=self._url.host, port=self._url.port)
        return await super().handle_async_request(request)


@pytest.mark.parametrize("family", ["tcp", "unix"])
async def test_a_restart_refuses_nobody_and_a_broken_app_says_why(
    supervised: Supervised, guard: Guard, tmp_path: Path, port: int, family: str
) -> None:
    """Old, new, broken and mended: each connection gets an answer, and the path goes at the end."""
    code = TCP if family == "tcp" else UNIX
    write(tmp_path, code, "old")
    command = (sys.executable, "app.py", str(port))
    async with (
        client(tmp_path, port if family == "tcp" else None) as http,
        supervised(guard, tmp_path, command=command) as session,
    ):
        session.app.restart()
        assert await session.app.settled() == "ready", session.output
        assert (await get(http)).text == "old"

        write(tmp_path, code, "new")
        session.app.restart()
        assert (await get(http)).text in ("old", "new")
        assert await session.app.settled() == "ready", session.output
        assert (await get(http)).text == "new"

        write(tmp_path, "import nowhere_to_be_found\n" + code, "broken")
        session.app.restart(changes=["app.py"])
        answer = await get(http, "text/html")
        if answer.status_code != 503:  # it was still being answered by the old one
            assert await session.app.settled() == "failed"
            answer = await get(http, "text/html")
        assert answer.status_code == 503
        assert "nowhere_to_be_found" in answer.text
        await session.until(AppFailed)

        write(tmp_path, code, "mended")
        session.app.restart()
        assert await session.app.settled() == "ready", session.output
        assert (await get(http)).text == "mended"

        await session.app.stop()
        assert all(event.signal in (None, "SIGTERM") for event in session.all(AppExited))
    if family == "unix":
        assert not (tmp_path / "app.sock").exists()
    else:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 60)


KEPT = """
import time

hears = signal.getsignal(signal.SIGURG)
asked = []
signal.signal(signal.SIGURG, lambda *heard: asked.append(hears(*heard)))

def keep(frame, event, function):
    if event == "c_return" and function.__name__ == "listen" and not os.path.exists("kept"):
        print("kept", file=open("kept", "w"))
        while not asked:
            time.sleep(0.005)

sys.setprofile(keep)
"""
"""Keeps the app from what comes after its `listen`, as a busy system may, until it is asked."""


@pytest.mark.parametrize("ready", [None, "port"])
async def test_a_save_before_the_app_has_told_where_it_listens_refuses_nobody(
    supervised: Supervised, guard: Guard, tmp_path: Path, port: int,
    monkeypatch: pytest.MonkeyPatch, ready: str | None,
) -> None:  # fmt: skip
    """It is ready once devloop holds its socket, be it slow to hand that over."""
    monkeypatch.setattr(life, "TELLING", 60.0)
    code = SERVER + KEPT + SERVE
    write(tmp_path, code, "old")
    table: dict[str, Any] = {"command": (sys.executable, "app.py", str(port))}
    if ready is not None:
        table["ready"] = Ready(port=port)
    async with client(tmp_path, port) as http, supervised(guard, tmp_path, **table) as session:
        session.app.restart()
        assert await session.app.settled() == "ready", session.output
        write(tmp_path, code, "new")
        session.app.restart()
        await session.until(AppStopping)
        assert (await get(http)).text == "new"
        assert await session.app.settled() == "ready", session.output


async def test_a_command_that_is_not_python_keeps_its_configured_socket(
    supervised: Supervised, guard: Guard, tmp_path: Path, port: int
) -> None:
    """It is given the same socket in each process, and nobody is refused in between."""
    (tmp_path / "app.py").write_text(
        textwrap.dedent(
            """
            import os, socket, time
            assert int(os.environ["LISTEN_PID"]) == os.getpid()
            time.sleep(float(open("pause").read()))
            listener = socket.socket(fileno=3)
            print("up", flush=True)
            while True:
                connection, _ = listener.accept()
                connection.sendall(open("version").read().encode())
                connection.close()
            """
        )
    )
    shell = f"exec {sys.executable} -I -S app.py"
    (tmp_path / "pause").write_text("0")
    (tmp_path / "version").write_text("old")
    table = {"command": ("sh", "-c", shell), "listen": (f"127.0.0.1:{port}",)}

    def ask() -> bytes:
        with socket.create_connection(("127.0.0.1", port), 60) as sock:
            return sock.recv(100)

    async with supervised(guard, tmp_path, **table) as session:
        session.app.restart()
        assert await anyio.to_thread.run_sync(ask) == b"old"
        (tmp_path / "pause").write_text("0.3")
        (tmp_path / "version").write_text("new")
        session.app.restart()
        await session.until(AppExited)
        assert session.all(AppExited)[0].signal == signal.SIGTERM.name
        assert await anyio.to_thread.run_sync(ask) == b"new"


async def test_a_path_that_the_app_removes_at_its_end_is_removed(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """It is kept from doing so itself: devloop does it, once it lets go."""
    write(tmp_path, UNIX, "only")
    async with supervised(guard, tmp_path, command=(sys.executable, "app.py")) as session:
        session.app.restart()
        assert await session.app.settled() == "ready", session.output
        assert (tmp_path / "app.sock").exists()
        await session.app.stop()
        assert not (tmp_path / "app.sock").exists()


@pytest.mark.parametrize("patience", [60.0, 0.1])
async def test_a_request_is_answered_though_two_saves_follow_it(
    supervised: Supervised, guard: Guard, tmp_path: Path, port: int,
    monkeypatch: pytest.MonkeyPatch, patience: float,
) -> None:  # fmt: skip
    """What a process has accepted it answers, for a short time even if its successor goes, too.

    When that time is up it is ended with what it is at, and the last content is served.
    """
    monkeypatch.setattr(life, "HASTE", patience)
    code = SERVER + SLOW
    write(tmp_path, code, "old")
    table = {"command": (sys.executable, "app.py", str(port)), "stop_timeout": "1h"}
    answers: list[str] = []
    async with client(tmp_path, port) as http, supervised(guard, tmp_path, **table) as session:

        async def ask_slowly() -> None:
            try:
                answers.append((await http.get("http://localhost/slow")).text)
            except httpx.TransportError as error:
                answers.append(type(error).__name__)

        session.app.restart()
        assert await session.app.settled() == "ready", session.output
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_slowly)
            await session.until(Output, lambda event: "accepted" in event.text)
            for version in ("new", "newest"):
                write(tmp_path, code, version)
                session.app.restart()
                if version == "new":
                    assert await session.app.settled() == "ready", session.output
                    second = session.app.state.process.pid
            await session.until(AppStopping, lambda event: event.pid == second)
            if patience > 1:
                (tmp_path / "go").touch()
            assert await session.app.settled() == "ready", session.output
            (tmp_path / "go").touch()
        assert answers == ["old" if patience > 1 else "RemoteProtocolError"]
        assert (await get(http)).text == "newest"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell")
@pytest.mark.parametrize("stops", ["by the signal", "in its own way"])
async def test_a_client_that_is_late_to_ask_is_answered(
    supervised: Supervised, guard: Guard, tmp_path: Path, port: int,
    monkeypatch: pytest.MonkeyPatch, stops: str,
) -> None:  # fmt: skip
    """It was accepted, and then kept from asking, as a busy machine may: so it is waited for."""
    monkeypatch.setattr(letting_go, "NEW", 60.0)
    monkeypatch.setattr(life, "GRACE", 60.0)
    code = SERVER + textwrap.dedent("""
        def verify(self, request, address):
            print("accepted", flush=True)
            return True

        Server.verify_request = verify
        """)
    if stops == "in its own way":
        code += "signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n"
    write(tmp_path, code + SERVE, "old")
    table = {"command": (sys.executable, "app.py", str(port)), "stop_timeout": "1h"}
    async with supervised(guard, tmp_path, **table) as session:
        session.app.restart()
        assert await session.app.settled() == "ready", session.output
        async with await anyio.connect_tcp("127.0.0.1", port) as late:
            await session.until(Output, lambda event: "accepted" in event.text)
            session.app.restart()
            assert await session.app.settled() == "ready", session.output
            await anyio.sleep(2 * letting_go.IDLE)
            await late.send(b"GET / HTTP/1.0\r\n\r\n")
            with anyio.fail_after(60):
                assert await late.receive(5) == b"HTTP/"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell")
async def test_a_connection_at_a_relative_path_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is the app's, which may run in another folder than devloop does."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        monkeypatch.chdir(tmp_path)
        listener.bind("app.sock")
        listener.listen()
        caller.connect("app.sock")
        monkeypatch.undo()
        with listener.accept()[0]:
            assert not await letting_go.drained(os.getpid(), [listener], 0.05)
        assert await letting_go.drained(os.getpid(), [listener], 0.05)


async def test_a_server_that_ends_in_peace_before_it_serves_has_failed(
    supervised: Supervised, guard: Guard, tmp_path: Path, port: int
) -> None:
    """Hypercorn does where its workers cannot import the app; nobody is refused then, either."""
    write(tmp_path, TCP, "first")
    command = (sys.executable, "app.py", str(port))
    async with supervised(guard, tmp_path, command=command) as session, client(tmp_path, port) as c:
        session.app.restart()
        assert await session.app.settled() == "ready", session.output
        write(tmp_path, "print('a worker says why', flush=True)\n", "second")
        session.app.restart()
        assert await session.app.settled() == "failed"
        answer = await get(c)
        assert answer.status_code == 503
        assert "exit code 0 before it was ready" in answer.text
        assert "a worker says why" in answer.text
        write(tmp_path, TCP, "third")
        session.app.restart()
        assert await session.app.settled() == "ready"
        assert (await get(c)).text == "third"
