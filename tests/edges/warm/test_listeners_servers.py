"""Real servers, their command lines unchanged, hand over (traps W17, W18, W26 and W27)."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from devloop.execute import letting_go, tree
from tests.edges.warm.descriptors import flags_of

if TYPE_CHECKING:
    from tests.edges.warm.conftest import Handover, Life

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

APPS = {
    "asgi.py": """
import asyncio, os, sys

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan here")
    start = {"type": "http.response.start", "status": 200, "headers": []}
    if scope["path"] == "/events":
        await send({**start, "headers": [(b"content-type", b"text/event-stream")]})
        while True:
            await send({"type": "http.response.body", "body": b"data: x\\n\\n", "more_body": True})
            await asyncio.sleep(0.05)
    while scope["path"] == "/slow" and not os.path.exists("go"):
        open("begun", "w").close()
        await asyncio.sleep(0.01)
    body = os.environ["V"].encode()
    start["headers"] = [(b"content-length", str(len(body)).encode())]
    await send(start)
    await send({"type": "http.response.body", "body": body})
""",
    "wsgi.py": """
import os, time

def app(environ, start_response):
    while environ["PATH_INFO"] == "/slow" and not os.path.exists("go"):
        open("begun", "w").close()
        time.sleep(0.01)
    start_response("200 OK", [("Content-Length", str(len(os.environ["V"])))])
    return [os.environ["V"].encode()]
""",
    "flasked.py": """
import os, time
import flask

app = flask.Flask(__name__)

@app.get("/")
@app.get("/slow")
def answer():
    while flask.request.path == "/slow" and not os.path.exists("go"):
        open("begun", "w").close()
        time.sleep(0.01)
    return os.environ["V"]
""",
    "djangoed.py": """
import os, sys, time
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(DEBUG=True, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")

def answer(request):
    while request.path == "/slow" and not os.path.exists("go"):
        open("begun", "w").close()
        time.sleep(0.01)
    return HttpResponse(os.environ["V"])

urlpatterns = [path("", answer), path("slow", answer)]

if __name__ == "__main__":
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
""",
    "aiohttped.py": """
import asyncio, os, sys
from aiohttp import web

async def answer(request):
    while request.path == "/slow" and not os.path.exists("go"):
        open("begun", "w").close()
        await asyncio.sleep(0.01)
    return web.Response(text=os.environ["V"])

app = web.Application()
app.add_routes([web.get("/", answer), web.get("/slow", answer)])
where = sys.argv[1]
if where.isdigit():
    web.run_app(app, host="127.0.0.1", port=int(where), print=None)
else:
    web.run_app(app, path=where, print=None)
""",
}

UVICORN = "-m uvicorn asgi:app --log-level warning"
COMMANDS = {
    "uvicorn on asyncio": UVICORN + " --loop asyncio --port {}",
    "uvicorn on uvloop": UVICORN + " --loop uvloop --port {}",
    "uvicorn on two addresses": UVICORN + " --loop uvloop --host localhost --port {}",
    "gunicorn": "-m gunicorn wsgi:app --log-level warning -w 2 -b 127.0.0.1:{}",
    "gunicorn with threads": "-m gunicorn wsgi:app --log-level warning --threads 4 -b 127.0.0.1:{}",
    "hypercorn": "-m hypercorn asgi:app --log-level warning -w 0 -b 127.0.0.1:{}",
    "waitress": "-m waitress --listen 127.0.0.1:{} wsgi:app",
    "aiohttp": "aiohttped.py {}",
    "flask": "-m flask --app flasked run --port {}",
    "django": "djangoed.py runserver --noreload 127.0.0.1:{}",
}
UNIX_COMMANDS = {
    "uvicorn on asyncio": UVICORN + " --loop asyncio --uds {}",
    "uvicorn on uvloop": UVICORN + " --loop uvloop --uds {}",
    "gunicorn": "-m gunicorn wsgi:app --log-level warning -b unix:{}",
    "hypercorn": "-m hypercorn asgi:app --log-level warning -w 0 -b unix:{}",
    "waitress": "-m waitress --unix-socket {} wsgi:app",
    "aiohttp": "aiohttped.py {}",
}
FAMILIES = {"tcp": COMMANDS, "unix": UNIX_COMMANDS}


class Site:
    """An app behind a real server.

    Args:
        handover: starts its processes.
        command: of the server, with a place for the address.
        address: a port or a path.
        servers: the folder that they are installed in.
    """

    def __init__(self, handover: Handover, command: str, address: int | str, servers: str) -> None:
        self.handover = handover
        self.address = address
        self._command = command.format(address).split()
        self._env = {"PYTHONPATH": servers, "HOME": str(handover.root)}
        self._env["PYTHONPATH"] += os.pathsep + str(handover.root)
        for name, code in APPS.items():
            handover.write(name, code)

    @property
    def name(self) -> str:
        """The name of its address."""
        return (
            f"127.0.0.1:{self.address}"
            if isinstance(self.address, int)
            else f"unix:{self.handover.root / self.address}"
        )

    async def start(self, version: str) -> Life:
        """Start a process, and wait until it listens."""
        life = self.handover.start(*self._command, env={**self._env, "V": version})
        with anyio.fail_after(60):
            while not any(map(self._listens, life.messages)):
                await life.more()
        return life

    def _listens(self, message: dict[str, Any]) -> bool:
        at_last = message["m"] in ("listening", "taken") or message.get("listens", False)
        return bool(at_last and message["address"] == self.name)

    async def open(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask for a page."""
        if isinstance(self.address, int):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.address)
        else:
            where = str(self.handover.root / self.address)
            reader, writer = await asyncio.open_unix_connection(where)
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        return reader, writer

    async def get(self, path: str = "/") -> str:
        """Ask for a page, and give what it is."""
        reader, writer = await self.open(path)
        try:
            with anyio.fail_after(60):
                head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        finally:
            writer.close()
        assert head.startswith("HTTP/1.1 200"), head
        return body

    async def finish(self, life: Life) -> None:
        """End a retired process as devloop does."""
        if not letting_go.catches(life.pid, signal.SIGTERM):
            await self.handover.held.drained(life.pid, 60)
        await life.end()


