"""Load a project's configuration: devloop.toml, `[tool.devloop]` in pyproject.toml, defaults."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Any

import msgspec

from devloop.config.document import Document, KeyPath, dotted
from devloop.config.fault import Fault, nearest
from devloop.config.types import App, Config, OnBusy
from devloop.errors import ConfigError

OWN_FILE = "devloop.toml"
SHARED_FILE = "pyproject.toml"
SHARED_TABLE = ("tool", "devloop")
NAMED_TABLES = ("apps", "steps")


class Overrides(msgspec.Struct, frozen=True):
    """What the command line says in place of the files.

    Args:
        debounce: a duration.
        on_busy: what a change does while work is going on.
        command: the words of an app's command, which then is the only app.
    """

    debounce: str | None = None
    on_busy: OnBusy | None = None
    command: tuple[str, ...] = ()

    def apply(self, config: Config) -> Config:
        """Lay them over a configuration."""
        watch = config.watch
        if self.debounce is not None:
            watch = msgspec.structs.replace(watch, debounce=self.debounce)
        if self.on_busy is not None:
            watch = msgspec.structs.replace(watch, on_busy=self.on_busy)
        apps = config.apps
        if self.command:
            apps = {_app_name(self.command): App(command=self.command)}
        return msgspec.structs.replace(config, watch=watch, apps=apps)


def _app_name(command: tuple[str, ...]) -> str:
    """What to call a command: its program, or what a Python runs."""
    words = [PurePath(word).name for word in command]
    if words[0].startswith("python"):
        rest = [word for word in words[1:] if not word.startswith("-")]
        return (rest or words)[0].removesuffix(".py")
    return words[0]


class Loaded(msgspec.Struct, frozen=True):
    """A configuration and where it came from.

    Args:
        root: the project's root.
        config: what was read, over the defaults.
        source: the file that says most: devloop.toml before pyproject.toml; None where neither
            says anything.
        files: the files that decide, whether or not they exist; a change of one means loading
            again.
        overrides: what was laid over it.
    """

    root: Path
    config: Config
    source: Path | None
    files: tuple[Path, ...]
    overrides: Overrides

    def again(self) -> Loaded:
        """Load anew, with the same overrides.

        Raises:
            ConfigError: as `load` does.
        """
        return load(self.root, self.overrides)


NOTHING = Overrides()


def load(root: Path, overrides: Overrides = NOTHING) -> Loaded:
    """Load the configuration of the project at `root`.

    A key of devloop.toml comes before the same key of pyproject.toml.

    Args:
        root: the project's root, absolute.
        overrides: what is laid over the files.

    Returns:
        The configuration; the defaults where no file says anything.

    Raises:
        ConfigError: a file cannot be read, or says something that it may not. One fault is named,
            with file, line, key, what was expected and, for a misspelt name, the nearest one.
    """
    documents = _documents(root)
    source = documents[0].path if documents else None
    config = overrides.apply(_convert(documents, root))
    return Loaded(root, config, source, (root / OWN_FILE, root / SHARED_FILE), overrides)


def require_paths(loaded: Loaded) -> None:
    """See to it that the folders and files that are named are there.

    Apart from `load`, because `doctor` and `init` have their own to say of a project that is
    not there yet.

    Args:
        loaded: a configuration.

    Raises:
        ConfigError: one is not: nothing would run, and nobody would know why.
    """
    fault = _missing_path(loaded.config, loaded.root) or _folder_for_file(
        loaded.config, loaded.root
    )
    if fault is not None:
        raise _error(_documents(loaded.root), fault)


def place_of(loaded: Loaded, key: KeyPath) -> tuple[str, int] | None:
    """Where the configuration speaks of something, as the files are now.

    Args:
        loaded: a configuration.
        key: of a table or a value, below the table that is devloop's.

    Returns:
        The file, relative to the root, and the line, counted from 1: of the key, or else of the
        nearest table around it. None where no file is there that says anything, or none that
        can be read.
    """
    try:
        documents = _documents(loaded.root)
    except ConfigError:
        return None
    if not documents:
        return None
    while not any(document.holds(key) for document in documents):
        key = key[:-1]
    return _find(documents, key)


def _folder_for_file(config: Config, root: Path) -> Fault | None:
    for name, app in config.apps.items():
        if app.env_file is not None and (root / app.env_file).is_dir():
            key = ("apps", name, "env-file")
            return Fault(key, f'expected a file of variables, but "{app.env_file}" is a folder')
    return None


def _find(documents: list[Document], key: KeyPath) -> tuple[str, int]:
    document = next(item for item in documents if item.holds(key))
    return document.name, document.line(key) or 1


def _documents(root: Path) -> list[Document]:
    own, shared = root / OWN_FILE, root / SHARED_FILE
    return [
        document
        for document in (_read(own, OWN_FILE, ()), _read(shared, SHARED_FILE, SHARED_TABLE))
        if document is not None and document.table() is not None
    ]


def _read(path: Path, name: str, prefix: tuple[str, ...]) -> Document | None:
    try:
        return Document(path, name, prefix)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"cannot be read: {reason}", where=name) from None


def _convert(documents: list[Document], root: Path) -> Config:
    if not documents:
        return Config()
    from devloop.config import checks, shape

    table: Any = {}
    for document in reversed(documents):
        table = _merge(table, document.table())
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise _error(documents, shape.find(table) or Fault((), str(error))) from None
    fault = checks.find(config) or _interpreter_fault(config.python.interpreter, root)
    if fault is not None:
        raise _error(documents, fault)
    return config


def _merge(base: Any, over: Any) -> Any:
    """Lay one file over the other, key by key; what a key says is taken whole."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    merged = base | over
    for name in base.keys() & over.keys():
        if name in NAMED_TABLES:
            merged[name] = _merge_named(base[name], over[name])
        else:
            merged[name] = _merge_keys(base[name], over[name])
    return merged


