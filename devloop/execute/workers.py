"""How many processes of pytest-xdist a test run is worth.

A worker costs: it starts an interpreter, imports pytest and the conftest files, and collects
everything that is chosen. Two of them added 0.35 to 0.5 s to 200 empty tests in 20 files (two
cores, pytest 8.3 and 9.2, xdist 3.8). `COST` is twice that, because conftest files import
much; with it `WORTH` is where two cores begin to gain a quarter.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from devloop.errors import MissingDistribution
from devloop.execute.interpreter import Interpreter, at_least

COST = 1.0
"""Seconds that xdist adds to a run."""

WORTH = 4.0
"""Predicted seconds in one process below which workers are not considered."""

GAIN = 0.75
"""The share of the time in one process that a run with workers may take at most."""

UNKNOWN = 0.1
"""Seconds that a file takes of which nothing is known, where no other file tells more."""

LONG = 30.0
"""Measured seconds from which on it is said what workers would gain; a guess is no reason."""

NAMING = (
    "pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "noxfile.py", "Pipfile",
    "environment*.y*ml", "*requirements*.txt", "requirements/*.txt",
)  # fmt: skip
"""Where a project names what its tests need."""

MOST = 32
"""Workers that are made ready at most, whatever the user's own options ask for."""

SERIAL_OPTIONS = ("-s", "--capture=no", "--pdb", "--trace", "--usepdb")


class Workers(msgspec.Struct, frozen=True):
    """What a run does about workers.

    Args:
        count: how many; 0 is one process. Where the user's own options decide it is a guess.
        args: what pytest is given for that.
        ours: devloop has chosen, so that it may choose otherwise when it goes wrong.
        notice: what a person should know.
    """

    count: int = 0
    args: tuple[str, ...] = ()
    ours: bool = False
    notice: str | None = None


def choose(
    setting: Literal["auto"] | int,
    seconds: Sequence[float | None],
    interpreter: Interpreter,
    parallel: Callable[[], bool],
    *,
    args: Sequence[str] = (),
    addopts: Sequence[str] = (),
    cpus: int | None = None,
) -> Workers:
    """Decide on workers.

    ``auto`` takes workers where the project's tests are known to run side by side, and the run is
    predicted to take `WORTH` seconds or more in one process and no more than `GAIN` of that with
    as many workers as there are cores. Tests that were never run so may share a port or a file
    and then fail, or wait for ever (httpx's do), so nobody else decides that for them. Workers are
    given whole files (``--dist loadfile``), in the order of the run: so a module's fixtures are
    made once, tests that lean on their neighbours still do, and the nearest tests come first.

    Args:
        setting: ``[tests] workers``.
        seconds: for each chosen file, in order, what its tests have taken; None is not known.
        interpreter: the project's.
        parallel: tells whether the project's tests run side by side; asked only where it matters.
        args: the user's arguments, given to devloop; what they say of workers stands.
        addopts: what pytest's settings and environment add; ``auto`` turns the workers that
            they ask for off where the run is known to be short.
        cpus: how many cores there are; None asks the system.

    Returns:
        The decision.

    Raises:
        MissingDistribution: a number of workers is asked for, and xdist is not installed.
    """
    if _asks(args) or _blocked((*addopts, *args)):
        asked = _asked((*addopts, *args), cpus or _cpus())
        return Workers(asked if interpreter.xdist is not None else 0)
    if setting == 0:
        return Workers(args=("-n0",) if _asks(addopts) and interpreter.xdist else ())
    if setting != "auto":
        if interpreter.xdist is None:
            raise MissingDistribution(
                f"[tests] workers = {setting} needs pytest-xdist, which is not installed in "
                f"{interpreter.path}",
                where="[tests] workers",
                hint=interpreter.install("pytest-xdist"),
            )
        return Workers(setting, ("-n", str(setting)))
    known = [value for value in seconds if value is not None]
    predicted = filled_in(seconds)
    if _asks(addopts):
        if interpreter.xdist is None:
            return Workers()
        short = len(known) == len(seconds) and sum(known) < WORTH
        return Workers(args=("-n0",)) if short else Workers(_asked(addopts, cpus or _cpus()))
    count = min(cpus or _cpus(), len(predicted))
    serial = sum(predicted)
    if (
        serial < WORTH
        or makespan(predicted, count) + COST > serial * GAIN
        or any(word in SERIAL_OPTIONS for word in (*addopts, *args))
    ):
        return Workers()
    if interpreter.xdist is None or not parallel():
        return Workers(notice=_advice(interpreter, cpus or _cpus()) if sum(known) >= LONG else None)
    chosen = ["-n", str(count)]
    if not any(word.startswith("--dist") for word in (*addopts, *args)):
        chosen += ["--dist", "loadfile"]
        if at_least(interpreter.xdist, 3, 7):
            # By default the files with most tests come first.
            chosen.append("--no-loadscope-reorder")
    return Workers(count, tuple(chosen), ours=True)


def names_xdist(root: Path) -> bool:
    """Whether a project itself uses pytest-xdist, so that its tests do run side by side.

    Args:
        root: the project's; its lists of what it needs are searched.
    """
    for pattern in NAMING:
        for path in root.glob(pattern):
            try:
                if b"xdist" in path.read_bytes():
                    return True
            except OSError:
                continue
    return False


def _advice(interpreter: Interpreter, count: int) -> str:
    advice = (
        f"These tests take long in one process. If they can run side by side: "
        f"[tests] workers = {count}"
    )
    if interpreter.xdist is None:
        advice += f", after {interpreter.install('pytest-xdist')}"
    return advice


def filled_in(seconds: Sequence[float | None]) -> list[float]:
    """What files take, with a guess where nothing is known: as long as the others.

    Args:
        seconds: of each file, in order; None is not known.
    """
    known = [value for value in seconds if value is not None]
    guess = sum(known) / len(known) if known else UNKNOWN
    return [guess if value is None else value for value in seconds]


def makespan(seconds: Iterable[float], count: int) -> float:
    """How long workers take that each take the next file when they are free.

    Args:
        seconds: of each file, in order.
        count: of workers.

    Returns:
        Seconds.
    """
    import heapq

    busy = [0.0] * max(count, 1)
    for value in seconds:
        heapq.heapreplace(busy, busy[0] + value)
    return max(busy)


def from_environment(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The words of ``PYTEST_ADDOPTS``.

    Args:
        environ: the tests' environment.

    Returns:
        None where they cannot be read; pytest will say so.
    """
    try:
        return tuple(shlex.split(environ.get("PYTEST_ADDOPTS", "")))
    except ValueError:
        return ()


def _asks(words: Sequence[str]) -> bool:
    """Whether options decide on workers."""
    return any(
        word.startswith(("--numprocesses", "--tx"))
        or word in {"-n", "-d"}
        or (word.startswith("-n") and not word.startswith("--"))
        for word in words
    )


def _asked(words: Sequence[str], cpus: int) -> int:
    """How many workers options ask for, as far as that is plain; the last one counts."""
    count = 0
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name not in ("-n", "--numprocesses"):
            short = word.startswith("-n") and not equals
            value = word[2:] if short else ""
        elif not equals:
            value = next(iter(words[index + 1 :]), "")
        if value in ("auto", "logical"):
            count = cpus
        elif value.isdecimal():
            count = int(value)
    return 0 if _blocked(words) else min(count, MOST)


def _blocked(words: Sequence[str]) -> bool:
    """Whether xdist is turned off."""
    return "no:xdist" in words or "-pno:xdist" in words


def _cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
