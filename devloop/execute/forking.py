"""The guardian's part of starting a program: fork, and turn the fork into it.

The guardian imports little and has one thread, so that it may fork; so has this file to be.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
import termios
from typing import Any, NoReturn

from devloop.inside import messages

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _load_prctl() -> Any:
    """prctl(2), or something that does nothing where there is none."""
    if sys.platform != "linux":
        return lambda *_: 0
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]
    return prctl


_prctl = _load_prctl()


def reap_descendants() -> None:
    """Have every descendant whose parent has ended become a child of this process."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def start(message: dict[str, Any], fds: list[int], targets: list[int]) -> tuple[int, str, int]:
    """Start a process; what keeps it from running comes back through a pipe.

    Args:
        message: says what, in devloop's words.
        fds: descriptors that it gets; they stay ours.
        targets: the numbers that these have there.

    Returns:
        Its process id; or the stage in which it failed, and the error's number.

    Raises:
        OSError: there can be no more processes.
    """
    report, errors = os.pipe()
    guardian = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(message, fds, targets, errors, guardian)
    os.close(errors)
    answer = messages.read_exactly(report, 64)
    os.close(report)
    if not answer:
        return pid, "", 0
    os.waitpid(pid, 0)
    stage, _, code = answer.decode("ascii").partition(" ")
    return pid, stage, int(code)


def _become(
    message: dict[str, Any],
    fds: list[int],
    targets: list[int],
    errors: int,
    guardian: int,
) -> NoReturn:
    """Turn this fork into the program that was asked for."""
    stage = "setup"
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(127)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        above = max([2, *targets]) + 1
        errors = fcntl.fcntl(errors, fcntl.F_DUPFD_CLOEXEC, above)
        lifted = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above) for fd in fds]
        for fd, target in zip(lifted, targets, strict=True):
            os.dup2(fd, target)
        if message["terminal"]:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        stage = "cwd"
        os.chdir(message["cwd"])
        stage = "exec"
        argv, env = message["argv"], message["env"]
        if message["listen"]:
            # Only now is the process known that is meant (sd_listen_fds(3)).
            env["LISTEN_PID"] = str(os.getpid())
            env["LISTEN_FDS"] = str(len(message["listen"]))
            env["LISTEN_FDNAMES"] = ":".join(message["listen"])
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        os.write(errors, f"{stage} {error.errno}".encode("ascii"))
    except BaseException:
        os.write(errors, f"{stage} {errno.EINVAL}".encode("ascii"))
    finally:
        os._exit(127)
