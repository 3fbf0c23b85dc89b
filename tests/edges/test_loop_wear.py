"""What a session leaves behind of each restart, of which there are thousands."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import devloop
from devloop.config.load import load
from devloop.events import AppStarted, CycleFinished, Event
from devloop.loop.cycles import SWEEP_EVERY
from devloop.loop.loop import Loop
from devloop.loop.project import Project
from devloop.loop.scope import Scope

pytestmark = pytest.mark.anyio

OWN = os.path.dirname(devloop.__file__)  # noqa: PTH120


class Heard:
    """A reporter that keeps the events."""

    ticks = False

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[Event](10_000)

    def handle(self, event: Event) -> None:
        """Keep an event."""
        self._send.send_nowait(event)

    def recall(self, event: Event) -> None:
        """Nothing is shown."""

    def tick(self, now: float) -> None:
        """Nothing is shown."""

    def show(self, data: bytes | None) -> None:
        """Nothing is shown."""

    def panel(self, panel: object) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """There are no more events."""
        self._send.close()
        self._receive.close()

    async def start(self) -> str:
        """Wait for the end of the next cycle that has started an app; where it came from."""
        kind = ""
        while True:
            event = await self._receive.receive()
            if isinstance(event, AppStarted):
                kind = event.start
            if kind and isinstance(event, CycleFinished) and event.outcome != "cancelled":
                return kind


@asynccontextmanager
async def looping(root: Path, *, cycles: int = 0) -> AsyncIterator[Heard]:
    """Run the loop of a project with one app, which imports `part.py`."""
    (root / "devloop.toml").write_text(
        f'[apps.job]\ncommand = [{sys.executable!r}, "main.py"]\nready = {{ log = "up" }}\n'
    )
    (root / "main.py").write_text("import part, time\nprint('up')\ntime.sleep(600)\n")
    (root / "part.py").write_text("")
    project, heard = Project.open(load(root)), Heard()
    loop = Loop(project, Scope(tests=False), heard, cycles=cycles)
    with project.store, anyio.fail_after(100):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(loop.run)
            await heard.start()
            yield heard
            tasks.cancel_scope.cancel()
    heard.close()
    # There is no next loop that would take what this one has not come to.
    loop._send.close()
    loop._receive.close()


async def test_a_restart_interns_no_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten one has used up a place in Python's table of them, which then grows one day.

    It has some ten thousand to spare: with fifty names a restart, two hundred restarts take them.
    """
    part = tmp_path / "part.py"
    intern, interned = sys.intern, set[str]()

    def note(name: str) -> str:
        frames = traceback.extract_stack()
        own = [f"{f.filename}:{f.lineno}" for f in frames if f.filename.startswith(OWN)]
        interned.update(f"{name}, by {place}" for place in own[-1:])
        return intern(name)

    async with looping(tmp_path) as heard:
        kinds: list[str] = []
        for number in range(20):
            if kinds[-2:] == ["warm", "warm"]:
                break
            part.write_text(f"V = {number}\n")
            kinds.append(await heard.start())
        monkeypatch.setattr(sys, "intern", note)
        part.write_text("V = -1\n")
        assert await heard.start() == "warm"
        monkeypatch.undo()

    assert not interned


async def test_what_is_kept_at_hand_is_given_back_now_and_then(tmp_path: Path) -> None:
    """Cycles leave no garbage by which a collection would come about by itself."""
    gc.disable()
    try:
        async with looping(tmp_path, cycles=SWEEP_EVERY - 2) as heard:
            before = gc.get_stats()[2]["collections"]
            (tmp_path / "part.py").write_text("V = 1\n")
            await heard.start()
            assert gc.get_stats()[2]["collections"] == before + 1
    finally:
        gc.enable()
