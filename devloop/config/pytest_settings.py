"""What pytest is configured to do, read as pytest reads it.

Sources: pytest's reference, *Configuration* ("Initialization: determining rootdir and
configfile"), and `_pytest/config/findpaths.py` of pytest 9.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from devloop.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_FILES = ("test_*.py", "*_test.py")
DEFAULT_DOCTESTS = ("test*.txt",)


class PytestSettings(msgspec.Struct, frozen=True):
    """What decides on which files hold tests, and how they run.

    Args:
        python_files: patterns of the names of test files.
        testpaths: where tests are, relative to the project's root; none means everywhere.
        pythonpath: what is put on `sys.path`, relative to the root where it is inside it.
        addopts: further command line options.
        plugins: the modules named with ``-p``.
        doctest_modules: doctests are looked for in every module.
        doctest_globs: patterns of the names of texts that hold doctests.
        django_settings: the module that pytest-django takes Django's settings from.
        file: where this was read; None where nothing is configured. Relative to the root where it
            is inside it.
    """

    python_files: tuple[str, ...] = DEFAULT_FILES
    testpaths: tuple[str, ...] = ()
    pythonpath: tuple[str, ...] = ()
    addopts: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    doctest_modules: bool = False
    doctest_globs: tuple[str, ...] = DEFAULT_DOCTESTS
    django_settings: str | None = None
    file: str | None = None


def read(root: Path, args: Sequence[str] = (), environ: Mapping[str, str] = {}) -> PytestSettings:
    """Read pytest's settings.

    Args:
        root: the project's, where pytest runs.
        args: the user's own arguments for pytest; ``-c`` in them names the file, ``-p`` a plugin.
        environ: whose PYTEST_ADDOPTS, PYTEST_PLUGINS and DJANGO_SETTINGS_MODULE count.

    Returns:
        The settings; the defaults where there are none.

    Raises:
        ConfigError: a file cannot be read.
    """
    found = _find(root, args)
    path, values = found if found is not None else (None, {})
    name = None if path is None else _relative(path, root)
    place = name or "pytest's settings"
    addopts = _words(values.get("addopts"), f"{place}: addopts")
    addopts += _words(environ.get("PYTEST_ADDOPTS"), "PYTEST_ADDOPTS")
    base = root if path is None else path.parent
    django = values.get("DJANGO_SETTINGS_MODULE")
    # pytest-django: the command line before the environment before the settings.
    django = environ.get("DJANGO_SETTINGS_MODULE") or (str(django) if django else None)
    words = (*addopts, *args)
    plugins = [*option(words, "-p"), *environ.get("PYTEST_PLUGINS", "").split(",")]
    doctests = "no:doctest" not in plugins
    globs = tuple(option(words, "--doctest-glob")) or DEFAULT_DOCTESTS
    return PytestSettings(
        python_files=_words(values.get("python_files"), f"{place}: python_files") or DEFAULT_FILES,
        testpaths=tuple(
            path
            for pattern in _words(values.get("testpaths"), f"{place}: testpaths")
            for path in _expand(pattern, base, root)
        ),
        pythonpath=tuple(
            _relative(base / entry, root)
            for entry in _words(values.get("pythonpath"), f"{place}: pythonpath")
        ),
        addopts=addopts,
        plugins=tuple(dict.fromkeys(n for n in plugins if n and not n.startswith("no:"))),
        doctest_modules=doctests and _says(words, "--doctest-modules"),
        doctest_globs=globs if doctests else (),
        django_settings=next(iter(option(words, "--ds")), django),
        file=name,
    )


def config_files(root: Path, args: Sequence[str] = ()) -> tuple[str, ...]:
    """All files that decide on pytest's settings, whether or not they exist.

    Args:
        root: the project's.
        args: the user's own arguments for pytest.

    Returns:
        Those that pytest would look at in the root, and the one that it finds elsewhere.
    """
    names = [*FILES]
    try:
        found = _find(root, args)
    except ConfigError as error:
        # The one that cannot be read is among those in the root, or is the one at fault.
        return tuple(dict.fromkeys([*names, *([error.where] if error.where else [])]))
    if found is not None:
        names.append(_relative(found[0], root))
    return tuple(dict.fromkeys(names))


def option(words: Sequence[str], name: str) -> list[str]:
    """The values of an option in a command line, as argparse takes them.

    Args:
        words: of the command line.
        name: ``-p``, or ``--ds``.

    Returns:
        All of them, in order.
    """
    values = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            break
        if word == name:
            values += [value for value in [next(rest, None)] if value is not None]
        elif name.startswith("--") and word.startswith(name + "="):
            values.append(word[len(name) + 1 :])
        elif not name.startswith("--") and word.startswith(name) and not word.startswith("--"):
            values.append(word[len(name) :].removeprefix("="))
    return values


def _says(words: Sequence[str], flag: str) -> bool:
    return flag in (words[: words.index("--")] if "--" in words else words)


def _find(root: Path, args: Sequence[str]) -> tuple[Path, dict[str, Any]] | None:
    named = [*option(args, "-c"), *option(args, "--config-file")]
    if named:
        path = root / named[-1]
        loader = _LOADERS.get(path.name) or _SUFFIXES.get(path.suffix, lambda _: {})
        return path, loader(path) or {}
    for folder in (root, *root.parents):
        for name, loader in _LOADERS.items():
            path = folder / name
            if path.is_file() and (values := loader(path)) is not None:
                return path, values
    return None


def _pytest_ini(path: Path) -> dict[str, Any] | None:
    return _ini(path, "pytest") or {}


def _tox_ini(path: Path) -> dict[str, Any] | None:
    return _ini(path, "pytest")


def _setup_cfg(path: Path) -> dict[str, Any] | None:
    return _ini(path, "tool:pytest")


def _pytest_toml(path: Path) -> dict[str, Any] | None:
    table = _toml(path).get("pytest")
    return dict(table) if isinstance(table, dict) else {}


def _pyproject(path: Path) -> dict[str, Any] | None:
    tool = _toml(path).get("tool")
    table = tool.get("pytest") if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        return None
    native = {key: value for key, value in table.items() if key != "ini_options"}
    if native:
        return native
    options = table.get("ini_options")
    return dict(options) if isinstance(options, dict) else None


def _any_toml(path: Path) -> dict[str, Any] | None:
    return _pyproject(path) or _pytest_toml(path)


def _any_ini(path: Path) -> dict[str, Any] | None:
    return _tox_ini(path)


_LOADERS: dict[str, Callable[[Path], dict[str, Any] | None]] = {
    "pytest.toml": _pytest_toml,
    ".pytest.toml": _pytest_toml,
    "pytest.ini": _pytest_ini,
    ".pytest.ini": _pytest_ini,
    "pyproject.toml": _pyproject,
    "tox.ini": _tox_ini,
    "setup.cfg": _setup_cfg,
}
"""In pytest's order; the first that holds settings for it is the only one that counts."""

