"""What the terminal reporter costs, and how soon it says something."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import msgspec

from devloop import events as ev
from devloop.report.terminal import TerminalReporter
from tests.benchmarks.figures import Figure
from tests.benchmarks.session import COMMAND, environment, watching

TESTS = 2_000
"""In 40 files; each does nothing, so that the reporter's share is as large as it can be."""

LINES = 50_000
"""That the flooding app prints in a second."""

DEBOUNCE = 4.0
"""Milliseconds that devloop waits after one save of a whole file."""

QUIET = """
import pathlib, time
pathlib.Path("started").write_text(str(time.time_ns()))
EDIT = 0
print("app is up", flush=True)
while True:
    time.sleep(60)
"""
FLOOD = f"""
import pathlib, sys, time
pathlib.Path("started").write_text(str(time.time_ns()))
EDIT = 0
line = "INFO:     127.0.0.1:51000 - \\x1b[32mGET /items/12345\\x1b[0m 200 OK\\n"
print("app is up", flush=True)
due = time.monotonic()
while True:
    sys.stdout.write(line * {LINES // 100})
    sys.stdout.flush()
    due = max(due + 0.01, time.monotonic() - 1)
    time.sleep(max(0.0, due - time.monotonic()))
"""


def measure(work: Path, rounds: int) -> Iterator[Figure]:
    """Measure share, delay and first line.

    Args:
        work: an empty folder.
        rounds: of each.
    """
    yield _share(work / "tests", max(rounds // 4, 3))
    yield from _delay(work, rounds)
    yield _first_line(work / "first", rounds)


def _share(root: Path, rounds: int) -> Figure:
    """What the reporter takes for the events of a run, of the time of the run."""
    root.mkdir()
    each = TESTS // 40
    text = "".join(f"def test_{number}():\n    pass\n" for number in range(each))
    for number in range(40):
        (root / f"test_{number:02}.py").write_text(text)
    with watching(root, "--once") as session:
        found = session.until_cycle()
    took = next(e["seconds"] for e in found if e["event"] == "run-finished")
    kinds = {kind.event: kind for kind in vars(ev).values() if hasattr(kind, "event")}
    events = []
    for one in found:
        kind = kinds[one["event"]]
        fields = {field.name for field in msgspec.structs.fields(kind)}
        plain = {key: value for key, value in one.items() if key in fields}
        events.append(msgspec.convert(plain, kind))
    ran = sum(isinstance(event, ev.TestFinished) for event in events)
    samples = []
    for _ in range(rounds):
        with _drained() as stream:
            reporter = TerminalReporter(stream, environ={"TERM": "xterm-256color"})
            began = time.process_time()
            for event in events:
                reporter.handle(event)
            samples.append((time.process_time() - began) / took * 100)
    note = f"{ran:,} tests in {took:.2f} s"
    return Figure("the terminal reporter's share of a run", "%", samples, 3.0, note=note)


def _delay(work: Path, rounds: int) -> Iterator[Figure]:
    """From a save to the new process, of an app that prints nothing and of one that floods."""
    with _App(work / "quiet", QUIET) as quiet, _App(work / "flood", FLOOD) as flood:
        times: dict[str, list[float]] = {"quiet": [], "flood": []}
        for number in range(rounds + 2):
            for name, app in (("quiet", quiet), ("flood", flood)):
                took = app.restart(number)
                if number >= 2:  # by then it starts warm
                    times[name].append(took)
                time.sleep(0.5)
        printed = flood.lines
    base = statistics.median(times["quiet"])
    yield Figure("save → new process, a quiet app", "ms", times["quiet"])
    delays = [took - base for took in times["flood"]]
    note = f"{printed:,} lines shown meanwhile; the longest counts too"
    what = f"  later where the app prints {LINES:,} lines a second"
    yield Figure(what, "ms", delays, 50.0, note=note)


def _first_line(root: Path, rounds: int) -> Figure:
    root.mkdir()
    (root / "lib.py").write_text("EDIT = 0\n")
    (root / "test_lib.py").write_text("import lib\n\n\ndef test_it():\n    assert lib\n")
    samples = []
    with _Screen(root, "watch") as screen:
        screen.until(b"watching", 0)
        for number in range(rounds):
            seen = screen.size
            began = time.monotonic()
            (root / "lib.py").write_text(f"EDIT = {number + 1}\n")
            samples.append((screen.until(b"lib.py", seen) - began) * 1000 - DEBOUNCE)
            screen.until(b"PASS", seen)
            time.sleep(0.3)
    note = f"beside the debounce of {DEBOUNCE:g} ms"
    return Figure("save → first line on the screen", "ms", samples, 50.0, note=note)


class _Screen:
    """`devloop` at a pseudo-terminal that somebody reads, with the time of each piece."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=root,
            env=environment(TERM="xterm-256color"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._pieces: list[tuple[float, int, bytes]] = []
        self._news = threading.Condition()
        self.size = 0
        self.lines = 0
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, text: bytes, after: int, within: float = 60.0) -> float:
        """Wait for a text; the time, by the monotonic clock, at which it was there."""
        end = time.monotonic() + within
        with self._news:
            while True:
                seen = b""
                for moment, at, piece in reversed(self._pieces):
                    if at < after:
                        break
                    seen = piece + seen
                    if text in seen:
                        return moment
                if not self._news.wait(max(0.0, end - time.monotonic())):
                    raise TimeoutError(f"{text!r} was not seen")

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._master, 1 << 16):
                with self._news:
                    self._pieces.append((time.monotonic(), self.size, data))
                    del self._pieces[:-500]
                    self.size += len(data)
                    self.lines += data.count(b"\n")
                    self._news.notify_all()

    def __enter__(self) -> _Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._master)


class _App(_Screen):
    """An app under `watch`, which writes when it was started."""

    def __init__(self, root: Path, code: str) -> None:
        root.mkdir()
        self._path, self._code, self._started = root / "app.py", code, root / "started"
        self._path.write_text(code)
        (root / "devloop.toml").write_text(
            f"[apps.web]\ncommand = {[sys.executable, 'app.py']!r}\n"
            "ready = { log = 'up' }\n[watch]\nignore = ['started']\n"
        )
        super().__init__(root, "watch", "--no-tests")
        self.until(b"ready", 0)

    def restart(self, number: int) -> float:
        """Edit it; milliseconds until the new process ran."""
        before = self._started.read_text()
        began = time.time_ns()
        self._path.write_text(re.sub(r"EDIT = 0", f"EDIT = {number + 1}", self._code))
        end = time.monotonic() + 60
        while (now := self._started.read_text()) == before or not now:
            if time.monotonic() > end:
                raise TimeoutError("it was not restarted")
            time.sleep(0.002)
        return (int(now) - began) / 1e6

    def __enter__(self) -> _App:
        return self


@contextlib.contextmanager
def _drained() -> Iterator[TextIO]:
    """A pseudo-terminal to write to, which somebody reads."""
    master, slave = pty.openpty()

    def read() -> None:
        with contextlib.suppress(OSError):
            while os.read(master, 1 << 16):
                pass

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    with open(slave, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        yield stream
    thread.join(5)
    os.close(master)
