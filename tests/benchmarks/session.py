"""`devloop watch`, driven from outside as an editor would drive it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

CHECKOUT = Path(__file__).parents[2]
_LAUNCHER = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from devloop.cli.main import main
sys.argv[0] = "devloop"
main()
"""
COMMAND = (sys.executable, "-I", "-c", _LAUNCHER)
"""What the console script does, for this checkout, whatever is installed."""

Event = dict[str, Any]


@contextlib.contextmanager
def temporary_files() -> Iterator[None]:
    """What the suites of real projects leave among the temporary files goes with them."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        mock.patch.dict(os.environ, TMPDIR=folder),
    ):
        yield


def environment(**more: str) -> dict[str, str]:
    """The environment, without what would change devloop's ways.

    Args:
        **more: variables to set.
    """
    loud = {"CI", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in loud and not name.startswith(("DEVLOOP_", "PYTEST_"))
    }
    return {**kept, **more}


class Session:
    """A running `devloop watch --reporter jsonl`.

    Args:
        process: of devloop.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._events: queue.Queue[Event | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, wanted: Callable[[Event], bool], within: float = 120.0) -> list[Event]:
        """Read events up to one.

        Args:
            wanted: tells it.
            within: seconds.

        Returns:
            All events since the last call; the wanted one is the last.

        Raises:
            TimeoutError: it has not come.
        """
        found: list[Event] = []
        end = time.monotonic() + within
        while True:
            try:
                event = self._events.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"not seen in {within} s; {found[-5:]}") from None
            if event is None:
                raise TimeoutError(f"devloop has ended; {found[-5:]}")
            found.append(event)
            if wanted(event):
                return found

    def until_cycle(self, within: float = 120.0) -> list[Event]:
        """Read the events up to the end of a cycle that was not cancelled."""
        return self.until(
            lambda e: e["event"] == "cycle-finished" and e["outcome"] != "cancelled", within
        )

    def pending(self) -> list[Event]:
        """The events that have come and were not read."""
        found = []
        with contextlib.suppress(queue.Empty):
            while (event := self._events.get_nowait()) is not None:
                found.append(event)
        return found

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)


@contextlib.contextmanager
def watching(
    root: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[Session]:
    """Run `devloop watch` in a project.

    Args:
        root: of the project.
        *arguments: its options and command.
        env: its environment.
    """
    process = subprocess.Popen(
        [*COMMAND, "watch", "--reporter", "jsonl", *arguments],
        cwd=root,
        env=environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Session(process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def named(events: list[Event], name: str) -> Event:
    """The last event of a name."""
    return next(event for event in reversed(events) if event["event"] == name)
