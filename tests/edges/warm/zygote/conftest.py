"""A command, started cold and from a zygote, with the same environment and streams."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.execute.blank import Blank
from devloop.execute.command import Python, parse
from devloop.execute.guard import Ended, Guard, Process, Spawn
from devloop.execute.holders import Purpose
from devloop.execute.orders import Order, Running
from devloop.execute.terminal import Size
from devloop.execute.wiring import Wiring
from devloop.execute.zygote import Zygote

SIZE = (30, 90)


class Life:
    """One process of a command, with what it prints.

    Args:
        wiring: its streams.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.process: Process
        self.running: Running | None = None
        self.text = ""
        """What it has printed so far."""

    def read(self) -> bool:
        """Take what is there; whether more may come."""
        try:
            data = os.read(self.wiring.output, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.text += data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        return bool(data)

    async def until(self, text: str, seconds: float = 60) -> None:
        """Wait until it has printed something."""
        with anyio.move_on_after(seconds):
            while text not in self.text:
                await anyio.wait_readable(self.wiring.output)
                if not self.read():
                    break
        assert text in self.text, f"it did not print {text!r}: {self.text}"

    async def end(self, seconds: float = 60) -> Ended:
        """Wait for its end, and that of its output."""
        with anyio.fail_after(seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._drain)
                ended = await self.process.wait()
        return ended

    async def _drain(self) -> None:
        await anyio.wait_readable(self.wiring.output)
        while self.read():
            await anyio.wait_readable(self.wiring.output)


@dataclass
class Both:
    """What has come of a command, cold and warm."""

    cold: str
    warm: str
    cold_end: Ended
    warm_end: Ended
    order: list[dict[str, Any]] = field(default_factory=list)

    def same(self) -> str:
        """Both have printed the same, and ended alike; gives what they have printed."""
        assert self.warm == self.cold
        assert self.warm_end == self.cold_end
        return self.cold

    def read(self) -> tuple[Any, Any]:
        """What both have printed, as JSON."""
        assert self.cold_end == self.warm_end, self.warm
        return json.loads(self.cold), json.loads(self.warm)


class Starter:
    """Starts commands in a folder of their own.

    Args:
        guard: owns the processes.
        root: the folder.
        cleanup: undone at the test's end.
    """

    def __init__(self, guard: Guard, root: Path, cleanup: ExitStack) -> None:
        self.guard = guard
        self.root = root
        self.python = sys.executable
        self.env = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(root),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.handover = False
        """Commands that are started warm watch their listening sockets."""

        self.zygotes: list[Zygote] = []
        self._cleanup = cleanup

    def write(self, name: str, text: str) -> str:
        """Write a file; gives its name."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    def parse(self, *argv: str) -> Python:
        """The program that a command line starts."""
        found = parse(argv, self.env, str(self.root))
        assert isinstance(found, Python), found
        return found

    def wiring(self, size: Size | None) -> Wiring:
        """Streams, closed at the test's end."""
        return self._cleanup.enter_context(Wiring(size))

    async def cold(self, *argv: str, size: Size | None = None) -> Life:
        """Start a command as it is."""
        life = Life(self.wiring(size))
        life.process = await self.guard.spawn(
            Spawn(
                argv,
                self.env,
                str(self.root),
                stdin=life.wiring.stdin,
                stdout=life.wiring.stdout,
                stderr=life.wiring.stdout,
                terminal=size is not None,
            )
        )
        life.wiring.started()
        return life

    async def zygote(
        self, *argv: str, modules: Sequence[str] = (), size: Size | None = None
    ) -> Zygote:
        """Start a zygote for a command."""
        zygote = await Zygote.start(
            Purpose(self.guard, self.parse(*argv), self.env, str(self.root), size)
        )
        self.zygotes.append(zygote)
        await zygote.preload(modules)
        return zygote

    async def run(
        self, blank: Blank, *argv: str, size: Size | None = None, learn: Sequence[str] = ()
    ) -> Life:
        """Have a blank become a command."""
        life = Life(self.wiring(size))
        null = os.open(os.devnull, os.O_RDWR)
        self._cleanup.callback(os.close, null)
        stdin = null if life.wiring.stdin is None else life.wiring.stdin
        stdout = life.wiring.stdout
        assert stdout is not None
        order = Order(
            self.parse(*argv),
            self.env,
            str(self.root),
            stdin,
            stdout,
            stdout,
            size is not None,
            handover=self.handover,
            learn=learn,
        )
        life.running = await blank.run(order)
        life.process = life.running.process
        self._cleanup.callback(life.running.close)
        life.wiring.started()
        return life

    async def warm(self, *argv: str, modules: Sequence[str] = (), size: Size | None = None) -> Life:
        """Start a command from a zygote of its own."""
        zygote = await self.zygote(*argv, modules=modules, size=size)
        return await self.run(await zygote.take(), *argv, size=size)

    async def both(self, *argv: str, modules: Sequence[str] = (), size: Size | None = None) -> Both:
        """Run a command to its end, cold and warm."""
        cold = await self.cold(*argv, size=size)
        warm = await self.warm(*argv, modules=modules, size=size)
        cold_end, warm_end = await cold.end(), await warm.end()
        return Both(cold.text, warm.text, cold_end, warm_end)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Starter]:
    """Starts commands."""
    with ExitStack() as cleanup:
        async with Guard() as guard:
            starter = Starter(guard, tmp_path, cleanup)
            yield starter
            for zygote in starter.zygotes:
                await zygote.close()


@pytest.fixture
def until() -> Callable[[Callable[[], object], str], Any]:
    """Wait for something that comes soon."""

    async def wait(check: Callable[[], object], what: str) -> None:
        deadline = anyio.current_time() + 60
        while not check():
            assert anyio.current_time() < deadline, f"it did not happen: {what}"
            await anyio.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def dedented() -> Callable[[str], str]:
    """Make a module of an indented text."""

    def dedent(text: str) -> str:
        return textwrap.dedent(text).lstrip("\n").rstrip() + "\n"

    return dedent
