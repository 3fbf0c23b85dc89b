"""The graph: read cold, taken from the store, one edit, a switch of branches; and `affected`."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import projects
from tests.benchmarks.figures import Figure
from tests.benchmarks.session import CHECKOUT, COMMAND, Event, Session, environment, named, watching

SMALL, LARGE = 1_000, 10_000
SWITCHED = 2_000
APP = ("sleep", "1000000")
"""An app that costs nothing."""


def small(work: Path, rounds: int) -> Iterator[Figure]:
    """Measure on a thousand files.

    Args:
        work: an empty folder.
        rounds: how often what is quick is repeated.
    """
    root = work / "small"
    paths = projects.modules(root, SMALL)
    cold = [_cold(root) for _ in range(max(3, rounds // 4))]
    yield Figure(f"cold graph, {SMALL:,} files", "s", cold, 2.0, note="devloop affected, no store")
    _shell(root, "test", "--reporter", "plain")
    _shell(root, "affected")
    bare = [sys.executable, "-I", "-c", "pass"]
    yield Figure("python -c pass", "ms", [_time(bare, root) * 1000 for _ in range(rounds)])
    stored = [_shell(root, "affected") * 1000 for _ in range(rounds)]
    yield Figure(f"devloop affected, {SMALL:,} stored files", "ms", stored, 250.0)
    target = root / paths[30]
    target.write_text(target.read_text(encoding="utf-8") + "\nEDIT = 1\n", encoding="utf-8")
    since = [_shell(root, "affected", "--since", "HEAD") * 1000 for _ in range(rounds)]
    yield Figure("  --since HEAD, one file edited", "ms", since, 250.0)
    name = f"one edit of 500 lines, {SMALL:,} files"
    yield Figure(name, "ms", _edits(root, paths[30], rounds), 10.0)


def large(work: Path, rounds: int) -> Iterator[Figure]:
    """Measure on ten thousand files.

    Args:
        work: an empty folder.
        rounds: how often what is quick is repeated.
    """
    root = work / "large"
    paths = projects.modules(root, LARGE)
    runs = [_cold_watch(root) for _ in range(max(1, rounds // 8))]
    name = f"cold graph, {LARGE:,} files"
    yield Figure(name, "s", [whole for whole, _ in runs], 15.0, note="devloop watch, no store")
    yield Figure("  its app has been started by then, after", "s", [up for _, up in runs])
    _shell(root, "affected")
    stored = [_shell(root, "affected") for _ in range(max(3, rounds // 2))]
    name = f"start with {LARGE:,} stored files"
    yield Figure(name, "s", stored, 1.0, note="devloop affected, all of it")
    laid = [_until_laid(root) for _ in range(max(3, rounds // 4))]
    yield Figure("  until all is watched", "s", laid, note="devloop watch")
    name = f"one edit of 500 lines, {LARGE:,} files"
    yield Figure(name, "ms", _edits(root, paths[30], rounds), 10.0)
    switches, cycles = _switches(root, paths, max(2, rounds // 5))
    name = f"switch of {SWITCHED:,} files: seen → graph updated"
    yield Figure(name, "s", switches, 4.0)
    yield Figure("  cycles", "", cycles, 1.0)


def _cold(root: Path) -> float:
    shutil.rmtree(root / ".devloop", ignore_errors=True)
    return _shell(root, "affected")


def _cold_watch(root: Path) -> tuple[float, float]:
    """Seconds until the whole project is read, and until the app was started."""
    shutil.rmtree(root / ".devloop", ignore_errors=True)
    began = time.time()
    with watching(root, "--no-tests", "--", *APP) as session:
        events = session.until(lambda e: e["event"] == "progress" and e["done"] == e["total"])
        return events[-1]["t"] - began, named(events, "app-started")["t"] - began


def _until_laid(root: Path) -> float:
    """Seconds until every folder has a watch (Linux)."""
    wanted = sum(1 for _ in (root / "src").iterdir()) + 3
    began = time.time()
    with watching(root, "--no-tests", "--", *APP) as session:
        while _watches(session.process.pid) < wanted:
            time.sleep(0.005)
        took = time.time() - began
        session.until_cycle()
        return took


def _watches(pid: int) -> int:
    """How many folders a process watches (proc(5), fdinfo)."""
    found = 0
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            found = max(found, file.read_text(encoding="ascii").count("inotify wd:"))
        except OSError:
            continue
    return found


def _edits(root: Path, path: str, rounds: int) -> list[float]:
    text = projects.source(random.Random(7), ["part000.mod01", "part000.mod02"], 500)
    (root / path).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "tests.benchmarks.probe", str(root), path, str(rounds)]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment(), capture_output=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def _switches(root: Path, paths: list[str], rounds: int) -> tuple[list[float], list[float]]:
    """Switch to and fro between two branches; seconds, and cycles, for each."""
    projects.git(root, "checkout", "-f", "main")
    projects.git(root, "checkout", "-b", "other")
    for path in random.Random(3).sample(paths, SWITCHED):
        with (root / path).open("a", encoding="utf-8") as file:
            file.write("\nBRANCH = 'other'\n")
    projects.commit(root, "other")
    took, cycles = [], []
    with watching(root, "--no-tests", "--", *APP) as session:
        session.until_cycle()
        _rest(session)
        for number in range(rounds):
            projects.git(root, "checkout", ("main", "other")[number % 2])
            events = session.until_cycle()
            events += _rest(session)
            started = [event for event in events if event["event"] == "cycle-started"]
            ended = named(events, "cycle-finished")
            took.append(started[-1]["t"] - (ended["t"] - ended["seconds"]))
            cycles.append(float(len(started)))
            assert len(started[0]["changes"]) == SWITCHED or len(started) > 1
    projects.git(root, "checkout", "main")
    return took, cycles


def _rest(session: Session, seconds: float = 3.0) -> list[Event]:
    time.sleep(seconds)
    return session.pending()


def _shell(root: Path, *words: str) -> float:
    return _time([*COMMAND, *words], root)


def _time(command: list[str], root: Path) -> float:
    began = time.perf_counter()
    subprocess.run(
        command,
        cwd=root,
        env=environment(),
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    return time.perf_counter() - began
