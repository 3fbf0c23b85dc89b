"""Recognise a command that has a reloader of its own, and turn that off.

Two reloaders restart an app twice for one save, and race. The options are those of flask 3,
Django 5, uvicorn, fastapi-cli, gunicorn, hypercorn, granian and quart as their ``--help`` tells
them; environment variables count as much as options do.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

import msgspec

from devloop.select.launchers import base_name, unwrap

_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish"})
_NO = frozenset({"", "0", "false", "no", "off", "n", "f"})


class Tamed(msgspec.Struct, frozen=True):
    """A command whose own reloader does not run.

    Args:
        argv: what to run in the place of the command.
        env: what to set in its environment.
        message: one line for a person; None where the reloader was not asked for, and is only
            kept from being turned on by a file that the command itself reads.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    message: str | None = None


class _Tool(msgspec.Struct, frozen=True):
    """How one program is told to reload, and not to.

    Args:
        commands: its subcommands that serve; empty where it has none.
        always: it reloads unless told otherwise.
        on: options that turn its reloader on; they are taken out.
        details: options about reloading that have a value; they are taken out.
        implied: options and variables that turn it on, among other things; they stay.
        variables: variables that turn it on; they are set to `no`.
        off: the option that turns it off; empty where taking out is enough.
    """

    commands: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    on: tuple[str, ...] = ("--reload",)
    details: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    off: str = ""


_DETAILS = ("--reload-dir", "--reload-include", "--reload-exclude", "--reload-delay")
_DJANGO = _Tool(
    commands=("runserver", "runserver_plus"),
    always=("runserver", "runserver_plus"),
    on=(),
    off="--noreload",
)
_TOOLS: dict[str, _Tool] = {
    "flask": _Tool(
        commands=("run",),
        implied=("--debug", "FLASK_DEBUG", "FLASK_RUN_RELOAD", "FLASK_RUN_DEBUG"),
        off="--no-reload",
    ),
    "quart": _Tool(
        commands=("run",), implied=("--debug", "QUART_DEBUG", "QUART_RUN_RELOAD"), off="--no-reload"
    ),
    "django": _DJANGO,
    "django-admin": _DJANGO,
    "manage.py": _DJANGO,
    "uvicorn": _Tool(details=_DETAILS, variables=("UVICORN_RELOAD",)),
    "fastapi": _Tool(commands=("dev", "run"), always=("dev",), off="--no-reload"),
    "gunicorn": _Tool(details=("--reload-engine", "--reload-extra-file")),
    "hypercorn": _Tool(),
    "granian": _Tool(
        details=(
            "--reload-paths",
            "--reload-ignore-dirs",
            "--reload-ignore-patterns",
            "--reload-ignore-paths",
            "--reload-tick",
        ),
        variables=("GRANIAN_RELOAD",),
    ),
}


def tame(argv: Sequence[str], env: Mapping[str, str]) -> Tamed | None:
    """Turn a command's own reloader off.

    Args:
        argv: the program and its arguments.
        env: the environment that it will have.

    Returns:
        What to run in its place; None where the command has no reloader, or has it turned off.
    """
    if base_name(argv[0]) in _SHELLS:
        return _in_shell(argv, env)
    found = _find(argv)
    if found is None:
        return None
    name, at = found
    tool = _TOOLS[name]
    head, rest = list(argv[: at + 1]), list(argv[at + 1 :])
    after: list[str] = []
    if "--" in rest:
        after = rest[rest.index("--") :]
        rest = rest[: rest.index("--")]
    command = next((word for word in rest if word in tool.commands), None)
    if (tool.commands and command is None) or (tool.off and tool.off in rest):
        return None
    why = _why(tool, command, rest, env)
    changed = {variable: "false" for variable in tool.variables if _set(env, variable)}
    if name == "gunicorn" and "--reload" in (words := env.get("GUNICORN_CMD_ARGS", "").split()):
        why = why or "GUNICORN_CMD_ARGS"
        kept = _without(words, tool)
        changed["GUNICORN_CMD_ARGS"] = " ".join(kept)
    if why is None and not tool.off:
        return None
    rest = _without(rest, tool)
    if tool.off:
        rest.append(tool.off)
    message = None
    if why is not None:
        title = " ".join(filter(None, (name, command)))
        message = (
            f"{title} has its own reloader ({why}): it is turned off, devloop restarts the app"
        )
    return Tamed((*head, *rest, *after), changed, message)


def _why(
    tool: _Tool, command: str | None, words: Sequence[str], env: Mapping[str, str]
) -> str | None:
    """What turns the reloader on."""
    for word in (*tool.on, *tool.implied):
        if word in words:
            return word
    for variable in (*tool.implied, *tool.variables):
        if _set(env, variable):
            return f"{variable}={env[variable]}"
    return "by default" if command in tool.always else None


def _set(env: Mapping[str, str], variable: str) -> bool:
    return env.get(variable, "").strip().lower() not in _NO


def _without(words: Sequence[str], tool: _Tool) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in tool.details:
            skip = True
        elif word not in tool.on and word.partition("=")[0] not in tool.details:
            kept.append(word)
    return kept


def _find(argv: Sequence[str]) -> tuple[str, int] | None:
    """The program that a command runs in the end, and where its name stands."""
    run = unwrap(argv)
    return (run.name, run.at) if run.name in _TOOLS and run.kind != "unknown" else None


def _in_shell(argv: Sequence[str], env: Mapping[str, str]) -> Tamed | None:
    """A shell's own text is not rewritten; what it starts is told to the person."""
    if len(argv) < 3 or argv[1] not in ("-c", "-ec", "-lc", "-xc"):
        return None
    try:
        words = shlex.split(argv[2], comments=True)
    except ValueError:
        return None
    while words and (words[0] == "exec" or _ASSIGNMENT.match(words[0])):
        del words[0]
    inner = tame(words, env) if words else None
    if inner is None or inner.message is None:
        return None
    title = inner.message.partition(" has its own")[0]
    better = shlex.join(inner.argv)
    message = (
        f"{title} runs in a shell with its own reloader, beside devloop's: "
        f"turn that off, as in: {better}"
    )
    return Tamed(tuple(argv), {}, message)
