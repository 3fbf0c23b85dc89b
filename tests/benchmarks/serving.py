"""From a save to an app that serves the new code: devloop, its peers, and a bare start."""

from __future__ import annotations

import contextlib
import random
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import projects
from tests.benchmarks.asking import LIMIT, free_port, running, until_served
from tests.benchmarks.figures import Figure
from tests.benchmarks.peers import OVERLAPPING, Peers, install
from tests.benchmarks.session import Session, named, watching

REST = 0.7
"""Seconds between two saves: longer than any of the tools gathers changes."""

TICK = 0.1
"""Seconds between two looks of uvicorn at whether it was told to stop; so its stop takes longer or
shorter by that. Saves are spread evenly over it, for every tool alike: or chance would decide."""

SETTLE = 4.0
"""For how many milliseconds devloop waits after the save of a single file that is whole."""

STOPPING = "devloop, cold, stop-first"
OURS = {"devloop": "", STOPPING: 'handover = "stop-first"'}
"""Cold both, as the others are. The second one waits for the old process's end, as they do."""


def measure(work: Path, rounds: int) -> Iterator[Figure]:
    """Measure it, all tools side by side, one save at a time.

    Args:
        work: an empty folder.
        rounds: how many saves each gets.
    """
    peers = install()
    took: dict[str, list[float]] = {}
    served: dict[str, float] = {}
    stops: list[float] = []
    bare: list[float] = []
    inside: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        tools: dict[str, tuple[Path, int, Session | None]] = {}
        names = [*OURS, *peers.commands(0)]
        for name in names:
            root, port = work / name.replace(" ", "").replace(",", ""), free_port()
            projects.shop(root)
            env = peers.env
            session: Session | None = None
            if name in OURS:
                began = time.time()
                command = f"uvicorn shop.main:app --port {port} --log-level warning"
                config = f'[apps.web]\ncommand = "{command}"\nstart = "cold"\n{OURS[name]}\n'
                (root / "devloop.toml").write_text(config, encoding="utf-8")
                session = stack.enter_context(watching(root, "--no-tests", env=env))
                events = session.until_cycle()
                first = (named(events, "app-started")["t"] - began) * 1000
            else:
                stack.enter_context(running(peers.commands(port)[name], root, env))
            tools[name] = (root, port, session)
            served[name] = until_served(port, "0")
            took[name] = []
        chance = random.Random(1)
        shop = work / "bare"
        projects.shop(shop)
        for number in range(1, rounds + 1):
            chance.shuffle(names)
            # Neighbouring rounds are far apart in the tick.
            phase = (number * 0.382 % 1.0) * TICK
            for name in names:
                root, port, session = tools[name]
                rest(served[name], phase)
                saved = time.time()
                projects.edit_shop(root, str(number))
                served[name] = until_served(port, str(number))
                took[name].append((served[name] - saved) * 1000)
                if name == STOPPING:
                    assert session is not None
                    for key, value in _inside(session, saved, took[name][-1]).items():
                        inside.setdefault(key, []).append(value)
            start, stop = _bare(shop, free_port(), peers.env, phase)
            bare.append(start)
            stops.append(stop)
    yield Figure("devloop watch → its app is started", "ms", [first], note="first session")
    yield from _figures(peers, took, bare, stops, inside)


def _figures(
    peers: Peers,
    took: dict[str, list[float]],
    bare: list[float],
    stops: list[float],
    inside: dict[str, list[float]],
) -> list[Figure]:
    own = statistics.median(took["devloop"])
    start = statistics.median(bare)
    above = [
        served - stop - start for served, stop in zip(took[STOPPING], inside["stop"], strict=True)
    ]
    found = [
        Figure(
            "save → served: devloop, cold", "ms", took["devloop"], note="its socket handed over"
        ),
        Figure(f"save → served: {STOPPING}", "ms", took[STOPPING]),
        Figure("  a bare start of the app", "ms", bare),
        Figure("  its graceful stop, bare", "ms", stops),
        Figure("  its graceful stop under devloop", "ms", inside["stop"], note="told → gone"),
        Figure("  above its own stop and a bare start", "ms", above, 40.0),
    ]
    for name in ("uvicorn --reload", "watchfiles", "nodemon"):
        if name not in took:
            found.append(Figure(f"save → served: {name}", "ms", (), note=peers.why))
            continue
        median = statistics.median(took[name])
        found.append(Figure(f"save → served: {name}", "ms", took[name]))
        note = f"it gathers no changes, devloop for {SETTLE:.0f} ms" if name == "nodemon" else ""
        ahead = f"  {name}: devloop is ahead by"
        found.append(Figure(ahead, "x", [median / own], 1.0, least=True, note=note))
    if OVERLAPPING in took:
        note = "starts the new one before the old one has ended"
        found.append(Figure(f"save → served: {OVERLAPPING}", "ms", took[OVERLAPPING], note=note))
    found += [
        Figure(
            "change seen → told to stop",
            "ms",
            inside["told"],
            15.0,
            note="less what is left of the wait by then",
        ),
        Figure("  written → seen", "ms", inside["seen"], note="by the watcher"),
        Figure(
            "  written → told to stop, less the wait",
            "ms",
            inside["written"],
            15.0,
        ),
        Figure("  gone → new process started", "ms", inside["started"]),
        Figure("  served → said to be ready", "ms", inside["said"]),
    ]
    return found


def _inside(session: Session, saved: float, took: float) -> dict[str, float]:
    """What devloop's own events say of one restart, in milliseconds."""
    events = session.until_cycle()
    ready, stopping = named(events, "app-ready"), named(events, "app-stopping")
    gone, started = named(events, "app-exited"), named(events, "app-started")
    seen = ready["t"] - ready["seconds"]
    # Where events are handed on late, the wait counts from the event all the same.
    late = (seen - saved) * 1000
    told = (stopping["t"] - saved) * 1000
    return {
        "seen": late,
        "told": told - late - max(0.0, SETTLE - late),
        "written": told - SETTLE,
        "stop": (gone["t"] - stopping["t"]) * 1000,
        "started": (started["t"] - gone["t"]) * 1000,
        "said": (ready["t"] - saved) * 1000 - took,
    }


def rest(served: float, phase: float) -> None:
    """Rest, up to a phase of uvicorn's tick.

    Args:
        served: since when the app has served, in seconds since the epoch.
        phase: seconds, less than a tick.
    """
    until = time.time() - served + REST
    time.sleep(REST + (phase - until) % TICK)


def _bare(root: Path, port: int, env: dict[str, str], phase: float) -> tuple[float, float]:
    """Start the app by itself, and stop it; milliseconds for each."""
    began = time.time()
    process = subprocess.Popen(
        f"uvicorn shop.main:app --port {port} --log-level warning".split(),
        cwd=root,
        env=env,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    served = until_served(port, "0")
    rest(served, phase)
    told = time.time()
    process.terminate()
    process.wait(LIMIT)
    return (served - began) * 1000, (time.time() - told) * 1000
