"""Any command that understands LISTEN_FDS restarts without a request being refused."""

from __future__ import annotations

import http.client
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Watching

GIVEN = """
import os, selectors, signal, socket, sys

VERSION = 0
assert int(os.environ["LISTEN_PID"]) == os.getpid()
assert os.environ["LISTEN_FDS"] == "1"
listener = socket.socket(fileno=3)
"""
OWN = """
import os, selectors, signal, socket, sys

VERSION = 0
assert "LISTEN_FDS" not in os.environ
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
"""
SERVE = """
ended, end = socket.socketpair()
end.setblocking(False)
signal.set_wakeup_fd(end.fileno())
signal.signal(signal.SIGTERM, lambda *_: None)
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
selector.register(ended, selectors.EVENT_READ)
listener.listen()
while ended not in [key.fileobj for key, _ in selector.select()]:
    connection, _ = listener.accept()
    connection.recv(4096)
    body = str(VERSION).encode()
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
    connection.close()
"""
NODE = """
const server = require("http").createServer((request, response) => {
    response.setHeader("Connection", "close");
    response.end(String(VERSION));
});
const VERSION = 0;
if (process.env.LISTEN_PID != process.pid) process.exit(3);
server.listen({ fd: 3 });
process.on("SIGTERM", () => server.close());
"""


def project(tmp_path: Path, command: str, listen: str, source: str, name: str) -> Path:
    """A project whose app is that command."""
    root = tmp_path / "project"
    root.mkdir()
    (root / name).write_text(source)
    (root / "devloop.toml").write_text(
        f"[apps.web]\ncommand = {command!r}\nwatch = ['{name}']\n{listen}\n"
    )
    return root


class Requests:
    """Asks all the time, each time over a new connection."""

    def __init__(self, port: int) -> None:
        self.answers: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Requests:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.002):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                connection.request("GET", "/")
                self.answers.append(connection.getresponse().read().decode())
            except (OSError, http.client.HTTPException) as error:
                self.answers.append(repr(error))
            finally:
                connection.close()

    def until(self, version: int) -> None:
        """Wait until that version answers."""
        deadline = time.monotonic() + 60
        while self.answers[-1:] != [str(version)]:
            assert time.monotonic() < deadline, self.answers[-20:]
            time.sleep(0.005)


@pytest.mark.parametrize("language", ["shell", "node"])
def test_a_command_that_is_given_its_socket(
    tmp_path: Path, port: int, watching: Callable[..., Watching], language: str
) -> None:
    """It is ready when it listens; at a restart connections wait for the next process."""
    if language == "node":
        if shutil.which("node") is None:
            pytest.skip("there is no node on this machine")
        name, source, command = "app.js", NODE, "node app.js"
    else:
        name, source = "app.py", GIVEN + SERVE
        command = f'sh -c "exec {sys.executable} -I -S app.py"'
    listen = f"listen = ['127.0.0.1:{port}']"
    watch = watching(project(tmp_path, command, listen, source, name))
    first = watch.wait("app-ready")
    assert first["address"] == f":{port}"
    with Requests(port) as requests:
        requests.until(0)
        for version in (1, 2, 3):
            watch.save(name, source.replace("VERSION = 0", f"VERSION = {version}"))
            watch.wait("app-ready")
            requests.until(version)
    assert set(requests.answers) == {"0", "1", "2", "3"}
    assert requests.answers == sorted(requests.answers)
    starts = watch.of("app-started")
    assert {event["start"] for event in starts} == {"cold"}
    assert {event["reason"] for event in starts} == {"it is not a Python program"}


def test_a_command_that_opens_its_own_socket_restarts_stop_first(
    tmp_path: Path, port: int, watching: Callable[..., Watching]
) -> None:
    """Nothing is asked of it, and nothing in its environment tells of us."""
    command = f'sh -c "exec {sys.executable} -I -S app.py {port}"'
    watch = watching(project(tmp_path, command, "", OWN + SERVE, "app.py"))
    watch.wait("app-ready", address=f":{port}")
    for version in (1, 2):
        watch.save("app.py", (OWN + SERVE).replace("VERSION = 0", f"VERSION = {version}"))
        watch.wait("app-ready", address=f":{port}")
        with Requests(port) as requests:
            requests.until(version)
    kinds = ("app-started", "app-stopping", "app-exited")
    order = [event["event"] for event in watch.events if event["event"] in kinds]
    assert order == ["app-started", *["app-stopping", "app-exited", "app-started"] * 2]


def test_a_cold_start_in_python_hands_over(
    tmp_path: Path, port: int, watching: Callable[..., Watching]
) -> None:
    """Handover needs no warm start."""
    command = f"{sys.executable} app.py {port}"
    own = OWN.replace('assert "LISTEN_FDS" not in os.environ\n', "")
    watch = watching(project(tmp_path, command, "start = 'cold'", own + SERVE, "app.py"))
    watch.wait("app-ready", address=f":{port}")
    with Requests(port) as requests:
        requests.until(0)
        for version in (1, 2, 3):
            watch.save("app.py", (own + SERVE).replace("VERSION = 0", f"VERSION = {version}"))
            watch.wait("app-ready")
            requests.until(version)
    assert requests.answers == sorted(requests.answers)
    assert set(requests.answers) == {"0", "1", "2", "3"}
    starts = [(event["start"], event["reason"]) for event in watch.of("app-started")]
    assert starts == [("cold", None)] * 4
