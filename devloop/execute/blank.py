"""A process of the project's interpreter that waits for an order; it runs `inside/blank.py`.

It can import modules, fork others like it, and become a command; then it is that, and of us
nothing is left in it but a socket.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

import anyio
import msgspec

from devloop.errors import CommandError, ExecuteError, GuardianLost
from devloop.execute import tree
from devloop.execute.command import Python
from devloop.execute.control import Control
from devloop.execute.guard import Guard, Process, Spawn
from devloop.execute.ledger import Ledger
from devloop.execute.orders import Declined, Layered, Order, Preloaded, Running, Wish
from devloop.execute.printed import Printed
from devloop.execute.terminal import Size
from devloop.execute.wiring import Wiring
from devloop.inside import messages

PROGRAM = str(Path(messages.__file__).with_name("importlib_bootstrap_zygote.py"))
VERSION = 1

ANSWER_TIMEOUT = 10.0
"""Seconds until a process has forked, or has become a command; it takes some milliseconds."""

IMPORT_TIMEOUT = 120.0
"""Seconds for all that is preloaded."""

COMPUTE_TIMEOUT = 900.0
"""Seconds for a result that is to be kept."""

END_TIMEOUT = 2.0
"""Seconds in which a process ends whose orders have ended."""

LONGEST_ARGUMENT = 128_000
"""Bytes of one argument that the kernel passes on, and some less (execve(2))."""

_UNTIL_WANTED = ("name", "terminal", "handover", "folders", "learn")
"""What of an order is of no account until the command is wanted."""


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
        output: Printed,
        said: bytes = b"",
    ) -> None:
        self.process = process
        self._guard = guard
        self._control = control
        self._command = command
        self._output = output
        self._said = said
        self._asking = anyio.Lock(fast_acquire=True)
        self._number = 0
        self._owns_output = False
        self._ahead: dict[str, Any] | None = None
        self.waits = False
        """It has gone ahead, as far as it may."""

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
                # Held libraries that write titles do so where this stands, and no further.
                missing = min(_room(command.argv) - _room(argv), LONGEST_ARGUMENT)
                if missing > 0:
                    argv.append(" " * (missing - 1))
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
        output = Printed(wiring)
        output.begin()
        blank = cls(guard, process, control, command, output)
        blank._owns_output = True
        return blank

    async def preload(
        self,
        modules: Iterable[str],
        *,
        check: bool = True,
        altered: Sequence[str] = (),
        outside: Sequence[str] = (),
    ) -> Preloaded:
        """Have it import modules.

        Args:
            modules: dotted names, in order.
            check: find out what is unsafe to hold, and import nothing after that.
            altered: the environment variables that the command itself sets, or takes away: what
                reads one of them must not be held either way.
            outside: where there are any, modules outside these folders are kept out.

        Returns:
            What has come of it.

        Raises:
            Declined: it has ended, or does not answer.
        """
        answer, seconds = await self.load(
            "preload", modules, check=check, altered=list(altered), outside=list(outside)
        )
        return preloaded(answer, seconds)

    async def layer(self, wish: Wish, env: Mapping[str, str], heed: str | None = None) -> Layered:
        """Have it import modules of the project, with what its command would find there.

        Args:
            wish: what it shall hold.
            env: the command's environment.
            heed: a folder in which files may be read of which nothing of Python's tells.

        Returns:
            What has come of it; one with a `fault` is of no use.

        Raises:
            Declined: it has ended, or does not answer.
        """
        order = {
            "m": "layer",
            "env": dict(env),
            "modules": list(wish.modules),
            "never": list(wish.never),
            "target": wish.target,
            "call": wish.call,
            "heed": heed,
            **msgspec.structs.asdict(wish.scene),
            **_entry(self._command),
        }
        limit = IMPORT_TIMEOUT if wish.target is None else COMPUTE_TIMEOUT
        answer = await self._ask(order, (), limit)
        if answer.get("v") != VERSION:
            raise Declined("devloop was replaced while it ran: start it again")
        names = answer["asked"]
        printed = await self._output.parts(len(names) + 1)
        fault = tuple(answer["fault"]) if answer["fault"] else None
        speaking = next((name for name, said in zip(names, printed, strict=False) if said), None)
        if speaking is not None and (fault is None or speaking != fault[0]):
            fault = (speaking, "prints something")
        return Layered(
            loaded=dict(answer["loaded"]),
            fault=fault,
            refused=answer["refused"],
            env=None if answer["env"] is None else frozenset([*answer["env"], *answer["settings"]]),
            seconds=answer["seconds"],
            elsewhere=answer["elsewhere"],
            heard=answer["heard"],
            **_noted(answer),
        )

    async def trace(
        self, modules: Iterable[str], *, check: bool = True, altered: Sequence[str] = ()
    ) -> tuple[dict[str, Any], float]:
        """Have it import modules, and note what imports what, and which files are read.

        It is of no other use afterwards.

        Args:
            modules: see `preload`.
            check: find out what is unsafe to hold.
            altered: see `preload`.

        Returns:
            Its answer, and the seconds that it took.

        Raises:
            Declined: it has ended, or does not answer.
        """
        return await self.load("preload", modules, check=check, trace=True, altered=list(altered))

    async def load(
        self, kind: str, modules: Iterable[str], **more: Any
    ) -> tuple[dict[str, Any], float]:
        """Have it import modules; for `preload` and the like.

        Args:
            kind: of the order.
            modules: see `preload`.
            more: what else the order says.

        Returns:
            Its answer, and the seconds that it took.

        Raises:
            Declined: it has ended, or does not answer.
        """
        began = time.monotonic()
        order = {"m": kind, "modules": list(modules), "trace": False, **more}
        answer = await self._ask({**order, **_entry(self._command)}, (), IMPORT_TIMEOUT)
        if answer.get("v") != VERSION:
            raise Declined("devloop was replaced while it ran: start it again")
        self._said += self._output.take()
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

    async def copy(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Have it copy pages of memory that it will write to; it does not answer.

        Args:
            ranges: from `pages.copied`.
        """
        if ranges:
            await self._control.send({"m": "copy", "ranges": list(ranges), "n": 0})

    async def go_ahead(self, order: Order, codes: Sequence[str] = ()) -> None:
        """Have it begin with a command that is not wanted yet; `run` then has it go on.

        Args:
            order: which; its descriptors are of no account.
            codes: cached files of modules that it will probably import.

        Raises:
            Declined: it cannot; it has ended by that.
        """
        self._ahead = self._settled(order)
        await self._go_ahead(self._ahead, codes, trace=False)
        self.waits = True

    async def probe(self, order: Order) -> Layered:
        """Find out what a command does before it is wanted; this process ends by that.

        Args:
            order: which.

        Returns:
            What it reads.

        Raises:
            Declined: it does what must not be done before it is wanted.
        """
        began = time.monotonic()
        answer = await self._go_ahead(self._settled(order), (), trace=True)
        if self._output.take():
            raise Declined("it prints something")
        return Layered(
            loaded={},
            fault=None,
            refused=None,
            env=frozenset(),
            seconds=time.monotonic() - began,
            **_noted(answer),
        )

    async def _go_ahead(
        self, settled: dict[str, Any], codes: Sequence[str], *, trace: bool
    ) -> dict[str, Any]:
        message = {"m": "ahead", **settled, "codes": list(codes), "trace": trace}
        answer = await self._ask(message, (), ANSWER_TIMEOUT)
        if answer["m"] == "declined":
            raise Declined(answer["reason"])
        return answer

    @property
    def is_ahead(self) -> bool:
        """Whether it has gone ahead, or is about to."""
        return self._ahead is not None

    def suits(self, order: Order) -> bool:
        """Whether it has gone ahead with nothing else.

        Args:
            order: what it shall become.
        """
        return self._ahead is None or self._ahead == self._settled(order)

    def _settled(self, order: Order) -> dict[str, Any]:
        """What a command is the same by, whenever it is wanted."""
        env = dict(order.env)
        if order.command.shell:
            _as_shell(env, order.cwd)
        outer = env.get(tree.MARK)
        env[tree.MARK] = f"{outer}/{self.process.mark}" if outer else self.process.mark
        return {
            **_entry(order.command),
            "options": list(order.command.options),
            "name": order.command.name,
            "env": env,
            "cwd": order.cwd,
            "umask": order.umask,
            "terminal": order.terminal,
            "variable": tree.MARK,
            "handover": order.handover,
            "folders": list(order.folders),
            "learn": list(order.learn),
        }

    async def run(self, order: Order) -> Running:
        """Have it become a command.

        Args:
            order: which.

        Returns:
            The command, which is about to run.

        Raises:
            Declined: it cannot; it has ended by that.
        """
        settled = self._settled(order)
        if self._ahead is not None:  # then it has the rest, which is long
            settled = {key: settled[key] for key in _UNTIL_WANTED}
        message = {
            "m": "run",
            **settled,
            "held": [dict(known) for known, _ in order.held],
            "passed": [name for name, _ in order.passed],
            "said": self._said.decode("latin-1"),
        }
        ledger = Ledger()
        fds = [order.stdin, order.stdout, order.stderr]
        fds += [fd for _, fd in (*order.held, *order.passed)]
        fds.append(ledger.theirs)
        try:
            await self.process.limit(order.stop_signal, order.stop_timeout)
            answer = await self._ask(message, fds, ANSWER_TIMEOUT)
            if answer["m"] == "declined":
                raise Declined(answer["reason"])
        except BaseException:
            ledger.close()
            await self.close()
            raise
        ledger.given()
        if self._owns_output:
            self._output.close()
        return Running(self.process, self._control, ledger)

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
            self._number += 1
            with anyio.move_on_after(limit):
                await self._control.send({**message, "n": self._number}, fds)
                while (got := await self._control.next()) is not None:
                    if got[0]["m"] == "importing":
                        self.importing = got[0]["name"]
                    elif got[0]["n"] == self._number:  # others answer who did not wait for it
                        self.importing = None
                        return got[0]
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


