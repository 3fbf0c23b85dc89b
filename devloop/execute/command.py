"""What a command line starts: a Python program, known well enough to start it in other ways.

The kernel and the interpreter settle that in steps: PATH (execvp(3)), the first line of a script
(execve(2)), the interpreter's own options (``_PyOS_GetOpt`` in getopt.c).
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

_PYTHON = re.compile(r"python(\d+(\.\d+)*)?t?d?")
_HEAD = 4096
"""Bytes of a script that are read: its first lines, of which the kernel reads 256."""

_LINKS = 4
"""Scripts that are run by scripts, which the kernel allows up to (binfmt_script)."""

_WITH_VALUE = "WXQ"
"""Options of one letter whose value is the rest of the word, or the next one."""

_PLAIN = "bBdEIOPqRsSu"
"""Options of one letter without a value that change nothing about how a program is run."""

_WHY = {
    "c": "it runs code of its command line",
    "i": "it asks for a prompt at its end",
    "v": "it asks for a trace of imports",
    "x": "it leaves out the first line of its script",
    "V": "it only prints a version",
    "h": "it only prints help",
    "?": "it only prints help",
}


_ASKED = {"PYTHONINSPECT": "i", "PYTHONVERBOSE": "v", "PYTHONPROFILEIMPORTTIME": "v"}
"""Variables that do what an option does."""


class Python(msgspec.Struct, frozen=True):
    """A Python program.

    Args:
        argv: its command line, as the kernel has it in the end.
        name: the kernel's name for the process: that of the file which was executed.
        options: those of the interpreter.
        kind: what `target` is: a module's name, or a script's path.
        target: as it was given, or found on PATH.
        args: what follows it.
        shell: a shell starts it, and is replaced by it.
    """

    argv: tuple[str, ...]
    name: str
    options: tuple[str, ...]
    kind: Literal["module", "script"]
    target: str
    args: tuple[str, ...]
    shell: bool = False

    @property
    def program(self) -> str:
        """The interpreter, as it was given: a path, or a name on PATH."""
        return self.argv[0]


class NotPython(msgspec.Struct, frozen=True):
    """Something else, or something that only the interpreter itself can start.

    Args:
        reason: in one line; the sentence's subject is the command.
    """

    reason: str


def parse(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> Python | NotPython:
    """Find out what a command line starts.

    Args:
        argv: the program and its arguments.
        env: its environment, whose PATH counts.
        cwd: its working directory.

    Returns:
        The program, or why it is none that is known.
    """
    words = list(argv)
    name, shell = "", False
    for _ in range(_LINKS):
        found = _find(words[0], env, cwd) if words else None
        if found is None:
            return NotPython(f"{words[0] if words else ''!r} is not found")
        name = name or os.path.basename(found)  # as it was given
        if _PYTHON.fullmatch(os.path.basename(found)) and not _head(found, cwd).startswith(b"#!"):
            python = _options(words, name, env, cwd)
            return (
                msgspec.structs.replace(python, shell=shell)
                if isinstance(python, Python)
                else python
            )
        by = _interpreter(found, cwd)
        if by is None:
            return NotPython("it is not a Python program")
        if by[0] == "exec":
            # A shell of which only this is left.
            words, name, shell = [*by[1:], found, *words[1:]], "", True
        else:
            words = [*by, found, *words[1:]]
        if _is_env(words[0]):
            # It replaces itself by what it finds.
            words, name = _without_env(words), ""
            if not words:
                return NotPython("env does more there than find its interpreter")
    return NotPython("it is run by a script that is run by a script")


def _find(program: str, env: Mapping[str, str], cwd: str) -> str | None:
    """The path with which the kernel is asked to execute a program."""
    if "/" in program:
        return program if _executable(program, cwd) else None
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = f"{folder or '.'}/{program}"
        if _executable(path, cwd):
            return path
    return None


def _executable(path: str, cwd: str) -> bool:
    whole = os.path.join(cwd, path)
    return os.path.isfile(whole) and os.access(whole, os.X_OK)


def _head(path: str, cwd: str) -> bytes:
    try:
        with open(os.path.join(cwd, path), "rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _interpreter(path: str, cwd: str) -> list[str] | None:
    """What a script's first lines say it is run by; ``exec`` first where a shell gives way."""
    first, _, rest = _head(path, cwd).partition(b"\n")
    if not first.startswith(b"#!"):
        return None
    words = os.fsdecode(first[2:].strip()).split(None, 1)
    if not words:
        return None
    if words == ["/bin/sh"] and rest.startswith(b"'''exec' "):
        # Where a path is too long for the kernel, or has a space, installers write so.
        try:
            trampoline = shlex.split(os.fsdecode(rest.partition(b"\n")[0]))
        except ValueError:
            return None
        if trampoline[0] == "exec" and trampoline[2:] == ["$0", "$@"] and "$" not in trampoline[1]:
            return trampoline[:2]
        return None
    return words


