"""Warm starts: how soon a save is served, what is lost on the way, and what it costs."""

from __future__ import annotations

import contextlib
import random
import shlex
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import apps
from tests.benchmarks.asking import free_port, running, until_served
from tests.benchmarks.figures import Figure
from tests.benchmarks.peers import FRAMEWORKS, environment_of, install_python, recent_python
from tests.benchmarks.projects import edit_shop
from tests.benchmarks.serving import rest
from tests.benchmarks.session import Session, named, watching

STEP = 0.002
"""Seconds between two questions to an app that still answers with its old version."""

PREPARED = 30.0
"""Seconds within which the next start is warm."""

MORE = 3
"""Warm starts before one is measured, a second apart."""


@dataclass(frozen=True)
class Race:
    """One app, and who restarts it.

    Args:
        name: of the app.
        write: writes it.
        command: how devloop runs it; ``{port}`` is put in.
        peers: how others run and restart it.
        targets: how many times as long each peer takes, at least.
    """

    name: str
    write: Callable[[Path], None]
    command: str
    peers: dict[str, str]
    targets: dict[str, float]


UVICORN = "uvicorn shop.main:app --port {port} --log-level warning"
_ASGI = {
    "uvicorn --reload": f"{UVICORN} --reload",
    "watchfiles": f"watchfiles --filter python '{UVICORN}' .",
    "uvicorn-hmr": "uvicorn-hmr shop.main:app --port {port} --log-level warning",
    "granian --reload": "granian --interface asgi --port {port} --log-level warning --reload "
    "shop.main:app",
}
RACES = (
    Race(
        "pandas, SQLAlchemy, FastAPI",
        apps.trade,
        UVICORN,
        _ASGI,
        {"uvicorn --reload": 60.0, "uvicorn-hmr": 2.0},
    ),
    Race(
        "small Starlette app",
        apps.starlette,
        UVICORN,
        _ASGI,
        {"uvicorn --reload": 12.0, "uvicorn-hmr": 2.0},
    ),
    Race(
        "flask run",
        apps.flask,
        "flask --app shop.main run --port {port}",
        {"flask run --reload": "flask --app shop.main run --port {port} --reload"},
        {"flask run --reload": 8.0},
    ),
    Race(
        "gunicorn",
        apps.flask,
        "gunicorn --bind 127.0.0.1:{port} shop.main:app",
        {"gunicorn --reload": "gunicorn --bind 127.0.0.1:{port} --reload shop.main:app"},
        {"gunicorn --reload": 8.0},
    ),
    Race(
        "Django runserver",
        apps.django,
        "python manage.py runserver {port} --noreload",
        {"runserver": "python manage.py runserver {port}"},
        {"runserver": 8.0},
    ),
)


def measure(work: Path, rounds: int) -> Iterator[Figure]:
    """Measure each app with all that can restart it, side by side, one save at a time.

    Args:
        work: an empty folder.
        rounds: how many saves each gets.
    """
    for number, race in enumerate(RACES):
        yield from _race(work / str(number), race, rounds)


def _race(work: Path, race: Race, rounds: int) -> Iterator[Figure]:
    env = environment_of(install_python(FRAMEWORKS, recent_python()))
    took: dict[str, list[float]] = {}
    starts: list[str] = []
    missing: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        tools: dict[str, tuple[Path, int]] = {}
        session: Session | None = None
        for name in ("devloop", *race.peers):
            root, port = work / name.replace(" ", ""), free_port()
            race.write(root)
            if name == "devloop":
                words = _words(race.command, port)
                session = stack.enter_context(watching(root, "--no-tests", "--", *words, env=env))
                session.until_cycle()
                until_served(port, "0")
                until_warm(session, root, port)
            else:
                stack.enter_context(running(_words(race.peers[name], port), root, env))
                try:
                    until_served(port, "0")
                except TimeoutError as error:
                    missing[name] = str(error)
                    continue
            tools[name] = (root, port)
            took[name] = []
        chance = random.Random(1)
        names = list(tools)
        served = dict.fromkeys(names, time.time())
        for number in range(1, rounds + 1):
            chance.shuffle(names)
            for name in names:
                root, port = tools[name]
                rest(served[name], number * 0.0382 % 0.1)
                saved = time.time()
                edit_shop(root, str(number))
                served[name] = until_served(port, str(number), step=STEP)
                took[name].append((served[name] - saved) * 1000)
                if name == "devloop":
                    assert session is not None
                    starts.append(_start(session))
    own = statistics.median(took["devloop"])
    note = ", ".join(f"{starts.count(kind)} {kind}" for kind in sorted(set(starts)))
    yield Figure(f"save → served, {race.name}: devloop", "ms", took["devloop"], note=note)
    for name in race.peers:
        if name in missing:
            yield Figure(f"  {name}", "ms", (), note=missing[name])
            continue
        yield Figure(f"  {name}", "ms", took[name])
        if name in race.targets:
            ratio = statistics.median(took[name]) / own
            yield Figure(f"  {name} takes", "x", [ratio], race.targets[name], least=True)


def until_warm(session: Session, root: Path, port: int) -> None:
    """Save until a start is warm, and then `MORE` times: what it holds is made while the app runs.

    That is fair to whom it is compared with: what a process imports late, or in its workers, is
    learned while it runs or retires, once for all sessions; every save of a working day but the
    first few is as those that are measured.

    Args:
        session: that runs the app.
        root: of its project.
        port: where it listens.
    """
    end = time.monotonic() + PREPARED
    number, warm = 0, 0
    while time.monotonic() < end and warm <= MORE:
        time.sleep(1.0)
        number -= 1
        edit_shop(root, str(number))
        until_served(port, str(number))
        warm += _start(session) == "warm"


def _start(session: Session) -> str:
    started = named(session.until_cycle(), "app-started")
    kind: str = started.get("start", "cold")
    return kind


def _words(command: str, port: int) -> list[str]:
    return shlex.split(command.format(port=port))
