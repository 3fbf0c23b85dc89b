"""How long the graph takes, on generated projects; `main` prints a table.

Times are wall clock, with as many workers as there are processors. *Cold* is a process of its
own, its start included: it walks the tree, parses every file and assembles the graph. *Start*
decodes stored facts and assembles the graph; its memory is that of the whole process.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio
import msgspec

from devloop.execute.parsing import Parsed, Parsers
from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import discover

LINES = 200
"""Of a file, on average; from 60 to 340."""

PER_PACKAGE = 20
EDITS = 30
SWITCHED = 2_000
LONGEST = 500
"""Lines of the file that is edited."""

TARGETS = {
    "cold graph, 1,000 files": 2.0,
    "cold graph, 10,000 files": 15.0,
    f"one file of {LONGEST} lines edited": 0.010,
    f"{SWITCHED:,} files edited at once": 4.0,
    "start from stored facts, 10,000 files": 0.4,
}
"""In seconds."""

_STANDARD = ["json", "os", "re", "logging", "dataclasses", "collections.abc", "typing", "pathlib"]

UNIT = '''

class Thing#N(Base):
    """A thing of number @.

    What it does is of no importance, but real code has documentation, comments and empty
    lines, on average a third of all lines, and so has this.
    """

    kind = "thing.@"

    def method(self, first: int, second: str = "x@") -> list[str]:
        """Find what is to be found.

        Args:
            first: how many.
            second: a path.
        """
        if first > @ and second != self.kind:
            raise ValueError(f"{first!r} is too large for {second}")
        found = [str(item) for item in range(first) if item % 3]

        # Files that cannot be read are passed over.
        try:
            with open(second) as file:
                found.extend(line.strip() for line in file)
        except OSError as error:
            print(error, {"first": first, "second": second})
        return sorted(found, key=lambda item: item.lower())


def compute#N(*values: float, scale: float = @.5) -> float:
    """Add up, every other one reversed."""
    total = 0.0
    for index, value in enumerate(values):
        total += value * scale if index % 2 else -value
    return total
'''.splitlines()
"""What a module is made of; ``@`` is a number, ``#N`` that of the unit."""


