"""What is installed in place is imported anew by each start, wherever it lies (W8)."""

from __future__ import annotations

import shutil
import sys
import venv
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.config.types import Ready
from devloop.events import AppStarted
from devloop.execute.guard import Guard

pytestmark = pytest.mark.anyio

Supervised = Callable[..., AbstractAsyncContextManager[Any]]
APP = """
import json
import time
import dep
import upg
print("up", upg.VALUE, flush=True)
time.sleep(600)
"""
FINDER = """
import importlib.util
import sys
HOME = {home!r}
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "upg":
            return importlib.util.spec_from_file_location(name, HOME + "/upg/__init__.py")
def install():
    sys.meta_path.append(Finder)
"""
"""As much as setuptools writes where a package does not lie in a folder of its own."""


class Place:
    """A project, an environment, and a distribution beside them.

    Args:
        folder: where they all lie.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.home = folder / "upg/src"
        for name in ("project", "upg/src/upg"):
            (folder / name).mkdir(parents=True)
        venv.create(folder / "env", symlinks=True)
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.site = folder / "env/lib" / version / "site-packages"
        self.python = str(folder / "env/bin/python")
        (self.root / "app.py").write_text(APP)
        (self.site / "dep.py").write_text("import csv\n")
        self.edit(1)

    @property
    def table(self) -> dict[str, Any]:
        """The app's."""
        return {"command": (self.python, "app.py"), "ready": Ready(log="^up")}

    def edit(self, value: int) -> None:
        """Save another value in the distribution's source."""
        (self.home / "upg/__init__.py").write_text(f"VALUE = {value}\n")

    def install(self, kind: str) -> None:
        """Install the distribution in place, as pip does for one kind of project or another."""
        line = f"{self.home}\n"
        if kind == "finder":
            name = "__editable___upg_1_0_finder"
            (self.site / f"{name}.py").write_text(FINDER.format(home=str(self.home)))
            line = f"import {name}; {name}.install()\n"
        (self.site / "__editable__.upg-1.0.pth").write_text(line)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """With an installed module that imports nothing of the project."""
    return Place(tmp_path)


async def started(session: Any) -> tuple[str, str | None]:
    """Restart the app, let it tell what it has imported, and give how it was started, and why."""
    session.app.restart()
    assert await session.app.settled() == "ready", session.output
    event: AppStarted = session.all(AppStarted)[-1]
    with anyio.fail_after(60):
        while not session.app.told_imports:  # noqa: ASYNC110 - nobody is told of it
            await anyio.sleep(0.01)
    return event.start, event.reason


async def stocked(session: Any) -> None:
    """Wait until the next start can come from what is held."""
    with anyio.fail_after(60):
        while not session.app.warm.ready:  # noqa: ASYNC110 - nobody is told of it
            await anyio.sleep(0.01)


def last(session: Any) -> str:
    """What the app has printed last."""
    line: str = session.output.splitlines()[-1]
    return line


@pytest.mark.parametrize("forks", [True, False], ids=["warm", "spare"])
@pytest.mark.parametrize("importer", ["app", "dep"])
@pytest.mark.parametrize("kind", ["pth", "finder"])
async def test_an_edit_in_what_is_installed_in_place_is_seen(
    supervised: Supervised, guard: Guard, place: Place, kind: str, importer: str, forks: bool
) -> None:
    """By a warm start, which holds the rest, also where an installed module imports it."""
    place.install(kind)
    if importer == "dep":
        (place.site / "dep.py").write_text("import csv\ntry:\n    import upg\nfinally:\n    pass\n")
    async with supervised(guard, place.root, forks=forks, **place.table) as session:
        assert (await started(session))[0] == "cold"
        for value in (22, 333):
            await stocked(session)
            place.edit(value)
            assert await started(session) == ("warm" if forks else "spare", None)
            assert last(session) == f"up {value}"
        record = session.app.warm.record
        assert {"json", "csv"} <= {*record.held}
        assert ("dep" in record.held) == (importer == "app")
        assert "upg" not in record.held


@pytest.mark.parametrize("kind", ["pth", "finder"])
async def test_what_is_installed_in_place_from_now_on_is_forgotten(
    supervised: Supervised, guard: Guard, place: Place, kind: str
) -> None:
    """It was held before, as anything that is installed."""
    shutil.copytree(place.home / "upg", place.site / "upg")
    async with supervised(guard, place.root, **place.table) as session:
        await started(session)
        await stocked(session)
        assert "upg" in session.app.warm.record.held
        shutil.rmtree(place.site / "upg")
        place.install(kind)
        place.edit(22)
        assert (await started(session))[0] == "cold"
        assert last(session) == "up 22"
        await stocked(session)
        place.edit(333)
        assert await started(session) == ("warm", None)
        assert last(session) == "up 333"
        assert "upg" not in session.app.warm.record.modules
