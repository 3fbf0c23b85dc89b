"""What a project looks like to someone who sees it for the first time; for `devloop init`."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

SERVERS = {
    "FastAPI": "uvicorn",
    "Starlette": "uvicorn",
    "Litestar": "uvicorn",
    "Quart": "uvicorn",
    "Flask": "flask",
}
"""The classes whose instances are apps, and what serves them."""

FIRST_PORT = 8000
FILES = 5000
"""How many files are looked at; an app is seldom deeper in a tree than that."""

_BESIDE = {"node_modules", "build", "dist", "tests", "test", "docs", "examples", "migrations"}
_NOT_STEPS = ("dev", "start", "serve", "watch", "test", "lint", "format", "preview", "prepare")
_LOCK_FILES = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}


class FoundApp(msgspec.Struct, frozen=True):
    """Something that can be served.

    Args:
        name: for its table.
        kind: the framework.
        path: the file that it is in, relative to the root.
        command: what runs it.
        url: where it answers.
    """

    name: str
    kind: str
    path: str
    command: str
    url: str


class FoundScript(msgspec.Struct, frozen=True):
    """A script of a package.json that may be a step.

    Args:
        name: the script's.
        command: what runs it.
        folder: where, relative to the root; empty for the root.
        path: the package.json.
    """

    name: str
    command: str
    folder: str
    path: str


class Survey(msgspec.Struct, frozen=True):
    """What was found.

    Args:
        interpreter: one that devloop would not find by itself.
        roots: the folders that imports start from, where they are not just the root.
        tests: the folders that hold tests.
        apps: what can be served.
        scripts: what may be a step.
        env_file: there is a `.env`.
    """

    interpreter: str | None
    roots: tuple[str, ...]
    tests: tuple[str, ...]
    apps: tuple[FoundApp, ...]
    scripts: tuple[FoundScript, ...]
    env_file: bool


def survey(root: Path) -> Survey:
    """Look at a project.

    Args:
        root: its root.

    Returns:
        What was found; what cannot be read is passed over.
    """
    roots = ("src", ".") if next((root / "src").glob("**/*.py"), None) else ()
    return Survey(
        interpreter=_interpreter(root),
        roots=roots,
        tests=tuple(name for name in ("tests", "test") if (root / name).is_dir()),
        apps=_apps(root, bool(roots)),
        scripts=tuple(_scripts(root)),
        env_file=(root / ".env").is_file(),
    )


def _interpreter(root: Path) -> str | None:
    if any((root / name / "pyvenv.cfg").exists() for name in (".venv", "venv")):
        return None  # found by itself
    for config in sorted(root.glob("*/pyvenv.cfg")):
        for inner in ("bin/python", "Scripts/python.exe"):
            if (config.parent / inner).exists():
                return f"{config.parent.name}/{inner}"
    return None


def _apps(root: Path, src: bool) -> tuple[FoundApp, ...]:
    found = list(_django(root))
    for path in _sources(root):
        found.extend((kind, path, variable) for kind, variable in _instances(root / path))
    names = [_name(path) for _, path, _ in found]
    apps = []
    for number, (kind, path, variable) in enumerate(found):
        name = "web" if len(found) == 1 else names[number]
        if names.count(name) > 1:
            name = f"{name}-{names[: number + 1].count(name)}"
        port = (5000 if SERVERS.get(kind) == "flask" else FIRST_PORT) + number
        command = _command(kind, path, variable, src) + _port(kind, port, number)
        apps.append(FoundApp(name, kind, path, command, f"http://127.0.0.1:{port}/"))
    return tuple(apps)


def _django(root: Path) -> Iterator[tuple[str, str, str]]:
    manage = root / "manage.py"
    if manage.is_file() and b"django" in _read(manage):
        yield "Django", "manage.py", ""


def _command(kind: str, path: str, variable: str, src: bool) -> str:
    if kind == "Django":
        return "python manage.py runserver"
    inner = PurePosixPath(path).relative_to("src") if src and path.startswith("src/") else path
    module = ".".join(PurePosixPath(inner).with_suffix("").parts).removesuffix(".__init__")
    below = inner != path
    if SERVERS[kind] == "flask":
        # Flask finds the folder that a file is imported from; a module's name it seeks in ours.
        target = path.removesuffix(".py").removesuffix("/__init__") if below else module
        named = "" if variable in ("app", "application") else f":{variable}"
        return f"flask --app {target}{named} run"
    return f"uvicorn {module}:{variable}{' --app-dir src' if below else ''}"


def _port(kind: str, port: int, number: int) -> str:
    if number == 0:
        return ""  # the server's own default
    return f" {port}" if kind == "Django" else f" --port {port}"


def _name(path: str) -> str:
    parts = [part for part in PurePosixPath(path).with_suffix("").parts if part != "__init__"]
    plain = [part for part in parts if part not in ("src", "app", "main", "server", "wsgi", "asgi")]
    return (plain or ["web"])[-1].replace("_", "-")


def _sources(root: Path) -> Iterator[str]:
    seen = 0
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "__"))
            and name not in _BESIDE
            and not (here / name / "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            seen += 1
            if seen > FILES:
                return
            if name.endswith(".py") and not name.startswith("test_") and name != "conftest.py":
                yield (here / name).relative_to(root).as_posix()


def _instances(path: Path) -> Iterator[tuple[str, str]]:
    """The apps that a module makes at its top level: class and variable."""
    source = _read(path)
    if not any(f"{name}(".encode() in source for name in SERVERS):
        return
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for statement in module.body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets, value = [statement.target], statement.value
        else:
            continue
        if not isinstance(value, ast.Call):
            continue
        called = value.func
        kind = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        for target in targets:
            if kind in SERVERS and isinstance(target, ast.Name):
                yield kind, target.id


def _scripts(root: Path) -> Iterator[FoundScript]:
    for path in (root / "package.json", *sorted(root.glob("[!.]*/package.json"))):
        if path.parent.name == "node_modules":
            continue
        try:
            scripts = json.loads(_read(path)).get("scripts", {})
        except (ValueError, AttributeError):
            continue
        if not isinstance(scripts, dict):
            continue
        folder = path.parent.relative_to(root).as_posix()
        runner = next(
            (runner for lock, runner in _LOCK_FILES.items() if (path.parent / lock).exists()), "npm"
        )
        for name in scripts:
            if not name.startswith(("pre", "post")) and name.split(":")[0] not in _NOT_STEPS:
                command = f"{runner} run {name}"
                place = "" if folder == "." else folder
                yield FoundScript(name, command, place, path.relative_to(root).as_posix())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
