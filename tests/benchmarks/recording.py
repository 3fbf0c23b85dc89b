"""The whole suites of real projects with recording, beside pytest alone."""

from __future__ import annotations

import ast
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from devloop.execute.channel import Pace
from devloop.execute.warm_tests import RUNNER
from devloop.inside import memos, messages
from tests.benchmarks.figures import Figure
from tests.benchmarks.peers import environment_of, install_python, recent_python
from tests.benchmarks.real import REAL, fetch

TARGET = 1.10
"""Of pytest's own time."""

OPTIONS = ("-q", "-p", "no:cacheprovider")


def measure(work: Path, rounds: int) -> Iterator[Figure]:
    """Measure them.

    Args:
        work: an empty folder.
        rounds: how many runs of each kind.

    Yields:
        For each project the time of pytest alone, and what part of it a run under devloop takes,
        without and with recording.
    """
    for real in REAL:
        try:
            venv = install_python([*real.packages.split(), real.name], recent_python())
            root = fetch(real, work, str(venv / "bin/python"))
        except subprocess.SubprocessError as error:
            yield Figure(f"{real.name}, recorded", "x", [], TARGET, note=str(error))
            continue
        python = str(venv / "bin/python")
        kept = _memos(root)
        env = {**environment_of(venv), "PYTHONPATH": str(root / real.source)}
        alone: list[float] = []
        streamed: list[float] = []
        recorded: list[float] = []
        _alone(python, root, env)  # bytecode is written
        for _ in range(rounds):
            alone.append(_alone(python, root, env))
            streamed.append(_streamed(python, root, env, kept, record=False))
            recorded.append(_streamed(python, root, env, kept, record=True))
        yield Figure(f"{real.name}, whole suite: pytest alone", "s", alone)
        for name, seconds, target in (
            ("under devloop, not recorded", streamed, None),
            ("recorded", recorded, TARGET),
        ):
            share = [mine / its for mine, its in zip(seconds, alone, strict=True)]
            yield Figure(f"{real.name}, whole suite: {name}, part of pytest's", "x", share, target)


def _alone(python: str, root: Path, env: Mapping[str, str]) -> float:
    began = time.perf_counter()
    command = [python, "-m", "pytest", *OPTIONS]
    subprocess.run(command, cwd=root, env=env, capture_output=True, check=False)
    return time.perf_counter() - began


def _memos(root: Path) -> list[str]:
    """The functions that keep results, as a session tells them to the recorder.

    It knows all sources by then; in a first run the recorder looks through the sources itself.
    """
    found: list[str] = []
    for file in sorted(root.rglob("*.py")):
        try:
            keeping = memos.keeping(ast.parse(file.read_bytes()), None)
        except SyntaxError:
            continue
        found += (f"{file.relative_to(root).as_posix()}::{memo}" for memo in sorted(keeping))
    return found


def _streamed(
    python: str, root: Path, env: Mapping[str, str], kept: list[str], *, record: bool
) -> float:
    """A run as devloop starts it, and somebody who only reads what it sends, as devloop does."""
    ours, theirs = socket.socketpair()
    choice: dict[str, Any] = {"files": None, "listed": [], "whole": [], "teach": False}
    choice |= {"memos": kept, "record": record}
    with ours, theirs:
        ours.sendall(messages.pack({"m": "select", "root": str(root.resolve()), **choice}))

        def read() -> None:
            pace = Pace()
            while ours.recv(1 << 20):
                time.sleep(pace.after(time.monotonic()))

        reader = threading.Thread(target=read)
        began = time.perf_counter()
        process = subprocess.Popen(
            [python, str(RUNNER), *OPTIONS],
            cwd=root,
            env={**env, messages.CHANNEL: str(theirs.fileno())},
            pass_fds=(theirs.fileno(),),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        theirs.close()
        reader.start()
        process.communicate()
        seconds = time.perf_counter() - began
        reader.join()
    return seconds
