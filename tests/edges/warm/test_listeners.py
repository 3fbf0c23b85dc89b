"""Listening sockets are handed over from one process of an app to the next."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from devloop.execute import letting_go, tree
from devloop.execute.sock_diag import CONNECTED, dump
from tests.edges.warm.descriptors import flags_of

if TYPE_CHECKING:
    from tests.edges.warm.conftest import Handover, Life

pytestmark = pytest.mark.anyio

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked")

ANSWER = """
import os, socket, sys, threading

def answer(connection, text):
    request = connection.recv(4096)
    if b"wait" in request:
        assert connection.recv(4096) == b"go on"
    connection.sendall(text.encode())
    connection.close()

def serve(listener, text):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, text), daemon=True).start()
"""
"""The beginning of servers that block in `accept`."""

UNBOUND = (
    ANSWER
    + """
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
"""
)
"""The beginning of those that bind a socket step by step."""

BLOCKING = ANSWER + "serve(socket.create_server(('127.0.0.1', int(sys.argv[1]))), sys.argv[2])"


async def ask(address: Any, request: bytes = b"hello") -> str:
    """Ask a server."""

    def ask() -> str:
        with connect(address) as client:
            client.sendall(request)
            return client.recv(4096).decode()

    return await anyio.to_thread.run_sync(ask)


def connect(address: Any) -> socket.socket:
    """Connect to a port of this machine's, an address, or a path."""
    if isinstance(address, int):
        return socket.create_connection(("127.0.0.1", address), 60)
    if isinstance(address, str):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(60)
        client.connect(address)
        return client
    return socket.create_connection(address, 60)


def kinds(life: Life) -> list[str]:
    """What a process has told, in order."""
    return [message["m"] for message in life.messages]


THREADED = (
    ANSWER
    + """
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
thread = threading.Thread(target=serve, args=(listener, sys.argv[2]))
thread.start()
thread.join()
"""
)

SELECTING = (
    ANSWER
    + """
import socketserver

class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        answer(self.request, sys.argv[2])

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
)

LOOPING = """
import asyncio, sys

async def answer(reader, writer):
    request = await reader.read(4096)
    if b"wait" in request:
        assert await reader.read(4096) == b"go on"
    writer.write(sys.argv[2].encode())
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
"""

FORKED = (
    ANSWER
    + """
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for _ in range(2):
    if os.fork() == 0:
        serve(listener, sys.argv[2])
for _ in range(2):
    os.wait()
"""
)


@pytest.mark.parametrize(
    "server",
    [BLOCKING, THREADED, SELECTING, LOOPING, FORKED],
    ids=["blocking", "threaded", "selecting", "looping", "forked"],
)
async def test_what_is_accepted_is_finished_and_what_comes_later_meets_the_new_code(
    handover: Handover, port: int, server: str
) -> None:
    """The old process answers what it had accepted; a later connection waits for the new one."""
    handover.write("server.py", server)
    old = handover.start("server.py", str(port), "old")
    await old.until("bound")
    assert handover.held.addresses == [f"127.0.0.1:{port}"]
    with connect(port) as accepted:
        accepted.sendall(b"wait")
        assert await ask(port) == "old"

        assert await handover.retire(old)
        with connect(port) as waiting:
            waiting.sendall(b"hello")
            new = handover.start("server.py", str(port), "new")
            await new.until("listening")
            assert await anyio.to_thread.run_sync(waiting.recv, 100) == b"new"

        accepted.sendall(b"go on")
        assert await anyio.to_thread.run_sync(accepted.recv, 100) == b"old"
    assert old.popen.poll() is None
    assert kinds(old) == ["bound", "retired"]
    for _ in range(5):
        assert await ask(port) == "new"


FORKED_JUST_THEN = (
    ANSWER
    + """
import time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while signal.SIGURG not in signal.sigpending():
    time.sleep(0.01)
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, b"forked")
    serve(listener, sys.argv[2])
