"""Apps under `devloop watch` (TRAPS, P2, P4, P5, P6, P12, P13, P17, P18, P23, P24)."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psutil
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Watching

Watch = Callable[..., "Watching"]

SERVER = """
import http.server, os, sys, time
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

http.server.HTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])), Handler).serve_forever()
"""
"""An app that answers with `shop.VALUE`."""


def project(
    root: Path, files: dict[str, str], command: str = "{python} app.py", more: str = ""
) -> Path:
    """Make a project with an app."""
    config = f"[apps.web]\ncommand = '''{command.format(python=sys.executable)}'''\n{more}"
    for path, text in {"devloop.toml": config, **files}.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return root


def served(port: int) -> str:
    """What the app answers."""
    with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        return str(answer.read().decode())


def serves(port: int, value: int) -> bool:
    """Whether the app answers with that."""
    return served(port) == str(value)


def lines(path: Path) -> list[str]:
    """The lines of a file that is being written."""
    return path.read_text().splitlines() if path.exists() else []


def test_lifetimes_never_overlap(tmp_path: Path, watching: Watch) -> None:
    """P2: an app that takes its time to stop has ended before its successor begins."""
    log = tmp_path / "lives"
    app = f"""
        import os, signal, sys, time
        log = os.open({str(log)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        def stop(*_):
            time.sleep(0.7)
            os.write(log, b"end %d\\n" % os.getpid())
            sys.exit()
        signal.signal(signal.SIGTERM, stop)
        os.write(log, b"begin %d\\n" % os.getpid())
        print("up", flush=True)
        N = 0
        while True:
            time.sleep(0.1)  # a signal just before a sleep is handled after it
    """
    app = "\n".join(line[8:] for line in app.splitlines())
    root = project(tmp_path / "p", {"app.py": app}, more="ready = { log = 'up' }")
    watch = watching(root)
    watch.cycle()
    for n in (1, 2, 3):
        watch.save("app.py", app.replace("N = 0", f"N = {n}"))
        if n == 1:  # the others come while the app stops for the first
            watch.wait("app-stopping")
    watch.cycle(outcome="passed")
    watch.save("app.py", app.replace("N = 0", "N = 4"))
    watch.cycle(outcome="passed")
    watch.end()
    words = [line.split() for line in lines(log)]
    assert [word for word, _ in words] == ["begin", "end"] * (len(words) // 2)
    assert all(begin[1] == end[1] for begin, end in zip(words[::2], words[1::2], strict=True))
    assert len(words) == 6


BROKEN = {
    "syntax": "VALUE = (\n",
    "name": "VALUE = no_such_name\n",
    "module": "import no_such_module\nVALUE = 1\n",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_start_is_mended_by_a_save(
    tmp_path: Path, watching: Watch, port: int, fault: str
) -> None:
    """P4: a session that begins on broken code goes on, and serves as soon as it is mended."""
    root = project(tmp_path / "p", {"app.py": SERVER, "shop.py": BROKEN[fault]})
    watch = watching(root, APP_PORT=str(port))
    (failed,) = [e for e in watch.cycle(outcome="failed") if e["event"] == "app-failed"]
    assert "Error" in failed["output"]
    watch.save("shop.py", "VALUE = 'mended'\n")
    watch.cycle(outcome="passed")
    assert served(port) == "mended"


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_save_is_mended_by_the_next(
    tmp_path: Path, watching: Watch, port: int, fault: str
) -> None:
    """P4: what breaks later fails its cycle, a syntax error does not even stop the app."""
    root = project(tmp_path / "p", {"app.py": SERVER, "shop.py": "VALUE = 'one'\n"})
    watch = watching(root, APP_PORT=str(port))
    watch.cycle(outcome="passed")
    watch.save("shop.py", BROKEN[fault])
    if fault == "syntax":
        events = watch.cycle()
        (problem,) = [event for event in events if event["event"] == "diagnostic"]
        assert (problem["path"], problem["line"]) == ("shop.py", 1)
        assert served(port) == "one"
        assert watch.of("app-exited") == []
    else:
        watch.cycle(outcome="failed")
    watch.save("shop.py", "VALUE = 'two'\n")
    watch.cycle(outcome="passed")
    assert served(port) == "two"


@pytest.mark.slow
def test_saves_while_it_starts_or_stops_are_not_lost(
    tmp_path: Path, watching: Watch, port: int
) -> None:
    """P5: two saves 0.2 s apart, into 2 s of imports: the last bytes run, and later saves work."""
    # What it serves is read before it takes its time: an old start serves old bytes.
    app = SERVER.replace("import shop\n", "import shop\nimport slow\n")
    files = {"app.py": app, "slow.py": "import time\ntime.sleep(2)\n"}
    ready = f"ready = {{ port = {port} }}"
    root = project(tmp_path / "p", {**files, "shop.py": "VALUE = 0\n"}, more=ready)
    watch = watching(root, APP_PORT=str(port))
    watch.cycle()
    watch.save("shop.py", "VALUE = 1\n")
    watch.wait("app-started")
    watch.save("shop.py", "VALUE = 2\n")
    time.sleep(0.2)  # the trap's own distance between two saves
    watch.save("shop.py", "VALUE = 3\n")
    watch.cycle(outcome="passed")
    assert served(port) == "3"
    watch.save("shop.py", "VALUE = 4\n")
    watch.cycle(outcome="passed")
    assert served(port) == "4"


EVERYTHING = {
    "app.py": SERVER,
    "shop.py": "VALUE = 1\n",
    "child.py": (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)\n"
    ),
    "test_slow.py": (
        "import subprocess, sys, time\n"
        "def test_slow():\n"
        "    subprocess.Popen([sys.executable, 'child.py'])\n"
        "    time.sleep(600)\n"
    ),
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_outlives_devloop(
    tmp_path: Path, watching: Watch, port: int, number: signal.Signals
) -> None:
    """P6: only devloop's own process is signalled: app, test run and their children are gone.

    The app runs behind a shell, the test has started a program that ignores SIGTERM; and the next
    start meets nothing stale.
    """
    command = "sh -c '{python} app.py & {python} app2.py; wait'".replace("'", '"')
    files = {**EVERYTHING, "app2.py": "import time\ntime.sleep(600)\n"}
    root = project(tmp_path / "p", files, command)
    watch = watching(root, APP_PORT=str(port))
    watch.wait("app-ready")
    watch.wait("test-started")
    watch.until(lambda: any("child.py" in words for words in watch.started().values()))
    # One of the two programs behind the shell may be started after the other one listens.
    watch.until(lambda: len(watch.started()) >= 6)
    code = watch.end(number)
    assert code == (128 + number if number != signal.SIGKILL else -number)
    watch.until_nothing_is_left()

    (root / "test_slow.py").write_text("def test_quick():\n    pass\n")
    again = watching(root, APP_PORT=str(port))
    again.cycle(outcome="passed")
    assert served(port) == "1"
    assert again.of("notice", severity="warning") == []


def test_a_formatter_after_the_save_is_one_restart(
    tmp_path: Path, watching: Watch, port: int
) -> None:
    """P12: an editor writes, its formatter writes again soon: the app restarts once for it."""
    root = project(tmp_path / "p", {"app.py": SERVER, "shop.py": "VALUE = 0\n"})
    watch = watching(root, "--debounce", "400ms", APP_PORT=str(port))
    watch.cycle()
    for n in (1, 2, 3):
        watch.save("shop.py", f"VALUE = {n}0\n")
        time.sleep(0.05)  # the formatter's own time
        watch.save("shop.py", f"VALUE = {n}\n")
        watch.cycle(outcome="passed")
        assert served(port) == str(n)
    assert len(watch.of("app-started")) == 4
    assert len(watch.of("cycle-started")) == 4


def test_reformatting_alone_restarts_nothing(tmp_path: Path, watching: Watch, port: int) -> None:
    """P12: a formatter that comes a moment late changes no meaning, and so restarts nothing."""
    root = project(tmp_path / "p", {"app.py": SERVER, "shop.py": "VALUE = 0\n"})
    watch = watching(root, APP_PORT=str(port))
    watch.cycle()
    watch.save("shop.py", "VALUE=1\n")
    watch.cycle(outcome="passed")
    watch.save("shop.py", "VALUE = 1\n")
    watch.cycle(outcome="passed")
    assert len(watch.of("app-started")) == 2
    watch.save("app.py", SERVER + "\nEND = True\n")
    watch.wait("app-ready")
    assert len(watch.of("app-started")) == 3
    assert served(port) == "1"


@pytest.mark.parametrize("git", [True, False])
def test_an_app_that_writes_into_the_tree_does_not_loop(
    tmp_path: Path, watching: Watch, port: int, git: bool
) -> None:
    """P13: a log, a cache and a module that it imports, at every start: one restart for a save."""
    writer = """
import json, os
with open("app.log", "a") as log:
    log.write("started %d\\n" % os.getpid())
with open("cache.json", "w") as cache:
    json.dump({"pid": os.getpid()}, cache)
with open("version_made.py", "w") as made:
    made.write("VERSION = 1\\n")
import version_made
"""
    root = project(tmp_path / "p", {"app.py": writer + SERVER, "shop.py": "VALUE = 0\n"})
    if git:
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    watch = watching(root, APP_PORT=str(port))
    watch.cycle()
    for n in (1, 2, 3):
        watch.save("shop.py", f"VALUE = {n}\n")
        watch.wait("app-ready")
        # The first of these may still be for the module that it has made.
        watch.until(partial(serves, port, n))
    # The module that it made at its first start was news to the graph, once.
    assert len(watch.of("app-started")) <= 5


def test_a_silent_death_is_reported(tmp_path: Path, watching: Watch, port: int) -> None:
    """P17: SIGKILL from elsewhere is said, and the app is started again."""
    root = project(tmp_path / "p", {"app.py": SERVER, "shop.py": "VALUE = 0\n"})
    watch = watching(root, APP_PORT=str(port))
    watch.cycle()
    pid = watch.of("app-started")[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    exited = watch.wait("app-exited", pid=pid)
    assert (exited["signal"], exited["expected"]) == ("SIGKILL", False)
    watch.wait("app-failed", name="web")
    watch.wait("app-ready", name="web")
    assert served(port) == "0"


def test_a_crash_loop_backs_off_until_the_next_save(
    tmp_path: Path, watching: Watch, port: int
) -> None:
    """P18: each crash is tried again later than the last, idling; a save is tried at once."""
    app = "import shop, sys\nif shop.VALUE == 0: sys.exit('no')\n" + SERVER
    root = project(tmp_path / "p", {"app.py": app, "shop.py": "VALUE = 0\n"})
    watch = watching(root, APP_PORT=str(port))
    watch.cycle(outcome="failed")
    tries = [watch.of("app-failed")[0], watch.wait("app-failed"), watch.wait("app-failed")]
    waits = [event["retry_in"] for event in tries]
    assert waits == sorted(set(waits))
    gaps = [b["t"] - a["t"] for a, b in itertools.pairwise(tries)]
    assert all(gap >= wait for gap, wait in zip(gaps, waits, strict=False))
    watch.save("shop.py", "VALUE = 1\n")
    watch.wait("app-ready")
    assert served(port) == "1"


@pytest.mark.slow
def test_the_last_bytes_run_whatever_is_cached(tmp_path: Path, watching: Watch, port: int) -> None:
    """P23: saves of one length within a second: app, test, helper and a subprocess run the last.

    Python trusts the whole second and the size of a source that it has cached bytecode of.
    """
    test = (
        "import subprocess, sys\n"
        "import helper, shop\n"
        "WANTED = 0\n"
        "def test_all_are_of_one_save():\n"
        "    words = [sys.executable, '-c', 'import helper; print(helper.VALUE)']\n"
        "    done = subprocess.run(words, capture_output=True, text=True, check=True)\n"
        "    assert (shop.VALUE, helper.VALUE, int(done.stdout)) == (WANTED,) * 3\n"
    )
    files = {
        "app.py": SERVER,
        "shop.py": "VALUE = 0\n",
        "helper.py": "VALUE = 0\n",
        "test_it.py": test,
    }
    root = project(tmp_path / "p", files)
    watch = watching(root, APP_PORT=str(port))
    watch.cycle(outcome="passed")
    assert list(root.rglob("shop.*.pyc")), "bytecode is cached, or this would prove nothing"
    for n in range(1, 5):
        watch.seen = len(watch.events)
        for path in ("shop.py", "helper.py", "test_it.py"):
            text = files[path].replace("VALUE = 0", f"VALUE = {n}").replace("= 0\n", f"= {n}\n")
            (root / path).write_text(text)
            # One and the same time for all saves: what a whole second hides is hidden here too.
            os.utime(root / path, (1_700_000_000, 1_700_000_000))
        # Files that were saved between two change sets may fail a run before the last one passes.
        while not [e for e in watch.cycle(outcome="passed") if e["event"] == "run-finished"]:
            pass
        assert served(port) == str(n)


def test_a_command_with_its_own_reloader_has_one(
    tmp_path: Path, watching: Watch, port: int
) -> None:
    """P24: `uvicorn --reload` is one process that devloop restarts once a save, which is said."""
    pytest.importorskip("uvicorn")
    app = (
        "import shop\n"
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'http':\n"
        "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "        await send({'type': 'http.response.body', 'body': str(shop.VALUE).encode()})\n"
    )
    root = project(
        tmp_path / "p",
        {"main.py": app, "shop.py": "VALUE = 0\n"},
        f"{{python}} -m uvicorn main:app --reload --port {port}",
    )
    watch = watching(root)
    watch.cycle(outcome="passed")
    (notice,) = [e for e in watch.of("notice") if "reload" in e["message"]]
    assert "--reload" in notice["message"]
    assert served(port) == "0"
    for n in (1, 2):
        watch.save("shop.py", f"VALUE = {n}\n")
        watch.cycle(outcome="passed")
        assert served(port) == str(n)
        watch.until(partial(watch.of, "app-exited", pid=watch.of("app-started")[-2]["pid"]))
        uvicorns = [pid for pid, words in watch.started().items() if "uvicorn" in words]
        assert uvicorns == [watch.of("app-started")[-1]["pid"]]
        assert psutil.Process(uvicorns[0]).children() == []
    assert len(watch.of("app-started")) == 3
    assert len([e for e in watch.of("notice") if "reload" in e["message"]]) == 1
