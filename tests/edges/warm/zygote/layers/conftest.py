"""A program in a folder, whose starts come from the topmost layer that is clean."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from devloop.execute.guard import Spawn
from devloop.execute.layers import Layers
from devloop.execute.zygote import Zygote
from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import discover
from devloop.inside import source

if TYPE_CHECKING:
    from ..conftest import Life, Starter

END = "-- up --\n"
WAITING = "\nimport time\nprint('-- up --', flush=True)\nwhile True:\n    time.sleep(0.05)\n"
"""How a program ends that is to be looked at; a signal just before it sleeps does not wake it."""


class Program:
    """A program that is started again and again.

    Args:
        start: starts commands in its folder.
        options: those of `Layers`.
    """

    def __init__(self, start: Starter, **options: Any) -> None:
        self.argv: tuple[str, ...] = (sys.executable, "main.py")
        self.said: list[str] = []
        """What a person was warned of."""

        self.noted: list[str] = []
        """What a person was told else."""

        self._start = start
        self._layered = False
        self._misled = False
        self._graph = Graph.build(discover([]), {})
        self._options = options
        self._zygote: Zygote | None = None
        self.layers = Layers(str(start.root), lambda: self._graph, tell=self._tell, **options)

    def was_layered(self) -> bool:
        """Whether the last start came from a layer."""
        return self._layered

    def was_misled(self) -> bool:
        """Whether the last start must be made again without what it was given."""
        return self._misled

    @property
    def root(self) -> Path:
        """Its folder."""
        return self._start.root

    @property
    def env(self) -> dict[str, str]:
        """Its environment."""
        return self._start.env

    def write(self, name: str, text: str) -> None:
        """Write a file before anything runs; `main.py` is made to wait at its end."""
        self._start.write(name, text + (WAITING if name == "main.py" else ""))
        self._know()

    def edit(self, name: str, text: str | None) -> None:
        """Change a file, or remove it, as somebody who works on it does."""
        if text is None:
            (self._start.root / name).unlink()
        else:
            self._start.write(name, text + (WAITING if name == "main.py" else ""))
        self._know()
        self.layers.changed([name])

    async def run(self) -> str:
        """Start it from what is ready, and give what it prints until it is up."""
        zygote = await self._get_zygote()
        blank = await self.layers.take(self.env)
        self._layered = blank is not None
        life = await self._start.run(
            blank or await zygote.take(), *self.argv, learn=self.layers.unknown
        )
        text = await self._until_up(life)
        assert life.running is not None
        await life.running.order({"m": "report"})
        with anyio.fail_after(60):
            while (got := await life.running.control.next()) is not None:
                if got[0]["m"] == "called":
                    self.layers.called(got[0])
                elif got[0]["m"] == "loaded":
                    self._misled = self.layers.learn(got[0], layered=self._layered)
                    break
        await life.process.stop(9, 0.0)
        return text

    async def cold(self) -> str:
        """Start it cold, and give what it prints until it is up."""
        life = await self._start.cold(*self.argv)
        text = await self._until_up(life)
        await life.process.stop(9, 0.0)
        return text

    async def failing(self) -> tuple[str, str]:
        """Start it, cold and from what is ready, to its end; gives what is printed."""
        cold = await self._start.cold(*self.argv)
        await cold.end()
        zygote = await self._get_zygote()
        blank = await self.layers.take(self.env) or await zygote.take()
        warm = await self._start.run(blank, *self.argv)
        await warm.end()
        return cold.text, warm.text

    async def prepare(self) -> None:
        """Have ready what the next start may come from."""
        spawn = Spawn(self.argv, self.env, str(self._start.root))
        command = self._start.parse(*self.argv)
        await self.layers.prepare(await self._get_zygote(), command, spawn, ["colorsys"])

    async def again(self) -> str:
        """Have ready what the next start may come from, and start it."""
        await self.prepare()
        return await self.run()

    def _tell(self, text: str, severity: str) -> None:
        (self.said if severity == "warning" else self.noted).append(text)

    async def _get_zygote(self) -> Zygote:
        if self._zygote is None:
            modules = ["json", "threading", "signal"]
            self._zygote = await self._start.zygote(*self.argv, modules=modules)
        return self._zygote

    async def _until_up(self, life: Life) -> str:
        await life.until(END)
        return life.text.partition(END)[0]

    def _know(self) -> None:
        root = self._start.root
        found = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.py")}
        facts = {path: _facts(data) for path, data in found.items()}
        self._graph = Graph.build(discover(facts), facts)


def _facts(data: bytes) -> Facts:
    return msgspec.json.decode(msgspec.json.encode(source.facts(data)), type=Facts)


@pytest.fixture
async def program(start: Starter) -> AsyncIterator[Callable[..., Program]]:
    """Makes a program, with the options of its layers."""
    made: list[Program] = []

    def make(**options: Any) -> Program:
        made.append(Program(start, **options))
        return made[-1]

    yield make
    for one in made:
        await one.layers.drop()