os.read(reading, 100)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGURG})
os.wait()
"""
).replace("import os,", "import os, signal,")


async def test_a_child_that_was_forked_just_then_takes_no_order_away(
    handover: Handover, port: int
) -> None:
    """The signal may come to it before what is registered for forks has run."""
    hear = """
        import os, signal
        def hear():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGURG})
            os.kill(os.getpid(), signal.SIGURG)
        os.register_at_fork(after_in_child=hear)
    """
    handover.write("sitecustomize.py", hear)
    handover.write("server.py", FORKED_JUST_THEN)
    old = handover.start("server.py", str(port), "old", env={"PYTHONPATH": str(handover.root)})
    await old.until("bound")
    assert await handover.retire(old, 10.0)


@LINUX
@pytest.mark.parametrize("server", [SELECTING, LOOPING], ids=["selecting", "looping"])
async def test_a_retired_process_does_not_spin_while_connections_wait(
    handover: Handover, port: int, server: str
) -> None:
    """Its selector forgets the socket that others hold on to (epoll(7), question 6)."""
    handover.write("server.py", server)
    old = handover.start("server.py", str(port), "old")
    await old.until("bound")
    assert await ask(port) == "old"
    assert await handover.retire(old)
    with connect(port), connect(port):
        before = used(old.pid)
        await anyio.sleep(0.5)
        assert used(old.pid) - before < 0.25


def used(pid: int) -> float:
    """Seconds of the processor that a process has had (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@LINUX
@pytest.mark.parametrize("server", [BLOCKING, LOOPING], ids=["blocking", "looping"])
async def test_a_socket_keeps_its_flags(handover: Handover, port: int, server: str) -> None:
    """It blocks, or not, and is closed on exec as the server's own was (trap W27)."""
    handover.write("server.py", server)
    found: list[list[str]] = []
    for _ in range(2):
        life = handover.start("server.py", str(port), "x")
        await life.until("listening" if found else "bound")
        assert await ask(port) == "x"
        found.append(flags(life, handover))
        assert await handover.retire(life)
        # What answers for a dead app does so without blocking.
        handover.held.sockets[0].setblocking(False)
        await life.end()
    assert found[0] == found[1]


def flags(life: Life, handover: Handover) -> list[str]:
    """Those of the program's own descriptors of what is held."""
    return flags_of(life.pid, os.fstat(handover.held.sockets[0].fileno()).st_ino)


async def test_options_that_were_set_before_bind_are_those_of_the_held_socket(
    handover: Handover, port: int
) -> None:
    """What a server changes between two processes holds for the second one."""
    handover.write(
        "server.py",
        UNBOUND
        + """
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(sys.argv[2]))
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
serve(listener, str(int(bool(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))))
""",
    )
    for value, told in (("0", "bound"), ("1", "listening"), ("0", "listening")):
        life = handover.start("server.py", str(port), value)
        await life.until(told)
        assert await ask(port) == value
        assert await handover.retire(life)
        await life.end()


async def test_a_socket_that_is_taken_over_listens_when_the_program_has_it_listen(
    handover: Handover, port: int
) -> None:
    """Servers that ask first, as gunicorn does, would not have it listen, and be heard of late."""
    handover.write(
        "server.py",
        UNBOUND
        + """
listener.bind(("127.0.0.1", int(sys.argv[1])))
asked = [listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]
asked += listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
if not any(asked):
    listener.listen()
asked += listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 4)
serve(listener, str(asked))
""",
    )
    for told in ("bound", "listening"):
        life = handover.start("server.py", str(port))
        await life.until(told)
        assert await ask(port) == str([0, *bytes(4), *(1).to_bytes(4, sys.byteorder)])
        assert await handover.retire(life)
        await life.end()


async def test_several_ports_and_families_are_all_handed_over(
    handover: Handover, port: int
) -> None:
    """IPv4, IPv6 and a name of the machine's, on two ports (trap W24's neighbours)."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    handover.write(
        "server.py",
        ANSWER
        + """
first = socket.create_server(("localhost", int(sys.argv[1])))
second = socket.create_server(("::1", int(sys.argv[1])), family=socket.AF_INET6)
threading.Thread(target=serve, args=(second, sys.argv[2] + "6")).start()
serve(first, sys.argv[2] + "4")
""",
    )
    old = handover.start("server.py", str(port), "old")
    await old.until("bound", 2)
    assert handover.held.addresses == [f"127.0.0.1:{port}", f"[::1]:{port}"]
    assert await handover.retire(old)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect((host, port))) for host in ("127.0.0.1", "::1")]
        new = handover.start("server.py", str(port), "new")
        await new.until("listening", 2)
        for client, answer in zip(clients, (b"new4", b"new6"), strict=True):
            client.sendall(b"hello")
            assert await anyio.to_thread.run_sync(client.recv, 100) == answer


SHARED = """
import asyncio, functools, sys

async def answer(text, reader, writer):
    await reader.read(4096)
    writer.write(text.encode())
    writer.close()

async def main():
    for turn in range(2):
        text = f"{sys.argv[2]} {turn}"
        function = functools.partial(answer, text)
        await asyncio.start_server(function, "127.0.0.1", int(sys.argv[1]), reuse_port=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@LINUX
async def test_of_two_reuseport_listeners_one_is_held_and_gets_what_nobody_attends_to(
    handover: Handover, port: int
) -> None:
    """No connection goes to the one that ends with its process (trap W24)."""
    handover.write("server.py", SHARED)
    lives = []
    for text, told in (("old", "bound"), ("new", "listening")):
        lives.append(handover.start("server.py", str(port), text))
        await lives[-1].until(told)
        with anyio.fail_after(60):
            answers: set[str] = set()
            while answers != {f"{text} 0", f"{text} 1"}:  # both get their share
                answers.add(await ask(port))
        if text == "old":
            assert handover.held.addresses == [f"127.0.0.1:{port}"]
            assert await handover.retire(lives[0])
            waiting = [connect(port) for _ in range(40)]
            assert await handover.held.drained(lives[0].pid, 60)
            await lives[0].end()
            waiting += [connect(port) for _ in range(40)]
    for client in waiting:
        with client:
            client.sendall(b"hello")
            assert (await anyio.to_thread.run_sync(client.recv, 100)).startswith(b"new")


@LINUX
async def test_many_connections_during_a_gap_wait_without_a_retry(
    handover: Handover, port: int
) -> None:
    """A server with a queue of 5 finds all that came while it was away (trap W25)."""
    handover.write("server.py", SELECTING)
    old = handover.start("server.py", str(port), "old")
    await old.until("bound")
    assert await ask(port) == "old"
    assert await handover.retire(old)
    dropped = listen_drops()
    clients = [connect(port) for _ in range(80)]
    new = handover.start("server.py", str(port), "new")
    await new.until("listening")
    clients += [connect(port) for _ in range(20)]
    for client in clients:
        with client:
            client.sendall(b"hello")
            assert await anyio.to_thread.run_sync(client.recv, 100) == b"new"
    assert listen_drops() == dropped


def listen_drops() -> int:
    """SYNs that were dropped because a queue was full, on this machine (RFC 4022's neighbours)."""
    names, values = (
        line.split()
        for line in Path("/proc/net/netstat").read_text().splitlines()
        if line.startswith("TcpExt:")
    )
    return int(values[names.index("ListenDrops")])


UNIX = """
import asyncio, os, sys

async def answer(reader, writer):
    await reader.read(4096)
    writer.write(sys.argv[2].encode())
    writer.close()

async def main():
    server = await asyncio.start_unix_server(answer, sys.argv[1])
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(15, stop.set)
    await stop.wait()
    server.close()
    if os.path.exists(sys.argv[1]):
        os.unlink(sys.argv[1])  # as asyncio itself does from Python 3.13 on

asyncio.run(main())
"""


async def test_a_unix_socket_stays_reachable_at_its_path(handover: Handover) -> None:
    """The old process unlinks it when it ends, the new one before it binds (trap W26)."""
    path = handover.root / "app.sock"
    handover.write("server.py", UNIX)
    old = handover.start("server.py", "./app.sock", "old")
    await old.until("bound")
    assert handover.held.addresses == [f"unix:{path}"]
    assert await ask(str(path)) == "old"
    assert await handover.retire(old)
    with connect(str(path)) as waiting:
        waiting.sendall(b"hello")
        new = handover.start("server.py", str(path), "new")
        await new.until("listening")
        assert await anyio.to_thread.run_sync(waiting.recv, 100) == b"new"
    assert await old.end() == 0
    assert await ask(str(path)) == "new"
    assert await new.end() == 0
    await new.until("unlinked")
    handover.held.close()
    assert not path.exists()


async def test_a_path_that_leads_elsewhere_now_is_bound_anew(handover: Handover) -> None:
    """Somebody else has removed the held socket's file: the app is reachable all the same."""
    path = handover.root / "app.sock"
    handover.write("server.py", UNIX)
    old = handover.start("server.py", "app.sock", "old")
    await old.until("bound")
    assert await handover.retire(old)
    await old.end()
    path.unlink()
    new = handover.start("server.py", "app.sock", "new")
    await new.until("bound")
    assert kinds(new)[0] == "release"
    assert await ask(str(path)) == "new"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("('127.0.0.1', PORT)", "('0.0.0.0', PORT)"),
        ("('', PORT)", "('127.0.0.1', PORT)"),
        ("('127.0.0.1', PORT), reuse_port=False", "('127.0.0.1', PORT), reuse_port=True"),
        (
            "('::', PORT), family=socket.AF_INET6, dualstack_ipv6=False",
            "('::', PORT), family=socket.AF_INET6, dualstack_ipv6=True",
        ),
    ],
    ids=["everywhere", "nowhere else", "shared", "both families"],
)
async def test_what_does_not_fit_is_let_go_and_bound_anew(
    handover: Handover, port: int, before: str, after: str
) -> None:
    """A held socket never keeps an app from an address that it wants in another way."""
    for text, told in ((before, "bound"), (after, "bound")):
        code = ANSWER + f"PORT = {port}\nserve(socket.create_server({text}), sys.argv[1])\n"
        handover.write("server.py", code)
        life = handover.start("server.py", told)
        await life.until(told)
        host = "::1" if "INET6" in text else "127.0.0.1"
        assert await ask((host, port)) == told
        assert ("release" in kinds(life)) == (text is after)
        if text is before:
            assert await handover.retire(life)
            await life.end()
    assert len(handover.held.addresses) == 1


