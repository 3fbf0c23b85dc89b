"""Listening sockets are handed over from one process of an app to the next."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

if TYPE_CHECKING:
    from tests.edges.warm.conftest import Handover

pytestmark = pytest.mark.anyio

SERVER = """
import os, socket, sys, threading

def answer(connection):
    request = connection.recv(4096)
    if b"wait" in request:
        assert connection.recv(4096) == b"go on"
    connection.sendall(sys.argv[2].encode())
    connection.close()

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    threading.Thread(target=answer, args=(connection,), daemon=True).start()
"""
"""It blocks in `accept`, in its main thread."""


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def ask() -> Callable[..., str]:
    """Ask a server in a thread of the test's."""

    def ask(port: int, request: bytes = b"hello") -> str:
        with socket.create_connection(("127.0.0.1", port), 20) as client:
            client.sendall(request)
            return client.recv(4096).decode()

    return ask


async def test_what_is_accepted_is_finished_and_what_comes_later_meets_the_new_code(
    handover: Handover, free_port: int, ask: Callable[..., str]
) -> None:
    """The old process answers what it had accepted; a later connection waits for the new one."""
    handover.write("server.py", SERVER)
    old = handover.start("server.py", str(free_port), "old")
    await old.until("bound")
    assert handover.held.addresses == [f"127.0.0.1:{free_port}"]
    with socket.create_connection(("127.0.0.1", free_port), 20) as accepted:
        accepted.sendall(b"wait")
        assert await anyio.to_thread.run_sync(ask, free_port) == "old"

        assert await handover.retire(old)
        waiting = socket.create_connection(("127.0.0.1", free_port), 20)
        waiting.sendall(b"hello")
        new = handover.start("server.py", str(free_port), "new")
        await new.until("listening")
        assert await anyio.to_thread.run_sync(waiting.recv, 100) == b"new"
        waiting.close()

        accepted.sendall(b"go on")
        assert await anyio.to_thread.run_sync(accepted.recv, 100) == b"old"
    assert old.popen.poll() is None
    assert [message["m"] for message in old.messages] == ["bound", "retired"]
