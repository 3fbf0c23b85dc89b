"""devloop holds listening sockets for an app, and gives them to its processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.errors import CommandError
from devloop.execute.guard import Guard, Spawn
from devloop.execute.held import Held

pytestmark = pytest.mark.anyio

ACTIVATED = """
import os, socket, sys
assert int(os.environ["LISTEN_PID"]) == os.getpid()
names = os.environ["LISTEN_FDNAMES"].split(":")
count = int(os.environ["LISTEN_FDS"])
assert len(names) == count
assert sorted(map(int, os.listdir("/proc/self/fd")))[:-1] == [0, 1, 2, *range(3, 3 + count)]
for name, fd in zip(names, range(3, 3 + count)):
    listener = socket.socket(fileno=fd)
    assert os.get_blocking(fd)
    connection, _ = listener.accept()
    connection.sendall(name.encode())
    connection.close()
"""
"""A program that is given its sockets, as a unit of systemd's is."""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    """Nothing yet, for a project in a folder of the test's."""
    with closing(Held(str(tmp_path))) as held:
        yield held


def bound(sock: socket.socket, name: str) -> dict[str, Any]:
    """What a process says of a socket that listens."""
    return {
        "m": "bound",
        "address": name,
        "family": int(sock.family),
        "type": int(sock.type),
        "proto": sock.proto,
        "file": None,
        "listens": True,
    }


async def test_configured_addresses_are_given_as_systemd_gives_them(
    held: Held, port: int, tmp_path: Path
) -> None:
    """A command finds them from descriptor 3 on, and none but them, in their order."""
    held.bind([f"127.0.0.1:{port}", "unix:run/app.sock"])
    held.sockets[0].setblocking(False)
    (tmp_path / "app.py").write_text(ACTIVATED)
    async with Guard() as guard:
        given = held.listen_fds()
        with socket.create_connection(("127.0.0.1", port), 60) as first:
            process = await guard.spawn(
                Spawn(
                    [sys.executable, "-I", "-S", "app.py"],
                    dict(os.environ),
                    str(tmp_path),
                    stderr=2,
                    listen=given,
                )
            )
            assert await anyio.to_thread.run_sync(first.recv, 100) == str(port).encode()
        with socket.socket(socket.AF_UNIX) as second:
            second.connect(str(tmp_path / "run/app.sock"))
            assert await anyio.to_thread.run_sync(second.recv, 100) == b"app.sock"
        with anyio.fail_after(60):
            assert (await process.wait()).code == 0


def test_an_address_that_is_none_is_refused_by_name(held: Held) -> None:
    """The message has what was written, and how one is written."""
    for spec in ("3000", "127.0.0.1:http", "::1:80", "unix:", "127.0.0.1:0", "nowhere.invalid:80"):
        with pytest.raises(CommandError, match="is not an address") as found:
            held.bind([spec])
        assert repr(spec) in found.value.message
        assert '"127.0.0.1:3000"' in str(found.value.hint)


def test_an_address_that_is_taken_is_refused_with_the_reason(held: Held, port: int) -> None:
    """Who else listens there is to be ended."""
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(CommandError, match="already in use") as found:
            held.bind([f"127.0.0.1:{port}"])
        assert "Something else listens there" in str(found.value.hint)


def test_a_unix_socket_that_a_server_left_behind_is_in_nobodys_way(
    held: Held, tmp_path: Path
) -> None:
    """A stale one is replaced; one that is listened on, or no socket, is not."""
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as before:
        before.bind(str(path))
    held.bind(["unix:app.sock"])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    other = Held(str(tmp_path))
    with pytest.raises(CommandError):
        other.bind(["unix:app.sock"])
    (tmp_path / "text").write_text("precious")
    with pytest.raises(CommandError):
        other.bind(["unix:text"])
    assert (tmp_path / "text").read_text() == "precious"
    held.close()
    assert not path.exists()


def test_configured_addresses_follow_the_configuration(held: Held, port: int) -> None:
    """What is no longer asked for is let go; what stays asked for stays as it is."""
    held.bind([f"127.0.0.1:{port}", "unix:app.sock"])
    before = held.sockets[1].fileno()
    abstract = f"unix:@devloop test {os.getpid()}"
    held.bind(["unix:app.sock", abstract])
    assert held.addresses[1] == abstract
    assert held.sockets[0].fileno() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 60)


def test_what_a_new_process_does_not_take_over_is_let_go(held: Held, port: int) -> None:
    """An app that listens elsewhere now leaves no port behind on which nobody answers."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        name = f"127.0.0.1:{port}"
        assert held.take(bound(listener, name), [os.dup(listener.fileno())])
    with socket.create_server(("127.0.0.1", 0)) as other:
        held.take(bound(other, "127.0.0.1:1"), [os.dup(other.fileno())])
    held.settle()
    assert held.addresses == [name, "127.0.0.1:1"]
    held.starting()
    assert held.take({"m": "listening", "address": name}, [])
    held.settle()
    assert held.addresses == [name]


def test_no_descriptor_leaks_to_what_devloop_starts(held: Held, port: int) -> None:
    """A socket that another child had open would never be let go."""
    held.bind([f"127.0.0.1:{port}"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held.take(bound(listener, "127.0.0.1:1"), [os.dup(listener.fileno())])
    listing = "import os; print(len(os.listdir('/proc/self/fd')))"
    command = [sys.executable, "-I", "-S", "-c", listing]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True, close_fds=False)
    held.close()
    without = subprocess.run(command, stdout=subprocess.PIPE, check=True, close_fds=False)
    assert found.stdout == without.stdout


def test_a_message_about_something_else_is_left_alone(held: Held) -> None:
    """Its descriptors, too, are another's."""
    assert not held.take({"m": "running", "pid": 1}, [])


def test_a_worker_that_listens_is_noticed(held: Held, port: int) -> None:
    """Also one that asks for as many connections as the system allows, of the same socket."""
    held.bind([f"127.0.0.1:{port}"])
    held.starting()
    name = held.addresses[0]
    assert not held.attended(name)
    with socket.socket(fileno=os.dup(held.sockets[0].fileno())) as inherited:
        for backlog in (5, 1 << 20):
            inherited.listen(backlog)
            assert held.attended(name)
            held.starting()
            assert not held.attended(name)


@pytest.mark.parametrize("handler", ["lambda *_: None", "signal.SIG_DFL"])
async def test_only_who_hears_the_signal_can_retire(
    held: Held, port: int, tmp_path: Path, handler: str
) -> None:
    """A process that has a held socket, and no handler, would go on to accept."""
    held.bind([f"127.0.0.1:{port}"])
    code = f"import signal, time; signal.signal(signal.SIGURG, {handler}); print(); time.sleep(600)"
    with (
        socket.socket(fileno=os.dup(held.sockets[0].fileno())) as inherited,
        subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-u", "-I", "-S", "-c", code],
            pass_fds=[inherited.fileno()],
            stdout=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        assert await held.can_retire(process.pid) == handler.startswith("lambda")
        process.kill()