def _as_shell(env: dict[str, str], cwd: str) -> None:
    """What a shell does to the environment of a program that it is replaced by."""
    given = env.get("PWD", "")
    try:
        right = given.startswith("/") and os.path.samefile(given, cwd)  # noqa: PTH121
    except OSError:
        right = False
    if not right:
        env["PWD"] = os.path.realpath(cwd)


def _room(argv: Iterable[str]) -> int:
    """How many bytes a command line takes."""
    return sum(len(os.fsencode(word)) + 1 for word in argv)


def _noted(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "files": {path: tuple(sign) if sign else None for path, sign in answer["files"]},
        "there": {(path, to): tuple(seen) if seen else None for path, to, seen in answer["there"]},
        "folders": {path: (mtime, own) for path, mtime, own in answer["folders"]},
    }


def _entry(command: Python) -> dict[str, Any]:
    return {
        "entry": {"kind": command.kind, "target": command.target},
        "args": list(command.args),
        "argv": list(command.argv),
    }


def preloaded(answer: Mapping[str, Any], seconds: float) -> Preloaded:
    """What an answer says.

    Args:
        answer: from `Blank.load`.
        seconds: how long it took.
    """
    return Preloaded(
        loaded=dict(answer["loaded"]),
        failed=answer["failed"],
        unsafe=answer["unsafe"],
        crossed=answer["crossed"],
        env=None if answer["env"] is None else frozenset([*answer["env"], *answer["settings"]]),
        **_noted(answer),
        times=answer["times"],
        seconds=seconds,
    )
