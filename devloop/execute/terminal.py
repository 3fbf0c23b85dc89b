"""Pseudo-terminals for apps, and the real terminal that a person types into."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio

from devloop.execute.streams import CHUNK

Size = tuple[int, int]
"""Rows and columns."""

_READ = {"0", "3", "63"}
"""The numbers of read(2) on Linux: x86-64; x86 and ARM; all that came later. The others that have
one of these never wait with a zero for their first argument."""

_IUTF8 = 0x4000
"""Linux: erasing a character erases all its bytes (termios(3)); the module has no name for it."""


class Terminal:
    """A pseudo-terminal: the app has one end, devloop the other.

    Args:
        size: of its window.
    """

    def __init__(self, size: Size = (24, 80)) -> None:
        self.master, self.slave = os.openpty()
        if sys.platform == "linux":
            modes = termios.tcgetattr(self.slave)
            modes[0] |= _IUTF8
            termios.tcsetattr(self.slave, termios.TCSANOW, modes)
        self.resize(size)
        os.set_blocking(self.master, False)

    def resize(self, size: Size) -> None:
        """Set the size of its window; who runs in it gets SIGWINCH.

        Args:
            size: rows and columns.
        """
        if self.master >= 0:
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    @property
    def raw(self) -> bool:
        """Who runs in it reads keys, not lines: readline does, so a debugger's prompt does."""
        if self.master < 0:
            return False
        try:
            return not termios.tcgetattr(self.master)[3] & termios.ICANON
        except termios.error:
            return False

    async def type(self, data: bytes) -> None:
        r"""Have it read something, as if it was typed.

        Args:
            data: what comes from a keyboard; Ctrl-C is ``\x03``.
        """
        while data and self.master >= 0:
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                # Nobody reads there. What a terminal's queue cannot hold is lost on a real
                # one, too, after its bell.
                with anyio.move_on_after(0.2) as scope:
                    await anyio.wait_writable(self.master)
                if scope.cancelled_caught:
                    return
            except OSError:
                return

    def close_slave(self) -> None:
        """The app has its end by now: ours is closed, or its closing would not be noticed."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def close(self) -> None:
        """Close both ends; who still runs in it gets SIGHUP."""
        self.close_slave()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


class Dialogue:
    """Lets an app that reads keys have the real terminal to itself while it does.

    Its bytes then go to the real terminal as they are, and are not lines of output. It begins
    with the first bytes after the app has put its terminal into raw mode (readline does so
    before it prints its prompt), and ends with the line in which it has left it again.

    Args:
        terminal: the app's.
        show: called with bytes for the real terminal, and with None at the dialogue's end.
    """

    def __init__(self, terminal: Terminal, show: Callable[[bytes | None], None]) -> None:
        self._terminal = terminal
        self._show = show
        self._active = False

    def take(self, data: bytes, before: Callable[[], bytes]) -> bytes:
        """Show what belongs to the dialogue.

        Args:
            data: what the app has printed.
            before: called before anything is shown: it shows the lines that were printed earlier,
                and gives the beginning of the last one, if that has not ended. (A terminal may
                hand over a line and its end apart.)

        Returns:
            The rest, which is output.
        """
        if self._terminal.raw:
            begun = before()
            self._active = True
            self._show(begun + data)
            return b""
        if not self._active:
            return data
        head, end, rest = (before() + data).partition(b"\n")
        self._show(head + end)
        if end:
            self.end()
        return rest

    def end(self) -> None:
        """The app has ended, or the dialogue has."""
        if self._active:
            self._active = False
            self._show(None)


class TerminalInput:
    """Brings what a person types to the app that would read it.

    Args:
        fd: of the real terminal; its modes are the caller's business, see `typing`.
        target: says whose it is now; None is nobody's.
        otherwise: takes what is nobody's.
    """

    def __init__(
        self,
        fd: int,
        target: Callable[[], Terminal | None],
        otherwise: Callable[[bytes], None] | None = None,
    ) -> None:
        self._fd = fd
        self._target = target
        self._otherwise = otherwise

    async def run(self) -> None:
        """Forward until the real terminal is gone."""
        while True:
            await anyio.wait_readable(self._fd)
            try:
                data = os.read(self._fd, CHUNK)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError:
                # EIO: it was hung up, or we are in the background.
                return
            if not data:
                return
            if (terminal := self._target()) is not None:
                await terminal.type(data)
            elif self._otherwise is not None:
                self._otherwise(data)


@contextlib.contextmanager
def restored(fd: int) -> Iterator[list[Any]]:
    """Give a terminal its modes back, whatever happens inside.

    Against our own SIGKILL there is `Guard.keep_terminal`.

    Args:
        fd: of the terminal.
    """
    modes = termios.tcgetattr(fd)
    try:
        yield modes
    finally:
        _set(fd, modes)


@contextlib.contextmanager
def typing(fd: int) -> Iterator[list[Any]]:
    """Have a terminal hand over each key at once and echo nothing; its modes come back after.

    An app's own terminal echoes what it reads. Ctrl-C and Ctrl-Z still signal devloop.

    Args:
        fd: of the real terminal.
    """
    with restored(fd) as modes:
        _set(fd, _typed(fd))
        yield modes


@contextlib.contextmanager
def handed_over(fd: int) -> Iterator[None]:
    """Have a terminal hand over all that is typed, what would signal us too; before, see `typing`.

    Args:
        fd: of the real terminal.
    """
    with restored(fd) as modes:
        modes = [*modes[:6], list(modes[6])]
        modes[0] &= ~termios.IXON
        modes[3] &= ~termios.ISIG
        _set(fd, modes)
        yield


async def suspend(fd: int, modes: list[Any]) -> None:
    """At each Ctrl-Z give a terminal its modes back, and stop; have it again with the shell's `fg`.

    Args:
        fd: of the real terminal.
        modes: its own, as `typing` gives them.
    """
    with anyio.open_signal_receiver(signal.SIGTSTP, signal.SIGCONT) as signals:
        async for number in signals:
            if number == signal.SIGTSTP:
                _set(fd, modes)
                os.kill(os.getpid(), signal.SIGSTOP)
            elif _in_foreground(fd):
                _set(fd, _typed(fd))


def _in_foreground(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        # It was closed: the kernel sends SIGCONT with its SIGHUP.
        return False


def size_of(fd: int) -> Size:
    """The size of a terminal's window.

    Args:
        fd: of the terminal.

    Returns:
        Rows and columns; 24 and 80 where it has none.
    """
    try:
        found = os.get_terminal_size(fd)
    except OSError:
        return 24, 80
    return found.lines or 24, found.columns or 80


def waits_for_a_line(pid: int) -> bool:
    """Whether a process, or what it has started, reads its standard input at this moment.

    Told by Linux (``/proc/PID/syscall``, proc(5)); elsewhere it is not known.

    Args:
        pid: of the process.
    """
    import psutil

    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return False
    return any(map(_reads_input, (pid, *(child.pid for child in children))))


def _reads_input(pid: int) -> bool:
    for file in Path(f"/proc/{pid}/task").glob("*/syscall"):
        with contextlib.suppress(OSError):
            words = file.read_text().split()
            if words[0] in _READ and words[1] == "0x0":
                return True
    return False


def _typed(fd: int) -> list[Any]:
    modes = termios.tcgetattr(fd)
    modes[0] &= ~termios.ICRNL
    modes[3] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
    modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
    return modes


def _set(fd: int, modes: list[Any]) -> None:
    # Done from the background this would stop us; and a terminal that is gone needs nothing.
    # Not TCSADRAIN: output that was stopped with Ctrl-S would never drain.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(fd, termios.TCSANOW, modes)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
