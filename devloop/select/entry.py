"""Where a command enters the project: told from its words alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from devloop.graph.graph import Graph

_REFERENCE = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)(:[\w.()]+)?")
_PYTHON = re.compile(r"(python|pypy)[\d.]*w?(\.exe)?")
_FLASK_DEFAULTS = ("app.py", "wsgi.py")


class Entry(msgspec.Struct, frozen=True):
    """Where a command enters the project.

    Args:
        python: it is a Python program, as far as its words tell.
        paths: the sources that it starts from; empty where the words do not tell.
        named: the files of the project that its words name and that are not Python.
    """

    python: bool
    paths: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


def entry(
    argv: tuple[str, ...],
    graph: Graph,
    *,
    scripts: Mapping[str, str] | None = None,
    python: bool = False,
    folder: str = "",
) -> Entry:
    """Tell where a command enters the project.

    Args:
        argv: the program and its arguments.
        graph: to look up modules and files.
        scripts: the project's own console scripts, each with its ``module:function``.
        python: the program is known to be Python, whatever its name.
        folder: where it runs, relative to the root.

    Returns:
        The entry. Every word that names a source or a module of the project counts, as does
        the part after ``=`` in ``--app=shop.main:app``: a word too many restarts once too
        often, one too few leaves old code running.
    """
    program = argv[0].replace("\\", "/").rpartition("/")[2]
    python = python or bool(_PYTHON.fullmatch(program))
    paths: dict[str, None] = {}
    named: dict[str, None] = {}
    prefix = f"{folder}/" if folder else ""
    for word in argv:
        value = word.partition("=")[2] if word.startswith("-") and "=" in word else word
        # `sh -c 'exec uvicorn shop.main:app'` holds its words in one.
        for part in value.split() if " " in value else [value]:
            plain = part.removeprefix("./")
            name = plain.partition(":")[0]
            found = _sources(name, prefix, graph, part)
            if found:
                python = True
                paths.update(dict.fromkeys(found))
            elif prefix + plain in graph.files or "/" in plain or "." in plain:
                named[prefix + plain] = None
    if scripts and program in scripts:
        python = True
        paths.update(dict.fromkeys(_modules(scripts[program].partition(":")[0], graph)))
    if program == "flask" and not paths:
        paths.update(
            dict.fromkeys(prefix + name for name in _FLASK_DEFAULTS if prefix + name in graph.files)
        )
    return Entry(python, tuple(paths), tuple(named))


def _sources(name: str, prefix: str, graph: Graph, word: str) -> tuple[str, ...]:
    if prefix + name in graph.files:
        return (prefix + name,)
    if _REFERENCE.fullmatch(word):
        return _modules(name, graph)
    return ()


def _modules(name: str, graph: Graph) -> tuple[str, ...]:
    found = graph.module_paths(name)
    return (*found, *graph.module_paths(f"{name}.__main__")) if found else ()
