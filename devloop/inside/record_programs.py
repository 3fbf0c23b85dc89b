"""PYTEST_DONT_REWRITE: the programs that tests start, and what becomes of them.

A Python program is recorded as well. Its environment names a folder with a ``sitecustomize.py``
of ours and a file to which it writes what it meets, line by line, for it may be killed; both are
taken out of its environment again before anything else in it runs. A forked process writes to such
a file too. Each context has a file of its own, whoever writes to it. What any other program does is
not known: the test is opaque.

Lines are dependencies, ``? ID`` where a Python program is started, and ``! ID`` where it has begun
to record: one that never says so has run without (``-I``, another version) and cannot be known.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from devloop.inside import record_askers as askers
    from devloop.inside.record_askers import Askers
    from devloop.inside.record_commands import Command, pairs
    from devloop.inside.record_contexts import Context, Recorder, Written
    from devloop.inside.record_ground import Ground
else:
    askers = sys.modules["_devloop_record_askers"]
    Command = sys.modules["_devloop_record_commands"].Command
    pairs = sys.modules["_devloop_record_commands"].pairs
    Context = sys.modules["_devloop_record_contexts"].Context
    Written = sys.modules["_devloop_record_contexts"].Written

# What is loaded here is loaded in every Python program that tests start.
# ruff: noqa: PTH110, PTH116, PTH118, PTH120, PTH123

VARIABLE = "DEVLOOP_RECORD"
"""Names, in a Python program's environment, its file and its id."""

LAUNCHER = os.path.join(os.path.dirname(__file__), "record_child")

RARELY = 16
"""How many tests end between two looks at what is still written for one that has ended."""


OUTLIVED = 2
"""At how many ends of later tests, or of all, a program is still there that has outlived its own:
one that was just told to end may be there once."""


