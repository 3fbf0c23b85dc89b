"""The types of devloop.toml: one frozen struct a table (DESIGN §3).

The JSON Schema that editors complete from is generated from these, docstrings included
(`config/schema.py`); `config/load.py` turns a file into a `Config` and names every fault.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

DURATION = r"^\d+(\.\d+)?(ms|s|m|h)$(?!\n)"
"""What a duration looks like; to Python, not to editors, ``$`` is also before a last newline."""
SPAN = rf"^(?=.*[1-9]){DURATION[1:]}"
"""What a duration looks like that is longer than nothing."""

OnBusy: TypeAlias = Literal["restart", "queue", "ignore"]
Handover: TypeAlias = Literal["drain", "stop-first", "overlap"]
Duration: TypeAlias = Annotated[
    str,
    Meta(
        pattern=DURATION,
        description="A number with its unit: ms, s, m or h.",
        examples=["20ms", "5s"],
    ),
]
Span: TypeAlias = Annotated[
    str,
    Meta(
        pattern=SPAN,
        description="A number above zero with its unit: ms, s, m or h.",
        examples=["20ms", "5s"],
    ),
]
Command: TypeAlias = Annotated[
    "str | tuple[str, ...]",
    Meta(
        description="The command: a string, split as a shell would but run without one, or a "
        "list of words.",
        examples=["uvicorn shop.main:app --port 8000", ["npm", "run", "css"]],
    ),
]
Environment: TypeAlias = Annotated[
    dict[str, str],
    Meta(
        description="Environment variables, on top of devloop's own.",
        extra_json_schema={"propertyNames": {"pattern": "^[^=\\u0000]+$"}},
    ),
]
Needs: TypeAlias = Annotated[
    tuple[str, ...],
    Meta(
        description="The steps that must be up to date before this starts.",
        extra_json_schema={"uniqueItems": True},
    ),
]
Output: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"not": {"pattern": r"^/|(^|/)\.\.(/|$)"}})
]
Folder: TypeAlias = Annotated[
    "str | None",
    Meta(description="The folder that the command runs in, relative to the project's root."),
]

MOST_WORKERS = 512
"""More processes than that no machine runs for tests; whoever asks for them has mistyped."""
DIAGNOSTIC_TOOLS = ("ruff", "mypy", "pyright", "ty")
"""The tools whose output a step's `diagnostics` can name instead of a format."""


class Table(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """What every table has in common: an unknown key is an error."""


class Watch(Table, frozen=True):
    """What is watched."""

    paths: Annotated[
        tuple[str, ...],
        Meta(description="The folders and files to watch, relative to the project's root."),
    ] = (".",)
    ignore: Annotated[
        tuple[str, ...],
        Meta(
            description="What to ignore, in .gitignore's syntax, on top of .gitignore, .ignore, "
            "git's own excludes and editors' temporary files.",
            examples=[["docs/_build/"]],
        ),
    ] = ()
    debounce: Annotated[
        Duration,
        Meta(
            description="How long it must be quiet after a change. For one save of up to three "
            "files that are whole 4 ms are enough, unless this is set to more than the default."
        ),
    ] = "20ms"
    on_busy: Annotated[
        OnBusy,
        Meta(
            description="What a change does while work is going on: restart what it touches, "
            "queue behind it, or ignore the change."
        ),
    ] = "restart"


class Python(Table, frozen=True):
    """The project's interpreter, and where its modules are."""

    interpreter: Annotated[
        str | None,
        Meta(
            description="The project's interpreter, or its environment's folder. Default: that of "
            "$VIRTUAL_ENV, .venv or venv, or the one that runs devloop.",
            examples=[".venv/bin/python"],
        ),
    ] = None
    roots: Annotated[
        tuple[str, ...] | None,
        Meta(
            description="The folders that imports start from. Default: src, where it holds "
            "Python, and the project's root.",
            examples=[["src", "."]],
        ),
    ] = None


class Ready(Table, frozen=True):
    """How an app shows that it is ready: just one of the three."""

    http: Annotated[
        str | None,
        Meta(
            description="A URL that answers, with any status below 500.",
            examples=["http://127.0.0.1:8000/"],
        ),
    ] = None
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="A TCP port on this machine that accepts connections."),
    ] = None
    log: Annotated[
        str | None,
        Meta(description="A regular expression that a line of its output matches."),
    ] = None


