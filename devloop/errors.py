"""The tree of errors, each with the exit code that a command ends with.

::

    DevloopError                  3
    ├── UsageError                4   the command line cannot be carried out
    │   ├── NotAProject           4   nothing here that devloop could work on
    │   ├── AlreadyWatching       4   another `watch` runs in this project
    │   ├── NotWatching           4   no `watch` runs in this project
    │   └── NoTestsHere           4   the `watch` was started without tests
    ├── ConfigError               4   devloop.toml, or the pyproject.toml table
    ├── InterpreterError          4   the project's interpreter cannot be used
    │   └── MissingDistribution   4   pytest or xdist is not installed there
    ├── StoreError                3   the records on disk cannot be used
    ├── WatchLost                 3   the `watch` that was followed is there no more
    └── ExecuteError              3   a process that devloop needs has failed
        ├── GuardianLost          3   the guardian died
        ├── CommandError          3   a command could not be started
        └── ParserLost            3   the parse workers died, again and again
"""

from __future__ import annotations


class DevloopError(Exception):
    """A fault that is reported to a person and ends a command.

    Args:
        message: what happened, in one or more sentences.
        where: the file, with line where it is known, or the key that it is about.
        hint: what to do about it.
    """

    exit_code = 3

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        return f"{head}\n{self.hint}" if self.hint else head


class UsageError(DevloopError):
    """The command line asks for something that cannot be done."""

    exit_code = 4


class NotAProject(UsageError):
    """There is nothing here that devloop could work on."""


class AlreadyWatching(UsageError):
    """Another `watch` runs in this project."""


class NotWatching(UsageError):
    """No `watch` runs in this project that could be asked."""


class NoTestsHere(UsageError):
    """The `watch` that is asked for tests was started without them."""


class ConfigError(DevloopError):
    """A configuration file cannot be read, or says something that it may not."""

    exit_code = 4


class InterpreterError(DevloopError):
    """The project's interpreter was not found or does not run."""

    exit_code = 4


class MissingDistribution(InterpreterError):
    """Something that the project's interpreter must have is not installed in it."""


class StoreError(DevloopError):
    """The records on disk cannot be used and could not be set aside."""


class WatchLost(DevloopError):
    """The `watch` that was followed or asked is there no more."""


class ExecuteError(DevloopError):
    """A process that devloop cannot do without has failed."""


class GuardianLost(ExecuteError):
    """The guardian, which owns every process, died."""


class CommandError(ExecuteError):
    """A command could not be started: not found, not executable, no such folder."""


class ParserLost(ExecuteError):
    """The parse workers died again and again."""