class Programs:
    """Follows the programs that are started.

    Args:
        recorder: takes what they meet.
        ground: tells the paths that matter.
        asked: tells who starts them.
        settings: what a recorded process is to know: ``root``, ``given`` and ``memos``.
        file: where this process itself writes; None in the one that pytest runs in.
    """

    def __init__(
        self,
        recorder: Recorder,
        ground: Ground,
        asked: Askers,
        settings: dict[str, Any],
        file: str | None,
    ) -> None:
        self._recorder = recorder
        self._ground = ground
        self._asked = asked
        self._settings = settings
        self._file = file
        self._folder: str | None = os.path.dirname(file) if file is not None else None
        self._files: dict[Context, _File] = {}
        self._count = 0
        self._calls = 0
        self._owner = os.getpid()

    # Starting

    def wrap(self) -> None:
        """Hear of programs that are started, and of processes that are forked."""
        import _posixsubprocess

        fork_exec = _posixsubprocess.fork_exec

        def forked(args: Any, executables: Any, *rest: Any) -> Any:
            # close_fds, pass_fds, cwd, env, …
            env = self._start(args, executables, rest[2], _listed(rest[3]))
            given: Any = (*rest[:3], env, *rest[4:])
            return fork_exec(args, executables, *given)

        _posixsubprocess.fork_exec = forked
        subprocess: Any = sys.modules.get("subprocess")
        if hasattr(subprocess, "_fork_exec"):
            subprocess._fork_exec = forked
        for name in ("posix_spawn", "posix_spawnp"):
            if hasattr(os, name):
                setattr(os, name, self._spawning(getattr(os, name)))
        self._wrap_exec()
        os.system = self._system(os.system)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._before_fork, after_in_child=self._forked)

    def _wrap_exec(self) -> None:
        execve = os.execve

        def executed(path: Any, args: Any, env: Any = None) -> Any:
            now = self._start(args, (path,), None, pairs(env))
            execve(path, args, dict(one.split(b"=", 1) for one in now))

        os.execve = executed  # type: ignore[assignment]
        os.execv = lambda path, args: executed(path, args)

    def _spawning(self, real: Any) -> Any:
        def spawn(path: Any, argv: Any, env: Any, **options: Any) -> Any:
            now = self._start(argv, (path,), None, pairs(env))
            return real(path, argv, dict(one.split(b"=", 1) for one in now), **options)

        return spawn

    def _system(self, real: Any) -> Any:
        def system(command: Any) -> int:
            env = self._start(["sh", "-c", command], (b"/bin/sh",), None, None)
            ours = (VARIABLE, "PYTHONPATH") if env else ()
            before = os.environ.get("PYTHONPATH")
            for name, value in (one.split(b"=", 1) for one in env or ()):
                if os.fsdecode(name) in ours:
                    os.putenv(name, value)
            try:
                return int(real(command))
            finally:
                for name in ours:
                    os.unsetenv(name)
                if ours and before is not None:
                    os.putenv("PYTHONPATH", before)

        return system

    def _start(self, args: Any, executables: Any, cwd: Any, env: list[bytes] | None) -> Any:
        """A program is about to start.

        Returns:
            The environment that it is to have; None for the one that it would have.
        """
        try:
            if self._asked.who()[0] == askers.RUNNER:
                return env
            with self._recorder.at_work():
                return self._judge(args, executables, cwd, env)
        except Exception as error:
            self._recorder.broke(error)
            return env

    def _judge(self, args: Any, executables: Any, cwd: Any, env: list[bytes] | None) -> Any:
        paths = [os.fsdecode(path) for path in executables]
        path = next((path for path in paths if os.path.exists(path)), None)
        if path is None:
            return env  # it will fail
        words = [os.fsdecode(word) for word in args]
        folder = None if cwd is None else os.fsdecode(cwd)
        command = Command(path, words, folder, env, self._ground).within()
        if command is None or "multiprocessing.resource_tracker" in " ".join(command.words[1:5]):
            return env
        if command.is_python():
            options = command.unrecorded()
            if options is None:
                return self._recorded(env)
            self._recorder.add(f"o runs {command.name} {options}, which records nothing")
            return env
        deps = command.reads()
        if deps is None:
            deps = [f"o runs {command.name}: what that reads cannot be known"]
        for dep in deps:
            self._recorder.add(dep)
        return env

    def _recorded(self, env: list[bytes] | None) -> list[bytes]:
        file = self._file_of(self._recorder.top)
        self._count += 1
        ident = f"{os.getpid()}.{self._count}"
        _append(file, f"? {ident}")
        if env is None:
            env = pairs(None)
        before = next((one[11:] for one in env if one.startswith(b"PYTHONPATH=")), b"")
        launcher = os.fsencode(LAUNCHER)
        ours = [
            b"PYTHONPATH=" + (launcher + os.fsencode(os.pathsep) + before if before else launcher),
            os.fsencode(f"{VARIABLE}={file}:{ident}"),
        ]
        return [one for one in env if not one.startswith(b"PYTHONPATH=")] + ours

    # Forking

    def _before_fork(self) -> None:
        try:
            with self._recorder.at_work():
                self._forking = self._file_of(self._recorder.top)
        except Exception as error:
            self._recorder.broke(error)

    def _forked(self) -> None:
        """In a forked process: what it meets is the doing of the context that it was forked in."""
        try:
            fd = os.open(self._forking, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)
            _hold(fd)
            self._file = self._forking
            self._recorder.flatten(Written(fd, self._recorder))
        except Exception as error:
            self._recorder.broke(error)

    def _file_of(self, context: Context) -> str:
        if self._file is not None:
            return self._file
        file = self._files.get(context)
        if file is None:
            if self._folder is None:
                import tempfile

                self._folder = tempfile.mkdtemp(prefix="devloop-record-")
                with open(os.path.join(self._folder, "settings"), "wb") as told:
                    marshal.dump(self._settings, told, 2)
            path = os.path.join(self._folder, str(len(self._files)))
            file = self._files[context] = _File(path)
        return file.path

    # What became of them

    def collect(self) -> None:
        """Take in what has been written since the last call."""
        if not self._files or os.getpid() != self._owner:
            return
        self._calls += 1
        with self._recorder.at_work():
            for context, file in self._files.items():
                if context.done and file.outlives(last=not self._calls):
                    # Whoever comes later may have it do again what it has done before.
                    for dep in file.known:
                        self._recorder.add_to_process(dep)
                # What has outlived its context concerns the whole process, and can wait.
                if context.done and self._calls % RARELY:
                    continue
                deps = file.read()
                if not deps:
                    continue
                context.deps.update(map(self._recorder.number, deps))
                self._recorder.touch(context)
                if context.done:
                    # It has outlived what has started it: whoever came later may have used it.
                    for dep in deps:
                        self._recorder.add_to_process(dep)

    def awaits(self, context: Context) -> bool:
        """Whether a program of a context has not begun to record yet.

        Args:
            context: it.
        """
        file = self._files.get(context)
        return file is not None and bool(file.expected)

    def end(self) -> Iterable[Context]:
        """No more is to come.

        Returns:
            The contexts whose programs were awaited.
        """
        self._calls = -1
        self.collect()
        found = []
        for context, file in self._files.items():
            if file.expected:
                found.append(context)
                dep = "o runs a Python program that records nothing"
                context.deps.add(self._recorder.number(dep))
        if self._folder is not None and os.getpid() == self._owner and self._file is None:
            import shutil

            with self._recorder.at_work():
                shutil.rmtree(self._folder, ignore_errors=True)
        return found


