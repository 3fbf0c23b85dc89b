"""Take on the identity of a command: what the kernel, the library and other people see of it."""

from __future__ import annotations

import os
import sys

from . import seeds
from .control import private
from .libc import ctypes, libc
from .settings import COERCED

# What is loaded here would be found by the command: so strings and `os.path` it is.
# ruff: noqa: PTH109, PTH120, PTH123

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLACEHOLDER = "/dev/null/devloop"
"""Stands on `sys.path` where the folder of the command's script, or its own, will stand."""

_PR_SET_PDEATHSIG = 1

_signal: Any = private("_signal")
_fcntl: Any = private("fcntl")
_termios: Any = private("termios")


class Birth:
    """What a process found when it was started.

    Attributes:
        guardian: the id of the process that started it.
        options: the interpreter's own.
        env: the environment, as Python saw it.
        changed: what has set variables since the interpreter was started, as a ``.pth`` file or
            `sitecustomize` may: their values, None for one that was taken away.
        modules: the names of those that were loaded.
        threaded: what runs at the interpreter's start has started a thread.
    """

    def __init__(self, script: str) -> None:
        self.guardian = os.getppid()
        self.options = sys.orig_argv[1 : sys.orig_argv.index(script)]
        self.env = dict(os.environ)
        self.changed = _changed(self.env)
        self.modules = frozenset(sys.modules)
        self.threaded = len(sys._current_frames()) > 1
        self.cwd = os.getcwd()


def _changed(env: dict[str, str]) -> dict[str, str | None]:
    """What is not as this process was given it (proc(5)); nothing where that cannot be read."""
    try:
        with open("/proc/self/environ", "rb") as file:
            given = dict(os.fsdecode(one).split("=", 1) for one in file.read().split(b"\0") if one)
    except (OSError, ValueError):
        return {}
    names = given.keys() | env.keys()
    if env.get("LC_CTYPE") in COERCED:
        names -= {"LC_CTYPE"}  # it depends on the rest (PEP 538)
    return {name: env.get(name) for name in names if env.get(name) != given.get(name)}


def uninterruptible() -> None:
    """Hold back Ctrl-C. Its handler stays what imports expect to find."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, [_signal.SIGINT])


def interruptible() -> None:
    """Let Ctrl-C through from now on; one that came before was not for the command."""
    handler = _signal.getsignal(_signal.SIGINT)
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    _signal.signal(_signal.SIGINT, handler)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [_signal.SIGINT])


born: Birth | None = None
"""What this process found, or the one that it was forked from."""


def step_back() -> bool:
    """Take the processor from nobody else from now on, as far as the scheduler can tell (sched(7)).

    A nice value, or SCHED_IDLE, could not be taken back without a privilege.

    Returns:
        Whether that is to be undone.
    """
    if sys.platform != "linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    return True


def step_up() -> None:
    """Be scheduled as ever again."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def own(guardian: int) -> bool:
    """See to it that this process ends when the guardian does.

    Args:
        guardian: its process id.

    Returns:
        Whether that is the parent; if not, somebody else would be told of our end.
    """
    if libc is not None:
        libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(_signal.SIGKILL))
    return os.getppid() == guardian


def descriptors(fds: list[int], *, terminal: bool) -> None:
    """Take over the three standard streams.

    Their objects stay as imports have left them, with what is yet to be written: they were made
    for streams of the same kind.

    Args:
        fds: three descriptors, closed thereafter.
        terminal: the first is a terminal that shall control this session.
    """
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
    for fd in fds:
        if fd > 2:
            os.close(fd)
    if terminal:
        _fcntl.ioctl(0, _termios.TIOCSCTTY, 0)


def environment(env: dict[str, str], birth: Birth, written: dict[str, str | None]) -> None:
    """Replace the environment: Python's view of it, and the C library's.

    Args:
        env: the whole of it.
        birth: says what Python itself has added (PEP 538), and what its start-up has changed.
        written: what imports have set, or taken away, since then.
    """
    zone = os.environ.get("TZ")
    env = dict(env)
    if birth.env.get("LC_CTYPE") in COERCED:
        env.setdefault("LC_CTYPE", birth.env["LC_CTYPE"])
    for name, value in (birth.changed | written).items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    # In this order, and one by one, because modules hold this very object.
    os.environ.clear()
    os.environ.update(env)
    if env.get("TZ") != zone:
        import time

        time.tzset()


def first(kind: str, target: str) -> str:
    """That folder which comes first on `sys.path` (sys_path_init).

    Args:
        kind: ``"module"`` or ``"script"``.
        target: its name or path.
    """
    return os.getcwd() if kind == "module" else os.path.dirname(os.path.realpath(target))


def place(kind: str, target: str) -> None:
    """Put that folder on `sys.path` which comes first there.

    Args:
        kind: see `first`.
        target: see `first`.
    """
    if PLACEHOLDER in sys.path:
        sys.path[sys.path.index(PLACEHOLDER)] = first(kind, target)
    forget_folders()


def forget_folders() -> None:
    """Have the import system look anew into all folders but those of the installation."""
    libraries = (sys.prefix + os.sep, sys.base_prefix + os.sep)
    for entry in list(sys.path_importer_cache):
        if not entry.startswith(libraries):
            del sys.path_importer_cache[entry]


def renew() -> None:
    """Make anew what must differ between two processes."""
    if (threading := _loaded("threading")) is not None:
        threading.main_thread()._set_native_id()
    seeds.renew()
    if (process := _loaded("multiprocessing.process")) is not None:
        key = process.AuthenticationString(os.urandom(32))
        process.current_process()._config["authkey"] = key


def begin() -> None:
    """Have what tells of a process's beginning tell of now."""
    if (logging := _loaded("logging")) is not None and hasattr(logging, "_startTime"):
        import time

        now = time.time_ns() if isinstance(logging._startTime, int) else time.time()
        logging._startTime = now


def _loaded(name: str) -> Any:
    return sys.modules.get(name)


def rehearse(birth: Birth) -> None:
    """Do without effect what will be done for the command.

    A forked process copies each page of memory that it writes to; what is written to here need
    not be copied when time counts.

    Args:
        birth: how the interpreter was started.
    """
    environment(dict(os.environ), birth, {})
    renew()
    begin()
    with open("/proc/self/stat", "rb", buffering=0) as file:
        file.read(4096)


def flush() -> None:
    """Write out what was printed so far, be it by C."""
    for text in (sys.stdout, sys.stderr):
        try:
            text.flush()
        except Exception:
            # An import has closed it, or has put there what cannot do that: what comes of it
            # comes of it in the command, as in a cold start.
            continue
    if libc is not None:
        libc.fflush(None)
