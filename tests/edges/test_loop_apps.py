"""What the loop is told of its apps, and when that is news."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from devloop.config.load import load
from devloop.execute.asked import Settled
from devloop.execute.guard import Guard
from devloop.loop.apps import Apps
from devloop.loop.project import Project
from devloop.plan.plan import at_start

pytestmark = pytest.mark.anyio

CONFIG = f"""
[apps.job]
command = [{sys.executable!r}, "job.py"]
start = "cold"
"""


async def test_word_of_an_earlier_restart_settles_no_later_one(
    tmp_path: Path, guard: Guard
) -> None:
    """It was on its way when the app was asked again: only what comes of that is news."""
    (tmp_path / "devloop.toml").write_text(CONFIG)
    (tmp_path / "job.py").write_text("raise SystemExit(3)\n")
    send, receive = anyio.create_memory_object_stream[tuple[str, Settled, int]](10)
    project = Project.open(load(tmp_path))
    with project.store, send, receive, anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            apps = Apps(
                project,
                guard,
                tasks,
                lambda _: None,
                lambda *word: send.send_nowait(word),
                wanted=True,
            )
            apps.restart(at_start(["job"]), 0.0)
            late = await receive.receive()
            (tmp_path / "job.py").write_text("")
            apps.restart(at_start(["job"]), 0.0)

            assert not apps.settled(*late)
            assert apps.unsettled == {"job"}
            assert not apps.failed

            while not apps.settled(*(word := await receive.receive())):
                pass
            assert word[:2] == ("job", "ended")
            assert not apps.unsettled
            assert not apps.failed
            tasks.cancel_scope.cancel()