async def test_binding_the_same_address_anew_works_as_without_devloop(
    handover: Handover, port: int
) -> None:
    """A second socket is refused while the first is open, and can take its place after that."""
    handover.write(
        "server.py",
        ANSWER
        + """
address = "127.0.0.1", int(sys.argv[1])
first = socket.create_server(address)
try:
    socket.create_server(address)
except OSError as error:
    assert "in use" in str(error), error
else:
    sys.exit("two listen on one address")
first.close()
serve(socket.create_server(address), "second")
""",
    )
    for told in ("bound", "listening"):
        life = handover.start("server.py", str(port))
        await life.until(told)
        assert await ask(port) == "second"
        assert await handover.retire(life)
        await life.end()


async def test_what_the_kernel_chooses_or_is_no_stream_is_left_alone(
    handover: Handover, port: int
) -> None:
    """Port 0 and UDP are never held; nor is what is bound but never listens."""
    handover.write(
        "server.py",
        ANSWER
        + """
chosen = socket.create_server(("127.0.0.1", 0))
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", int(sys.argv[1])))
client = socket.socket()
client.bind(("127.0.0.1", int(sys.argv[1])))
client.close()
serve(socket.create_server(("127.0.0.1", int(sys.argv[1]))), str(chosen.getsockname()[1]))
""",
    )
    ports = set()
    for told in ("bound", "listening"):
        life = handover.start("server.py", str(port))
        await life.until(told)
        ports.add(await ask(port))
        assert handover.held.addresses == [f"127.0.0.1:{port}"]
        assert await handover.retire(life)
        await life.end()
    assert len(ports) == 2


