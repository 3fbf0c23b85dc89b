"""Which installed distribution a module belongs to.

Told by the names of folders and their lists of files: `importlib.metadata` parses the metadata of
each distribution for its name, which takes several times as long.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from devloop.inside.probe import canonical
from devloop.plan.warm import SITES

_TOP = re.compile(r"^[^/,.\n]+", re.MULTILINE)
"""The first part of the path that a line begins with, without a suffix."""


@functools.lru_cache(maxsize=4)
def providers(sites: tuple[str, ...], _stamp: str) -> Mapping[str, frozenset[str]]:
    """Which distributions bring a top-level module.

    Args:
        sites: folders of installed distributions.
        _stamp: changes with what is installed.

    Returns:
        Their normalised names, by the module's.
    """
    found: dict[str, set[str]] = {}
    for site in sites:
        for metadata in Path(site).glob("*.*-info"):
            if metadata.suffix in (".dist-info", ".egg-info"):
                name = canonical(metadata.stem.partition("-")[0])
                for top in _tops(metadata):
                    found.setdefault(top, set()).add(name)
    return {top: frozenset(names) for top, names in found.items()}


def _tops(metadata: Path) -> Iterator[str]:
    """The names at the top of what a distribution has installed."""
    for name in ("RECORD", "top_level.txt"):
        try:
            listed = (metadata / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # the other one, or neither, is there
        yield from set(_TOP.findall(listed))


def of_module(file: str) -> str:
    """The folder with the metadata of a module's distribution; its name holds the version.

    Args:
        file: the module's.

    Returns:
        Its path; empty where nothing says whose the file is (the standard library's, say).
    """
    path = Path(file)
    site = next((folder for folder in path.parents if folder.name in SITES), None)
    if site is None:
        return ""
    wanted = f"{path.relative_to(site).as_posix()},"
    for record in site.glob("*.dist-info/RECORD"):
        try:
            with record.open(encoding="utf-8", errors="replace") as lines:
                if any(line.startswith(wanted) for line in lines):
                    return str(record.parent)
        except OSError:
            continue
    return ""


def still_there(metadata: str) -> bool:
    """Whether a distribution is installed in that version.

    Args:
        metadata: as `of_module` gave it.

    Returns:
        True also where it is not known.
    """
    return not metadata or Path(metadata).is_dir()
