"""Traps again, with warm starts (TRAPS, P1 to P6, P12, P13, P17, P18, P20, P23, P24).

P7, P15 and P16, at a terminal, are in `test_traps_terminal.py`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Watching

Watch = Callable[..., "Watching"]

SERVER = """
import http.server, os
import shop

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(shop.VALUE).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

server = http.server.HTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])), Handler)
{more}
server.serve_forever()
"""
"""An app that answers with `shop.VALUE`."""

STRAYS = """
import subprocess, signal, time
subprocess.Popen(["sleep", "600"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
"""
"""It leaves processes in sessions of their own, the last of which ignores SIGTERM."""


@pytest.fixture
def warm(tmp_path: Path, port: int, watching: Watch) -> Callable[..., Watching]:
    """Begin a session whose app has been started warm."""

    def begin(
        more: str = "",
        table: str = "",
        app: str = SERVER,
        arguments: tuple[str, ...] = ("app.py",),
        **modules: str,
    ) -> Watching:
        root = tmp_path / "p"
        root.mkdir()
        (root / "app.py").write_text(app.replace("{more}", more))
        for name, text in {"shop": "VALUE = 0\n", **modules}.items():
            (root / f"{name}.py").write_text(text)
        words = [sys.executable, *arguments]
        (root / "devloop.toml").write_text(f"[apps.web]\ncommand = {words!r}\n{table}")
        watch = watching(root, APP_PORT=str(port))
        watch.cycle(outcome="passed")
        value, deadline = 0, time.monotonic() + 60
        while watch.of("app-started")[-1]["start"] != "warm":
            assert time.monotonic() < deadline, watch
            value += 1
            save(watch, value)
        return watch

    return begin


def save(watch: Watching, value: object) -> None:
    """Save another value, and wait until the app is ready with it."""
    watch.save("shop.py", f"VALUE = {value}\n")
    watch.wait("app-ready")


def served(port: int) -> str:
    """What the app answers."""
    with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        return str(answer.read().decode())


def apps(watch: Watching) -> list[int]:
    """The app's processes that live."""
    return [pid for pid, words in watch.started().items() if words.endswith(" app.py")]


@pytest.mark.slow
def test_fifty_restarts(warm: Callable[..., Watching], port: int) -> None:
    """P1: each is warm and answers with what was saved; one app is left, and nothing strays."""
    watch = warm()
    before = len(watch.started())
    begun = len(watch.of("app-started"))
    for value in range(1000, 1050):
        save(watch, value)
        assert served(port) == str(value)
    starts = [event["start"] for event in watch.of("app-started")[begun:]]
    assert set(starts) == {"warm"}
    watch.until(lambda: len(apps(watch)) == 1)
    # What waits for the next start may come after the first count; strays would be fifty.
    watch.until(lambda: len(watch.started()) <= before + 5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_outlives_devloop(warm: Callable[..., Watching], number: signal.Signals) -> None:
    """P6: nor what a warm app has left in sessions of its own."""
    watch = warm(STRAYS)
    watch.until(lambda: sum("sleep" in words for words in watch.started().values()) == 1)
    watch.until(lambda: len(apps(watch)) == 3)
    watch.end(number)
    watch.until_nothing_is_left()


def test_an_app_that_ignores_the_stop_signal(warm: Callable[..., Watching], port: int) -> None:
    """P2, P3: its successor answers meanwhile; of the old ones one is left at most, then none."""
    watch = warm(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)", "stop-timeout = '2s'\n"
    )
    for value in (1000, 1001, 1002):
        save(watch, value)
        assert served(port) == str(value)
        watch.until(lambda: len(apps(watch)) <= 2)
    watch.until(lambda: len(apps(watch)) == 1)


BROKEN = {
    "syntax": "VALUE = (\n",
    "name": "VALUE = no_such_name\n",
    "module": "import no_such_module\nVALUE = 1\n",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_save_is_mended_by_the_next(
    warm: Callable[..., Watching], port: int, fault: str
) -> None:
    """P4: what is mended is started warm again, from the same zygote."""
    watch = warm()
    begun = len(watch.of("app-started"))
    watch.save("shop.py", BROKEN[fault])
    if fault == "syntax":
        watch.wait("diagnostic", path="shop.py")
        assert served(port) != "mended"
        assert watch.of("app-started")[begun:] == []
    else:
        watch.cycle(outcome="failed")
    watch.save("shop.py", "VALUE = 'mended'\n")
    watch.cycle(outcome="passed")
    assert served(port) == "mended"
    assert {event["start"] for event in watch.of("app-started")[begun:]} == {"warm"}


@pytest.mark.slow
def test_saves_while_it_starts_are_not_lost(warm: Callable[..., Watching], port: int) -> None:
    """P5: two saves 0.2 s apart, into a start of 2 s: the last bytes run, and later saves work."""
    watch = warm("import time\ntime.sleep(2)", f"ready = {{ http = 'http://127.0.0.1:{port}/' }}\n")
    begun = len(watch.of("app-started"))
    watch.save("shop.py", "VALUE = 1001\n")
    watch.wait("app-started")
    watch.save("shop.py", "VALUE = 1002\n")
    time.sleep(0.2)  # the trap's own distance between two saves
    watch.save("shop.py", "VALUE = 1003\n")
    watch.until(lambda: served(port) == "1003")
    save(watch, 1004)
    watch.until(lambda: served(port) == "1004")
    assert {event["start"] for event in watch.of("app-started")[begun:]} == {"warm"}


def test_a_crash_loop_backs_off_until_the_next_save(
    warm: Callable[..., Watching], port: int
) -> None:
    """P18: each crash is tried again later than the last, warm; a save is tried at once."""
    watch = warm("import sys\nif shop.VALUE == -1: sys.exit('no')")
    begun = len(watch.of("app-started"))
    watch.save("shop.py", "VALUE = -1\n")
    tries = [watch.wait("app-failed") for _ in range(3)]
    waits = [event["retry_in"] for event in tries]
    assert waits == sorted(set(waits))
    save(watch, 1001)
    assert served(port) == "1001"
    assert {event["start"] for event in watch.of("app-started")[begun:]} == {"warm"}


def test_a_silent_death_is_reported(warm: Callable[..., Watching], port: int) -> None:
    """P17: SIGKILL to a warm child is said, and the app is started again."""
    watch = warm()
    pid = watch.of("app-started")[-1]["pid"]
    watch.seen = len(watch.events)
    os.kill(pid, signal.SIGKILL)
    exited = watch.wait("app-exited", pid=pid)
    assert (exited["signal"], exited["expected"]) == ("SIGKILL", False)
    watch.wait("app-ready")
    assert served(port)


def test_saves_of_one_length_within_a_second(warm: Callable[..., Watching], port: int) -> None:
    """P23: cached bytecode, which trusts size and whole seconds, misleads no warm start."""
    watch = warm()
    for value in (1001, 1002, 1003, 1004):
        watch.seen = len(watch.events)
        (watch.root / "shop.py").write_text(f"VALUE = {value}\n")
        os.utime(watch.root / "shop.py", (1_700_000_000, 1_700_000_000))
        watch.wait("app-ready")
        watch.until(partial(lambda value: served(port) == str(value), value))
    assert watch.of("app-started")[-1]["start"] == "warm"


def test_a_formatter_after_the_save_is_one_restart(
    warm: Callable[..., Watching], port: int
) -> None:
    """P12: a warm start is no quicker than the second half of a save."""
    watch = warm(table="[watch]\ndebounce = '2s'\n")
    begun = len(watch.of("app-started"))
    watch.save("shop.py", "VALUE = 10010\n")
    time.sleep(0.05)  # the formatter's own time
    watch.save("shop.py", "VALUE = 1001\n")
    watch.cycle(outcome="passed")
    assert served(port) == "1001"
    assert [event["start"] for event in watch.of("app-started")[begun:]] == ["warm"]


def test_an_app_that_writes_into_the_tree_does_not_loop(
    warm: Callable[..., Watching], port: int
) -> None:
    """P13: a log, a cache and a module that it imports, at every start: one restart for a save."""
    watch = warm(
        "with open('app.log', 'a') as log: print('started', os.getpid(), file=log)\n"
        "with open('cache.json', 'w') as cache: print(os.getpid(), file=cache)\n"
        "with open('made.py', 'r+') as made: print('VERSION = 1', file=made)\n"
        "import made\n",
        made="VERSION = 1\n",
    )
    begun = len(watch.of("app-started"))
    for value in (1001, 1002, 1003, 1004):
        save(watch, value)
        assert served(port) == str(value)
    assert [event["start"] for event in watch.of("app-started")[begun:]] == ["warm"] * 4


RELOADED = """
import shop

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(shop.VALUE).encode()})
"""


def test_a_reloader_of_its_own_stays_off(warm: Callable[..., Watching], port: int) -> None:
    """P24: `uvicorn --reload` is one process, warm as well, which devloop alone restarts."""
    arguments = ("-m", "uvicorn", "app:app", "--reload", "--port", str(port))
    watch = warm(app=RELOADED, arguments=arguments)
    begun = len(watch.of("app-started"))
    for value in (1001, 1002):
        save(watch, value)
        assert served(port) == str(value)
        starts = watch.of("app-started")
        watch.until(partial(watch.of, "app-exited", pid=starts[-2]["pid"]))
        found = watch.started()
        assert [pid for pid, words in found.items() if " -m uvicorn " in words] == [
            starts[-1]["pid"]
        ]
        assert not [words for words in found.values() if "multiprocessing" in words]
    assert [event["start"] for event in watch.of("app-started")[begun:]] == ["warm"] * 2


def test_a_cancelled_warm_run_tears_down(tmp_path: Path, watching: Watch) -> None:
    """P20: a save interrupts a warm run; what its fixture has made is gone before the next one.

    That could not make it otherwise, and would fail.
    """
    resource, gate, root = tmp_path / "resource", tmp_path / "gate", tmp_path / "p"
    root.mkdir()
    (root / "shop.py").write_text("VALUE = 0\n")
    (root / "conftest.py").write_text(
        "import os, pytest\n"
        "@pytest.fixture(scope='session', autouse=True)\n"
        "def resource():\n"
        f"    os.mkdir({str(resource)!r})\n"
        "    yield\n"
        f"    os.rmdir({str(resource)!r})\n"
    )
    (root / "test_it.py").write_text(
        "import os, shop, time\n"
        "def test_it():\n"
        f"    while not os.path.exists({str(gate)!r}):\n"
        "        time.sleep(0.01)\n"
        "    assert shop.VALUE >= 0\n"
    )
    gate.touch()
    watch = watching(root)
    watch.cycle(outcome="passed")
    value, deadline = 0, time.monotonic() + 60
    while watch.of("run-started")[-1]["start"] != "warm":
        assert time.monotonic() < deadline, watch
        value += 1
        watch.save("shop.py", f"VALUE = {value}\n")
        watch.cycle(outcome="passed")
    gate.unlink()
    watch.save("shop.py", "VALUE = 1001\n")
    watch.wait("test-started")
    watch.until(resource.is_dir)
    assert watch.of("run-started")[-1]["start"] == "warm"
    watch.save("shop.py", "VALUE = 1002\n")
    watch.wait("run-finished", outcome="cancelled")
    watch.wait("test-started")
    gate.touch()
    watch.cycle(outcome="passed")
    assert not resource.exists()