class _File:
    """What the programs of one context write.

    Args:
        path: of the file.

    Attributes:
        expected: the programs that have not begun to record.
        known: the dependencies that they have written by now.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.expected: set[str] = set()
        self.known: list[str] = []
        self._begun: set[str] = set()
        self._at = 0
        self._looks = 0

    def outlives(self, *, last: bool) -> bool:
        """Whether a program has lived through a test after its context; that is said once.

        Args:
            last: no test comes any more.
        """
        if self._looks == OUTLIVED or (last and not self._looks):
            return False
        if not _is_held(self.path):
            self._looks = OUTLIVED
            return False
        self._looks = OUTLIVED if last else self._looks + 1
        return self._looks == OUTLIVED

    def read(self) -> list[str]:
        """The dependencies that came since the last call, in whole lines."""
        try:
            if os.stat(self.path).st_size == self._at:
                return []
            with open(self.path, "rb") as file:
                file.seek(self._at)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        deps = []
        for line in whole.decode("utf-8", "surrogateescape").splitlines():
            if line[:2] == "? ":
                if line[2:] not in self._begun:
                    self.expected.add(line[2:])
            elif line[:2] == "! ":
                self._begun.add(line[2:])
                self.expected.discard(line[2:])
            else:
                deps.append(line)
        self.known += deps
        return deps


def _hold(fd: int) -> None:
    """Have others see that this process lives.

    Args:
        fd: of its file; as long as that is open, it is locked.
    """
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return  # a file system without locks tells of nobody that lives


def _is_held(path: str) -> bool:
    """Whether a process lives that writes to a file."""
    import fcntl

    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _append(path: str, line: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)
    try:
        os.write(fd, os.fsencode(line + "\n"))
    finally:
        os.close(fd)


def _listed(env: Any) -> list[bytes] | None:
    return None if env is None else list(env)


def begun(file: str, ident: str) -> int:
    """Say that this process records.

    Args:
        file: where it writes.
        ident: what it was started as.

    Returns:
        A descriptor of the file.
    """
    fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)
    _hold(fd)
    os.write(fd, os.fsencode(f"! {ident}\n"))
    return fd


def settings_of(file: str) -> dict[str, Any]:
    """What the process that pytest runs in has left for others.

    Args:
        file: where this one writes.
    """
    with open(os.path.join(os.path.dirname(file), "settings"), "rb") as told:
        found: dict[str, Any] = marshal.load(told)
    return found