def generate(root: Path, files: int, seed: int = 1) -> None:
    """Write a project.

    Args:
        root: an empty folder.
        files: how many; a fifth of them are tests.
        seed: of what is random: the same gives the same project.
    """
    chance = random.Random(seed)
    modules = [
        f"pkg{i // PER_PACKAGE // 25}.sub{i // PER_PACKAGE}.mod{i}" for i in range(files * 4 // 5)
    ]
    for number, module in enumerate(modules):
        path = root / "src" / (module.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in (path.parent, path.parent.parent):
            (package / "__init__.py").touch()
        near = modules[max(0, number - 60) : number] or ["os.path"]
        write(path, chance, chance.sample(near, min(5, len(near))))
    for number in range(files - len(modules)):
        path = root / "tests" / f"part{number // 50}" / f"test_{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, chance, chance.sample(modules, 3))


def write(path: Path, chance: random.Random, imported: list[str], lines: int = 0) -> None:
    """Write one module.

    Args:
        path: of the file.
        chance: where what is random comes from.
        imported: the modules that it imports something of.
        lines: how many; 0 leaves it to chance.
    """
    lines = lines or chance.randint(LINES - 140, LINES + 140)
    text = [f'"""Module {path.stem}."""', "", "from __future__ import annotations", ""]
    text += [f"import {name}" for name in chance.sample(_STANDARD, 4)]
    for module in imported:
        text.append(
            f"from {module} import Thing{chance.randint(0, 3)}, compute{chance.randint(0, 3)}"
        )
    number = 0
    while len(text) < lines - 35:
        value = chance.randint(1, 10**6)
        text += [line.replace("@", str(value)).replace("#N", str(number)) for line in UNIT]
        number += 1
    text += ["# This line is only here to make the file as long as it should be."] * (
        lines - len(text)
    )
    path.write_text("\n".join(text) + "\n")


def sources(root: Path) -> list[str]:
    """The sources of a project."""
    return [
        Path(folder, name).relative_to(root).as_posix()
        for folder, _, names in os.walk(root)
        for name in names
        if name.endswith(".py")
    ]


async def parse_all(root: Path) -> dict[str, Parsed]:
    """Read a project from nothing."""
    paths = sources(root)
    async with Parsers(sys.executable, root) as parsers:
        return await parsers.parse(paths)


def assemble(parsed: dict[str, Facts]) -> Graph:
    """Find the layout, and make the graph."""
    return Graph.build(discover(parsed), parsed)


def facts_of(parsed: dict[str, Parsed]) -> dict[str, Facts]:
    """The facts of parsed files."""
    return {path: one.facts for path, one in parsed.items()}


def cold(root: str) -> None:
    """In a process of its own: a graph from nothing."""
    graph = assemble(facts_of(anyio.run(parse_all, Path(root))))
    assert not any(facts.problem for facts in graph.files.values())
    report({"files": len(graph.files)})


def start(stored: str) -> None:
    """In a process of its own: a graph from stored facts."""
    before = time.perf_counter()
    parsed = msgspec.msgpack.decode(Path(stored).read_bytes(), type=dict[str, Facts])
    decoded = time.perf_counter()
    graph = assemble(parsed)
    done = time.perf_counter()
    graph.affected([graph.tests[0]])
    reached = time.perf_counter()
    for test in graph.tests:
        graph.fingerprint(test)
    report(
        {
            "files": len(graph.files),
            "decode": decoded - before,
            "build": done - decoded,
            "fingerprints": time.perf_counter() - reached,
            "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )


async def edits(root: Path, graph: Graph) -> tuple[float, float]:
    """The median of single edits, and the time of one edit of many files; in seconds."""
    chance = random.Random(2)
    modules = [path for path in graph.files if "/mod" in path]
    edited = modules[len(modules) // 2]
    times = []
    async with Parsers(sys.executable, root) as parsers:
        await parsers.parse([edited])
        for number in range(EDITS):
            write(root / edited, chance, [f"pkg0.sub0.mod{number % 7}"], LONGEST)
            before = time.perf_counter()
            facts = facts_of(await parsers.parse([edited]))
            graph = graph.with_files(facts)
            times.append(time.perf_counter() - before)
        many = chance.sample(sorted(graph.files), SWITCHED)
        for path in many:
            with (root / path).open("a") as file:
                file.write(f"\nimport pkg0.sub1.mod{chance.randint(20, 39)}\nEDITED = 1\n")
        before = time.perf_counter()
        graph = graph.with_files(facts_of(await parsers.parse(many)))
        return statistics.median(times), time.perf_counter() - before


def in_a_process(function: str, argument: Path) -> tuple[float, dict[str, float]]:
    """Run a function of this file in a process of its own; its wall clock and its report."""
    before = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, function, str(argument)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        check=True,
    )
    return time.perf_counter() - before, json.loads(done.stdout)


def report(values: dict[str, float]) -> None:
    """Print what a process of its own has found."""
    sys.stdout.write(json.dumps(values))


def measure() -> dict[str, Any]:
    """Take all figures.

    Returns:
        Seconds by name, as in `TARGETS`, and what else is worth to know.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for files in (1_000, 10_000):
            root = Path(folder, str(files))
            generate(root, files)
            found[f"cold graph, {files:,} files"], _ = in_a_process("cold", root)
        parsed = facts_of(anyio.run(parse_all, root))
        stored = Path(folder, "facts")
        stored.write_bytes(msgspec.msgpack.encode(parsed))
        _, values = in_a_process("start", stored)
        found["start from stored facts, 10,000 files"] = values["decode"] + values["build"]
        found["of which to decode them"] = values["decode"]
        found["fingerprints of all 2,000 tests"] = values["fingerprints"]
        found["memory of that process, MiB"] = values["mib"]
        single, many = anyio.run(edits, root, assemble(parsed))
        found[f"one file of {LONGEST} lines edited"] = single
        found[f"{SWITCHED:,} files edited at once"] = many
    return found


def main() -> dict[str, Any]:
    """Take all figures and print them as a table.

    Returns:
        What `measure` returns.
    """
    found = measure()
    for name, value in found.items():
        target = TARGETS.get(name)
        shown = f"{value:10.1f} MiB" if "MiB" in name else f"{value * 1000:10.1f} ms"
        goal = "" if target is None else f"  (at most {target * 1000:,.0f} ms)"
        sys.stdout.write(f"{name:42}{shown}{goal}\n")
    return found


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["cold", root]:
            cold(root)
        case ["start", stored]:
            start(stored)
        case _:
            main()
