"""From a save to the verdict on flask: devloop beside pytest-watcher, alone and with testmon."""

from __future__ import annotations

import ast
import itertools
import os
import queue
import re
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.real import REAL
from tests.benchmarks.selection.tools import TESTMON
from tests.benchmarks.selection.trees import Tree
from tests.benchmarks.session import environment, watching

WATCHER = ("pytest-watcher==0.6.3", "watchdog==6.0.0")
"""With watchdog 7 it did not see changes here."""

TESTS = ("asgiref==3.8.1", "python-dotenv==1.0.1")
"""What flask's own list for its tests names beside pytest: without it one test fails each time."""

FUNCTIONS = (
    ("src/flask/config.py", "get_namespace"),
    ("src/flask/json/tag.py", "dumps"),
    ("src/flask/sessions.py", "get_signing_serializer"),
    ("src/flask/helpers.py", "send_from_directory"),
    ("src/flask/templating.py", "render_template_string"),
)
"""Functions whose bodies are edited in turn: some tests run each, and none of them most tests."""

BESIDE_TESTMON, ALONE = 1 / 6, 1 / 12
_OVER = re.compile(rb"\bin \d+\.\d+s")
_LONG = 300.0


def measure(work: Path, rounds: int) -> Iterator[Figure]:
    """Measure them in turns.

    Args:
        work: an empty folder.
        rounds: how many saves for each of them.

    Yields:
        The times, and what part devloop's is of each other one.
    """
    (flask,) = (real for real in REAL if real.name == "flask")
    packages = (*WATCHER, TESTMON, *TESTS)
    trees = [Tree.make(flask, work / name, *packages) for name in ("own", "testmon", "plain")]
    own, testmon, plain = trees
    seconds: dict[str, list[float]] = {"devloop": [], "with testmon": [], "alone": []}
    bin_ = own.root / ".venv/bin"
    with (
        watching(own.root, env=environment(VIRTUAL_ENV=str(bin_.parent))) as session,
        _watcher(testmon, "--testmon") as beside,
        _watcher(plain) as alone,
    ):
        session.until_cycle(_LONG)
        for lines in (beside, alone):
            _until_over(lines)
        # The first edit of each is for what is made once: a process that is held ready.
        for number, (path, name) in zip(
            range(rounds + 1), itertools.cycle(FUNCTIONS), strict=False
        ):
            began = _edit(own.root / path, name, number)
            session.until(lambda event: event["event"] == "run-finished", _LONG)
            took = [time.perf_counter() - began]
            session.until_cycle(_LONG)
            for tree, lines in ((testmon, beside), (plain, alone)):
                began = _edit(tree.root / path, name, number)
                _until_over(lines)
                took.append(time.perf_counter() - began)
            if number:
                for known, one in zip(seconds.values(), took, strict=True):
                    known.append(one)
    for name, known in seconds.items():
        yield Figure(f"flask, save to verdict: {name}", "ms", [1000 * one for one in known])
    for name, target in (("with testmon", BESIDE_TESTMON), ("alone", ALONE)):
        parts = [a / b for a, b in zip(seconds["devloop"], seconds[name], strict=True)]
        middle = statistics.median(seconds["devloop"]) / statistics.median(seconds[name])
        note = f"of the medians: {middle:.3f}"
        yield Figure(f"of pytest-watcher {name}", "x", parts, target, note=note)


def _edit(path: Path, name: str, number: int) -> float:
    """Give the first function of a name another last statement but one; when it was saved."""
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "_edited = " not in line]
    nodes = ast.walk(ast.parse("\n".join(lines)))
    function = next(n for n in nodes if isinstance(n, ast.FunctionDef) and n.name == name)
    last = function.body[-1]
    lines.insert(last.lineno - 1, f"{' ' * last.col_offset}_edited = {number}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return time.perf_counter()


@contextmanager
def _watcher(tree: Tree, *arguments: str) -> Iterator[queue.Queue[bytes]]:
    """Run pytest-watcher in a tree; the lines that it prints."""
    found: queue.Queue[bytes] = queue.Queue()
    bin_ = tree.root / ".venv/bin"
    with subprocess.Popen(
        [tree.python, "-c", _RUN, ".", "--now", "--runner", _runner(tree), "-q", *arguments],
        cwd=tree.root,
        env=environment(PATH=f"{bin_}{os.pathsep}{os.environ['PATH']}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        stdout = process.stdout

        def read() -> None:
            for line in stdout:
                found.put(line)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield found
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            reader.join()


_RUN = "from pytest_watcher import run; run()"


def _runner(tree: Tree) -> str:
    """The program that it shall start: pytest, which has no script of its own there."""
    script = tree.root.parent / "run-pytest"
    script.write_text(f'#!/bin/sh\nexec {tree.python} -m pytest "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return str(script)


def _until_over(lines: queue.Queue[bytes]) -> None:
    """Wait for the line that ends a run."""
    while not _OVER.search(lines.get(timeout=_LONG)):
        pass
