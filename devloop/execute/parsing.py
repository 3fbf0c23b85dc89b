"""Parse workers: sources to facts, found by the project's own interpreter.

One worker is kept for single edits. While many files wait there are more, up to one for each
processor; they end when no file is left. A worker that dies on a file is replaced, and that
file gets a problem.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

import anyio

from devloop.errors import DevloopError, ParserLost
from devloop.execute.parse_worker import PACKAGE, Parsed, Worker, WorkerLostError
from devloop.graph.facts import Facts, SourceProblem

__all__ = ["Parsed", "Parsers", "finder"]

BATCH = 40
"""Files a request; some 60 ms of work, beside which the request itself costs nothing."""

ATTEMPTS = 8
"""How many workers may die one after the other while none answers."""


def finder() -> str:
    """What finds facts in a source, and records tests, as a digest: by another all is found anew.

    No number that somebody has to think of: what an older rule has found would select too little.
    """
    digest = blake2b(digest_size=8)
    for file in sorted((PACKAGE / "inside").glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


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
        self._idle: list[Worker] = []

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
        self,
        paths: Iterable[str],
        *,
        on_progress: Callable[[int, int], None] | None = None,
        on_outlines: Callable[[Mapping[bytes, bytes]], None] | None = None,
    ) -> dict[str, Parsed]:
        """Read and parse files.

        Args:
            paths: relative to the root, or absolute.
            on_progress: called with how many of how many are done, after each batch.
            on_outlines: called after each batch with the outlines by fingerprint, which are
                too large to be kept.

        Returns:
            What was found, by path, without outlines; files that do not exist and what is no
            regular file are left out.

        Raises:
            InterpreterError: the project's interpreter does not run, or cannot be used.
            ParserLost: worker after worker died.
        """
        work = _Work(list(dict.fromkeys(paths)), on_progress, on_outlines)
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
        worker: Worker | None = None
        try:
            while work.batches:
                batch = work.batches.popleft()
                if worker is None:
                    worker = await self._next_worker()
                try:
                    files = await worker.ask(batch)
                except WorkerLostError as lost:
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

    async def _next_worker(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.runs:
                return worker
            await worker.kill()
        return await Worker.start(self._interpreter, self._root)


class _Work:
    """The files of one `Parsers.parse`: those that wait, and what was found."""

    def __init__(
        self,
        paths: list[str],
        on_progress: Callable[[int, int], None] | None,
        on_outlines: Callable[[Mapping[bytes, bytes]], None] | None,
    ) -> None:
        self.batches = deque(paths[i : i + BATCH] for i in range(0, len(paths), BATCH))
        self.found: dict[str, Parsed] = {}
        self.error: DevloopError | None = None
        self._on_progress = on_progress
        self._on_outlines = on_outlines
        self._total = len(paths)
        self._done = 0
        self._suspects: set[str] = set()
        self._lost = 0

    def answered(self, batch: list[str], files: list[Parsed | None]) -> None:
        self._lost = 0
        outlines = {}
        for path, parsed in zip(batch, files, strict=True):
            if parsed is not None:
                if parsed.outline:
                    outlines[parsed.facts.fingerprint] = parsed.outline
                self.found[path] = Parsed(parsed.signature, parsed.digest, parsed.facts)
        if self._on_outlines is not None and outlines:
            self._on_outlines(outlines)
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


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
