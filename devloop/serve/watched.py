"""A project that an editor has open: what its `watch` says, whether one runs or not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devloop import events as ev
from devloop.errors import DevloopError, NotWatching
from devloop.report.standing import Problem, Standing
from devloop.serve.lenses import Known
from devloop.serve.link import Link
from devloop.store import presence

PAUSE = 0.5
"""Seconds between two looks for a `watch`."""
ENDS_IN = 10.0
"""Seconds that one which was started here has to end."""
_PLACE = str(Path(__file__).parents[2])
_START = """
import sys
sys.path[:] = [path for path in sys.path if path] + [sys.argv.pop(1)]
from devloop.__main__ import main
main()
"""
"""Starts devloop in a folder none of whose modules may take the place of its own."""


class Watched:
    """What is known of a project. `run` keeps it current.

    Args:
        root: its folder.
        start: start a `watch` where none runs.
        changed: called when anything has changed that an editor shows.
        say: takes a sentence for the user.
    """

    def __init__(
        self,
        root: Path,
        *,
        start: bool,
        changed: Callable[[Watched], None],
        say: Callable[[str], None],
    ) -> None:
        self.root = root
        self._start = start
        self._changed = changed
        self._say = say
        self._link: Link | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._standing = Standing()
        self._finished: dict[str, Known] = {}
        self._runs: str | None = None
        self._explained: ev.Explained | None = None

    @property
    def problems(self) -> list[Problem]:
        """What stands; nothing where no `watch` vouches for it."""
        return self._standing.problems()

    async def run(self) -> None:
        """Follow the project's `watch`, this one and the next, until cancelled."""
        try:
            while True:
                try:
                    self._link = await Link.to(self.root)
                except OSError:
                    self._begin()
                    await asyncio.sleep(PAUSE)
                    continue
                await self._link.run(self._take)
                self._forget()
                await asyncio.sleep(PAUSE)
        finally:
            self._end()

    async def known(self, path: str) -> dict[str, Known]:
        """What is known of the tests of a file.

        Args:
            path: relative to the root.

        Returns:
            By nodeid.
        """
        found: dict[str, Known] = {}
        if self._link is not None:
            try:
                answer = await self._link.ask({"ask": "tests", "path": path})
            except DevloopError:
                return {}
            for one in answer["tests"]:
                found[one["nodeid"]] = Known(one["outcome"], one["seconds"], one["due"])
        mine = (nodeid for nodeid in self._finished if nodeid.partition("::")[0] == path)
        found.update({nodeid: self._finished[nodeid] for nodeid in mine})
        for nodeid, message in self._standing.failing.items():
            if (bad := found.get(nodeid)) is not None:
                found[nodeid] = Known(bad.outcome, bad.seconds, bad.due, message)
        if self._runs is not None and self._runs.partition("::")[0] == path:
            found[self._runs] = Known(running=True)
        return found

    async def run_test(self, nodeid: str) -> None:
        """Have a test run.

        Args:
            nodeid: without parameters for all of them.

        Raises:
            DevloopError: it cannot be.
        """
        await self._act({"action": "test", "paths": [nodeid], "all": True})

    async def why(self, nodeid: str) -> ev.Explained | None:
        """Why the last cycle ran a test.

        Args:
            nodeid: without parameters for any of them.

        Raises:
            DevloopError: it cannot be told.
        """
        await self._act({"action": "why", "target": nodeid})
        return self._explained

    async def _act(self, action: dict[str, Any]) -> None:
        if self._link is None:
            raise NotWatching(f"no `devloop watch` runs in {self.root}")
        await self._link.ask({"ask": "act", "action": action})

    def _take(self, event: ev.Event) -> None:
        self._standing.apply(event)
        if isinstance(event, ev.TestFinished):
            self._runs = None
            self._finished[event.nodeid] = Known(event.outcome, event.seconds)
        elif isinstance(event, ev.TestStarted):
            self._runs = event.nodeid
        elif isinstance(event, ev.CycleFinished):
            # From here on the loop's own records know more: what is due, say.
            self._runs = None
            self._finished.clear()
        elif isinstance(event, ev.Explained):
            self._explained = event
            return
        self._changed(self)

    def _forget(self) -> None:
        """The session has ended; nobody knows what holds now."""
        self._link = None
        self._standing = Standing()
        self._finished.clear()
        self._runs = None
        self._changed(self)

    # A `watch` of our own, where there is no other

    def _begin(self) -> None:
        """Start one, once: who has stopped it does not want it."""
        if not self._start or presence.holder(self.root) is not None:
            return
        self._start = False
        command = [sys.executable, "-c", _START, _PLACE]
        command += ["watch", "--reporter", "jsonl", "--no-keys"]
        environment = {**os.environ}
        environment.pop("CI", None)
        try:
            self._child = subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            )
        except OSError as error:
            self._say(f"devloop could not be started: {error}")
            return
        assert self._child.stdout is not None
        # It ends when nobody reads this any more, however we end.
        os.set_blocking(self._child.stdout.fileno(), False)
        asyncio.get_running_loop().add_reader(self._child.stdout, self._drain, self._child)

    def _drain(self, child: subprocess.Popen[bytes]) -> None:
        """Let go of what it reports; the control socket says it as well."""
        assert child.stdout is not None
        try:
            data = os.read(child.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(child.stdout)
            if code := child.wait():
                self._say(f"`devloop watch` in {self.root} has ended with code {code}.")

    def _end(self) -> None:
        if self._link is not None:
            self._link.close()
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdout is not None
        asyncio.get_running_loop().remove_reader(child.stdout)
        with child.stdout:
            if child.poll() is None:
                child.terminate()
        try:
            child.wait(ENDS_IN)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
