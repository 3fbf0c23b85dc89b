"""What is not safe to hold is left out; what a warm start would change turns it off (W1)."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.config.types import Ready
from devloop.events import AppStarted
from devloop.execute import apps
from devloop.execute.guard import Guard
from devloop.plan.warm import WarmRecord

pytestmark = pytest.mark.anyio

Supervised = Callable[..., AbstractAsyncContextManager[Any]]
SITE = "env/site-packages"
APP = """
    import time
    import dep
    print("up", flush=True)
    time.sleep(600)
    """
WAITS = "'zygote.py' in open('/proc/self/cmdline').read()"
"""A module says this while it is imported ahead of time."""


class Kept:
    """A memory as the store is one."""

    def __init__(self) -> None:
        self.records: dict[str, WarmRecord] = {}

    def load(self, stamp: str) -> WarmRecord | None:
        """What is known."""
        return self.records.get(stamp)

    def save(self, stamp: str, record: WarmRecord) -> None:
        """Keep it."""
        self.records[stamp] = record


def write(root: Path, name: str, code: str) -> None:
    """Write a file, with the folders that it needs."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that imports an installed module."""
    write(tmp_path, "project/app.py", APP)
    return tmp_path / "project"


def table(root: Path) -> dict[str, Any]:
    """The app's table: it finds what is installed beside the project."""
    return {
        "command": (sys.executable, "-s", "app.py"),
        "ready": Ready(log="^up"),
        "env": {"PYTHONPATH": str(root.parent / SITE)},
    }


async def started(session: Any) -> AppStarted:
    """Restart the app, see how it was started, and let it tell what it has imported."""
    session.app.restart()
    assert await session.app.settled() == "ready", session.output
    event: AppStarted = session.all(AppStarted)[-1]
    with anyio.fail_after(60):
        while not session.app.told_imports:  # noqa: ASYNC110 - nobody is told of it
            await anyio.sleep(0.01)
    return event


async def stocked(session: Any) -> None:
    """Wait until the next start can come from a zygote."""
    with anyio.fail_after(60):
        while not session.app.warm.ready:  # noqa: ASYNC110 - nobody is told of it
            await anyio.sleep(0.01)


