"""What a session leaves behind of each restart, of which there are thousands."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import anyio
import pytest

import devloop
from devloop.config.load import load
from devloop.events import AppStarted, CycleFinished, Event
from devloop.loop.loop import Loop
from devloop.loop.project import Project
from devloop.loop.scope import Scope

pytestmark = pytest.mark.anyio

OWN = os.path.dirname(devloop.__file__)  # noqa: PTH120


class Heard:
    """A reporter that keeps the events."""

    ticks = False

    def __init__(self) -> None:
        self._send, self.receive = anyio.create_memory_object_stream[Event](10_000)

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
        """There is nothing to close."""

    async def start(self) -> str:
        """Wait for the end of the next cycle that has started an app; where it came from."""
        kind = ""
        while True:
            event = await self.receive.receive()
            if isinstance(event, AppStarted):
                kind = event.start
            if kind and isinstance(event, CycleFinished) and event.outcome != "cancelled":
                return kind


async def test_a_restart_interns_no_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten one has used up a place in Python's table of them, which then grows one day.

    It has some ten thousand to spare: with fifty names a restart, two hundred restarts take them.
    """
    (tmp_path / "devloop.toml").write_text(
        f'[apps.job]\ncommand = [{sys.executable!r}, "main.py"]\nready = {{ log = "up" }}\n'
    )
    (tmp_path / "main.py").write_text("import part, time\nprint('up')\ntime.sleep(600)\n")
    part = tmp_path / "part.py"
    part.write_text("")
    intern, interned = sys.intern, set[str]()

    def note(name: str) -> str:
        frames = traceback.extract_stack()
        own = [f"{f.filename}:{f.lineno}" for f in frames if f.filename.startswith(OWN)]
        interned.update(f"{name}, by {place}" for place in own[-1:])
        return intern(name)

    project, heard = Project.open(load(tmp_path)), Heard()
    loop = Loop(project, Scope(tests=False), heard)
    with project.store, anyio.fail_after(100):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(loop.run)
            await heard.start()
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
            tasks.cancel_scope.cancel()

    assert not interned
