"""What a command runs in the end: seen through programs that start others, by words alone.

Seen through are those that start what stands after them, in the project's environment or in a
changed one. What task runners, shells, containers and other languages' tools start is written in
files of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

PYTHON = re.compile(r"(?:python|pypy)[\d.]*[tw]?")
RUNNERS = frozenset({"uv", "poetry", "pdm", "hatch", "pipenv", "rye", "pixi"})
"""Programs whose subcommand `run` runs what follows it, or a task of that name."""

_PREFIXES = frozenset({"nohup", "time", "exec", "setsid", "caffeinate"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_MODULE = ("-m", "--module")
_PYTHON_OPTIONS_WITH_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_RUNNER_OPTIONS_WITH_VALUE = frozenset(
    {
        "--allow-insecure-host", "--directory", "--env-file", "--environment", "--extra",
        "--group", "--index", "--index-url", "--manifest-path", "--package", "--project",
        "--python", "--with", "--with-editable", "--with-requirements", "-C", "-P", "-e", "-p",
    }
)  # fmt: skip
_ENV_OPTIONS_WITH_VALUE = frozenset({"-u", "--unset", "-C", "--chdir"})


class Run(NamedTuple):
    """What a command runs.

    Args:
        name: of a program, a module or a file; without its folder where it is no module.
        at: where in the command it stands.
        kind: ``program``; or what a Python is told to run: ``module``, ``script``, or
            ``unknown`` for code in the command, a prompt, or nothing.
    """

    name: str
    at: int
    kind: str = "program"


def unwrap(argv: Sequence[str]) -> Run:
    """Find what a command runs in the end.

    Args:
        argv: the program and its arguments.

    Returns:
        The first word that is not known to start another one.
    """
    at = 0
    while at < len(argv):
        name = base_name(argv[at])
        if PYTHON.fullmatch(name):
            return _of_python(argv, at)
        following = _after(argv, at, name)
        if following is None or following >= len(argv):
            return Run(name, at)
        if name == "uv" and argv[following] in _MODULE:
            return _module(argv, following)
        # `hatch run test:python` names the environment too.
        if name == "hatch" and (inner := argv[following].rpartition(":")[2]):
            argv = [*argv[:following], inner, *argv[following + 1 :]]
        at = following
    return Run(base_name(argv[0]), 0)


def base_name(word: str) -> str:
    """The name of a program, without its folder.

    Args:
        word: as it is called.
    """
    return word.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")


def _after(argv: Sequence[str], at: int, name: str) -> int | None:
    """Where that stands which a program starts; None where it is not known to start any."""
    if name in RUNNERS and "run" in argv[at + 1 :]:
        return _skip(argv, argv.index("run", at + 1) + 1, _RUNNER_OPTIONS_WITH_VALUE)
    if name == "env":
        at = _skip(argv, at + 1, _ENV_OPTIONS_WITH_VALUE)
        while at < len(argv) and _ASSIGNMENT.fullmatch(argv[at]):
            at += 1
        return at
    return at + 1 if name in _PREFIXES else None


def _skip(argv: Sequence[str], at: int, with_value: frozenset[str]) -> int:
    while at < len(argv) and argv[at].startswith("-") and argv[at] not in _MODULE:
        if argv[at] == "--":
            return at + 1
        at += 2 if argv[at] in with_value else 1
    return at


def _of_python(argv: Sequence[str], python: int) -> Run:
    at = python + 1
    while at < len(argv) and argv[at].startswith("-"):
        word = argv[at]
        if not word.startswith("--") and (letter := re.search("[cmWX]", word)):
            if letter[0] == "m":
                return _module(argv, at, letter.end())
            if letter[0] == "c":
                break
        at += 2 if word in _PYTHON_OPTIONS_WITH_VALUE else 1
    if at >= len(argv) or argv[at].startswith("-"):
        return Run(base_name(argv[python]), python, "unknown")
    return Run(base_name(argv[at]), at, "script")


def _module(argv: Sequence[str], at: int, glued: int = 0) -> Run:
    """A module, in the word of its option (`-mshop`) or in the next one."""
    if glued and len(argv[at]) > glued:
        return Run(argv[at][glued:], at, "module")
    if at + 1 < len(argv):
        return Run(argv[at + 1], at + 1, "module")
    return Run(argv[at], at, "unknown")