async def test_a_difference_turns_warm_off(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """After a second look with a cold start; the reason is kept for the next session."""
    write(root.parent, f"{SITE}/dep.py", f"if not {WAITS}:\n    import plugin\n")
    write(root, "plugin.py", "")
    memory = Kept()
    async with supervised(guard, root, memory=memory, **table(root)) as session:
        assert (await started(session)).start == "cold"
        await stocked(session)
        assert (await started(session)).start == "warm"
        again = await started(session)
        assert again.start == "cold"
        assert again.reason is not None
        assert "differed from a cold one (plugin is not imported)" in again.reason
        off = await started(session)
        reason = "a warm start differs from a cold one: plugin is not imported"
        assert (off.start, off.reason) == ("cold", reason)
    async with supervised(guard, root, memory=memory, **table(root)) as session:
        assert (await started(session)).reason == reason


SLOW = """
    import os, time
    if not os.path.exists("quick"):
        print("up", flush=True)
        time.sleep(600)
    """


@pytest.mark.parametrize("known", [False, True])
async def test_a_start_that_ends_amid_its_imports_is_not_compared(
    supervised: Supervised, guard: Guard, root: Path, known: bool
) -> None:
    """What it has imported is held; what it has not is no difference, nor what was before."""
    write(root.parent, f"{SITE}/dep.py", "")
    write(root.parent, f"{SITE}/late.py", "")
    write(root, "plugin.py", "import dep")
    write(root, "slow.py", SLOW)
    memory = Kept()
    if known:
        async with supervised(guard, root, memory=memory, **table(root)) as session:
            assert (await started(session)).start == "cold"
    code = textwrap.dedent(APP).replace("import dep", "import plugin, slow, late, own")
    write(root, "app.py", code)
    write(root, "own.py", "")
    async with supervised(guard, root, memory=memory, **table(root)) as session:
        assert (await started(session)).start == "cold"
        await stocked(session)
        (root / "quick").touch()
        for _ in range(2):
            event = await started(session)
            assert (event.start, event.reason) == ("warm", None)
            await stocked(session)
        with anyio.fail_after(60):
            while not {"dep", "late"} <= {*session.app.warm.record.held}:  # noqa: ASYNC110
                await anyio.sleep(0.01)


@pytest.mark.parametrize("listens", [False, True])
async def test_what_runs_within_an_import_is_compared_as_well(
    supervised: Supervised,
    guard: Guard,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    listens: bool,
) -> None:
    """An import that brings in nothing more for long is what the app does."""
    monkeypatch.setattr(apps, "SETTLING", 0.05)
    monkeypatch.setattr(apps, "LONGER", (0.1, 0.2))
    write(root.parent, f"{SITE}/dep.py", "")
    serve = "import socket\nsock = socket.create_server(('127.0.0.1', 0))\n" if listens else ""
    write(root, "server.py", serve + textwrap.dedent(APP))
    write(root, "app.py", "import server")
    async with supervised(guard, root, **table(root)) as session:
        assert (await started(session)).start == "cold"
        with anyio.fail_after(60):
            while session.app.warm.record.shape is None:  # noqa: ASYNC110 - nobody is told of it
                await anyio.sleep(0.01)


async def test_an_edit_that_imports_less_is_no_difference(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """One more cold start shows that it was the edit."""
    write(root.parent, f"{SITE}/dep.py", "")
    write(root, "plugin.py", "")
    write(root, "app.py", "import plugin\n" + textwrap.dedent(APP))
    async with supervised(guard, root, **table(root)) as session:
        assert (await started(session)).start == "cold"
        await stocked(session)
        write(root, "app.py", APP)
        assert (await started(session)).start == "warm"
        assert (await started(session)).start == "cold"
        await stocked(session)
        for _ in range(2):
            event = await started(session)
            assert (event.start, event.reason) == ("warm", None)


LATE = """
    import os, time
    import dep
    print("up", flush=True)
    while not os.path.exists("asked"):
        time.sleep(0.001)
    import late
    time.sleep(600)
    """


async def test_what_a_request_imports_is_no_difference(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """A warm process may have answered by the time at which a cold one has yet to be asked."""
    write(root.parent, f"{SITE}/dep.py", "")
    write(root, "late.py", "")
    write(root, "app.py", LATE)
    async with supervised(guard, root, **table(root)) as session:
        assert (await started(session)).start == "cold"
        await stocked(session)
        (root / "asked").touch()
        assert (await started(session)).start == "warm"
        assert session.app.warm.record.doubt == ("late is imported",)
        (root / "asked").unlink()
        assert (await started(session)).start == "cold"
        (root / "asked").touch()
        with anyio.fail_after(60):
            while not session.app.warm.record.audited:  # noqa: ASYNC110 - nobody is told of it
                await anyio.sleep(0.01)
        await stocked(session)
        event = await started(session)
        assert (event.start, event.reason) == ("warm", None)


async def test_what_starts_a_thread_is_left_out(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """With what imports it; the start is warm without them, also in the next session (W1)."""
    thread = "import threading\nthreading.Timer(600, print).start()\n"
    # A timer that is no daemon would keep the app from ending by itself.
    thread = thread.replace(
        "threading.Timer(600, print).start()",
        textwrap.dedent("""
        timer = threading.Timer(600, print)
        timer.daemon = True
        timer.start()
        """),
    )
    write(root.parent, f"{SITE}/dep.py", "import json\nimport noisy\n")
    write(root.parent, f"{SITE}/noisy/__init__.py", thread)
    memory = Kept()
    for _ in range(2):
        async with supervised(guard, root, memory=memory, **table(root)) as session:
            await started(session)
            await stocked(session)
            event = await started(session)
            assert (event.start, event.reason) == ("warm", None)
            record = session.app.warm.record
            assert "json" in record.held
            assert record.left_out["noisy"] == "starts a thread"
            assert record.left_out["dep"] == "imports noisy, which starts a thread"


async def test_an_upgrade_of_what_was_unsafe_is_tried(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """It was left out in the version that was installed then."""
    site = root.parent / SITE
    write(root.parent, f"{SITE}/dep.py", "")
    write(root.parent, f"{SITE}/dep-1.0.dist-info/RECORD", "dep.py,,\ndep-1.0.dist-info/RECORD,,\n")
    unsafe = (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    write(root.parent, f"{SITE}/dep.py", unsafe)
    memory = Kept()
    async with supervised(guard, root, memory=memory, **table(root)) as session:
        await started(session)
        await stocked(session)
        assert session.app.warm.record.left_out["dep"] == "starts a thread"
    (record,) = memory.records.values()
    assert record.quarantine["dep"].distribution == str(site / "dep-1.0.dist-info")
    (site / "dep-1.0.dist-info").rename(site / "dep-2.0.dist-info")
    write(root.parent, f"{SITE}/dep.py", "")
    async with supervised(guard, root, memory=memory, **table(root)) as session:
        await started(session)
        await stocked(session)
        assert "dep" in session.app.warm.record.held


async def test_a_project_that_is_imported_from_outside_is_not_held(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """An installed module that imports the project's is left out, and the rest is held."""
    code = "import json\nimport sys\nsys.path.append({!r})\nimport dep.part\nimport plugin\n"
    write(root.parent, f"{SITE}/dep/__init__.py", code.format(str(root)))
    write(root.parent, f"{SITE}/dep/part.py", "")
    write(root, "plugin.py", "")
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await stocked(session)
        for _ in range(2):
            event = await started(session)
            assert (event.start, event.reason) == ("warm", None)
        record = session.app.warm.record
        assert "json" in record.held
        assert record.left_out == dict.fromkeys(
            ("dep", "dep.part"), "imports plugin, which is the project's"
        )
        assert not record.quarantine
