"""The control socket, with real sockets and processes at its other end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from devloop import events as ev
from devloop.events import Notice, Output
from devloop.loop.actions import Answer, Ask, Restart
from devloop.loop.outside import Inside
from devloop.serve import address, connection
from devloop.serve.address import connect
from devloop.serve.server import ControlServer

pytestmark = pytest.mark.anyio

STUCK = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b'{"ask": "follow"}\\n')
print("following", flush=True)
sys.stdin.readline()
data = b""
while chunk := client.recv(1 << 20):
    data += chunk
sys.stdout.write(data.decode())
"""

FOREIGN = """
import os, socket, sys
os.setgid(65534)
os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
try:
    client.connect(sys.argv[1])
    print(client.recv(1000).decode())
except PermissionError:
    print("no permission")
"""


class Session:
    """A session without a loop: what is asked of it is kept."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.server = ControlServer(root, os.environ)
        self.inside = Asked(self)
        self.asked: asyncio.Queue[Ask] = asyncio.Queue()
        self.notices: list[Notice] = []
        self.server.handle(ev.SessionStarted(root=str(root), command="watch", version="1", pid=7))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen."""
        async with self.server.open(self.inside):
            yield

    async def next(self) -> Ask:
        """What is asked for next."""
        with anyio.fail_after(60):
            return await self.asked.get()


class Asked(Inside):
    """Keeps what it is asked for."""

    def __init__(self, session: Session) -> None:
        super().__init__(lambda _: None)
        self._session = session

    def ask(self, ask: Ask) -> None:
        """Keep it."""
        self._session.asked.put_nowait(ask)

    def tell(self, notice: Notice) -> None:
        """Keep it."""
        self._session.notices.append(notice)


class Peer:
    """A client that reads and writes lines; its calls block, so they are a thread's."""

    def __init__(self, root: Path) -> None:
        self.socket = connect(root, timeout=60)
        self._file = self.socket.makefile("rb")

    def send(self, line: bytes | dict[str, Any]) -> None:
        """Send a line."""
        data = line if isinstance(line, bytes) else json.dumps(line).encode()
        self.socket.sendall(data + b"\n")

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    async def line(self) -> dict[str, Any] | None:
        """The next line; None at the end."""
        data = await anyio.to_thread.run_sync(self._file.readline)
        return json.loads(data) if data else None

    async def ask(self, line: bytes | dict[str, Any]) -> dict[str, Any]:
        """Send a line and wait for one."""
        self.send(line)
        found = await self.line()
        assert found is not None
        return found

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self.socket.close()


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    """A session that listens."""
    found = Session(tmp_path)
    async with found.open():
        yield found


@pytest.fixture
def peer(session: Session) -> Any:
    """Connects clients."""
    peers: list[Peer] = []

    def make() -> Peer:
        peers.append(Peer(session.root))
        return peers[-1]

    yield make
    for one in peers:
        one.close()


async def test_the_socket_is_its_owners_alone(session: Session) -> None:
    """By its mode; it is in the project's own folder."""
    path = session.root / ".devloop/control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not session.notices


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_another_user_is_refused(session: Session) -> None:
    """By the file's mode; and by who they are, should the mode be another one."""
    path = session.root / ".devloop/control.sock"
    for folder in (session.root, *session.root.parents[:3]):
        folder.chmod(0o755)

    async def foreigner() -> str:
        command = [sys.executable, "-I", "-c", FOREIGN, str(path)]
        done = await anyio.run_process(command, check=True)
        return done.stdout.decode()

    assert await foreigner() == "no permission\n"
    path.chmod(0o666)
    assert json.loads(await foreigner()) == {
        "v": 1,
        "answer": "refused",
        "message": "this devloop belongs to another user",
    }


async def test_what_stands_can_be_asked_for(session: Session, peer: Callable[[], Peer]) -> None:
    """The answer carries the asker's own id."""
    found = await peer().ask({"ask": "status", "id": "mine"})
    assert (found["v"], found["answer"], found["id"]) == (1, "status", "mine")
    assert found["status"]["pid"] == 7
    assert found["status"]["ok"]