@LINUX
@pytest.mark.parametrize(
    "before",
    [
        "import signal; signal.signal(signal.SIGURG, lambda *_: None)",
        "signal_masked = __import__('signal').pthread_sigmask(0, [23])",
        "os.closerange(3, 1024)",
    ],
    ids=["handler", "mask", "closed"],
)
async def test_who_does_not_hear_orders_is_known_not_to_have_retired(
    handover: Handover, port: int, before: str
) -> None:
    """Nothing may run beside it, so it is ended first; the next one takes the socket over."""
    code = ANSWER + f"listener = socket.create_server(('127.0.0.1', {port}))\n"
    code += "copy = os.dup(listener.fileno())\n" if "closerange" not in before else ""
    if "closerange" in before:
        code += "os.dup2(listener.fileno(), 1100)\n" + before
        code += "\nlistener.detach()\nlistener = socket.socket(fileno=1100)\n"
    else:
        code += before + "\n"
    handover.write("server.py", code + "serve(listener, sys.argv[1])\n")
    old = handover.start("server.py", "old")
    await old.until("bound")
    assert await ask(port) == "old"
    handover.held.attend(False)
    if "closerange" in before:
        os.killpg(old.pid, signal.SIGURG)
    else:
        old.order("retire")
    assert not await handover.held.let_go_by(old.pid, 0.2)
    await old.end()
    with connect(port) as waiting:
        waiting.sendall(b"hello")
        new = handover.start("server.py", "new")
        await new.until("listening")
        assert await anyio.to_thread.run_sync(waiting.recv, 100) == b"new"