@pytest.mark.parametrize(
    ("family", "server"),
    [(family, server) for family, commands in FAMILIES.items() for server in commands],
)
async def test_a_server_is_followed_by_its_successor(
    handover: Handover, port: int, servers: str, family: str, server: str
) -> None:
    """It finishes, does not spin or block, and its successor gets whoever came meanwhile."""
    address: int | str = port if family == "tcp" else "app.sock"
    site = Site(handover, FAMILIES[family][server], address, servers)
    old = await site.start("old")
    assert await site.get() == "old"
    async with anyio.create_task_group() as tasks:
        answers: dict[str, str] = {}

        async def ask(name: str, path: str) -> None:
            answers[name] = await site.get(path)

        tasks.start_soon(ask, "slow", "/slow")
        with anyio.fail_after(60):
            while not (handover.root / "begun").exists():  # noqa: ASYNC110 - it says so in no other way
                await anyio.sleep(0.01)
        kept = flags(old, site)
        assert await handover.retire(old)
        tasks.start_soon(ask, "waiting", "/")
        before = used(old)
        await anyio.sleep(0.3)
        assert used(old) - before < 0.2
        new = await site.start("new")
        with anyio.fail_after(60):
            while "waiting" not in answers:  # noqa: ASYNC110 - it is another task's
                await anyio.sleep(0.01)
        assert answers == {"waiting": "new"}
        assert flags(new, site) == kept
        (handover.root / "go").touch()
    assert answers["slow"] == "old"
    await site.finish(old)
    for _ in range(5):
        assert await site.get() == "new"
    await new.end()


def used(life: Life) -> float:
    """Seconds of the processor that a process and its workers have had."""
    total = 0
    for pid in tree.family([life.pid]):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def flags(life: Life, site: Site) -> list[str]:
    """Those of the program's own descriptors of the held socket."""
    held = dict(zip(site.handover.held.addresses, site.handover.held.sockets, strict=True))
    found = flags_of(life.pid, os.fstat(held[site.name].fileno()).st_ino)
    assert found
    return sorted(set(found))


async def test_an_open_stream_keeps_nobody_from_the_new_code(
    handover: Handover, port: int, servers: str
) -> None:
    """Server-sent events go on in the old process; the new one answers beside it (W17)."""
    site = Site(handover, COMMANDS["uvicorn on uvloop"], port, servers)
    old = await site.start("old")
    reader, writer = await site.open("/events")
    assert b"data: x" in await reader.readuntil(b"data: x")
    assert await handover.retire(old)
    new = await site.start("new")
    assert await site.get() == "new"
    assert b"data: x" in await reader.readuntil(b"data: x")
    writer.close()
    await old.end(signal.SIGKILL)  # its app does not look whether anybody reads
    await new.end()


@pytest.mark.parametrize("server", ["uvicorn on asyncio", "uvicorn on uvloop", "flask"])
async def test_a_steady_flow_of_requests_loses_none(
    handover: Handover, port: int, servers: str, server: str
) -> None:
    """200 requests a second through 20 restarts: none refused, none reset (W18)."""
    site = Site(handover, COMMANDS[server], port, servers)
    life = await site.start("0")
    assert await site.get() == "0"
    answered = 0
    faults: list[str] = []
    flowing = True

    async def one() -> None:
        nonlocal answered
        try:
            answer = await site.get()
        except (OSError, AssertionError, EOFError) as error:
            faults.append(repr(error))
        else:
            answered += answer.isdigit()

    async def flow() -> None:
        async with anyio.create_task_group() as requests:
            while flowing:
                requests.start_soon(one)
                await anyio.sleep(0.005)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(flow)
        ending = []
        for turn in range(1, 21):
            assert await handover.retire(life)
            ending.append(life)
            life = await site.start(str(turn))
            tasks.start_soon(site.finish, ending[-1])
        flowing = False
    assert not faults
    assert answered > 200