async def test_who_follows_hears_first_what_stands(
    session: Session, peer: Callable[[], Peer]
) -> None:
    """Several at once; then each event, in the form of the jsonl reporter."""
    session.server.handle(ev.CycleStarted(trigger="start", cycle=1))
    session.server.handle(ev.TestFinished(nodeid="t.py::a", outcome="failed", seconds=1, cycle=1))
    session.server.handle(ev.CycleFinished(outcome="failed", seconds=1, cycle=1))
    peers = [peer() for _ in range(3)]
    for one in peers:
        found = await one.ask({"ask": "follow"})
        assert found == {"v": 1, "answer": "following", "events": 4}
        kinds = [(await one.line() or {})["event"] for _ in range(4)]
        assert kinds == ["session-started", "cycle-started", "test-finished", "cycle-finished"]
    session.server.handle(Output(source="app", name="web", text="hello", t=3.0))
    for one in peers:
        assert await one.line() == {
            "v": 1,
            "event": "output",
            "t": 3.0,
            "source": "app",
            "name": "web",
            "text": "hello",
            "partial": False,
        }


async def test_who_does_not_want_output_gets_none(
    session: Session, peer: Callable[[], Peer]
) -> None:
    """But all else."""
    one = peer()
    assert (await one.ask({"ask": "follow", "output": False}))["events"] == 1
    await one.line()
    session.server.handle(Output(source="app", name="web", text="hello"))
    session.server.handle(Notice(message="news"))
    assert (await one.line() or {})["message"] == "news"


async def test_what_is_asked_for_reaches_the_loop(
    session: Session, peer: Callable[[], Peer]
) -> None:
    """With its trigger; the answer comes when the loop gives it."""
    one = peer()
    one.send({"ask": "act", "id": 3, "action": {"action": "restart", "app": "web"}})
    one.send({"ask": "act", "id": 4, "action": {"action": "restart"}})
    first, second = await session.next(), await session.next()
    assert (first.action, first.by) == (Restart("web"), "control")
    assert first.answer is not None
    assert second.answer is not None
    second.answer(Answer(problem="there is no app to restart", hint="None is configured."))
    first.answer(Answer(cycle=9))
    assert await one.line() == {
        "v": 1,
        "answer": "refused",
        "id": 4,
        "message": "there is no app to restart",
        "hint": "None is configured.",
    }
    assert await one.line() == {"v": 1, "answer": "done", "id": 3, "cycle": 9}


async def test_an_answer_reaches_who_has_said_its_last(
    session: Session, peer: Callable[[], Peer]
) -> None:
    """As `nc -N` does: it shuts its writing down once its input is at an end."""
    one = peer()
    one.send({"ask": "act", "action": {"action": "all"}})
    one.half_close()
    answer = (await session.next()).answer
    assert answer is not None
    await anyio.sleep(0.05)  # time in which it could be taken for one that has left
    answer(Answer(cycle=2))
    assert await one.line() == {"v": 1, "answer": "done", "cycle": 2}
    assert await one.line() is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"\x00\xff\xfe", "this is not a line of JSON"),
        (b"GET / HTTP/1.1", "this is not a line of JSON"),
        (
            b"[1, 2]",
            "Expected `object`, got `array`; one can ask for status, tests, follow and act",
        ),
        (b'{"ask": "everything"}', "Invalid value 'everything' - at `$.ask`; one can ask for"),
        (b'{"ask": "act"}', "missing required field `action`"),
        (b'{"ask": "act", "action": {"action": "dance"}}', "Invalid value 'dance'"),
        (b'{"ask": "status", "v": 2}', "version 2 of the control socket is not spoken here, but 1"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_reason(
    session: Session, peer: Callable[[], Peer], line: bytes, message: str
) -> None:
    """And the client may go on."""
    one = peer()
    found = await one.ask(line)
    assert found["answer"] == "refused"
    assert message in found["message"]
    assert (await one.ask({"ask": "status"}))["answer"] == "status"


async def test_a_line_without_end_is_cut_off(session: Session, peer: Callable[[], Peer]) -> None:
    """It would fill the memory."""
    one = peer()

    def flood() -> None:
        with suppress(OSError):
            while True:
                one.socket.sendall(b"x" * 100_000)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        found = await one.line()
        assert found is not None
        assert found["message"] == "a line is longer than 1048576 bytes"
    finally:
        await anyio.to_thread.run_sync(thread.join)
    assert (await peer().ask({"ask": "status"}))["answer"] == "status"


async def test_a_client_that_never_reads_is_dropped_and_told(
    session: Session, peer: Callable[[], Peer]
) -> None:
    """What waits for it is bounded; others hear everything; the last line that it gets says why."""
    path = str(session.root / ".devloop/control.sock")
    other = peer()
    await other.ask({"ask": "follow"})
    await other.line()
    async with await anyio.open_process([sys.executable, "-I", "-c", STUCK, path]) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert await process.stdout.receive() == b"following\n"
        line = "x" * 1000
        count = 3 * connection.QUEUE // len(line)
        for number in range(count):
            session.server.handle(Output(source="app", name="web", text=f"{number} {line}"))
            if number % 100 == 0:
                last = await other.line()
                while last is not None and int(last["text"].split()[0]) < number:
                    last = await other.line()
        await process.stdin.send(b"go\n")
        output = b"".join([chunk async for chunk in process.stdout])
    *lines, last_line = output.splitlines()
    assert json.loads(last_line) == {
        "v": 1,
        "answer": "dropped",
        "message": "what was sent was not read in time; connect again, and follow anew",
    }
    heard = [json.loads(found) for found in lines]
    assert 0 < len(heard) < count
    assert (await peer().ask({"ask": "status"}))["answer"] == "status"


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Neither the socket nor a client's connection."""
    session = Session(tmp_path)
    async with session.open():
        one = Peer(tmp_path)
        await one.ask({"ask": "status"})
    assert await one.line() is None
    one.close()
    assert sorted(path.name for path in (tmp_path / ".devloop").iterdir()) == [".gitignore"]


async def test_what_a_killed_devloop_has_left_is_replaced(tmp_path: Path) -> None:
    """A socket that nobody answers at, or a link to one."""
    folder = tmp_path / ".devloop"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "control.sock"))
    session = Session(tmp_path)
    async with session.open():
        assert not session.notices
        with connect(tmp_path, timeout=60):
            pass
    (folder / "control.sock").symlink_to(tmp_path / "nowhere")
    async with session.open():
        assert not session.notices
        with connect(tmp_path, timeout=60):
            pass