SPAWNED = (
    ANSWER
    + """
import multiprocessing

def work(listener):
    listener.listen()
    serve(listener, sys.argv[2])

if __name__ == "__main__":
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    listener.set_inheritable(True)
    workers = [
        multiprocessing.get_context("spawn").Process(target=work, args=(listener,), daemon=True)
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
"""
)
"""As ``uvicorn --workers`` and hypercorn do it."""

EXECUTED = (
    ANSWER
    + """
import subprocess

if sys.argv[3:]:
    listener = socket.socket(fileno=int(sys.argv[3]))
    listener.listen()
    serve(listener, sys.argv[2])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.set_inheritable(True)
fd = listener.fileno()
subprocess.run([sys.executable, __file__, *sys.argv[1:], str(fd)], pass_fds=[fd])
"""
)
"""Its worker may be of any language."""


async def worker_of(handover: Handover, port: int, code: str) -> Life:
    """Start a server, and wait until its worker answers."""
    handover.write("server.py", code)
    old = handover.start("server.py", str(port), "old")
    await old.until("bound")
    with anyio.fail_after(60):
        while True:
            try:
                assert await ask(port) == "old"
            except ConnectionRefusedError:
                await anyio.sleep(0.02)
            else:
                return old


@LINUX
async def test_workers_that_were_started_with_exec_are_ended_first_and_nobody_is_refused(
    handover: Handover, port: int
) -> None:
    """They hear no orders; the socket that was bound for them is held all the same."""
    old = await worker_of(handover, port, EXECUTED)
    assert not await handover.held.can_retire(old.pid)
    assert not await handover.retire(old, 0.2)
    members = tree.family([old.pid])
    await old.end()
    for member in members:
        assert await handover.held.let_go_by(member, 60)
    with connect(port) as waiting:
        waiting.sendall(b"hello")
        new = handover.start("server.py", str(port), "new")
        await new.until("taken")
        handover.held.settle()
        assert await anyio.to_thread.run_sync(waiting.recv, 100) == b"new"


@LINUX
async def test_workers_of_multiprocessing_retire(handover: Handover, port: int) -> None:
    """They are told, with what they are told anyway, how to; what comes then is the new one's."""
    old = await worker_of(handover, port, SPAWNED)
    assert await handover.held.can_retire(old.pid)
    assert await handover.retire(old)
    with connect(port) as waiting:
        waiting.sendall(b"hello")
        new = handover.start("server.py", str(port), "new")
        assert await anyio.to_thread.run_sync(waiting.recv, 100) == b"new"
        await new.until("taken")


STALLED = """
import os, sys, time
if "--multiprocessing-fork" in sys.argv:
    open(f"late-{os.getpid()}", "w").close()
    while os.path.exists("stall"):
        time.sleep(0.01)
"""
"""A `sitecustomize`: a worker's interpreter does not come up while there is a file."""


