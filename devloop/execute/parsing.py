"""Parse workers: sources to facts, found by the project's own interpreter.

One worker is kept for single edits. While many files wait there are more, up to one for each
processor; they end when no file is left. A worker that dies on a file is replaced, and that
file gets a problem.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from devloop.errors import DevloopError, InterpreterError, ParserLost
from devloop.graph.facts import Facts, SourceProblem
from devloop.inside import messages

CODE = """import sys
if sys.version_info < (3, 10):
    sys.exit("Python %d.%d is too old, devloop needs 3.10 or later" % sys.version_info[:2])
sys.path.append(sys.argv[1])
from inside.parse import main
main()
"""
PACKAGE = Path(messages.__file__).parents[1]
"""The folder that holds `inside`, which needs nothing else of devloop."""

FACTS = 1
"""The version of what is found in a source; facts of another one are found anew."""

BATCH = 40
"""Files a request; some 60 ms of work, beside which the request itself costs nothing."""

START_TIMEOUT = 30.0
"""Seconds until a worker says hello; it takes some hundredths unless the disk is cold."""

BATCH_TIMEOUT = 60.0
"""Seconds until a batch is answered."""

END_TIMEOUT = 2.0
"""Seconds until a worker ends whose input has closed."""

ATTEMPTS = 8
"""How many workers may die one after the other while none answers."""


class Parsed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file, read and parsed.

    Args:
        signature: size, mtime_ns, ctime_ns and inode, as they were while it was read.
        digest: of its bytes, BLAKE2b of 16 bytes; empty where it cannot be read.
        facts: what it says; with a problem where it cannot be read or compiled.
    """

    signature: tuple[int, int, int, int]
    digest: bytes
    facts: Facts


class _Hello(msgspec.Struct, tag="hello", tag_field="m"):
    version: int
    python: str


class _Answer(msgspec.Struct, tag="parsed", tag_field="m"):
    files: list[Parsed | None]


class _WorkerLostError(Exception):
    """A worker died, or does not answer; the message says which."""


