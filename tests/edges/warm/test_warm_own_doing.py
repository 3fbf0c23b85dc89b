"""What an app does before it imports is not known to what was imported ahead of it (W7, W23)."""

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
from devloop.events import AppStarted, Output
from devloop.execute.guard import Guard

pytestmark = pytest.mark.anyio

Supervised = Callable[..., AbstractAsyncContextManager[Any]]
SITE = "env/site-packages"


def write(root: Path, name: str, code: str) -> None:
    """Write a file, with the folders that it needs."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code))


def app(root: Path, first: str, shown: str) -> None:
    """An app that does something first, and then imports."""
    code = f"{first}\nimport dep, other\nprint('up', {shown}, flush=True)\n"
    write(root, "app.py", code + "import time; time.sleep(600)\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project; installed are a module that reads a variable, its importer, and another one."""
    write(
        tmp_path, f"{SITE}/reader.py", "import os\nMODE = os.environ.get('DEP_MODE', 'default')\n"
    )
    write(tmp_path, f"{SITE}/dep.py", "from reader import MODE\n")
    write(tmp_path, f"{SITE}/other.py", "")
    write(tmp_path, "project/app.py", "")
    return tmp_path / "project"


def table(root: Path) -> dict[str, Any]:
    """The app's table: it finds what is installed beside the project."""
    return {
        "command": (sys.executable, "-s", "app.py"),
        "ready": Ready(log="^up"),
        "env": {"PYTHONPATH": str(root.parent / SITE)},
    }


async def started(session: Any) -> tuple[AppStarted, str]:
    """Restart the app, and see how it was started and what it says."""
    session.app.restart()
    assert await session.app.settled() == "ready", session.output
    return session.all(AppStarted)[-1], said(session)


def said(session: Any) -> str:
    """What the app has said last."""
    text: str = session.all(Output)[-1].text
    return text.splitlines()[-1]


async def until(check: Callable[[], object]) -> None:
    """Wait for what nobody is told of."""
    with anyio.fail_after(60):
        while not check():  # noqa: ASYNC110 - as it says
            await anyio.sleep(0.01)


async def test_a_variable_that_the_app_sets(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """As `load_dotenv` does: what reads it is imported after that, the rest is held."""
    app(root, "import os; os.environ['DEP_MODE'] = 'fast'", "dep.MODE")
    async with supervised(guard, root, **table(root)) as session:
        assert (await started(session))[1] == "up fast"
        await until(lambda: session.app.warm.ready)
        event, text = await started(session)
        assert (event.start, event.reason, text) == ("warm", None, "up fast")
        record = session.app.warm.record
        assert "other" in record.held
        assert record.left_out["reader"] == "reads $DEP_MODE, which the command sets"
        assert record.left_out["dep"].startswith("imports reader, which reads $DEP_MODE")


async def test_an_edit_that_sets_a_variable(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """Its first start comes from what has read it before: so it is started once more, cold."""
    app(root, "", "dep.MODE")
    async with supervised(guard, root, **table(root)) as session:
        assert (await started(session))[1] == "up default"
        await until(lambda: session.app.warm.ready)
        app(root, "import os; os.environ['DEP_MODE'] = 'fast'", "dep.MODE")
        assert (await started(session))[0].start == "warm"
        await until(lambda: said(session) == "up fast")
        event = session.all(AppStarted)[-1]
        assert event.start == "cold"
        assert event.reason == "it sets $DEP_MODE, which what it imports had read before"
        await until(lambda: session.app.warm.ready)
        event, text = await started(session)
        assert (event.start, text) == ("warm", "up fast")


async def test_an_app_whose_module_sets_a_variable_for_itself(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """It does so in any process, and is held."""
    write(root.parent, f"{SITE}/dep.py", "import os\nos.environ.setdefault('DEP_MODE', 'own')\n")
    app(root, "import os", "os.environ['DEP_MODE']")
    async with supervised(guard, root, **table(root)) as session:
        assert (await started(session))[1] == "up own"
        await until(lambda: session.app.warm.ready)
        event, text = await started(session)
        assert (event.start, text) == ("warm", "up own")
        assert "dep" in session.app.warm.record.held


async def test_an_app_that_replaces_parts_of_the_library(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """As gevent and eventlet do: what is imported after that must find the replacements."""
    write(root.parent, f"{SITE}/gevent/__init__.py", "")
    patch = """
        import time
        saved = {}
        def patch_all():
            saved["time"] = time.sleep
            time.sleep = lambda seconds: saved["time"](seconds)
        """
    write(root.parent, f"{SITE}/gevent/monkey.py", patch)
    write(root.parent, f"{SITE}/dep.py", "from time import sleep\n")
    app(root, "from gevent import monkey; monkey.patch_all()", "dep.sleep.__name__")
    async with supervised(guard, root, **table(root)) as session:
        assert (await started(session))[1] == "up <lambda>"
        await until(lambda: session.app.told_imports)
        event, text = await started(session)
        assert (event.start, text) == ("cold", "up <lambda>")
        assert event.reason == "gevent replaces parts of the library before other imports"