async def stalled(handover: Handover, port: int) -> Life:
    """Start a server whose two workers are there and do not come up."""
    handover.write("sitecustomize.py", STALLED)
    handover.write("stall", "")
    handover.write("server.py", SPAWNED)
    old = handover.start("server.py", str(port), "old", env={"PYTHONPATH": str(handover.root)})
    with anyio.fail_after(60):
        while len(list(handover.root.glob("late-*"))) < 2:  # noqa: ASYNC110 - they tell in no other way
            await anyio.sleep(0.01)
    return old


@LINUX
async def test_a_worker_that_only_just_comes_up_is_waited_for(
    handover: Handover, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the socket before it hears; a change in that moment is no reason to stop first."""
    monkeypatch.setattr(letting_go, "STARTING", 30.0)
    old = await stalled(handover, port)
    found: list[bool] = []

    async def look() -> None:
        found.append(await handover.held.can_retire(old.pid))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await anyio.sleep(0.1)
        assert not found
        (handover.root / "stall").unlink()
    assert found == [True]
    assert await handover.retire(old)


@LINUX
async def test_a_worker_that_never_comes_up_is_not_waited_for_any_longer(
    handover: Handover, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some seconds it is taken for one that does not hear."""
    old = await stalled(handover, port)
    monkeypatch.setattr(letting_go, "STARTING", 0.0)
    assert not await handover.held.can_retire(old.pid)


@LINUX
async def test_a_server_that_a_signal_would_cut_short_is_seen_to_have_finished(
    handover: Handover, port: int
) -> None:
    """Its open connections are known; and that it does not catch the signal."""
    handover.write("server.py", SELECTING)
    old = handover.start("server.py", str(port), "old")
    await old.until("bound")
    assert not letting_go.catches(old.pid, signal.SIGTERM)
    assert letting_go.catches(old.pid, signal.SIGURG)
    with connect(port) as accepted:
        accepted.sendall(b"wait")
        assert await ask(port) == "old"
        assert await handover.retire(old)
        with connect(port):  # one that waits for the new process is none of the old one's
            assert not await handover.held.drained(old.pid, 0.1)
            accepted.sendall(b"go on")
            assert await handover.held.drained(old.pid, 60)
            assert await anyio.to_thread.run_sync(accepted.recv, 100) == b"old"


KEEPING = (
    ANSWER
    + """
import socketserver

class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while request := self.request.recv(4096):
            if b"wait" in request:
                assert self.request.recv(4096) == b"go on"
            self.request.sendall(sys.argv[2].encode())

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
)


@LINUX
async def test_a_connection_that_a_client_keeps_for_later_is_not_waited_for(
    handover: Handover, port: int
) -> None:
    """What it asked later would be answered by old code; one that waits for an answer counts."""
    handover.write("server.py", KEEPING)
    old = handover.start("server.py", str(port), "old")
    await old.until("bound")
    with connect(port) as kept, connect(port) as waiting:
        for client in (kept, waiting):
            client.sendall(b"hello")
            assert await anyio.to_thread.run_sync(client.recv, 100) == b"old"
        with anyio.fail_after(60):
            # The kernel's clock ticks every few milliseconds.
            while any(tcp.port == port and tcp.age < 0.02 for tcp in dump(CONNECTED)):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        waiting.sendall(b"wait")
        assert await handover.retire(old)
        assert not await handover.held.drained(old.pid, 2 * letting_go.IDLE)
        waiting.sendall(b"go on")
        assert await anyio.to_thread.run_sync(waiting.recv, 100) == b"old"
        assert await handover.held.drained(old.pid, 60)
        await old.end()
        assert await anyio.to_thread.run_sync(kept.recv, 100) == b""


async def test_a_program_sees_its_own_functions(handover: Handover, port: int) -> None:
    """What stands in for the library's is named, pickled and compared as that."""
    handover.write(
        "server.py",
        ANSWER
        + """
import inspect, pickle, shutil
before = os.unlink
other = socket.socket(socket.AF_UNIX)
other.bind("app.sock")
other.listen()
assert pickle.loads(pickle.dumps(os.unlink)) is os.unlink
assert os.unlink == before and os.unlink in os.supports_dir_fd
assert os.unlink.__name__ == "unlink" and os.remove.__name__ == "remove"
assert socket.socket.bind.__qualname__ == "socket.bind"
open("file", "w").close()
os.remove("file")
os.mkdir("folder")
folder = os.open("folder", os.O_RDONLY)
open("folder/app.sock", "w").close()
os.unlink("app.sock", dir_fd=folder)
for wrong in (3.5, None, "a\\0b"):
    try:
        os.unlink(wrong)
    except (TypeError, ValueError):
        pass
serve(socket.create_server(("127.0.0.1", int(sys.argv[1]))), str(os.listdir("folder")))
""",
    )
    life = handover.start("server.py", str(port))
    await life.until("bound", 2)
    assert await ask(port) == "[]"


LOOKING = (
    ANSWER
    + """
port = int(sys.argv[1])
for host in ("127.0.0.1", "localhost"):
    try:
        socket.create_connection((host, port), 5)
    except ConnectionRefusedError:
        continue
    sys.exit("somebody is there")
with socket.socket() as probe:
    assert probe.connect_ex(("127.0.0.1", port)) != 0
listener = socket.create_server((sys.argv[3], port))
with socket.create_connection(("127.0.0.1", port)) as client:
    serve(listener, sys.argv[2])
"""
)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_a_program_that_looks_whether_its_address_is_free(
    handover: Handover, port: int, host: str
) -> None:
    """It is, as in a cold start: nobody listens there but the program itself, later."""
    handover.write("server.py", LOOKING)
    old = handover.start("server.py", str(port), "old", host)
    await old.until("bound")
    assert await ask(port) == "old"
    assert await handover.retire(old)
    new = handover.start("server.py", str(port), "new", host)
    await new.until("listening")
    assert await ask(port) == "new"
    await old.end(signal.SIGKILL)


async def test_a_child_that_serves_can_be_asked(handover: Handover, port: int) -> None:
    """Its parent, which was given the socket, too, may wait for it to answer."""
    handover.write("server.py", BLOCKING)
    old = handover.start("server.py", str(port), "old")
    await old.until("bound")
    assert await handover.retire(old)
    os.mkfifo(handover.root / "answer")
    handover.write(
        "server.py",
        ANSWER
        + """
if os.fork() == 0:
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1]))), sys.argv[2])
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) as client:
    client.sendall(b"hello")
    got = client.recv(99).decode()
with open("answer", "w") as answered:
    answered.write(got)
os.wait()
""",
    )
    handover.start("server.py", str(port), "new")
    assert await anyio.Path(handover.root, "answer").read_text() == "new"
    await old.end(signal.SIGKILL)


async def test_no_module_is_loaded_for_it_that_the_program_does_not_load(
    handover: Handover,
) -> None:
    """A program that has nothing to do with sockets finds none of their modules."""
    os.mkfifo(handover.root / "up")
    # A signal just before a sleep is handled after it.
    code = "import time\nopen('up', 'w').close()\nwhile True:\n    time.sleep(0.1)\n"
    handover.write("server.py", code)
    life = handover.start("server.py")
    assert await anyio.Path(handover.root, "up").read_text() == ""
    life.order("report")
    (message,) = await life.until("loaded")
    await life.end(signal.SIGKILL)
    found = set(message["modules"])
    assert not found & {"socket", "_socket", "select", "selectors", "json", "asyncio", "errno"}


async def test_an_old_process_that_has_much_to_do_retires_in_a_forked_worker_too(
    handover: Handover, port: int
) -> None:
    """A worker forked after another thread's lock was held hears the signal all the same."""
    handover.write("server.py", FORKED)
    old = handover.start("server.py", str(port), "old")
    await old.until("bound")
    for _ in range(10):
        assert await ask(port) == "old"
    assert await handover.retire(old)
    assert await handover.retire(old)  # a second time nothing happens
    assert await old.end() == -signal.SIGTERM
