"""The files that a step reads and writes, found on disk and told apart by content.

Inputs are patterns as everywhere in devloop.toml (`select/patterns.py`): ``*.css`` at any depth,
``styles/**/*.css`` and ``styles/`` below the root. Outputs are files, folders (with all below
them) or patterns, from the root.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from devloop.select.patterns import matches

_WILD = frozenset("*?[\\")
_CACHES = {".devloop", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_PASSED_OVER = {".git", ".hg", ".svn", "node_modules", ".tox", ".nox"} | _CACHES
"""Folders that no pattern enters unless it names them."""


def inputs(root: Path, patterns: tuple[str, ...], outputs: tuple[str, ...]) -> dict[str, bytes]:
    """Find a step's inputs.

    Args:
        root: the project's.
        patterns: the step's `inputs`.
        outputs: the step's `outputs`, which are not its inputs even where a pattern names them.

    Returns:
        The digest of each file, by path.
    """
    own = tuple(_anchored(output) for output in outputs)
    return {
        path: digest(root / path)
        for path in _walk(root, _bases(patterns))
        if matches(path, patterns) and not matches(path, own)
    }


def outputs(root: Path, names: Iterable[str]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Find what a step has made.

    Args:
        root: the project's.
        names: the step's `outputs`.

    Returns:
        The digest of each file, by path, and the names of which there is nothing.
    """
    found: dict[str, bytes] = {}
    missing = []
    for name in names:
        if _WILD & set(name):
            pattern = (_anchored(name),)
            files = [path for path in _walk(root, _bases(pattern)) if matches(path, pattern)]
            there = bool(files)
        else:
            files = list(_walk(root, (name.removeprefix("./").rstrip("/"),)))
            there = (root / name).exists()
        found.update((path, digest(root / path)) for path in files)
        if not there:
            missing.append(name)
    return found, tuple(missing)


def digest(path: Path) -> bytes:
    """A digest of a file's bytes.

    Args:
        path: of the file.

    Returns:
        16 bytes; of the error's name, where the file cannot be read.
    """
    try:
        return blake2b(path.read_bytes(), digest_size=16).digest()
    except OSError as error:
        return blake2b(type(error).__name__.encode(), digest_size=16).digest()


def _anchored(output: str) -> str:
    return "/" + output.removeprefix("./").lstrip("/")


def _bases(patterns: Iterable[str]) -> frozenset[str]:
    """The highest files and folders below which something can match."""
    bases: set[str] = set()
    for pattern in patterns:
        if pattern.startswith(("!", "#")):
            continue
        pattern = pattern.removeprefix("./")
        if "/" not in pattern.rstrip("/"):
            return frozenset(("",))  # it matches at any depth
        plain = itertools.takewhile(
            lambda part: not _WILD & set(part), pattern.strip("/").split("/")
        )
        bases.add("/".join(plain))
    return frozenset(base for base in bases if not any(_below(base, other) for other in bases))


def _below(path: str, folder: str) -> bool:
    return path != folder and (not folder or path.startswith(f"{folder}/"))


def _walk(root: Path, bases: Iterable[str]) -> Iterator[str]:
    for base in sorted(bases):
        top = root / base
        if top.is_file():
            yield base
            continue
        for folder, folders, files in os.walk(top):
            folders[:] = [
                name
                for name in folders
                if name not in _PASSED_OVER
                and not os.path.isfile(os.path.join(folder, name, "pyvenv.cfg"))  # noqa: PTH113, PTH118
            ]
            inside = Path(base, os.path.relpath(folder, top)).as_posix()
            prefix = "" if inside == "." else f"{inside}/"
            for name in files:
                yield prefix + name
