"""What a fork may break, and does not (W3 to W6, W22)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devloop.execute.guard import Ended
from devloop.inside import forking

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Starter

pytestmark = pytest.mark.anyio

CHANCE = """
import json, os, random, secrets, sys, tempfile, uuid
from multiprocessing import process
found = {
    "random": random.random(),
    "uuid1": str(uuid.uuid1()),
    "uuid4": str(uuid.uuid4()),
    "name": next(tempfile._get_candidate_names()),
    "token": secrets.token_hex(),
    "key": bytes(process.current_process().authkey).hex(),
}
if "numpy" in sys.argv:
    import numpy
    found["numpy"] = numpy.random.rand()
    found["generator"] = numpy.random.default_rng().random()
print(json.dumps(found))
"""

NUMPY = """
import threading
import numpy
found = []
def work():
    matrix = numpy.random.rand(300, 300) + numpy.eye(300) * 300
    product = matrix @ numpy.linalg.inv(matrix)
    found.append(bool(numpy.allclose(product, numpy.eye(300))))
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
work()
print(found)
"""

LOGGING = """
import logging, threading
logging.basicConfig(level="INFO", format="%(message)s")
def work(n):
    for i in range(50):
        logging.getLogger(f"x.{n}").info("one")
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("logged", logging.LogRecord("", 0, "", 0, "", (), None).relativeCreated < 60_000)
"""

MULTIPROCESSING = """
import multiprocessing, os, sys
from multiprocessing import spawn

class Point:
    def __init__(self, x):
        self.x = x

def work(point, queue):
    queue.put((point.x + 1, type(point).__module__, __name__, os.getpid() != parent,
               sys.argv, sys.path[0]))

parent = None if __name__ != "__main__" else os.getpid()

if __name__ == "__main__":
    print(spawn.get_executable(), sys._base_executable)
    for method in ("spawn", "fork", "forkserver"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=work, args=(Point(41), queue))
        process.start()
        print(method, queue.get(timeout=60))
        process.join()
        print(process.exitcode)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(pool.map(abs, [-1, -2]))
    print(multiprocessing.parent_process(), multiprocessing.current_process().name)
"""


async def test_two_children_are_not_the_same_by_chance(start: Starter) -> None:
    """Random numbers, identifiers, temporary names and keys differ."""
    start.write("main.py", CHANCE)
    modules = ["random", "uuid", "tempfile", "secrets", "multiprocessing.process", "json"]
    zygote = await start.zygote("python", "main.py", modules=modules)
    found = []
    for _ in range(3):
        life = await start.run(await zygote.take(), "python", "main.py")
        assert await life.end() == Ended(code=0)
        found.append(json.loads(life.text))
    for key in found[0]:
        assert len({one[key] for one in found}) == 3, key


DICE = """
import random
ANY = random.Random()
AGAIN = random.Random()
AGAIN.seed(2)
AGAIN.seed()
CHOSEN = random.Random(1)
"""


async def test_generators_that_imports_have_made_give_what_they_give_in_a_cold_start(
    start: Starter,
) -> None:
    """W6: those that were seeded with something the same numbers, the others different ones."""
    start.env["PYTHONPATH"] = "lib"
    start.write("lib/dice.py", DICE)
    start.write("lib/loaded.py", "import random\nrandom.seed(3)\nFIRST = random.random()\n")
    start.write(
        "main.py",
        "import dice, random\nprint(dice.ANY.random(), dice.AGAIN.random())\n"
        "print(dice.CHOSEN.random(), random.random(), type(dice.ANY).seed.__module__)",
    )
    start.write("given.py", "import loaded, random\nprint(loaded.FIRST, random.random())")
    zygote = await start.zygote("python", "main.py", modules=["random", "dice"])
    found = []
    for _ in range(3):
        life = await start.run(await zygote.take(), "python", "main.py")
        assert await life.end() == Ended(code=0)
        found.append(life.text.split())
    assert all(len({one[at] for one in found}) == 3 for at in (0, 1, 3))
    assert {(one[2], one[4]) for one in found} == {(str(random.Random(1).random()), "random")}

    both = await start.both("python", "given.py", modules=["random", "loaded"])
    assert both.same()


@pytest.mark.real
@pytest.mark.slow
async def test_numpy_works_in_threads_and_rolls_other_dice(
    start: Starter, real_environment: Callable[..., str]
) -> None:
    """Its library's threads do not outlive a fork; it starts them anew. Its seed differs."""
    python = real_environment("numpy==2.2.6")
    start.write("main.py", NUMPY)
    start.write("dice.py", CHANCE)
    zygote = await start.zygote(python, "main.py", modules=["threading", "numpy"])
    names = ["threading", "numpy", "numpy.random", "uuid", "multiprocessing.process"]
    found = await zygote.preload(names)
    assert not found.unsafe
    assert {"numpy", "numpy.random"} <= found.loaded.keys()
    for _ in range(2):
        life = await start.run(await zygote.take(), python, "main.py")
        assert await life.end(40) == Ended(code=0)
        assert life.text == "[True, True, True, True, True]\n"
    rolls = []
    for _ in range(2):
        life = await start.run(await zygote.take(), python, "dice.py", "numpy")
        assert await life.end() == Ended(code=0)
        rolls.append(json.loads(life.text))
    assert all(rolls[0][key] != rolls[1][key] for key in rolls[0])