def _is_env(program: str) -> bool:
    return program.rpartition("/")[2] == "env"


def _without_env(words: list[str]) -> list[str]:
    rest = words[1:]
    # The kernel passes all that follows the program as one argument.
    head, *script = rest
    if head.startswith("-S"):
        try:
            head_words = shlex.split(head[2:])
        except ValueError:
            return []
    else:
        head_words = [head]
    if not head_words or head_words[0].startswith("-") or "=" in head_words[0]:
        return []
    return [*head_words, *script]


def _options(words: list[str], name: str, env: Mapping[str, str], cwd: str) -> Python | NotPython:
    """Read the interpreter's command line."""
    at, given = 1, ""
    while at < len(words):
        word = words[at]
        if word == "-":
            return NotPython("it reads its program from standard input")
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                at += 2
                continue
            return NotPython(f"the interpreter's option {word} is not one of those known")
        if not word.startswith("-"):
            return _asked(given, env) or _script(words, name, at, cwd)
        for index, letter in enumerate(word[1:], 1):
            rest = word[index + 1 :]
            given += letter
            if letter == "m":
                return _asked(given, env) or _module(words, name, at, index, rest)
            if letter in _WITH_VALUE:
                value = rest or (words[at + 1] if at + 1 < len(words) else "")
                if letter == "X" and value.partition("=")[0] == "importtime":
                    return NotPython(f"its -X {value} shows how modules are imported")
                at += not rest
                break
            if letter not in _PLAIN:
                return NotPython(_WHY.get(letter, f"the interpreter has no option -{letter}"))
        at += 1
    return NotPython("it asks for a prompt")


def _asked(given: str, env: Mapping[str, str]) -> NotPython | None:
    """What a variable asks for, unless the options of these letters have it passed over."""
    if "E" not in given and "I" not in given:
        for variable, letter in _ASKED.items():
            if env.get(variable):
                return NotPython(_WHY[letter])
    return None


def _module(words: list[str], name: str, at: int, index: int, rest: str) -> Python | NotPython:
    options = words[1:at]
    if index > 1:
        options = [*options, words[at][:index]]
    if rest:
        target, args = rest, words[at + 1 :]
    elif at + 1 < len(words):
        target, args = words[at + 1], words[at + 2 :]
    else:
        return NotPython("the interpreter's option -m names no module")
    return Python(tuple(words), name, tuple(options), "module", target, tuple(args))


def _script(words: list[str], name: str, at: int, cwd: str) -> Python | NotPython:
    target = words[at]
    path = os.path.join(cwd, target)
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return NotPython(f"there is no script {target}")
    if not stat.S_ISREG(mode):
        return NotPython(f"{target} is not a file")
    import zipfile

    if path.endswith((".pyc", ".pyo")) or zipfile.is_zipfile(path):
        return NotPython(f"{target} is not a source file")
    options = tuple(words[1:at])
    return Python(tuple(words), name, options, "script", target, tuple(words[at + 1 :]))
