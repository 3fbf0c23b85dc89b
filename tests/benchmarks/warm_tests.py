"""One test file of a real project: a warm run beside pytest with the same arguments."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.peers import environment_of, install_python
from tests.benchmarks.real import REAL, Real, fetch
from tests.benchmarks.session import Session, named, watching

PREPARED = 60.0
"""Seconds within which a run is a warm one."""

TARGET = 1 / 4
"""Of pytest's own time."""


def measure(work: Path, rounds: int) -> Iterator[Figure]:
    """Measure them.

    Args:
        work: an empty folder.
        rounds: how many runs of each kind.

    Yields:
        For each project the time of a warm run, of pytest, and what part the one is of the other.
    """
    for real in REAL:
        try:
            venv = install_python(real.packages.split())
            root = fetch(real, work, str(venv / "bin/python"))
        except subprocess.SubprocessError as error:
            yield Figure(f"{real.name}, one test file", "x", [], TARGET, note=str(error))
            continue
        yield from _race(real, root, venv, rounds)


def _race(real: Real, root: Path, venv: Path, rounds: int) -> Iterator[Figure]:
    env = {**environment_of(venv), "PYTHONPATH": str(root / real.source)}
    (root / "devloop.toml").write_text(f'[tests]\npaths = ["{real.file}"]\n')
    pytest = [str(venv / "bin/python"), "-m", "pytest", "-q", real.file]
    warm: list[float] = []
    alone: list[float] = []
    with watching(root, env=env) as session:
        session.until_cycle()
        until = time.monotonic() + PREPARED
        while _run(session, root, real)[0] != "warm" and time.monotonic() < until:
            time.sleep(0.2)
        for _ in range(rounds):
            start, seconds = _run(session, root, real)
            if start == "warm":
                warm.append(seconds * 1000)
            for cached in (root / real.file).parent.glob(f"__pycache__/{Path(real.file).stem}.*"):
                cached.unlink()  # it has been edited for this run as well
            began = time.perf_counter()
            subprocess.run(pytest, cwd=root, env=env, check=True, capture_output=True)
            alone.append((time.perf_counter() - began) * 1000)
    what = f"{real.name}, {Path(real.file).name}"
    note = "" if len(warm) == rounds else f"{rounds - len(warm)} of {rounds} were not warm"
    yield Figure(f"{what}: warm run", "ms", warm, note=note)
    yield Figure(f"{what}: pytest", "ms", alone)
    share = [mine / theirs for mine, theirs in zip(warm, alone, strict=False)]
    yield Figure(f"{what}: warm run, part of pytest's time", "x", share, TARGET)


def _run(session: Session, root: Path, real: Real) -> tuple[str, float]:
    """Edit the file, and see how its run started and how long it took."""
    with (root / real.file).open("a") as file:
        file.write(f"EDITED_{time.time_ns()} = 1\n")
    events = session.until_cycle()
    return named(events, "run-started")["start"], named(events, "run-finished")["seconds"]
