"""Servers, their command lines unchanged, restart under requests, and no request is lost (W18)."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from devloop.execute.apps import ANSWERING, LULL, SETTLING

if TYPE_CHECKING:
    from tests.e2e.conftest import Devloop, Watching

pytestmark = pytest.mark.slow

RESTARTS = 5
CLIENTS = 3

ASGI = """
VERSION = 0

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    body = str(VERSION).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
WSGI = """
VERSION = 0

def app(environ, start_response):
    body = str(VERSION).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
FLASK = """
import flask

VERSION = 0
app = flask.Flask(__name__)

@app.route("/")
def index():
    return str(VERSION)
"""
DJANGO = """
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

VERSION = 0
settings.configure(DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
urlpatterns = [path("", lambda request: HttpResponse(str(VERSION)))]
execute_from_command_line(sys.argv)
"""
AIOHTTP = """
import sys
from aiohttp import web

VERSION = 0

async def index(request):
    return web.Response(text=str(VERSION))

app = web.Application()
app.router.add_get("/", index)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
FILES = """
import functools, http.server, sys

VERSION = 0

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(VERSION).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
SERVERS = {
    "uvicorn": (ASGI, "{bin}/uvicorn app:app --port {port}"),
    "uvicorn with uvloop": (ASGI, "{bin}/uvicorn app:app --port {port} --loop uvloop"),
    "uvicorn with workers": (ASGI, "{bin}/uvicorn app:app --port {port} --workers 2"),
    "gunicorn": (WSGI, "{bin}/gunicorn app:app --workers 3 --bind 127.0.0.1:{port}"),
    "gunicorn with threads": (
        WSGI,
        "{bin}/gunicorn app:app --workers 2 --threads 2 --bind 127.0.0.1:{port}",
    ),
    "hypercorn with workers": (ASGI, "{bin}/hypercorn app:app --workers 2 --bind 127.0.0.1:{port}"),
    "flask": (FLASK, "{bin}/flask run --port {port}"),
    "django": (DJANGO, "{bin}/python app.py runserver --noreload 127.0.0.1:{port}"),
    "waitress": (WSGI, "{bin}/waitress-serve --listen 127.0.0.1:{port} app:app"),
    "aiohttp": (AIOHTTP, "{bin}/python app.py {port}"),
    "the library's": (FILES, "{bin}/python app.py {port}"),
}
GRANIAN = "{bin}/granian --interface asgi app:app --port {port} --workers 2"


@dataclass
class Answer:
    """What has come of a request: when it was begun, and the version that answered."""

    began: float
    version: int | None
    error: str = ""


class Clients:
    """Ask a server all the time, each time over a new connection.

    Args:
        port: where it listens.
    """

    def __init__(self, port: int) -> None:
        self.answers: list[Answer] = []
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.005):
            began = time.time()
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                connection.request("GET", "/", headers={"Connection": "close"})
                self.answers.append(Answer(began, int(connection.getresponse().read())))
            except (OSError, http.client.HTTPException) as error:
                self.answers.append(Answer(began, None, repr(error)))
            finally:
                connection.close()

    def until(self, version: int) -> None:
        """Wait until that version answers."""
        deadline = time.monotonic() + 60
        while not any(answer.version == version for answer in self.answers[-20:]):
            assert time.monotonic() < deadline, self.answers[-20:]
            time.sleep(0.01)


@pytest.fixture
def serve(
    tmp_path: Path,
    port: int,
    server_environment: Callable[[], str],
    watching: Callable[..., Watching],
) -> Callable[[str, str], Watching]:
    """Watch a project with a server."""

    def start(source: str, command: str) -> Watching:
        python = server_environment()
        root = tmp_path / "project"
        root.mkdir()
        (root / "app.py").write_text(source)
        command = command.format(bin=Path(python).parent, port=port)
        (root / "devloop.toml").write_text(
            f'[python]\ninterpreter = "{python}"\n[apps.web]\ncommand = "{command}"\n'
        )
        watch = watching(root)
        watch.wait("app-ready")
        # A program that is not known to be a server is ready once it has lived for a second.
        watch.until(lambda: listens(port))
        return watch

    return start


def listens(port: int) -> bool:
    """Whether somebody listens there; nobody is asked for that."""
    return any(
        one.status == psutil.CONN_LISTEN and tuple(one.laddr)[1:] == (port,)
        for one in psutil.net_connections("tcp4")
    )


def restarted(watch: Watching, source: str, version: int) -> float:
    """Save another version, and wait until it is ready; gives when the old one was to stop."""
    watch.save("app.py", source.replace("VERSION = 0", f"VERSION = {version}"))
    stopping: float = watch.wait("app-stopping")["t"]
    watch.wait("app-ready")
    return stopping


def warmed(watch: Watching, source: str) -> int:
    """Restart until starts are warm, which nobody is told of; gives the last version."""
    for version in range(1, 50):
        restarted(watch, source, version)
        if watch.of("app-started")[-1]["start"] == "warm":
            return version
        time.sleep(0.5)
    raise AssertionError(watch)


@pytest.mark.parametrize("name", SERVERS)
def test_no_request_is_lost_and_none_meets_old_code(
    serve: Callable[[str, str], Watching], port: int, name: str
) -> None:
    """Through five restarts: none is refused or reset, and once it stops the old code is silent."""
    source, command = SERVERS[name]
    watch = serve(source, command)
    stops = []
    with Clients(port) as clients:
        first = warmed(watch, source) + 1
        for version in range(first, first + RESTARTS):
            stops.append(restarted(watch, source, version))
            clients.until(version)
    assert [answer for answer in clients.answers if answer.version is None] == []
    for version, stop in enumerate(stops, first):
        late = [a for a in clients.answers if a.began > stop and (a.version or 0) < version]
        assert late == [], (stop, watch)
    starts = [event["start"] for event in watch.of("app-started")]
    assert starts[-RESTARTS:] == ["warm"] * RESTARTS, watch
    assert watch.end() == 0
    watch.until_nothing_is_left()


@pytest.mark.parametrize("name", ["uvicorn with workers", "hypercorn with workers"])
def test_workers_that_are_left_alone_go_on_serving(
    serve: Callable[[str, str], Watching], port: int, name: str
) -> None:
    """What devloop asks of an app after its start is no order to retire for its workers."""
    source, command = SERVERS[name]
    watch = serve(source, command)
    with Clients(port) as clients:
        clients.until(0)
        time.sleep(SETTLING + LULL + 3 * ANSWERING)  # it asks twice in that time
        clients.answers.clear()
        clients.until(0)
    assert [answer for answer in clients.answers if answer.version is None] == []
    assert watch.end() == 0


def test_a_server_that_binds_elsewhere_restarts_stop_first(
    serve: Callable[[str, str], Watching], port: int, devloop: Devloop
) -> None:
    """Granian binds in Rust: old and new never overlap, no old code answers; doctor says so."""
    watch = serve(ASGI, GRANIAN)
    with Clients(port) as clients:
        last = warmed(watch, ASGI) + 3
        for version in range(last - 2, last + 1):
            restarted(watch, ASGI, version)
            clients.until(version)
    order = [
        event["event"]
        for event in watch.events
        if event["event"] in ("app-started", "app-stopping", "app-exited")
    ]
    assert order == ["app-started", *["app-stopping", "app-exited", "app-started"] * last]
    ends = [event["t"] for event in watch.of("app-exited")]
    for version, end in enumerate(ends, 1):
        assert not [
            a for a in clients.answers if a.began > end and (a.version or version) < version
        ]
    told = f"it listens at :{port} without the socket module of Python"
    watch.until(lambda: told in devloop("doctor", cwd=watch.root).stdout)
