"""An app is ready when it shows that it is, by whatever way was chosen."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import pytest
from anyio.streams.tls import TLSListener

from devloop.config.types import Ready
from devloop.execute import readiness
from devloop.execute.listening import address_of
from devloop.execute.readiness import until_ready

pytestmark = pytest.mark.anyio


async def never(port: int | None) -> str:
    """The app does not listen itself, or nobody can see it."""
    del port
    await anyio.sleep_forever()
    raise AssertionError


Handler = Callable[[anyio.abc.ByteStream], Awaitable[None]]


@pytest.fixture
async def tasks() -> AsyncIterator[anyio.abc.TaskGroup]:
    """Tasks that end with the test."""
    async with anyio.create_task_group() as tasks:
        yield tasks
        tasks.cancel_scope.cancel()


async def serve(
    tasks: anyio.abc.TaskGroup, handle: Handler, context: ssl.SSLContext | None = None
) -> int:
    """Serve on a port of its own."""
    listener: anyio.abc.Listener[Any]
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port: int = listener.extra(anyio.abc.SocketAttribute.local_port)
    if context is not None:
        listener = TLSListener(listener, ssl_context=context, standard_compatible=False)

    async def run() -> None:
        async with listener:
            await listener.serve(handle)

    tasks.start_soon(run)
    return port


def answering(*answers: bytes) -> tuple[list[bytes], Handler]:
    """A server that gives one answer after the other, and keeps what it was asked."""
    asked: list[bytes] = []

    async def handle(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            asked.append(await stream.receive())
            answer = answers[min(len(asked), len(answers)) - 1]
            if answer:
                await stream.send(answer)

    return asked, handle


async def test_http_waits_for_an_answer_that_is_no_fault(tasks: anyio.abc.TaskGroup) -> None:
    """Silence and 503 are not ready; any status below 500 is, in pieces too."""
    asked, handle = answering(
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
    )
    port = await serve(tasks, handle)
    url = f"http://127.0.0.1:{port}/health?deep=1"
    with anyio.fail_after(60):
        assert await until_ready(Ready(http=url), never, anyio.Event()) == url
    assert len(asked) == 4
    head = asked[0].decode().splitlines()
    assert head[0] == "GET /health?deep=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{port}" in head


async def test_a_server_that_never_answers_is_asked_again(
    tasks: anyio.abc.TaskGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request that hangs does not keep the next from being made."""
    monkeypatch.setattr(readiness, "CHECK_TIMEOUT", 0.1)
    count = 0

    async def handle(stream: anyio.abc.ByteStream) -> None:
        nonlocal count
        count += 1
        async with stream:
            if count == 1:
                await anyio.sleep_forever()
            await stream.send(b"HTTP/1.0 200 OK\r\n\r\n")

    url = f"http://127.0.0.1:{await serve(tasks, handle)}"
    with anyio.fail_after(60):
        assert await until_ready(Ready(http=url), never, anyio.Event()) == url


async def test_a_development_certificate_is_taken(
    tasks: anyio.abc.TaskGroup, tmp_path: Path
) -> None:
    """Https works with a certificate that nobody vouches for."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x"
    await anyio.run_process([*command.split(), "-keyout", str(key), "-out", str(certificate)])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    _, handle = answering(b"HTTP/1.1 200 OK\r\n\r\n")
    url = f"https://127.0.0.1:{await serve(tasks, handle, context)}/"
    with anyio.fail_after(60):
        assert await until_ready(Ready(http=url), never, anyio.Event()) == url


async def test_a_port_is_ready_when_it_accepts(tasks: anyio.abc.TaskGroup) -> None:
    """Before that it is waited for."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        found: list[str | None] = []

        async def wait() -> None:
            found.append(await until_ready(Ready(port=port), never, anyio.Event()))

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not found
        held.listen()
        with anyio.fail_after(60):
            while not found:
                await anyio.lowlevel.checkpoint()
        assert found == [f":{port}"]


CHILD = """
import socket, sys
holder = socket.socket(socket.{family})
holder.bind({address!r})
print("bound", flush=True)
sys.stdin.readline()
holder.listen()
print("listening", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX"])
def test_the_first_listen_is_found(tmp_path: Path, family: str) -> None:
    """Through a launcher, too; to be bound is not enough."""
    path = str(tmp_path / "socket")
    addresses = {"AF_INET": ("127.0.0.1", 0), "AF_INET6": ("::1", 0), "AF_UNIX": path}
    code = CHILD.format(family=family, address=addresses[family])
    with subprocess.Popen(
        ["sh", "-c", '"$@"; true', "sh", sys.executable, "-I", "-S", "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"bound\n"
        assert address_of(child.pid) is None
        child.stdin.write(b"\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"listening\n"
        address = address_of(child.pid)
        child.stdin.close()
    assert address is not None
    assert address == path if family == "AF_UNIX" else address[1:].isdigit()


async def test_a_second_of_life_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never listens is ready when it has lived for a while."""
    monkeypatch.setattr(readiness, "ALIVE", 0.05)
    async with await anyio.open_process(["sleep", "600"]) as child:
        try:
            with anyio.fail_after(60):
                assert await until_ready(None, never, anyio.Event()) is None
        finally:
            child.kill()