FILES = tuple(_LOADERS)
"""The names of the files in which pytest looks for settings."""

_SUFFIXES: dict[str, Callable[[Path], dict[str, Any] | None]] = {
    ".toml": _any_toml,
    ".ini": _any_ini,
    ".cfg": _setup_cfg,
}


def _ini(path: Path, section: str) -> dict[str, Any] | None:
    import iniconfig

    try:
        config = iniconfig.IniConfig(str(path), data=_text(path))
    except iniconfig.ParseError as error:
        raise ConfigError(error.msg, where=f"{path}:{error.lineno + 1}") from None
    return dict(config[section].items()) if section in config else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(error), where=str(path)) from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8: byte {error.start}", where=str(path)) from None


def _words(value: Any, where: str) -> tuple[str, ...]:
    """The words of a value: a list, or a text that is split as pytest splits it."""
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    try:
        return tuple(shlex.split(str(value)))
    except ValueError as error:
        raise ConfigError(str(error), where=where) from None


def _expand(pattern: str, base: Path, root: Path) -> list[str]:
    """The folders that an entry of `testpaths` stands for; itself where it matches nothing."""
    from glob import glob

    found = sorted(glob(pattern, root_dir=base, recursive=True))  # noqa: PTH207 - as pytest does
    return [_relative(base / entry, root) for entry in found or [pattern]]


def _relative(path: Path, root: Path) -> str:
    clean = os.path.normpath(path)
    try:
        return Path(clean).relative_to(root).as_posix()
    except ValueError:
        return clean
