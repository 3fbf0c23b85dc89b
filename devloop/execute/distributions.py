"""Which installed distribution a module belongs to; asked for the few that are unsafe to hold."""

from __future__ import annotations

from pathlib import Path

from devloop.plan.warm import SITES


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