def _merge_named(base: Any, over: Any) -> Any:
    merged = _merge_keys(base, over)
    if isinstance(base, dict) and isinstance(over, dict):
        merged |= {name: _merge_keys(base[name], over[name]) for name in base.keys() & over.keys()}
    return merged


def _merge_keys(base: Any, over: Any) -> Any:
    return base | over if isinstance(base, dict) and isinstance(over, dict) else over


def _interpreter_fault(interpreter: str | None, root: Path) -> Fault | None:
    if interpreter is None:
        return None
    key = ("python", "interpreter")
    if not interpreter.strip():
        return Fault(key, "names no interpreter")
    path = root / Path(interpreter).expanduser()
    if path.is_dir():
        if any((path / inner).exists() for inner in ("bin/python", "Scripts/python.exe")):
            return None
        return Fault(
            key,
            f'expected an interpreter or its environment, but "{interpreter}" is another folder',
        )
    if path.exists():
        return None if os.access(path, os.X_OK) else Fault(key, f"{path} cannot be executed")
    if os.sep not in interpreter:
        import shutil

        if shutil.which(interpreter):
            return None
        return Fault(key, f'"{interpreter}" is neither a file nor a program on PATH')
    broken = " (it is a link to a file that is gone)" if path.is_symlink() else ""
    return Fault(key, f"{path} does not exist{broken}", "Create it, or name another interpreter.")


def _missing_path(config: Config, root: Path) -> Fault | None:
    named: dict[KeyPath, tuple[str, ...]] = {
        ("watch", "paths"): config.watch.paths,
        ("python", "roots"): config.python.roots or (),
        ("tests", "paths"): config.tests.paths,
    }
    for key, paths in named.items():
        for path in paths:
            if not (root / path).exists():
                meant = nearest(path, [entry.name for entry in root.iterdir()])
                hint = f'Did you mean "{meant}"?' if meant else None
                return Fault(key, f'there is no "{path}" in {root}', hint)
    return None


def _error(documents: list[Document], fault: Fault) -> ConfigError:
    place = fault.key[:-1] if fault.missing else fault.key
    document = next((item for item in documents if item.holds(place)), documents[0])
    line = document.line(place)
    name = dotted(document.prefix + fault.key)
    return ConfigError(
        f"{name}: {fault.message}" if name else fault.message,
        where=document.name if line is None else f"{document.name}:{line}",
        hint=fault.hint,
    )
