"""What pytest looks for before it loads the first conftest.py, and does not open."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from pathlib import Path

import msgspec

from devloop.config.pytest_settings import FILES
from devloop.execute.orders import Declined, Layered, Order

# Some fifty looks at the disk, before each run.
# ruff: noqa: PTH110, PTH112, PTH116, PTH118

_INSTALLED = (".dist-info", ".egg-info", ".egg-link")
_LOOKED_FOR = (*FILES, "setup.py")


def around(order: Order) -> Hashable:
    """What decides on a run's root and settings, and on the plugins that are found.

    pytest looks for its settings in the folders above its arguments, as far as these exist
    (``determine_setup`` in _pytest/config/findpaths.py), and for entry points on `sys.path`.

    Args:
        order: of the run.

    Returns:
        A value that is equal while it is the same.
    """
    kinds = tuple((place, os.path.isdir(place), os.path.exists(place)) for place in _places(order))
    within = dict.fromkeys(
        str(folder)
        for place, is_folder, exists in ((order.cwd, True, True), *kinds)
        if exists
        for folder in ([Path(place)] if is_folder else []) + [*Path(place).parents]
    )
    settings = tuple(_sign(os.path.join(folder, name)) for folder in within for name in _LOOKED_FOR)
    path = order.env.get("PYTHONPATH", "").split(os.pathsep)
    installed = tuple(map(_installed, (order.cwd, *order.folders, *filter(None, path))))
    return kinds, settings, installed


def sift(order: Order, noted: Layered) -> Layered:
    """What matters of what a run reads by then.

    Args:
        order: of the run.
        noted: what it reads, or looks for.

    Returns:
        The same without what its arguments name, of which `around` tells what counts.

    Raises:
        Declined: it reads other files of the project than pytest's settings, which would not be
            recorded then.
    """
    root = order.cwd.rstrip(os.sep) + os.sep
    asked = {os.path.normpath(place) for place in _places(order)}
    for path in noted.files:
        inside = path.startswith(root) and "-packages" + os.sep not in path
        own = Path(path).name in _LOOKED_FOR or path.endswith(_INSTALLED) or path in asked
        if inside and not own:
            raise Declined(f"it has a plugin that reads {path[len(root) :]}")
    files = {path: sign for path, sign in noted.files.items() if path not in asked}
    return msgspec.structs.replace(noted, files=files)


def _places(order: Order) -> list[str]:
    """What the arguments of a run name, as paths that may exist."""
    words = [part for word in order.command.args for part in _values(word)]
    return [os.path.join(order.cwd, word.partition("::")[0]) for word in words]


def _values(word: str) -> Iterable[str]:
    if not word.startswith("-"):
        yield word
    elif "=" in word:
        yield word.partition("=")[2]


def _sign(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _installed(folder: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(name for name in os.listdir(folder) if name.endswith(_INSTALLED)))
    except OSError:
        return ()
