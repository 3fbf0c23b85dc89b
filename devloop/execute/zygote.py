"""Zygotes: interpreters that hold imports, and fork processes that become commands.

What runs in them is `inside/zygote.py`. The one that is started with exec, the root, holds
nothing; a *holder* is forked from it and imports, and blanks are forked from the holder. So a
holder that turned out to be unsafe is thrown away without another interpreter's start, and the
next one is forked from the same root.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from signal import SIGKILL, SIGTERM, SIGURG
from types import TracebackType
from typing import Any

import anyio

from devloop.errors import CommandError, ExecuteError, GuardianLost
from devloop.execute import tree
from devloop.execute.command import Python
from devloop.execute.control import Control
from devloop.execute.guard import Guard, Process, Spawn
from devloop.execute.terminal import Size
from devloop.execute.wiring import Wiring
from devloop.inside import __file__ as _inside

PROGRAM = os.path.join(os.path.dirname(_inside), "zygote.py")  # noqa: PTH118, PTH120
VERSION = 1

FORKS = sys.platform == "linux"
"""Forked processes can be handed to the guardian, and libraries expect to be forked."""

ANSWER_TIMEOUT = 10.0
"""Seconds until a process has forked, or has become a command; it takes some milliseconds."""

IMPORT_TIMEOUT = 120.0
"""Seconds for all that is preloaded."""

END_TIMEOUT = 2.0
"""Seconds in which a process ends whose orders have ended."""

ROUNDS = 5
"""Holders that are tried until one is safe; what is not found out by then is not preloaded."""

SAID = 16_000
"""Bytes that are kept of what imports print."""


class Declined(Exception):
    """It cannot be started that way.

    Args:
        reason: one line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Order:
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
        stop_signal: what asks it to stop when devloop is gone.
        stop_timeout: seconds that it has for that.
    """

    command: Python
    env: Mapping[str, str]
    cwd: str
    stdin: int
    stdout: int
    stderr: int
    terminal: bool = False
    umask: int | None = None
    handover: bool = False
    held: Sequence[tuple[Mapping[str, Any], int]] = ()
    stop_signal: int = SIGTERM
    stop_timeout: float = 5.0


@dataclass(frozen=True)
class Preloaded:
    """What has come of a list of modules.

    Args:
        loaded: the file of each module that was imported on the way; None where it has none.
        failed: why a module could not be imported.
        unsafe: why a module must not be held while a process forks; it is not held.
        env: the environment variables that were read; None where that may be any. A name that
            ends with ``*`` stands for all that begin so.
        files: time (nanoseconds) and size of the files that were read; only of `Zygote.probe`.
        seconds: how long it took.
    """

    loaded: Mapping[str, str | None]
    failed: Mapping[str, str]
    unsafe: Mapping[str, str]
    env: frozenset[str] | None
    files: Mapping[str, tuple[int, int]]
    seconds: float


@dataclass(frozen=True)
class Running:
    """A blank that has become a command.

    Args:
        process: it; the guardian's.
        control: what it tells; this end is the caller's to close.
    """

    process: Process
    control: Control

    async def order(self, message: dict[str, Any], *, group: bool = False) -> None:
        """Give an order; the answer comes through `control`.

        Args:
            message: its ``"m"`` names its kind.
            group: what it has forked is told, too.
        """
        await self.control.send(message)
        if group:
            await self.process.signal(SIGURG)
        elif self.process.ended is None:
            # Not reaped by anybody but the guardian, which says so: the id may be a moment old.
            try:
                os.kill(self.process.pid, SIGURG)
            except ProcessLookupError:
                return


@dataclass
class _Output:
    """What a process prints that is not a command yet."""

    wiring: Wiring
    said: bytearray = field(default_factory=bytearray)
    reading: bool = False

    def begin(self) -> None:
        import asyncio

        self.wiring.started()
        os.set_blocking(self.wiring.output, False)
        asyncio.get_running_loop().add_reader(self.wiring.output, self.read)
        self.reading = True

    def read(self) -> None:
        try:
            data = os.read(self.wiring.output, 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
        self.said += data[: max(0, SAID - len(self.said))]

    def end(self) -> None:
        import asyncio

        if self.reading:
            self.reading = False
            asyncio.get_running_loop().remove_reader(self.wiring.output)

    def close(self) -> None:
        self.end()
        self.wiring.__exit__(None, None, None)


class Blank:
    """A process that waits for an order.

    Args:
        guard: owns it.
        process: it.
        control: our end of its control socket.
        command: what it was made for.
        output: what it prints meanwhile; a fork's is its parent's.
        said: what its imports have printed.
    """

    def __init__(
        self,
        guard: Guard,
        process: Process,
        control: Control,
        command: Python,
        output: _Output,
        said: bytes = b"",
    ) -> None:
        self.process = process
        self._guard = guard
        self._control = control
        self._command = command
        self._output = output
        self._said = said
        self._asking = anyio.Lock()
        self._owns_output = False
        self.importing: str | None = None
        """The module that it imports, or did when it ended."""

    @classmethod
    async def start(
        cls, guard: Guard, command: Python, env: Mapping[str, str], cwd: str, terminal: Size | None
    ) -> Blank:
        """Start an interpreter that waits.

        Args:
            guard: will own it.
            command: whose interpreter, with its options.
            env: the environment.
            cwd: the working directory.
            terminal: its streams are a terminal of that size; None is none.

        Returns:
            The process.

        Raises:
            Declined: it cannot be started.
            GuardianLost: the guardian has died.
        """
        control, theirs = Control.pair()
        wiring = Wiring(terminal)
        try:
            with theirs:
                argv = [command.program, *command.options, PROGRAM, str(theirs.fileno())]
                process = await guard.spawn(
                    Spawn(
                        argv,
                        env,
                        cwd,
                        stdin=wiring.stdin,
                        stdout=wiring.stdout,
                        stderr=wiring.stdout,
                        pass_fds=(theirs.fileno(),),
                        stop_signal=SIGKILL,
                        stop_timeout=0.0,
                    )
                )
        except BaseException as error:
            control.close()
            wiring.__exit__(None, None, None)
            if isinstance(error, CommandError):
                raise Declined(error.message) from None
            raise
        output = _Output(wiring)
        output.begin()
        blank = cls(guard, process, control, command, output)
        blank._owns_output = True
        return blank

    async def preload(self, modules: Iterable[str], *, check: bool = True) -> Preloaded:
        """Have it import modules.

        Args:
            modules: dotted names, in order.
            check: find out what is unsafe to hold, and import nothing after that.

        Returns:
            What has come of it.

        Raises:
            Declined: it has ended, or does not answer.
        """
        answer, seconds = await self._import("preload", modules, check=check)
        return _preloaded(answer, seconds)

    async def layer(
        self, modules: Iterable[str], env: Mapping[str, str], *, check: bool = True
    ) -> Preloaded:
        """Have it import modules of the project, with what its command would find there.

        Args:
            modules: see `preload`.
            env: the command's environment.
            check: see `preload`.

        Returns:
            What has come of it.

        Raises:
            Declined: it has ended, or does not answer.
        """
        answer, seconds = await self._import("layer", modules, check=check, env=dict(env))
        return _preloaded(answer, seconds)

    async def trace(self, modules: Iterable[str]) -> tuple[dict[str, Any], float]:
        """Have it import modules, and note what imports what, and which files are read.

        It is of no other use afterwards.

        Args:
            modules: see `preload`.

        Returns:
            Its answer, and the seconds that it took.

        Raises:
            Declined: it has ended, or does not answer.
        """
        return await self._import("preload", modules, check=True, trace=True)

    async def _import(
        self, kind: str, modules: Iterable[str], **more: Any
    ) -> tuple[dict[str, Any], float]:
        began = time.monotonic()
        order = {"m": kind, "modules": list(modules), "trace": False, **more}
        answer = await self._ask({**order, **_entry(self._command)}, (), IMPORT_TIMEOUT)
        if answer.get("v") != VERSION:
            raise Declined("devloop was replaced while it ran: start it again")
        self._output.read()
        self._said += bytes(self._output.said)
        self._output.said.clear()
        return answer, time.monotonic() - began

    async def fork(self) -> Blank:
        """Make another one, which holds the same modules.

        Raises:
            Declined: it cannot fork, has ended or does not answer.
            GuardianLost: the guardian has died.
        """
        control, theirs = Control.pair()
        try:
            with theirs:
                answer = await self._ask({"m": "fork"}, (theirs.fileno(),), ANSWER_TIMEOUT)
            if answer["m"] == "declined":
                raise Declined(answer["reason"])
            process = await self._guard.adopt(answer["pid"])
        except BaseException as error:
            control.close()
            if isinstance(error, ExecuteError) and type(error) is ExecuteError:
                raise Declined(error.message) from None
            raise
        return Blank(self._guard, process, control, self._command, self._output, self._said)

    async def run(self, order: Order) -> Running:
        """Have it become a command.

        Args:
            order: which.

        Returns:
            The command, which is about to run.

        Raises:
            Declined: it cannot; it has ended by that.
        """
        env = dict(order.env)
        if order.command.shell:
            _as_shell(env, order.cwd)
        outer = env.get(tree.MARK)
        env[tree.MARK] = f"{outer}/{self.process.mark}" if outer else self.process.mark
        message = {
            "m": "run",
            **_entry(order.command),
            "options": list(order.command.options),
            "name": order.command.name,
            "env": env,
            "cwd": order.cwd,
            "umask": order.umask,
            "terminal": order.terminal,
            "variable": tree.MARK,
            "handover": order.handover,
            "held": [dict(known) for known, _ in order.held],
            "said": self._said.decode("latin-1"),
        }
        fds = [order.stdin, order.stdout, order.stderr, *(fd for _, fd in order.held)]
        await self.process.limit(order.stop_signal, order.stop_timeout)
        try:
            answer = await self._ask(message, fds, ANSWER_TIMEOUT)
            if answer["m"] == "declined":
                raise Declined(answer["reason"])
        except BaseException:
            await self.close()
            raise
        if self._owns_output:
            self._output.close()
        return Running(self.process, self._control)

    async def close(self) -> None:
        """End it."""
        with anyio.CancelScope(shield=True):
            self._control.close()
            with suppress(GuardianLost):
                with anyio.move_on_after(END_TIMEOUT):
                    await self.process.wait_tree()
                await self.process.stop(SIGKILL, 0.0)
            if self._owns_output:
                self._output.close()

    async def _ask(
        self, message: dict[str, Any], fds: Sequence[int], limit: float
    ) -> dict[str, Any]:
        async with self._asking:
            await self._control.send(message, fds)
            with anyio.move_on_after(limit):
                while (got := await self._control.next()) is not None:
                    if got[0]["m"] != "importing":
                        self.importing = None
                        return got[0]
                    self.importing = got[0]["name"]
                raise Declined(f"its process {await self._ending()}")
        raise Declined(f"its process did not answer within {limit:.0f} s{self._at()}")

    async def _ending(self) -> str:
        with anyio.move_on_after(END_TIMEOUT):
            await self.process.wait()
        how = self.process.ended
        verb = "ended" if how is None else f"ended with {how}"
        return verb + self._at()

    def _at(self) -> str:
        return f" while it imported {self.importing}" if self.importing else ""


class Zygote:
    """What holds the imports of one command: ``async with Zygote(…) as zygote``.

    Args:
        guard: owns its processes.
        command: whose interpreter, with its options.
        env: the command's environment.
        cwd: the command's working directory.
        terminal: the command gets a terminal, of about that size.
    """

    def __init__(
        self,
        guard: Guard,
        command: Python,
        env: Mapping[str, str],
        cwd: str,
        terminal: Size | None = None,
    ) -> None:
        self._guard = guard
        self._command = command
        self._env = dict(env)
        self._cwd = cwd
        self._terminal = terminal
        self._root: Blank | None = None
        self._holder: Blank | None = None
        self._ready: Blank | None = None
        self._forking = anyio.Lock()

    async def __aenter__(self) -> Zygote:
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @classmethod
    async def start(
        cls,
        guard: Guard,
        command: Python,
        env: Mapping[str, str],
        cwd: str,
        terminal: Size | None = None,
    ) -> Zygote:
        """Start one; the arguments are the class's.

        Raises:
            Declined: it cannot be started.
            GuardianLost: the guardian has died.
        """
        zygote = cls(guard, command, env, cwd, terminal)
        await zygote._start()
        return zygote

    async def close(self) -> None:
        """End it, and what is forked in advance; commands run on."""
        for blank in (self._ready, self._holder, self._root):
            if blank is not None:
                await blank.close()
        self._ready = self._holder = self._root = None

    @property
    def alive(self) -> bool:
        """Whether something can be forked from it, as far as that is known."""
        return self._holder is not None and self._holder.process.ended is None

    @property
    def pids(self) -> list[int]:
        """The process ids of all that waits here."""
        blanks = (self._root, self._holder, self._ready)
        return [blank.process.pid for blank in blanks if blank and blank.process.ended is None]

    def suits(
        self, command: Python, env: Mapping[str, str], cwd: str, terminal: Size | None
    ) -> str | None:
        """Why another command cannot be started from this one.

        The environment's part in that is told by the process itself, which declines.

        Args:
            command: which.
            env: its environment.
            cwd: its working directory.
            terminal: what its streams are.

        Returns:
            One line; None where it can.
        """
        del env
        if (command.program, command.options) != (self._command.program, self._command.options):
            return "it has another interpreter"
        if cwd != self._cwd:
            return "its working folder differs"
        if (terminal is None) != (self._terminal is None):
            return "its streams differ"
        return None

    async def preload(self, modules: Sequence[str]) -> Preloaded:
        """Hold these modules, as far as that is safe, instead of what was held before.

        Args:
            modules: dotted names, in the order in which the command has completed their imports.

        Returns:
            What has come of it.

        Raises:
            Declined: it is not possible.
            GuardianLost: the guardian has died.
        """
        began = time.monotonic()
        unsafe: dict[str, str] = {}
        names = list(modules)
        for attempt in range(ROUNDS + 1):
            holder = await (await self._start()).fork()
            try:
                answer, _ = await holder._import("preload", names, check=True)
                fault = next(iter(answer["unsafe"].items()), None)
            except Declined:
                if holder.importing is None:
                    await holder.close()
                    raise
                answer = {"suspects": [holder.importing]}
                fault = (holder.importing, "ends the process")
            except BaseException:
                await holder.close()
                raise
            if fault is None:
                break
            await holder.close()
            if attempt >= ROUNDS - 1:
                # Up to here it was safe, and nobody knows what comes after.
                unsafe[fault[0]] = fault[1]
                late = names[names.index(fault[0]) :]
                unsafe.update(dict.fromkeys(late[1:], f"comes after {fault[0]}"))
            else:
                unsafe.update(await self._blame(names, fault, answer["suspects"]))
            names = [name for name in names if name not in unsafe]
        else:
            raise Declined("its imports cannot be held")
        async with self._forking:
            old, self._holder = [self._ready, self._holder], holder
            self._ready = None
        for blank in old:
            if blank is not None:
                await blank.close()
        return _preloaded({**answer, "unsafe": unsafe}, time.monotonic() - began)

    async def _blame(
        self, names: list[str], fault: tuple[str, str], suspects: list[str]
    ) -> dict[str, str]:
        """Find out which module is at fault, and which ones import it.

        Args:
            names: all that were to be imported.
            fault: the one at whose import it showed, and what it was.
            suspects: what was imported on the way, in the order of completion.

        Returns:
            Of `names`, those that cannot be held, with the reason.
        """
        probe = await (await self._start()).fork()
        edges: Mapping[str, Sequence[str]] = {}
        try:
            # Each stands after what it imports.
            answer, _ = await probe.trace(suspects)
            edges = answer["edges"]
            fault = next(iter(answer["unsafe"].items()), fault)
        except Declined:
            if probe.importing is not None:
                fault = (probe.importing, fault[1])
        finally:
            await probe.close()
        top = fault[0].partition(".")[0]
        found = {name: fault[1] for name in names if name.partition(".")[0] == top}
        tainted = _importers(top, edges)
        for name in names:
            if name not in found and _has(name, tainted):
                found[name] = f"imports {top}, which {fault[1]}"
        # In any case one less, or this would not end.
        found.setdefault(fault[0] if fault[0] in names else names[0], fault[1])
        return found

    async def probe(self, modules: Sequence[str]) -> Preloaded:
        """Import modules in a process that is thrown away, and note which files are read.

        Args:
            modules: see `preload`; those that it has found to be safe.

        Returns:
            What has come of it, with files.

        Raises:
            Declined: it is not possible.
            GuardianLost: the guardian has died.
        """
        blank = await (await self._start()).fork()
        try:
            answer, seconds = await blank.trace(modules)
        finally:
            await blank.close()
        return _preloaded(answer, seconds)

    async def restock(self) -> None:
        """Fork the next blank in advance; nothing happens where one is ready.

        Raises:
            Declined: it cannot be forked.
            GuardianLost: the guardian has died.
        """
        async with self._forking:
            if await self._stocked() is None:
                self._ready = await self._fork()

    async def take(self) -> Blank:
        """Get a blank that holds the modules.

        Returns:
            The one that was forked in advance, or another one.

        Raises:
            Declined: it cannot be forked.
            GuardianLost: the guardian has died.
        """
        async with self._forking:
            blank = await self._stocked()
            self._ready = None
            return await self._fork() if blank is None else blank

    async def _stocked(self) -> Blank | None:
        """The one that is ready, if it lives."""
        if self._ready is not None and self._ready.process.ended is not None:
            await self._ready.close()
            self._ready = None
        return self._ready

    async def _fork(self) -> Blank:
        if self._holder is None:
            raise Declined("nothing is preloaded yet")
        return await self._holder.fork()

    async def _start(self) -> Blank:
        if self._root is None or self._root.process.ended is not None:
            if self._root is not None:
                await self._root.close()
            self._root = await Blank.start(
                self._guard, self._command, self._env, self._cwd, self._terminal
            )
        return self._root


def _as_shell(env: dict[str, str], cwd: str) -> None:
    """What a shell does to the environment of a program that it is replaced by."""
    given = env.get("PWD", "")
    try:
        right = given.startswith("/") and os.path.samefile(given, cwd)  # noqa: PTH121
    except OSError:
        right = False
    if not right:
        env["PWD"] = os.path.realpath(cwd)


def _entry(command: Python) -> dict[str, Any]:
    return {
        "entry": {"kind": command.kind, "target": command.target},
        "args": list(command.args),
        "argv": list(command.argv),
    }


def _preloaded(answer: Mapping[str, Any], seconds: float) -> Preloaded:
    return Preloaded(
        loaded=dict(answer["loaded"]),
        failed=answer["failed"],
        unsafe=answer["unsafe"],
        env=None if answer["env"] is None else frozenset([*answer["env"], *answer["settings"]]),
        files={path: (mtime, size) for path, mtime, size in answer["files"]},
        seconds=seconds,
    )


def _importers(top: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    """The modules that import something, at any remove.

    Args:
        top: the top-level name of what is imported.
        edges: what each module has imported.
    """
    found: set[str] = set()
    while True:
        more = {
            name
            for name, imported in edges.items()
            if name not in found
            and any(one.partition(".")[0] == top or _has(one, found) for one in imported)
        }
        if not more:
            return found
        found |= more


def _has(name: str, modules: set[str]) -> bool:
    """Whether a module, or a package that is imported before it, is one of some."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in modules for count in range(1, len(parts) + 1))
