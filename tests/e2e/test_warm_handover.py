"""A save is answered by new code, and nobody is turned away meanwhile (issue 3, W17 to W19)."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

Watch = Callable[..., Any]
APP = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
import shop

async def root(request):
    return PlainTextResponse(str(shop.VALUE))

async def slow(request):
    print("in progress", flush=True)
    await asyncio.sleep(0.5)
    return PlainTextResponse(str(shop.VALUE))

async def events(request):
    async def forever():
        while True:
            yield "data: x\\n\\n"
            await asyncio.sleep(0.05)
    return StreamingResponse(forever(), media_type="text/event-stream")

app = Starlette(routes=[Route("/", root), Route("/slow", slow), Route("/events", events)])
"""


def get(port: int, path: str = "/", accept: str = "*/*") -> tuple[int, str]:
    """One request on a connection of its own: the status and the body."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def root(tmp_path: Path, port: int) -> Path:
    """A small Starlette app."""
    pytest.importorskip("uvicorn")
    root = tmp_path / "p"
    root.mkdir()
    (root / "main.py").write_text(APP)
    (root / "shop.py").write_text("VALUE = 0\n")
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port), "--no-access-log"]
    (root / "devloop.toml").write_text(
        f"[python]\ninterpreter = {sys.executable!r}\n"
        f"[apps.web]\ncommand = {json.dumps(command)}\nstop-timeout = '2s'\n"
    )
    return root


def until_warm(watch: Any) -> None:
    """Restart until a start is a warm one: the first zygote is made when the app is up."""
    for n in range(100, 140):
        watch.save("shop.py", f"VALUE = {n}\n")
        watch.cycle(outcome="passed")
        if watch.of("app-started")[-1]["start"] == "warm":
            return
        time.sleep(0.1)
    raise AssertionError(str(watch))


def test_a_save_is_answered_by_a_warm_start(root: Path, port: int, watching: Watch) -> None:
    """From its end on the old code answers nobody; its reason and kind are told."""
    watch = watching(root)
    watch.cycle(outcome="passed")
    first = watch.of("app-started")[0]
    assert (first["start"], first["reason"]) == ("cold", None)
    until_warm(watch)
    for n in range(1, 6):
        watch.save("shop.py", f"VALUE = {n}\n")
        watch.wait("app-stopping")
        watch.wait("app-ready")
        assert get(port) == (200, str(n))
        assert watch.of("app-started")[-1]["start"] == "warm"


def test_doctor_lists_what_is_held(
    root: Path, watching: Watch, devloop: Callable[..., Any]
) -> None:
    """By package, from what the last session has learned; what is left out, with its reason."""
    config = (root / "devloop.toml").read_text()
    (root / "devloop.toml").write_text(f"{config}[warm]\nexclude = ['h11']\n")
    assert "nothing is known yet" in devloop("doctor", cwd=root).stdout
    watch = watching(root)
    watch.cycle(outcome="passed")
    until_warm(watch)
    watch.end()
    found = devloop("doctor", cwd=root).stdout
    assert "modules are held: " in found
    assert "not held: h11: excluded by the configuration" in found


@pytest.mark.parametrize("victim", ["devloop", "app"])
def test_a_sudden_death_leaves_nothing(root: Path, port: int, watching: Watch, victim: str) -> None:
    """Of whatever waits for the next start, too; the next session works (W20)."""
    watch = watching(root)
    watch.cycle(outcome="passed")
    until_warm(watch)
    if victim == "devloop":
        watch.send(signal.SIGKILL)
        watch.process.wait(60)
        watch.until_nothing_is_left()
        watch = watching(root)
    else:
        watch.save("README", "")
        pid = watch.of("app-started")[-1]["pid"]
        os.kill(pid, signal.SIGKILL)
        watch.wait("app-exited", pid=pid, signal="SIGKILL", expected=False)
    watch.wait("app-ready")
    assert get(port)[0] == 200


def test_nobody_is_turned_away(root: Path, port: int, watching: Watch) -> None:
    """Requests that come all the time are all answered, through ten restarts (W18)."""
    watch = watching(root)
    watch.cycle(outcome="passed")
    until_warm(watch)
    over = threading.Event()
    answers: list[tuple[int, str]] = []
    faults: list[BaseException] = []

    def ask() -> None:
        while not over.is_set():
            try:
                answers.append(get(port))
            except OSError as error:
                faults.append(error)
            time.sleep(0.005)

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    for n in range(1, 11):
        watch.save("shop.py", f"VALUE = {n}\n")
        watch.cycle(outcome="passed")
        # Its predecessor has its time; a save before that would cut it short.
        pids = [event["pid"] for event in watch.of("app-started")]
        watch.until(partial(watch.of, "app-exited", pid=pids[-2]))
    over.set()
    for client in clients:
        client.join(15)
    assert not faults
    assert {status for status, _ in answers} == {200}
    values = [int(body) for _, body in answers]
    assert values[-1] == 10


def test_what_was_accepted_is_finished(root: Path, port: int, watching: Watch) -> None:
    """A request in progress ends as the old code would have it, beside the new process."""
    watch = watching(root)
    watch.cycle(outcome="passed")
    until_warm(watch)
    watch.save("shop.py", "VALUE = 1\n")
    watch.cycle(outcome="passed")
    found: list[tuple[int, str]] = []
    client = threading.Thread(target=lambda: found.append(get(port, "/slow")))
    client.start()
    watch.until(lambda: any("in progress" in event["text"] for event in watch.of("output")))
    watch.save("shop.py", "VALUE = 2\n")
    watch.wait("app-ready")
    assert get(port) == (200, "2")
    client.join(15)
    assert found == [(200, "1")]


def test_a_stream_does_not_hold_the_new_code(root: Path, port: int, watching: Watch) -> None:
    """Its process goes on within its stop timeout, and then is ended (W17)."""
    table = root / "devloop.toml"
    # On a busy machine the new one takes more than two seconds to be ready.
    table.write_text(table.read_text().replace("'2s'", "'15s'"))
    watch = watching(root)
    watch.cycle(outcome="passed")
    old = watch.of("app-started")[-1]["pid"]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        stream.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stream.recv(1000)
        watch.save("shop.py", "VALUE = 1\n")
        watch.wait("app-ready")
        assert get(port) == (200, "1")
        watch.until(partial(watch.of, "app-exited", pid=old, signal="SIGKILL"))
    kinds = [(event["event"], event.get("pid")) for event in watch.events]
    new = watch.of("app-started")[-1]["pid"]
    # Beside it, not after it.
    assert kinds.index(("app-ready", new)) < kinds.index(("app-exited", old))


def test_the_socket_answers_while_the_app_cannot_start(
    root: Path, port: int, watching: Watch
) -> None:
    """With the exception and the file that was edited, until a save mends it."""
    watch = watching(root)
    watch.cycle(outcome="passed")
    watch.save("shop.py", "VALUE = no_such_name\n")
    watch.cycle(outcome="failed")
    status, text = get(port)
    assert status == 503
    assert "NameError: name 'no_such_name' is not defined" in text
    assert "shop.py" in text
    status, page = get(port, accept="text/html")
    assert (status, page[:15].lower()) == (503, "<!doctype html>")
    watch.save("shop.py", "VALUE = 3\n")
    watch.cycle(outcome="passed")
    assert get(port) == (200, "3")


def test_a_source_that_does_not_compile_stops_nothing(
    root: Path, port: int, watching: Watch
) -> None:
    """The old process answers on; the mended one takes over (W12)."""
    watch = watching(root)
    watch.cycle(outcome="passed")
    watch.save("shop.py", "VALUE = (\n")
    watch.cycle(outcome="failed")
    assert get(port) == (200, "0")
    assert not watch.of("app-stopping")
    watch.save("shop.py", "VALUE = 4\n")
    watch.cycle(outcome="passed")
    assert get(port) == (200, "4")


def test_another_address_lets_go_of_the_old_one(
    tmp_path: Path, free_port: Callable[[], int], watching: Watch
) -> None:
    """An app that listens elsewhere by now refuses connections where it was before."""
    port, other = free_port(), free_port()
    root = tmp_path / "p"
    root.mkdir()
    code = (
        "import http.server\n"
        "server = http.server.HTTPServer(('127.0.0.1', {port}), "
        "http.server.SimpleHTTPRequestHandler)\n"
        "server.serve_forever()\n"
    )
    (root / "serve.py").write_text(code.format(port=port))
    (root / "devloop.toml").write_text(
        f"[python]\ninterpreter = {sys.executable!r}\n"
        f"[apps.web]\ncommand = {json.dumps([sys.executable, 'serve.py'])}\n"
    )
    watch = watching(root)
    assert watch.wait("app-ready")["address"] == f":{port}"
    watch.save("serve.py", code.format(port=other))
    assert watch.wait("app-ready")["address"] == f":{other}"
    assert get(other)[0] == 200

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except ConnectionRefusedError:
            return True
        return False

    watch.until(refused)
