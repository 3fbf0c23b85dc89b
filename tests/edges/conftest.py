"""What tests with real files and processes share."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from devloop.watch.scan import ChangeSet
from devloop.watch.watcher import Watcher


@pytest.fixture(scope="session")
def reported() -> Callable[..., Awaitable[list[ChangeSet]]]:
    """Wait until all of some paths have been reported; gives the change sets up to then."""

    async def wait(watcher: Watcher, *paths: str, seconds: float = 15.0) -> list[ChangeSet]:
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
