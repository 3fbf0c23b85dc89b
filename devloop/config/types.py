"""The types of devloop.toml: one frozen struct a table (DESIGN §3).

The JSON Schema that editors complete from is generated from these, docstrings included;
`config/load.py` turns a file into a `Config` and names every fault.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

OnBusy: TypeAlias = Literal["restart", "queue", "ignore"]
Start: TypeAlias = Literal["warm", "cold"]
Command: TypeAlias = "str | tuple[str, ...]"
Duration: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^\d+(\.\d+)?(ms|s|m|h)$",
        description="A number with its unit: ms, s, m or h.",
        examples=["20ms", "5s"],
    ),
]


class Table(
    msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True
):
    """What every table has in common: an unknown key is an error."""


class Watch(Table, frozen=True):
    """What is watched."""

    paths: tuple[str, ...] = (".",)
    ignore: tuple[str, ...] = ()
    debounce: Duration = "20ms"
    on_busy: OnBusy = "restart"


class Python(Table, frozen=True):
    """The project's interpreter, and where its modules are."""

    interpreter: str | None = None
    roots: tuple[str, ...] | None = None


class Ready(Table, frozen=True):
    """How an app shows that it is ready; just one of the three."""

    http: str | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    log: str | None = None


class App(Table, frozen=True):
    """A process that runs all the time."""

    command: Command
    env: dict[str, str] = {}
    env_file: str | None = None
    cwd: str | None = None
    watch: tuple[str, ...] = ()
    start: Start = "cold"
    ready: Ready | None = None
    ready_timeout: Duration = "60s"
    stop_signal: str = "SIGTERM"
    stop_timeout: Duration = "5s"
    needs: tuple[str, ...] = ()


class Tests(Table, frozen=True):
    """The test runs."""

    paths: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    workers: Literal["auto"] | Annotated[int, Meta(ge=0)] = "auto"
    needs: tuple[str, ...] = ()
    env: dict[str, str] = {}


class Step(Table, frozen=True):
    """A command that makes files from files."""

    command: Command
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    env: dict[str, str] = {}
    cwd: str | None = None
    timeout: Duration | None = None
    diagnostics: str | None = None


class Config(Table, frozen=True):
    """The whole of devloop.toml.

    Args:
        watch: what is watched.
        python: the project's interpreter.
        apps: by name.
        tests: None where tests are turned off.
        steps: by name.
    """

    watch: Watch = Watch()
    python: Python = Python()
    apps: dict[str, App] = {}
    tests: Tests = Tests()
    steps: dict[str, Step] = {}


def seconds(duration: str) -> float:
    """Turn a duration of the configuration into seconds.

    Args:
        duration: a number with its unit, as ``20ms``; already checked.

    Returns:
        The same in seconds.
    """
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        if duration.endswith(unit):
            return float(duration.removesuffix(unit)) * factor
    raise ValueError(f"not a duration: {duration!r}")


def argv(command: str | tuple[str, ...]) -> tuple[str, ...]:
    """The words of a command.

    Args:
        command: a string is split as a POSIX shell would (no expansion); a list is taken as is.

    Returns:
        The program and its arguments.

    Raises:
        ValueError: a quotation is not closed.
    """
    import shlex

    return tuple(shlex.split(command)) if isinstance(command, str) else tuple(command)


def schema() -> dict[str, Any]:
    """The JSON Schema of devloop.toml."""
    return msgspec.json.schema(Config)
