"""What is asked of a process that waits, and what comes of it (`blank.py`)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from signal import SIGTERM, SIGURG
from typing import Any

import msgspec

from devloop.execute.command import Python
from devloop.execute.control import Control
from devloop.execute.guard import Process
from devloop.execute.ledger import Ledger
from devloop.execute.signs import Seen, Sign


class Declined(Exception):
    """It cannot be started that way.

    Args:
        reason: one line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Order(msgspec.Struct, frozen=True):
    """What a blank is to become.

    Args:
        command: what is run.
        env: the whole environment.
        cwd: the working directory.
        stdin: a descriptor of ours, which stays ours; so are the others.
        stdout: see `stdin`.
        stderr: see `stdin`.
        terminal: `stdin` is a terminal, and shall control the process's session.
        umask: None leaves the guardian's.
        handover: watch its listening sockets (`inside/listeners.py`).
        held: sockets that it shall take over: what is known of each, and a descriptor.
        passed: descriptors that it shall have, each with the environment variable that names it.
        folders: those that it will put on `sys.path`; a module in them is not to be hidden.
        learn: functions of whose first call it shall tell, each as ``module:function``.
        stop_signal: what asks it to stop when devloop is gone.
        stop_timeout: seconds that it has for that.
    """

    command: Python
    env: Mapping[str, str]
    cwd: str
    stdin: int = -1
    stdout: int = -1
    stderr: int = -1
    terminal: bool = False
    umask: int | None = None
    handover: bool = False
    held: Sequence[tuple[Mapping[str, Any], int]] = ()
    passed: Sequence[tuple[str, int]] = ()
    folders: Sequence[str] = ()
    learn: Sequence[str] = ()
    stop_signal: int = SIGTERM
    stop_timeout: float = 5.0


class Preloaded(msgspec.Struct, frozen=True):
    """What has come of a list of modules.

    Args:
        loaded: the file of each module that was imported on the way; None where it has none.
        failed: why a module could not be imported.
        unsafe: why a module must not be held while a process forks; it is not held.
        crossed: which of the project's modules a module has tried to import.
        env: the environment variables that were read; None where that may be any. A name that
            ends with ``*`` stands for all that begin so.
        files: see `Layered`; only of `Zygote.probe`, as are the next two.
        there: see `Layered`.
        folders: see `Layered`; those that were listed to find modules are none of them.
        times: seconds that each module took that was to be imported; only of `Zygote.probe`.
        seconds: how long it took.
    """

    loaded: Mapping[str, str | None]
    failed: Mapping[str, str]
    unsafe: Mapping[str, str]
    crossed: Mapping[str, str]
    env: frozenset[str] | None
    files: Mapping[str, Sign]
    there: Mapping[tuple[str, bool], Seen]
    folders: Mapping[str, tuple[int, bool]]
    times: Mapping[str, float]
    seconds: float


class Scene(msgspec.Struct, frozen=True):
    """What the command has brought about by the time it was asked.

    Args:
        path: `sys.path`.
        finders: the names of what finds modules for the import system.
        altered: the environment variables that it has set or taken away.
    """

    path: tuple[str, ...] = ()
    finders: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()


class Wish(msgspec.Struct, frozen=True):
    """What a layer shall hold.

    Args:
        modules: of the project, each after what it imports.
        scene: where they are imported.
        never: modules that must not come in with them.
        target: a function whose result is kept, as ``module:function``.
        call: its arguments, as the command has told of them; None is without any.
    """

    modules: Sequence[str]
    scene: Scene
    never: Sequence[str] = ()
    target: str | None = None
    call: str | None = None


class Layered(msgspec.Struct, frozen=True):
    """What has come of a layer.

    Args:
        loaded: the file of each module that was imported on the way; None where it has none.
        fault: a module that cannot be held, and why.
        refused: why the function's result cannot be kept.
        env: the environment variables that were read (see `Preloaded`).
        files: time (nanoseconds), size and inode of the files that were read; None of those that
            were not there.
        there: what was seen where it was only asked what kind of thing is there, by path and
            whether links were followed.
        folders: time of the folders that were listed, and whether only to find modules.
        seconds: how long it took.
        elsewhere: what the function has done by which it may have learnt what nobody can look at.
        heard: whether the folder to heed was watched, and all that was opened in it is among these.
    """

    loaded: Mapping[str, str | None]
    fault: tuple[str, str] | None
    refused: str | None
    env: frozenset[str] | None
    files: Mapping[str, Any]
    there: Mapping[tuple[str, bool], Seen]
    folders: Mapping[str, tuple[int, bool]]
    seconds: float
    elsewhere: str | None = None
    heard: bool = False


class Running(msgspec.Struct, frozen=True):
    """A blank that has become a command.

    Args:
        process: it; the guardian's.
        control: what it tells.
        ledger: what its forked children tell.
    """

    process: Process
    control: Control
    ledger: Ledger

    async def order(self, *messages: dict[str, Any], group: bool = False) -> None:
        """Give orders; the answers come through `control`, and of forked children in `ledger`.

        Args:
            messages: the ``"m"`` of each names its kind.
            group: what it has forked is told the first of them, too.
        """
        for message in messages:
            await self.control.send(message)
        if group:
            self.ledger.ask(messages[0]["m"])
        if self.process.ended is None:
            # Not reaped by anybody but the guardian, which says so: the id may be a moment old.
            # To ask the guardian would take a millisecond in which old code answers.
            with suppress(ProcessLookupError, PermissionError):
                (os.killpg if group else os.kill)(self.process.pid, SIGURG)

    def close(self) -> None:
        """Hear of it no more."""
        self.control.close()
        self.ledger.close()