async def test_a_socket_that_answers_is_left_alone(tmp_path: Path) -> None:
    """Where no lock tells of another `watch`; this one says that it cannot be asked."""
    first, second = Session(tmp_path), Session(tmp_path)
    async with first.open():
        async with second.open():
            (notice,) = second.notices
            assert "another process answers" in notice.message
            assert notice.severity == "warning"
        one = Peer(tmp_path)
        assert (await one.ask({"ask": "status"}))["answer"] == "status"
        one.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder whose own path leaves room for a socket's, which a test's folder may not do."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("given", [True, False])
async def test_a_path_too_long_for_a_socket_leads_to_the_users_own_folder(
    tmp_path: Path, place: Path, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of `XDG_RUNTIME_DIR`, else one in the folder for temporary files; nothing is left."""
    root = tmp_path / ("long" * 30)
    root.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place) if given else "")
    session = Session(root)
    async with session.open():
        assert not session.notices
        (name,) = os.listdir(place)
        assert name == ("devloop" if given else f"devloop-{os.geteuid()}")
        folder = place / name
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        one = Peer(root)
        assert (await one.ask({"ask": "status"}))["answer"] == "status"
        one.close()
    assert list(folder.iterdir()) == []
    assert sorted(path.name for path in (root / ".devloop").iterdir()) == [".gitignore"]


async def test_a_folder_of_somebody_else_holds_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that others may write to, or have made, is not used; the session goes on without."""
    root = tmp_path / ("long" * 30)
    root.mkdir()
    (tmp_path / "devloop").mkdir()
    (tmp_path / "devloop").chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    session = Session(root)
    async with session.open():
        (notice,) = session.notices
    assert "is not a folder of this user alone" in notice.message


async def test_too_many_clients_are_refused(
    session: Session, peer: Callable[[], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason; when others leave there is room again."""
    monkeypatch.setattr("devloop.serve.server.MOST", 2)
    first, second = peer(), peer()
    await first.ask({"ask": "status"})
    await second.ask({"ask": "status"})
    assert (await peer().line() or {})["message"] == "2 clients are connected already"
    first.close()
    with anyio.fail_after(60):
        while True:
            late = peer()
            try:
                if (await late.ask({"ask": "status"}))["answer"] == "status":
                    break
            except OSError:
                await anyio.sleep(0.01)


def test_who_connects_is_known_by_the_system() -> None:
    """Both ends of a pair are our own."""
    one, other = socket.socketpair()
    with one, other:
        assert address.is_own(one)
