"""Where a command enters the project: told from its words alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from devloop.graph.graph import Graph
from devloop.select.launchers import PYTHON, RUNNERS, Run, base_name, unwrap

_REFERENCE = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*)(:[^\W\d].*)?")
_FLASK_DEFAULTS = ("app.py", "wsgi.py")
_SHELLS = ("sh", "bash", "dash", "zsh", "fish", "ksh")
_RUNNERS = ("make", "gmake", "just", "task", "doit", "invoke", "inv", "tox", "nox", "poe")
_STARTERS = ("honcho", "foreman", "overmind")
_LAUNCHERS = frozenset((*_SHELLS, *_RUNNERS, *_STARTERS, *RUNNERS))
"""Programs that start others, which their words need not name."""
_OTHERS = frozenset(
    {
        "bun", "caddy", "cargo", "deno", "docker", "docker-compose", "go", "java", "nginx", "node",
        "npm", "npx", "php", "pnpm", "podman", "ruby", "yarn",
    }
)  # fmt: skip
"""Programs of other languages, which a starter of Python's may start too."""
_STARTING_MODULES = frozenset(
    {
        "asyncio", "bdb", "cProfile", "code", "doctest", "idlelib", "pdb", "profile", "pydoc",
        "runpy", "test", "timeit", "trace", "unittest",
    }
)  # fmt: skip
"""Modules of the standard library that run or look at others, which their words need not name."""


class Entry(msgspec.Struct, frozen=True):
    """Where a command enters the project.

    Args:
        python: it is a Python program, as far as its words tell.
        paths: the sources that it starts from; empty where the words do not tell.
        named: the files of the project that its words name and that are not Python.
        launcher: it starts others that its words do not name, which may be Python.
        foreign: it is known to enter nothing of the project: a module of the standard library.
    """

    python: bool
    paths: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    launcher: bool = False
    foreign: bool = False


def entry(
    argv: tuple[str, ...],
    graph: Graph,
    *,
    scripts: Mapping[str, str] | None = None,
    python: bool = False,
    folder: str = "",
    environ: Mapping[str, str] | None = None,
    library: Collection[str] = sys.stdlib_module_names,
) -> Entry:
    """Tell where a command enters the project.

    Args:
        argv: the program and its arguments.
        graph: to look up modules and files.
        scripts: the project's own console scripts, each with its ``module:function``.
        python: the program is known to be Python, whatever its name.
        folder: where it runs, relative to the root.
        environ: what it finds in its environment, where that names modules.
        library: the top-level modules of the standard library.

    Returns:
        The entry. Every word that names a source, a module or a script of the project counts,
        as does the part after ``=`` in ``--app=shop.main:app``: a word too many restarts once
        too often, one too few leaves old code running.
    """
    scripts, environ = scripts or {}, environ or {}
    prefix = f"{folder}/" if folder else ""
    words = tuple(_words(argv))
    programs = {base_name(word) for word in words}
    run = unwrap(argv)
    paths: dict[str, None] = {}
    named: dict[str, None] = {}
    for word in words:
        plain = word.removeprefix("./")
        found = _sources(plain, prefix, graph)
        if found:
            paths.update(dict.fromkeys(found))
        elif prefix + plain in graph.files or "/" in plain or "." in plain:
            named[prefix + plain] = None
    for name in programs & scripts.keys():
        paths.update(dict.fromkeys(_modules(scripts[name].partition(":")[0], graph)))
    if "flask" in programs and not paths:
        paths.update(dict.fromkeys(_of_flask(prefix, graph, environ)))
    if "gunicorn" in programs and f"{prefix}gunicorn.conf.py" in graph.files and paths:
        paths[f"{prefix}gunicorn.conf.py"] = None
    foreign = _is_foreign(run, library)
    if foreign:
        paths.update(dict.fromkeys(_shadowing(prefix, graph, library)))
    runs_python = run.kind != "program"
    python = python or runs_python or bool(paths) or any(map(PYTHON.fullmatch, programs))
    if "celery" in programs:
        # It looks for tasks in modules that no word names.
        python = True
        paths.clear()
    if run.name in _OTHERS and not runs_python:
        python = bool(paths)
    elif not paths and not runs_python:
        launcher = not programs.isdisjoint(_LAUNCHERS) or argv[0].endswith(".sh")
        return Entry(python, (), tuple(named), launcher)
    return Entry(python, tuple(paths), tuple(named), foreign=foreign and not paths)


def _is_foreign(run: Run, library: Collection[str]) -> bool:
    """Whether a module of the standard library runs that runs no other."""
    top = run.name.partition(".")[0]
    return run.kind == "module" and top in library and top not in _STARTING_MODULES


def _shadowing(prefix: str, graph: Graph, library: Collection[str]) -> Iterator[str]:
    """The modules that `python -m` finds before those of the standard library.

    The working directory comes first then (Python, *Command line and environment*).
    """
    for name in sorted(library):
        for path in (f"{prefix}{name}.py", f"{prefix}{name}/__init__.py"):
            if path in graph.files:
                yield path


def _words(argv: Iterable[str]) -> Iterator[str]:
    """The parts of a command that may name something."""
    for word in argv:
        value = word.partition("=")[2] if word.startswith("-") and "=" in word else word
        # `sh -c 'exec uvicorn shop.main:app'` holds its words in one.
        for part in value.split() if " " in value else [value]:
            yield part.strip("\"';")
            if part.startswith("-") and not part.startswith("--") and len(part) > 2:
                yield part[2:]  # `-mshop`


def _sources(word: str, prefix: str, graph: Graph) -> tuple[str, ...]:
    name = word.partition(":")[0]
    if prefix + name in graph.files:
        return (prefix + name,)
    # Flask, and Python of a folder, take paths without a suffix, too; such a word may be a module's
    # name as well, and that of another one.
    start = prefix + name.rstrip("/")
    paths = (start + end for end in (".py", "/__init__.py", "/__main__.py"))
    found = [path for path in paths if path in graph.files]
    modules = _modules(name, graph) if _REFERENCE.fullmatch(word) else ()
    return tuple(dict.fromkeys((*found, *modules)))


def _modules(name: str, graph: Graph) -> tuple[str, ...]:
    return (*graph.module_paths(name), *graph.module_paths(f"{name}.__main__"))


def _of_flask(prefix: str, graph: Graph, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What `flask run` takes where its words name nothing (Flask, *Application Discovery*)."""
    if given := environ.get("FLASK_APP"):
        return _sources(given.strip().removeprefix("./"), prefix, graph)
    return tuple(prefix + name for name in _FLASK_DEFAULTS if prefix + name in graph.files)
