"""What can be measured from inside alone; run in a process of its own by `graphs`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import anyio

from devloop.config.load import load
from devloop.events import Change
from devloop.execute.parsing import Parsers
from devloop.loop.project import Project


async def edits(root: Path, path: str, text: str, rounds: int) -> list[float]:
    """Edit one file again and again, and take each edit up.

    Args:
        root: of the project.
        path: of the file.
        text: what it holds.
        rounds: how many edits.

    Returns:
        Milliseconds for each, from the file to the graph and the store.
    """
    project = Project.open(load(root))
    found = []
    with project.store:
        async with Parsers(project.interpreter.path, project.root) as parsers:
            if not project.complete:
                await project.indexer.read(parsers)
            for number in range(rounds + 1):
                (root / path).write_text(f"{text}\nEDIT = {number}\n", encoding="utf-8")
                began = time.perf_counter()
                await project.indexer.apply([Change(path, "modified")], {}, parsers)
                found.append((time.perf_counter() - began) * 1000)
                await anyio.sleep(0.05)
    # The first one starts the worker, which a session has from its start, or from its first edit.
    return found[1:]


if __name__ == "__main__":
    root, path = Path(sys.argv[1]), sys.argv[2]
    text = (root / path).read_text(encoding="utf-8")
    times = anyio.run(edits, root, path, text, int(sys.argv[3]))
    (root / path).write_text(text, encoding="utf-8")
    sys.stdout.write(json.dumps(times) + "\n")
