"""The environment that a project's commands run in."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from devloop.inside.volatile import is_volatile


class FileValues(msgspec.Struct, frozen=True):
    """What an environment file says.

    Args:
        values: by name.
        problem: one sentence, where the file cannot be read in whole.
    """

    values: Mapping[str, str]
    problem: str | None = None


def read_file(path: Path) -> FileValues:
    """Read an environment file, as python-dotenv does.

    Args:
        path: of the file.

    Returns:
        Its values, with ``${NAME}`` resolved; names without a value are left out.
    """
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    # It logs what it cannot parse; here that becomes an event.
    logging.getLogger("dotenv").addHandler(logging.NullHandler())
    try:
        with path.open(encoding="utf-8") as file:
            bad = [binding.original.line for binding in parse_stream(file) if binding.error]
        values = dotenv_values(path, encoding="utf-8")
    except FileNotFoundError:
        return FileValues({}, f"the environment file {path} does not exist")
    except (OSError, UnicodeDecodeError) as error:
        return FileValues({}, f"the environment file {path} cannot be read: {error}")
    found = {name: value for name, value in values.items() if value is not None}
    if bad:
        lines = ", ".join(map(str, bad))
        return FileValues(found, f"{path}:{bad[0]}: not NAME=value, passed over (line {lines})")
    return FileValues(found)


def for_project(
    base: Mapping[str, str], interpreter: str | None, *, buffered: bool = False
) -> dict[str, str]:
    """The environment with the project's interpreter put first.

    Args:
        base: what it is made from, devloop's own as a rule.
        interpreter: the path of the project's interpreter; its folder comes first on PATH, so
            that ``python`` and ``uvicorn`` are the project's.
        buffered: leave Python's output to a pipe as it is: in blocks, long after it was printed.

    Returns:
        A new mapping.
    """
    env = dict(base)
    if interpreter is not None:
        # Not resolved: a virtual environment's interpreter is a link to another one.
        whole = interpreter if os.path.isabs(interpreter) else os.path.abspath(interpreter)
        folder = os.path.dirname(whole)
        path = env.get("PATH", os.defpath)
        env["PATH"] = os.pathsep.join([folder, *_without(path, folder)])
        if os.path.isfile(os.path.join(os.path.dirname(folder), "pyvenv.cfg")):
            env["VIRTUAL_ENV"] = os.path.dirname(folder)
        else:
            env.pop("VIRTUAL_ENV", None)
        # It would point this interpreter at another one's library.
        env.pop("PYTHONHOME", None)
        # macOS: set by the framework's launcher, it makes venvs forget who they are (bpo-22490).
        env.pop("__PYVENV_LAUNCHER__", None)
    if not buffered:
        env.setdefault("PYTHONUNBUFFERED", "1")
    return env


def telling(environ: Mapping[str, str]) -> dict[str, str]:
    """What of an environment may decide on what tests do, in the recorder's eyes as well.

    Args:
        environ: the whole of it.

    Returns:
        Without the variables that differ from one terminal to the next.
    """
    return {name: value for name, value in environ.items() if not is_volatile(name)}


def _without(path: str, folder: str) -> list[str]:
    return [entry for entry in path.split(os.pathsep) if entry and entry != folder]
