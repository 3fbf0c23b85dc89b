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
_ROUND = 0.2
"""Twice as long as a round of its loop takes (LOOP_DELAY), in seconds."""


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
    own = trees[0]
    # While the others run, it would run what it has left out.
    (own.root / "devloop.toml").write_text("[tests]\nshadow = false\n", encoding="utf-8")
    seconds: dict[str, list[float]] = {"devloop": [], "with testmon": [], "alone": []}
    bin_ = own.root / ".venv/bin"
    with (
        watching(own.root, env=environment(VIRTUAL_ENV=str(bin_.parent))) as session,
        Watcher.running(trees[1], "--testmon") as beside,
        Watcher.running(trees[2]) as alone,
    ):
        session.until_cycle(_LONG)
        for watcher in (beside, alone):
            watcher.until_over()
            watcher.until_idle()
        # The first edit of each is for what is made once: a process that is held ready.
        for number, (path, name) in zip(
            range(rounds + 1), itertools.cycle(FUNCTIONS), strict=False
        ):
            began = _edit(own.root / path, name, number)
            session.until(lambda event: event["event"] == "run-finished", _LONG)
            took = [time.perf_counter() - began]
            session.until_cycle(_LONG)
            for watcher in (beside, alone):
                began = _edit(watcher.root / path, name, number)
                watcher.until_over()
                took.append(time.perf_counter() - began)
                watcher.until_idle()
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


class Watcher:
    """A pytest-watcher at work.

    Args:
        root: of the tree that it watches.
        process: it.
    """

    def __init__(self, root: Path, process: subprocess.Popen[bytes]) -> None:
        self.root = root
        self._process = process
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    @contextmanager
    def running(cls, tree: Tree, *arguments: str) -> Iterator[Watcher]:
        """Run one.

        Args:
            tree: what it watches.
            *arguments: those of pytest.
        """
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
            watcher = cls(tree.root, process)
            try:
                yield watcher
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                watcher._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def until_over(self) -> None:
        """Wait for the line that ends a run."""
        while not _OVER.search(self._lines.get(timeout=_LONG)):
            pass

    def until_idle(self) -> None:
        """Wait until it would hear of a save: it forgets those that come while pytest ends."""
        end = time.monotonic() + _LONG
        while self._children():
            if time.monotonic() > end:
                raise TimeoutError(f"pytest goes on in {self.root}")
            time.sleep(0.01)
        time.sleep(_ROUND)

    def _children(self) -> str:
        tasks = Path(f"/proc/{self._process.pid}/task")
        return "".join((task / "children").read_text() for task in tasks.iterdir())


_RUN = "from pytest_watcher import run; run()"


def _runner(tree: Tree) -> str:
    """The program that it shall start: pytest, which has no script of its own there."""
    script = tree.root.parent / "run-pytest"
    script.write_text(f'#!/bin/sh\nexec {tree.python} -m pytest "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return str(script)
