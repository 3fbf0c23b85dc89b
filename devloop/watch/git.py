"""Git, asked which files it ignores and which it tracks."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Collection, Iterable

TIMEOUT = 10.0
"""Seconds that git may take for one answer."""

LOCK_AGE = 10.0
"""Seconds after which a lock is taken for one that a crash has left behind."""

CHUNK = 4096
"""Bytes of paths asked about at once: no more than any system's pipe holds."""


class GitFailed(Exception):
    """Git is missing, refuses this checkout, or died."""


class Git:
    """One checkout, seen from a folder of it.

    Args:
        base: absolute; paths asked about and answered are relative to it.

    Raises:
        GitFailed: git is missing or refuses.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self._process: subprocess.Popen[bytes] | None = None
        self._tracked: frozenset[str] | None = None
        self._tracked_folders: frozenset[str] = frozenset()
        self._tracked_at: tuple[int, ...] | None = None
        folder, index = self._run("rev-parse", "--absolute-git-dir", "--git-path", "index").split(
            b"\n"
        )[:2]
        self.folder = os.fsdecode(folder)
        self._index = os.path.join(base, os.fsdecode(index))

    @staticmethod
    def present(base: str) -> bool:
        """Whether a folder lies inside a checkout, as far as `.git` entries tell.

        Args:
            base: absolute.
        """
        folder, above = base, os.path.dirname(base)
        while not os.path.exists(os.path.join(folder, ".git")):
            if above == folder:
                return False
            folder, above = above, os.path.dirname(above)
        return True

    def ignores_base(self) -> bool:
        """Whether the checkout around the base ignores it, and tracks nothing in it."""
        if os.path.lexists(os.path.join(self.base, ".git")):
            return False
        parent, name = os.path.split(self.base)
        done = self._try("check-ignore", "-q", "--no-index", "--", f"./{name}/", cwd=parent)
        return done.returncode == 0 and not self.tracked()

    def tracked(self) -> frozenset[str]:
        """The files in the index, read anew where it has changed.

        Returns:
            Paths below the base; a submodule is one path.
        """
        try:
            status = os.stat(self._index)
            at: tuple[int, ...] = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            at = ()
        if self._tracked is None or at != self._tracked_at:
            # An index written just now may change once more within one tick of its clock.
            racy = bool(at) and abs(time.time_ns() - at[0]) < 50_000_000
            names = self._run("ls-files", "-z").split(b"\0")
            self._tracked = frozenset(os.fsdecode(name) for name in names if name)
            folders: set[str] = set()
            for path in self._tracked:
                while (cut := path.rfind("/")) > 0 and (path := path[:cut]) not in folders:
                    folders.add(path)
            self._tracked_folders = frozenset(folders)
            self._tracked_at = None if racy else at
        return self._tracked

    def all_ignored(self) -> set[str]:
        """Every ignored file and folder, in one pass; nothing inside an ignored folder.

        Returns:
            Paths below the base; folders end with a slash.
        """
        names = self._run(
            "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"
        ).split(b"\0")
        found = {os.fsdecode(name) for name in names if name}
        # git also names a folder that holds nothing but ignored files; new ones there may count.
        folders = [path for path in found if path.endswith("/")]
        return found.difference(folders) | self.ignored(folders)

    def ignored(self, paths: Collection[str]) -> set[str]:
        """Those of some paths that are ignored and not tracked.

        Args:
            paths: below the base; those of folders end with a slash. None lies behind a link, in
                another checkout or inside an ignored folder.
        """
        tracked = self.tracked()
        asked = [
            path
            for path in paths
            if path not in tracked and path.rstrip("/") not in self._tracked_folders
        ]
        found: set[str] = set()
        for chunk in _chunks(asked):
            try:
                found |= self._ask(chunk)
            except (GitFailed, OSError):
                self.forget()  # it may have died long ago: once more, with a new one
                try:
                    found |= self._ask(chunk)
                except OSError as error:
                    raise GitFailed(f"git check-ignore: {error}") from error
        return found

    def locked(self) -> bool:
        """Whether git is moving files about just now: it holds a lock, and not for very long."""
        for name in ("index.lock", "HEAD.lock"):
            try:
                written = os.stat(os.path.join(self.folder, name)).st_mtime
            except OSError:
                continue
            if abs(time.time() - written) < LOCK_AGE:
                return True
        return False

    def forget(self) -> None:
        """Ask a new process from now on: ignore rules have changed."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue

    def _ask(self, paths: list[str]) -> set[str]:
        if self._process is None or self._process.poll() is not None:
            self.forget()
            self._process = self._spawn()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # So little fits into an empty pipe, and git has read all that came before: no deadlock.
        self._process.stdin.write(b"".join(os.fsencode(path) + b"\0" for path in paths))
        self._process.stdin.flush()
        source = self._process.stdout.fileno()
        answer = bytearray()
        deadline = time.monotonic() + TIMEOUT
        while answer.count(0) < 4 * len(paths):
            if not _readable(source, deadline - time.monotonic()):
                raise GitFailed(f"git check-ignore gave no answer within {TIMEOUT:g} s")
            part = os.read(source, 1 << 16)
            if not part:
                raise GitFailed("git check-ignore died")
            answer += part
        fields = bytes(answer).split(b"\0")
        return {
            os.fsdecode(fields[at + 3])
            for at in range(0, len(fields) - 3, 4)
            # "!pattern" un-ignores, and is named as the rule that decided.
            if fields[at + 2] and not fields[at + 2].startswith(b"!")
        }

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = ["git", "check-ignore", "-z", "--stdin", "-v", "-n", "--no-index"]
        environment = _environment() | {"GIT_FLUSH": "1"}
        return subprocess.Popen(
            command,
            cwd=self.base,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is not for it
        )

    def _run(self, *arguments: str) -> bytes:
        done = self._try(*arguments, cwd=self.base)
        if done.returncode:
            message = done.stderr.decode(errors="replace").strip().partition("\n")[0]
            raise GitFailed(message or f"git {arguments[0]} ended with {done.returncode}")
        return done.stdout

    def _try(self, *arguments: str, cwd: str) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=cwd,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise GitFailed("git is not installed") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GitFailed(str(error)) from error


def _environment() -> dict[str, str]:
    """The environment without what ties git to another checkout, as inside a commit hook."""
    dropped = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_FLUSH")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _readable(fd: int, seconds: float) -> bool:
    """Wait until there is something to read; where the system cannot wait on pipes, just read."""
    if not hasattr(select, "poll"):
        return True
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(max(0.0, seconds) * 1000))


def _chunks(paths: Iterable[str]) -> Iterable[list[str]]:
    chunk: list[str] = []
    size = 0
    for path in paths:
        length = len(os.fsencode(path)) + 1
        if chunk and size + length > CHUNK:
            yield chunk
            chunk, size = [], 0
        chunk.append(path)
        size += length
    if chunk:
        yield chunk
