"""Restarts under load, and many of them: what is lost, and what is left behind."""

from __future__ import annotations

import shlex
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
import psutil

from tests.benchmarks import apps
from tests.benchmarks.asking import LIMIT, free_port, until_served
from tests.benchmarks.figures import Figure
from tests.benchmarks.peers import FRAMEWORKS, environment_of, install_python, recent_python
from tests.benchmarks.projects import edit_shop
from tests.benchmarks.session import Session, watching
from tests.benchmarks.warm import UVICORN, until_warm

RATE = 200
"""Requests a second."""

PAUSE = 0.5
"""Seconds between two saves under load."""

LOADED = {
    "uvicorn": (apps.starlette, UVICORN),
    "flask run": (apps.flask, "flask --app shop.main run --port {port}"),
}


@dataclass
class Answers:
    """What has come of the requests.

    Args:
        waits: milliseconds of each that was answered with 200.
        refused: connections that were.
        reset: connections that ended without an answer.
        others: answers with another status.
    """

    waits: list[float] = field(default_factory=list)
    refused: int = 0
    reset: int = 0
    others: int = 0


def measure(work: Path, restarts: int, many: int) -> Iterator[Figure]:
    """Measure restarts under load, memory, and many restarts in a row.

    Args:
        work: an empty folder.
        restarts: how many under load.
        many: how many in a row.
    """
    env = environment_of(install_python(FRAMEWORKS, recent_python()))
    for name, (write, command) in LOADED.items():
        root, port = work / name.replace(" ", ""), free_port()
        write(root)
        words = shlex.split(command.format(port=port))
        with watching(root, "--no-tests", "--", *words, env=env) as session:
            session.until_cycle()
            until_served(port, "0")
            until_warm(session, root, port)
            answers = anyio.run(_under_load, root, port, restarts)
        what = f"{RATE} requests/s, {restarts} restarts, {name}:"
        sent = len(answers.waits) + answers.refused + answers.reset + answers.others
        lost = [float(answers.refused + answers.reset + answers.others)]
        note = f"of {sent}: {answers.refused} refused, {answers.reset} reset"
        yield Figure(f"{what} lost", "requests", lost, 0.0, note=note)
        yield Figure(f"{what} longest wait", "ms", [max(answers.waits)], 150.0)
    yield from _in_a_row(work / "row", many, env)
    yield from _memory(work / "memory", env)


async def _under_load(root: Path, port: int, restarts: int) -> Answers:
    answers = Answers()
    async with anyio.create_task_group() as tasks:
        stopped = anyio.Event()
        tasks.start_soon(_load, port, answers, stopped)
        for number in range(1, restarts + 1):
            await anyio.sleep(PAUSE)
            await anyio.to_thread.run_sync(edit_shop, root, str(number))
        await anyio.sleep(PAUSE * 2)
        stopped.set()
    return answers


async def _load(port: int, answers: Answers, stopped: anyio.Event) -> None:
    """Send requests at an even pace, whether the ones before were answered or not."""
    begun = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        number = 0
        while not stopped.is_set():
            number += 1
            await anyio.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
            tasks.start_soon(_request, port, answers)


async def _request(port: int, answers: Answers) -> None:
    began = time.perf_counter()
    data = b""
    try:
        with anyio.fail_after(LIMIT):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(b"GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
                async for part in stream:
                    data += part
    except (anyio.BrokenResourceError, TimeoutError):
        data = b""
    except OSError:
        answers.refused += 1
        return
    if not data:
        answers.reset += 1
    elif b" 200 " not in data[:16]:
        answers.others += 1
    else:
        answers.waits.append((time.perf_counter() - began) * 1000)


def _in_a_row(root: Path, many: int, env: dict[str, str]) -> Iterator[Figure]:
    port = free_port()
    apps.starlette(root)
    words = shlex.split(UVICORN.format(port=port))
    took = []
    with watching(root, "--no-tests", "--", *words, env=env) as session:
        session.until_cycle()
        until_served(port, "0")
        until_warm(session, root, port)
        before = (0, 0, 0.0)
        for number in range(1, many + 1):
            saved = time.time()
            edit_shop(root, str(number))
            took.append((until_served(port, str(number), step=0.002) - saved) * 1000)
            session.until_cycle()
            if number == min(50, many // 2):
                time.sleep(1.0)
                before = _held(session)
        time.sleep(1.0)
        after = _held(session)
    part = min(50, many // 2)
    yield Figure(f"{many} restarts: the first {part}", "ms", took[:part])
    yield Figure(f"  the last {part}", "ms", took[-part:])
    ratio = statistics.median(took[-part:]) / statistics.median(took[:part])
    yield Figure("  last to first", "x", [ratio], 1.15)
    what = ("descriptors", "processes", "MB")
    for name, old, new in zip(what, before, after, strict=True):
        yield Figure(
            f"  growth of {name}",
            "%",
            [(new / old - 1) * 100 if old else 0.0],
            1.0 if name == "MB" else 0.0,
            note=f"{old:.0f} → {new:.0f}, since restart {part}",
        )


def _held(session: Session) -> tuple[int, int, float]:
    """Descriptors, processes and proportional memory of devloop and all that it runs."""
    family = _family(session)
    return (
        sum(process.num_fds() for process in family),
        len(family),
        sum(_anonymous(process.pid) for process in family) / 1e6,
    )


def _anonymous(pid: int) -> int:
    """The bytes that are no file's: what a process has written, shared with its forks alone.

    Its share of a mapped file changes with who else on the machine runs the same interpreter.
    """
    with Path(f"/proc/{pid}/smaps_rollup").open(encoding="ascii") as file:
        line = next(line for line in file if line.startswith("Pss_Anon:"))
    return int(line.split()[1]) * 1024


def _family(session: Session) -> list[psutil.Process]:
    own = psutil.Process(session.process.pid)
    return [own, *own.children(recursive=True)]


def _memory(root: Path, env: dict[str, str]) -> Iterator[Figure]:
    """The zygote beside the app, and the app alone."""
    port = free_port()
    apps.trade(root)
    words = shlex.split(UVICORN.format(port=port))
    totals = {}
    for start in ("cold", "warm"):
        config = f'[apps.web]\ncommand = "{" ".join(words)}"\nstart = "{start}"\n'
        (root / "devloop.toml").write_text(config, encoding="utf-8")
        with watching(root, "--no-tests", env=env) as session:
            session.until_cycle()
            edit_shop(root, "0")
            until_served(port, "0")
            if start == "warm":
                until_warm(session, root, port)
            time.sleep(2.0)
            # devloop and its guardian are no part of it, nor is what parses.
            python = Path(env["VIRTUAL_ENV"]).name
            totals[start] = sum(
                process.memory_full_info().pss / 1e6
                for process in _family(session)
                if python in " ".join(process.cmdline()) and "parse" not in str(process.cmdline())
            )
    ratio = totals["warm"] / totals["cold"]
    note = f"{totals['warm']:.0f} MB beside {totals['cold']:.0f} MB"
    yield Figure(
        "memory of the zygote and the app, to the app's alone", "x", [ratio], 1.4, note=note
    )
