"""The standard streams of a process: a pseudo-terminal, or a pipe."""

from __future__ import annotations

import os
from contextlib import suppress
from types import TracebackType

from devloop.execute.terminal import Size, Terminal


class Wiring:
    """Both ends of a process's standard streams; leaving it closes them.

    Standard error goes where standard output goes, so that the order of lines is kept.

    Args:
        size: of the pseudo-terminal's window; None is a pipe, with nothing to read.
    """

    def __init__(self, size: Size | None) -> None:
        self.terminal = Terminal(size) if size is not None else None
        self.stdin: int | None = None
        if self.terminal is not None:
            self.output = self.terminal.master
            self.stdin = self.stdout = self.terminal.slave
        else:
            self.output, self.stdout = os.pipe()

    def started(self) -> None:
        """The process has its ends by now; ours are closed, or we would never see their closing."""
        if self.terminal is not None:
            self.terminal.close_slave()
        elif self.stdout >= 0:
            os.close(self.stdout)
        self.stdin, self.stdout = None, -1

    def close(self) -> None:
        """Close what is open of both ends; who still runs in the pseudo-terminal gets SIGHUP."""
        self.started()
        if self.terminal is not None:
            self.terminal.close()
        elif self.output >= 0:
            with suppress(OSError):
                os.close(self.output)
            self.output = -1

    def __enter__(self) -> Wiring:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
