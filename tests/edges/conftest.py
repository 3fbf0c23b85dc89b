"""What tests with real files and processes share."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from devloop.config.types import App
from devloop.events import Event, Output
from devloop.execute import readiness
from devloop.execute.apps import AppSupervisor
from devloop.execute.guard import Guard
from devloop.execute.warm import Memory
from devloop.watch.scan import ChangeSet
from devloop.watch.watcher import Watcher

E = TypeVar("E", bound=Event)


class Session:
    """One app, and what was said about it."""

    def __init__(self, root: Path, guard: Guard) -> None:
        self.root = root
        self.guard = guard
        self.events: list[Event] = []
        self._news = anyio.Event()
        self.app: AppSupervisor

    def emit(self, event: Event) -> None:
        """Take an event in."""
        self.events.append(event)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, kind: type[E], check: Callable[[E], bool] = lambda _: True) -> E:
        """Wait for an event, or find it among those that were."""
        with anyio.fail_after(60):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and check(event):
                        return event
                await self._news.wait()

    def all(self, kind: type[E]) -> list[E]:
        """All events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def output(self) -> str:
        """What the app has printed."""
        return "\n".join(event.text for event in self.all(Output) if not event.partial)


@pytest.fixture(scope="session")
def reported() -> Callable[..., Awaitable[list[ChangeSet]]]:
    """Wait until all of some paths have been reported; gives the change sets up to then."""

    async def wait(watcher: Watcher, *paths: str, seconds: float = 60.0) -> list[ChangeSet]:
        left = set(paths)
        found: list[ChangeSet] = []
        with anyio.fail_after(seconds):
            while left:
                found.append(await watcher.__anext__())
                left -= {change.path for change in found[-1].changes}
        return found

    return wait


@pytest.fixture
def checkout(tmp_path: Path) -> Callable[..., Path]:
    """Make a git checkout in a folder of the test's own, or run git in one."""

    def git(*arguments: str, at: str = "checkout") -> Path:
        folder = tmp_path / at
        folder.mkdir(parents=True, exist_ok=True)
        commands = [arguments] if arguments else [("init", "-q", "-b", "main")]
        for command in commands:
            settings = ["user.name=A Tester", "user.email=tester@example.org"]
            options = [part for setting in settings for part in ("-c", setting)]
            options += ["-c", "protocol.file.allow=always"]
            subprocess.run(["git", *options, *command], cwd=folder, check=True, capture_output=True)
        return folder

    return git


@pytest.fixture
async def guard() -> AsyncIterator[Guard]:
    """A guardian of the test's own."""
    async with Guard() as guard:
        yield guard


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A life of a second is no sign of being ready: a busy machine may need one to run it."""
    monkeypatch.setattr(readiness, "ALIVE", 600.0)


@pytest.fixture(scope="session")
def supervised() -> Callable[..., AbstractAsyncContextManager[Session]]:
    """Supervise an app as `[apps.web]` with a table would be."""

    @contextlib.asynccontextmanager
    async def supervise(
        guard: Guard, root: Path, *, environ: dict[str, str] | None = None, terminal: bool = False,
        before_start: Callable[[], None] | None = None, exclude: tuple[str, ...] = (),
        memory: Memory | None = None, forks: bool = True, **table: Any,
    ) -> AsyncIterator[Session]:  # fmt: skip
        session = Session(root, guard)
        session.app = AppSupervisor(
            "web",
            App(**table),
            guard=guard,
            emit=session.emit,
            root=root,
            interpreter=sys.executable,
            environ=dict(os.environ) if environ is None else environ,
            terminal=(30, 90) if terminal else None,
            before_start=before_start,
            exclude=exclude,
            memory=memory,
            forks=forks,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.app.run)
            yield session
            tasks.cancel_scope.cancel()

    return supervise