class App(Table, frozen=True):
    """A process that runs all the time."""

    command: Command
    env: Environment = {}
    env_file: Annotated[
        str | None,
        Meta(
            description="A file of environment variables, read again at each restart.",
            examples=[".env"],
        ),
    ] = None
    cwd: Folder = None
    watch: Annotated[
        tuple[str, ...],
        Meta(
            description="Patterns of files that restart the app, beside the modules that a "
            "Python command imports.",
            examples=[["templates/**"]],
        ),
    ] = ()
    start: Annotated[
        Literal["warm", "cold"],
        Meta(
            description="Where the app's process comes from: warm is forked from a process that "
            "holds what it imports from outside the project, where that is safe; cold never is."
        ),
    ] = "warm"
    preload: Annotated[
        bool,
        Meta(description="Whether the project's own modules that an edit left alone are held too."),
    ] = True
    keep: Annotated[
        tuple[str, ...],
        Meta(
            description="Functions whose results are computed once and inherited by every warm "
            "start, until a module or a file that they depend on changes: module:function.",
            examples=[["shop.catalog:load"]],
            extra_json_schema={"uniqueItems": True},
        ),
    ] = ()
    handover: Annotated[
        Handover | None,
        Meta(
            description="How the new process follows the old one: drain lets the old one finish "
            "what it had accepted beside the new one, stop-first waits for its end, overlap lets "
            "it serve until the new one is ready. Default: drain where devloop holds the app's "
            "socket, else stop-first."
        ),
    ] = None
    listen: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses that devloop listens on from the start and passes to the "
            "command as systemd does (LISTEN_FDS): HOST:PORT, or unix:PATH relative to the "
            "project's root.",
            examples=[["127.0.0.1:3000", "unix:run/app.sock"]],
        ),
    ] = ()
    ready: Annotated[
        Ready | None,
        Meta(
            description="How the app shows that it is ready. Default: it listens, or has lived "
            "for a second."
        ),
    ] = None
    ready_timeout: Annotated[
        Span, Meta(description="How long to wait for the app to be ready.")
    ] = "60s"
    stop_signal: Annotated[
        str, Meta(description="The signal that asks the app to stop.", examples=["SIGINT"])
    ] = "SIGTERM"
    stop_timeout: Annotated[
        Duration, Meta(description="How long the app may take to stop before it is killed.")
    ] = "5s"
    needs: Needs = ()


class Tests(Table, frozen=True):
    """The test runs."""

    paths: Annotated[
        tuple[str, ...],
        Meta(
            description="The folders and files that hold tests. Default: pytest's testpaths, or "
            "wherever there are test files."
        ),
    ] = ()
    args: Annotated[
        tuple[str, ...],
        Meta(description="Further arguments for pytest.", examples=[["-q"]]),
    ] = ()
    workers: Annotated[
        Literal["auto"] | Annotated[int, Meta(ge=0, le=MOST_WORKERS)],
        Meta(
            description="How many processes run tests: auto chooses by the predicted duration, "
            "0 runs them in one process, N is pytest-xdist's -n N."
        ),
    ] = "auto"
    record: Annotated[
        bool,
        Meta(
            description="While tests run, note on what each of them depends, so that an edit "
            "runs just those that it can break. Without it imports decide."
        ),
    ] = True
    shadow: Annotated[
        bool,
        Meta(
            description="While nothing else is to be done, run the tests that were left out, at "
            "the lowest priority, and say so where one of them should not have been."
        ),
    ] = False
    needs: Needs = ()
    env: Environment = {}


class Step(Table, frozen=True):
    """A command that makes files from files."""

    command: Command
    inputs: Annotated[
        tuple[str, ...],
        Meta(
            description="Patterns of the files that the command reads.",
            examples=[["styles/**/*.css"]],
        ),
    ] = ()
    outputs: Annotated[
        tuple[Output, ...],
        Meta(
            description="The files of the project that the command writes; no two steps write "
            "the same.",
            examples=[["static/app.css"]],
        ),
    ] = ()
    needs: Needs = ()
    env: Environment = {}
    cwd: Folder = None
    timeout: Annotated[
        Span | None,
        Meta(description="How long the command may take before it is stopped. Default: forever."),
    ] = None
    diagnostics: Annotated[
        str | None,
        Meta(
            description="How the command prints problems: a format of %f (file), %l (line), "
            "%c (column) and %m (message), or the name of a known tool: "
            + ", ".join(DIAGNOSTIC_TOOLS)
            + ".",
            examples=["%f:%l:%c: %m"],
        ),
    ] = None


class Warm(Table, frozen=True):
    """Warm starts: what is held in memory for the next start of an app or a test run."""

    exclude: Annotated[
        tuple[str, ...],
        Meta(
            description="Modules and packages that are never held, each start imports them anew.",
            examples=[["torch"]],
        ),
    ] = ()
    layers: Annotated[
        bool,
        Meta(description="Whether modules of the project that an edit left alone are held too."),
    ] = True
    tests: Annotated[bool, Meta(description="Whether test runs start warm.")] = True


class Notify(Table, frozen=True):
    """How a person who looks elsewhere is called when a verdict is there; by default not at all."""

    when: Annotated[
        Literal["change", "always"],
        Meta(
            description="At a change of the verdict only, from passed to failed or back, or at "
            "the end of each cycle."
        ),
    ] = "change"
    bell: Annotated[bool, Meta(description="Ring the terminal's bell.")] = False
    terminal: Annotated[
        bool,
        Meta(
            description="Have the terminal show a notification (OSC 9, or OSC 777 where that is "
            "the terminal's)."
        ),
    ] = False
    desktop: Annotated[
        bool,
        Meta(description="Have the desktop show one, by notify-send or, on macOS, osascript."),
    ] = False


class Config(Table, frozen=True):
    """The whole of devloop.toml."""

    watch: Watch = Watch()
    python: Python = Python()
    apps: Annotated[
        dict[str, App], Meta(description="Processes that run all the time, by name.")
    ] = {}
    warm: Warm = Warm()
    tests: Tests = Tests()
    steps: Annotated[
        dict[str, Step], Meta(description="Commands that make files from files, by name.")
    ] = {}
    notify: Notify = Notify()


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
