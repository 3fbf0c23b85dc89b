"""One parse worker: a process of the project's interpreter that finds facts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec

from devloop.errors import InterpreterError
from devloop.graph.facts import Facts
from devloop.inside import messages

if TYPE_CHECKING:
    from anyio.abc import Process

CODE = """import sys
if sys.version_info < (3, 10):
    sys.exit("Python %d.%d is too old, devloop needs 3.10 or later" % sys.version_info[:2])
sys.path.append(sys.argv[1])
from inside.parse import main
main()
"""
PACKAGE = Path(messages.__file__).parents[1]
"""The folder that holds `inside`, which needs nothing else of devloop."""

START_TIMEOUT = 30.0
"""Seconds until a worker says hello; it takes some hundredths unless the disk is cold."""

BATCH_TIMEOUT = 60.0
"""Seconds until a batch is answered."""

END_TIMEOUT = 2.0
"""Seconds until a worker ends whose input has closed."""


class Parsed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file, read and parsed.

    Args:
        signature: size, mtime_ns, ctime_ns and inode, as they were while it was read.
        digest: of its bytes, BLAKE2b of 16 bytes; empty where it cannot be read.
        facts: what it says; with a problem where it cannot be read or compiled.
        outline: what it consists of, packed; empty where it does not compile.
    """

    signature: tuple[int, int, int, int]
    digest: bytes
    facts: Facts
    outline: bytes = b""


class _Hello(msgspec.Struct, tag="hello", tag_field="m"):
    version: int
    python: str


class _Answer(msgspec.Struct, tag="parsed", tag_field="m"):
    files: list[Parsed | None]


class WorkerLostError(Exception):
    """A worker died, or does not answer; the message says which."""


class Worker:
    """One process that parses."""

    def __init__(self, process: Process) -> None:
        from anyio.streams.buffered import BufferedByteReceiveStream

        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._requests = process.stdin
        self._answers = BufferedByteReceiveStream(process.stdout)

    @classmethod
    async def start(cls, interpreter: str, root: Path) -> Worker:
        """Start one, and wait until it is ready.

        Args:
            interpreter: the project's.
            root: the working folder.

        Raises:
            InterpreterError: it does not run, or cannot be used.
        """
        command = [interpreter, "-I", "-S", "-X", f"utf8={sys.flags.utf8_mode}"]
        command += ["-c", CODE, str(PACKAGE)]
        try:
            # In a session of its own Ctrl-C does not reach it; it ends when its input closes.
            process = await anyio.open_process(
                command, cwd=root, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise _unusable(interpreter, error.strerror or str(error)) from error
        worker = cls(process)
        try:
            with anyio.fail_after(START_TIMEOUT):
                hello = await worker.receive()
        except (WorkerLostError, TimeoutError) as error:
            worker.signal_kill()
            reason = await worker.last_words() or str(error) or "it does not answer"
            await worker.kill()
            raise _unusable(interpreter, reason) from error
        except BaseException:
            await worker.kill()
            raise
        if not isinstance(hello, _Hello) or hello.version != messages.VERSION:
            await worker.kill()
            raise _unusable(interpreter, "its parse worker is of another version")
        return worker

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        if self._process.returncode is not None:
            return False
        if not hasattr(os, "waitid"):
            return True
        # asyncio hears of an end some moments later; and a request that is sent in between fails
        # with a complaint on standard error, before Python 3.12.
        try:
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, how) is None
        except ChildProcessError:
            return False

    async def ask(self, paths: list[str]) -> list[Parsed | None]:
        """Have files parsed; one answer for each, None where there is no such file."""
        try:
            with anyio.fail_after(BATCH_TIMEOUT):
                await self._requests.send(messages.pack({"m": "parse", "paths": paths}))
                answer = await self.receive()
        except TimeoutError as error:
            message = f"did not answer within {BATCH_TIMEOUT:.0f} s"
            raise WorkerLostError(message) from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            raise WorkerLostError(await self._ending()) from error
        if not isinstance(answer, _Answer) or len(answer.files) != len(paths):
            raise WorkerLostError("answered something else than it was asked")
        return answer.files

    async def receive(self) -> _Hello | _Answer:
        """Wait for a message."""
        try:
            header = await self._answers.receive_exactly(messages.HEADER.size)
            (size,) = messages.HEADER.unpack(header)
            return _decode(await self._answers.receive_exactly(size))
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError) as error:
            raise WorkerLostError(await self._ending()) from error
        except msgspec.DecodeError as error:
            raise WorkerLostError(f"answered something unreadable: {error}") from error

    async def _ending(self) -> str:
        with anyio.move_on_after(END_TIMEOUT):
            await self._process.wait()
        code = self._process.returncode
        if code is None:
            return "closed its output"
        return f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with code {code}"

    async def last_words(self) -> str:
        """What it wrote to its standard error: one line, that of the error."""
        assert self._process.stderr is not None
        text = b""
        with anyio.move_on_after(END_TIMEOUT), suppress(anyio.EndOfStream):
            while len(text) < 1 << 16:
                text += await self._process.stderr.receive()
        lines = text.decode(errors="replace").strip().splitlines() or [""]
        return lines[-1 if lines[0].startswith("Traceback") else 0].strip()

    async def end(self) -> None:
        """Let it end, by closing its input."""
        with anyio.CancelScope(shield=True):
            with suppress(anyio.BrokenResourceError, OSError):
                await self._requests.aclose()
            with anyio.move_on_after(END_TIMEOUT):
                await self._process.wait()
            await self.kill()

    def signal_kill(self) -> None:
        """Tell the kernel to end it, and what it may have started, if it has not ended."""
        if self.runs:
            with suppress(ProcessLookupError):
                if sys.platform == "win32":
                    self._process.kill()
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)  # it leads its own session

    async def kill(self) -> None:
        """End it now, if it has not ended; nothing of it is left."""
        with anyio.CancelScope(shield=True):
            self.signal_kill()
            with anyio.move_on_after(END_TIMEOUT), suppress(anyio.BrokenResourceError, OSError):
                await self._process.aclose()


_decode: Callable[[bytes], _Hello | _Answer] = msgspec.json.Decoder(_Hello | _Answer).decode


def _unusable(interpreter: str, reason: str) -> InterpreterError:
    return InterpreterError(
        f"the project's interpreter, {interpreter}, cannot be used: {reason}",
        hint="Name another one: [python] interpreter in devloop.toml, or $VIRTUAL_ENV.",
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