class Parsers:
    """The parse workers of a project; an async context manager.

    No worker is started before there is a file to parse.

    Args:
        interpreter: the project's.
        root: the project's folder, which relative paths start from.
        workers: how many at most; 0 is one for each processor.
    """

    def __init__(self, interpreter: str, root: Path, workers: int = 0) -> None:
        self._interpreter = interpreter
        self._root = root
        self._most = workers or _processors()
        self._idle: list[_Worker] = []

    async def __aenter__(self) -> Parsers:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        idle, self._idle = self._idle, []
        for worker in idle:
            await worker.end()

    async def parse(
        self, paths: Iterable[str], *, on_progress: Callable[[int, int], None] | None = None
    ) -> dict[str, Parsed]:
        """Read and parse files.

        Args:
            paths: relative to the root, or absolute.
            on_progress: called with how many of how many are done, after each batch.

        Returns:
            What was found, by path; files that do not exist and what is no regular file are
            left out.

        Raises:
            InterpreterError: the project's interpreter does not run, or cannot be used.
            ParserLost: worker after worker died.
        """
        work = _Work(list(dict.fromkeys(paths)), on_progress)
        count = min(self._most, len(work.batches))
        if count == 1:
            await self._run(work)
        elif count:
            async with anyio.create_task_group() as tasks:
                for _ in range(count):
                    tasks.start_soon(self._run_one_of_several, work, tasks.cancel_scope)
        if work.error is not None:
            raise work.error
        surplus, self._idle = self._idle[1:], self._idle[:1]
        for worker in surplus:
            await worker.end()
        return work.found

    async def _run_one_of_several(self, work: _Work, scope: anyio.CancelScope) -> None:
        # A task group would wrap the error in a group of errors.
        try:
            await self._run(work)
        except DevloopError as error:
            work.error = error
            scope.cancel()

    async def _run(self, work: _Work) -> None:
        """Have batches done by one worker, or by those that replace it."""
        worker: _Worker | None = None
        try:
            while work.batches:
                batch = work.batches.popleft()
                if worker is None:
                    worker = await self._idle_one() or await self._start()
                try:
                    files = await worker.ask(batch)
                except _WorkerLostError as lost:
                    await worker.kill()
                    worker = None
                    work.failed(batch, str(lost), self._root)
                else:
                    work.answered(batch, files)
            if worker is not None:
                self._idle.append(worker)
                worker = None
        finally:
            # Cancelled in the midst of a batch: its answer would be taken for the next one's.
            if worker is not None:
                await worker.kill()

    async def _idle_one(self) -> _Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.runs:
                return worker
            await worker.kill()
        return None

    async def _start(self) -> _Worker:
        command = [self._interpreter, "-I", "-S", "-X", f"utf8={sys.flags.utf8_mode}"]
        command += ["-c", CODE, str(PACKAGE)]
        try:
            # In a session of its own Ctrl-C does not reach it; it ends when its input closes.
            process = await anyio.open_process(
                command, cwd=self._root, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise _unusable(self._interpreter, error.strerror or str(error)) from error
        worker = _Worker(process)
        try:
            with anyio.fail_after(START_TIMEOUT):
                hello = await worker.receive()
        except (_WorkerLostError, TimeoutError) as error:
            worker.signal_kill()
            reason = await worker.last_words() or str(error) or "it does not answer"
            await worker.kill()
            raise _unusable(self._interpreter, reason) from error
        except BaseException:
            await worker.kill()
            raise
        if not isinstance(hello, _Hello) or hello.version != messages.VERSION:
            await worker.kill()
            raise _unusable(self._interpreter, "its parse worker is of another version")
        return worker


class _Work:
    """The files of one `Parsers.parse`: those that wait, and what was found."""

    def __init__(self, paths: list[str], on_progress: Callable[[int, int], None] | None) -> None:
        self.batches = deque(paths[i : i + BATCH] for i in range(0, len(paths), BATCH))
        self.found: dict[str, Parsed] = {}
        self.error: DevloopError | None = None
        self._on_progress = on_progress
        self._total = len(paths)
        self._done = 0
        self._suspects: set[str] = set()
        self._lost = 0

    def answered(self, batch: list[str], files: list[Parsed | None]) -> None:
        self._lost = 0
        for path, parsed in zip(batch, files, strict=True):
            if parsed is not None:
                self.found[path] = parsed
        self._done += len(batch)
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)

    def failed(self, batch: list[str], reason: str, root: Path) -> None:
        """Try the files of a batch one by one, then the guilty one once more."""
        self._lost += 1
        if self._lost > ATTEMPTS:
            raise ParserLost(
                f"{self._lost} parse workers were lost one after the other; the last one {reason}",
                where=batch[0],
                hint="Is there enough memory? `devloop doctor` checks the interpreter.",
            )
        if len(batch) > 1:
            self.batches.extend([path] for path in batch)
        elif batch[0] not in self._suspects:
            self._suspects.add(batch[0])
            self.batches.append(batch)
        else:
            self.answered(batch, [_guilty(root / batch[0], reason)])


class _Worker:
    """One process that parses."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._requests = process.stdin
        self._answers = BufferedByteReceiveStream(process.stdout)

    @property
    def runs(self) -> bool:
        """Whether it has not ended, as far as that is known."""
        return self._process.returncode is None

    async def ask(self, paths: list[str]) -> list[Parsed | None]:
        """Have files parsed; one answer for each, None where there is no such file."""
        try:
            with anyio.fail_after(BATCH_TIMEOUT):
                await self._requests.send(messages.pack({"m": "parse", "paths": paths}))
                answer = await self.receive()
        except TimeoutError as error:
            message = f"did not answer within {BATCH_TIMEOUT:.0f} s"
            raise _WorkerLostError(message) from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            raise _WorkerLostError(await self._ending()) from error
        if not isinstance(answer, _Answer) or len(answer.files) != len(paths):
            raise _WorkerLostError("answered something else than it was asked")
        return answer.files

    async def receive(self) -> _Hello | _Answer:
        """Wait for a message."""
        try:
            header = await self._answers.receive_exactly(messages.HEADER.size)
            (size,) = messages.HEADER.unpack(header)
            return _decode(await self._answers.receive_exactly(size))
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError) as error:
            raise _WorkerLostError(await self._ending()) from error
        except msgspec.DecodeError as error:
            raise _WorkerLostError(f"answered something unreadable: {error}") from error

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


def _guilty(path: Path, reason: str) -> Parsed | None:
    """What is known of a file that no worker survives."""
    try:
        content, status = path.read_bytes(), path.stat()
    except OSError:
        return None
    digest = blake2b(content, digest_size=16).digest()
    problem = SourceProblem(f"cannot be parsed: the project's interpreter {reason}")
    signature = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return Parsed(signature, digest, Facts(digest, problem=problem))


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


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
