"""What devloop costs while nothing happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.benchmarks import projects
from tests.benchmarks.figures import Figure
from tests.benchmarks.graphs import APP, LARGE
from tests.benchmarks.peers import install
from tests.benchmarks.session import Session, watching

SETTLED = 5.0
"""Seconds after which nothing is left to be done, all that it does beside work included."""


def measure(work: Path, seconds: float) -> Iterator[Figure]:
    """Measure a small project and one of ten thousand files.

    Args:
        work: an empty folder.
        seconds: for which the processor's time is counted.
    """
    shop, large = work / "shop", work / "idle-large"
    projects.shop(shop)
    # Their environment, which is watched too, is one that nobody else reads or writes just now.
    env = install().env
    with watching(shop, "--", *APP, env=env) as session:
        yield from _cost("a small project", session, shop / "shop" / "prices.py", seconds, 60.0)
    projects.modules(large, LARGE)
    path = large / "src" / "part001" / "mod02.py"
    with watching(large, "--no-tests", "--", *APP, env=env) as session:
        session.until(lambda e: e["event"] == "progress" and e["done"] == e["total"])
        what = f"{LARGE:,} files, just read"
        yield from _cost(what, session, path, seconds, 110.0)
    with watching(large, "--no-tests", "--", *APP, env=env) as session:
        yield from _cost(f"{LARGE:,} files, stored", session, path, seconds, 110.0)


def _cost(
    what: str, session: Session, path: Path, seconds: float, target: float
) -> Iterator[Figure]:
    time.sleep(SETTLED)
    # After an edit the worker that parses is there, as it is in daily use.
    path.write_text(path.read_text(encoding="utf-8") + "\nEDIT = 1\n", encoding="utf-8")
    session.until(lambda e: e["event"] == "cycle-started" and e["trigger"] == "change")
    session.until_cycle()
    time.sleep(SETTLED)
    own = psutil.Process(session.process.pid)
    others = [child for child in own.children(recursive=True) if "sleep" not in child.name()]
    before = sum(map(_used, (own, *others)))
    began = time.monotonic()
    time.sleep(seconds)
    share = (sum(map(_used, (own, *others))) - before) / (time.monotonic() - began) * 100
    beside = [f"{_kind(child)} {_memory(child):.0f}" for child in others]
    note = ", ".join([f"resident {own.memory_info().rss / 1e6:.0f}", *beside])
    yield Figure(f"idle, {what}", "%", [share], 0.5)
    yield Figure(f"  memory of devloop itself, {what}", "MB", [_memory(own)], target, note=note)


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory(process: psutil.Process) -> float:
    """Megabytes: its own, and its share of what it shares with others (PSS)."""
    full = process.memory_full_info()
    return float(getattr(full, "pss", full.uss)) / 1e6


def _kind(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    if "guardian" in command:
        return "guardian"
    return "parse worker" if "inside.parse" in command else process.name()