MADE = """
from numpy import random
import numpy
ANY = random.default_rng()
CHOSEN = random.default_rng(1)
OLD, OLD_CHOSEN, AGAIN = random.RandomState(), random.RandomState(1), random.RandomState()
OLD.randn()  # it makes two, and keeps one
AGAIN.seed(3)
BARE, LATER = random.Generator(random.Philox()), random.RandomState(random.SFC64())
SEQUENCE = random.SeedSequence()
SPAWNED = ANY.bit_generator.seed_seq.spawn(2)
CHOSEN_SPAWNED = CHOSEN.bit_generator.seed_seq.spawn(1)
FROM_SPAWNED = random.default_rng(SPAWNED[0])
if {seeded}:
    numpy.random.seed(4)
"""


NUMPY_VERSIONS = ("1.26.4", "2.2.6") if sys.version_info < (3, 12) else ("2.2.6", "2.5.5")
"""An old one and a new one, of those that there are for this Python."""


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("version", NUMPY_VERSIONS)
async def test_generators_of_numpy_give_what_they_give_in_a_cold_start(
    start: Starter, real_environment: Callable[..., str], version: str, seeded: bool
) -> None:
    """W6: be they of a module's own, of whatever kind, or the one that all share."""
    python = real_environment(f"numpy=={version}")
    start.env["PYTHONPATH"] = "lib"
    start.write("lib/made.py", MADE.format(seeded=seeded))
    start.write(
        "main.py",
        "import made, numpy\nfrom numpy.random import default_rng\n"
        "child, = made.ANY.bit_generator.seed_seq.spawn(1)\n"
        "sequences = made.SPAWNED[1], child, made.SEQUENCE, made.CHOSEN_SPAWNED[0]\n"
        "print(numpy.random.rand(), *(one.normal() for one in ("
        "made.ANY, made.OLD, made.BARE, made.LATER, made.FROM_SPAWNED,"
        " *map(default_rng, sequences), made.CHOSEN, made.OLD_CHOSEN, made.AGAIN)),"
        " child.spawn_key, child.entropy == made.SPAWNED[0].entropy,"
        " made.SEQUENCE.entropy != child.entropy, numpy.random.seed is numpy.random.mtrand.seed)",
    )
    cold = await start.cold(python, "main.py")
    assert await cold.end() == Ended(code=0)
    names = ["numpy", "numpy.random", "made"]
    zygote = await start.zygote(python, "main.py", modules=names)
    assert "made" in (await zygote.preload(names)).loaded
    found = [cold.text.split()]
    for _ in range(2):
        life = await start.run(await zygote.take(), python, "main.py")
        assert await life.end() == Ended(code=0)
        found.append(life.text.split())
    assert found[0][13:] == ["(2,)", "True", "True", "True"]
    differing = [len({one[at] for one in found}) for at in range(17)]
    assert differing == [1 if seeded else 3, *[3] * 8, *[1] * 8]


async def test_logging_does_not_hang(start: Starter) -> None:
    """Its locks are free in a child, and its clock begins with the child (W3).

    A module that starts a thread is not held (W1), so that nobody else can have a lock at a fork;
    and logging itself makes its locks anew in a child (``os.register_at_fork``).
    """
    start.write("main.py", LOGGING)
    both = await start.both("python", "main.py", modules=["logging", "threading"])
    assert both.same().endswith("logged True\n")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
async def test_warnings_as_errors(
    start: Starter, version: str, interpreter: Callable[[str], str]
) -> None:
    """The warning of a fork beside threads raises nothing in us, and leaves no process."""
    python = interpreter(version)
    start.write("main.py", "print('runs')")
    command = (python, "-W", "error", "main.py")
    zygote = await start.zygote(*command, modules=["threading", "warnings"])
    for _ in range(3):
        await zygote.restock()
        life = await start.run(await zygote.take(), *command)
        assert await life.end() == Ended(code=0)
        assert life.text == "runs\n"


@pytest.mark.slow
@pytest.mark.parametrize("way", [["main.py"], ["-m", "main"]], ids=["script", "module"])
async def test_multiprocessing(start: Starter, way: list[str]) -> None:
    """W22: each start method works, and finds the command's own ``__main__``."""
    start.write("main.py", MULTIPROCESSING)
    both = await start.both("python", *way, modules=["multiprocessing", "multiprocessing.spawn"])
    assert both.same().count("(42, '__") >= 2


FORK = """
import runpy, sys, threading, warnings
fork = runpy.run_path(sys.argv[1])["fork"]
end = threading.Event()
threading.Thread(target=end.wait).start()
if fork():
    end.set()
"""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_fork_beside_threads_says_nothing(
    version: str, interpreter: Callable[[str], str]
) -> None:
    """Python 3.12 and later warn of it, which some of them raise where that is asked for (W5)."""
    program = Path(forking.__file__)
    for action in ("always", "error"):
        words = [interpreter(version), "-W", action, "-c", FORK, str(program)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == ""
