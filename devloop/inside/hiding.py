"""Notice that a cold start would find another module than the one that is held."""

from __future__ import annotations

import os
import sys

# ruff: noqa: PTH110, PTH118, PTH120

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


def homes(known: Collection[str], names: Collection[str] | None = None) -> dict[str, str]:
    """Where the top-level modules that are loaded were found.

    Where this looks at every module it is done before a fork, not after, where each look costs the
    copy of a page.

    Args:
        known: names of modules that are loaded at any start.
        names: of the modules that are looked at; None is all.

    Returns:
        The entry of `sys.path` of each module that is found on it, by the module's name; empty
        for one that has no place of its own, like a namespace package.
    """
    found: dict[str, str] = {}
    for name in list(sys.modules) if names is None else names:
        if "." in name or name in known or name == "__main__":
            continue
        spec = getattr(sys.modules.get(name), "__spec__", None)
        origin = getattr(spec, "origin", None)
        if origin not in ("built-in", "frozen"):  # those come before any path
            home = os.path.dirname(origin or "")
            is_package = getattr(spec, "submodule_search_locations", None) is not None
            found[name] = os.path.dirname(home) if is_package else home
    return found


def hidden(found: dict[str, str], folders: list[str]) -> str | None:
    """A held module in whose place a cold start would find another one.

    Args:
        found: from `homes`.
        folders: those that the command will put on `sys.path`.

    Returns:
        Its name; None where there is none.
    """
    libraries = (sys.prefix + os.sep, sys.base_prefix + os.sep)
    passed: set[str] = set()
    for entry in (*folders, *sys.path):
        try:
            present = [] if (entry + os.sep).startswith(libraries) else os.listdir(entry)
        except OSError:
            present = []
        for file in present:
            name, _, suffix = file.partition(".")
            home = found.get(name, entry)
            # What was found earlier cannot be hidden by what comes later.
            if home != entry and home not in passed and _imports(entry, name, suffix):
                return name
        passed.add(entry)
    return None


def _imports(entry: str, name: str, suffix: str) -> bool:
    if suffix:
        return suffix in ("py", "pyc") or suffix.endswith("so")
    return os.path.exists(os.path.join(entry, name, "__init__.py"))
