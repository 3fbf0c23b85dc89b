"""`devloop clean`: removes `.devloop/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devloop.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@options.command("clean")
def command() -> int:
    """Remove .devloop/, which holds what devloop remembers of this project.

    Nothing is lost but time: the next command reads the project anew and takes every test as due.
    """
    import shutil
    from pathlib import Path

    from devloop.config import folder
    from devloop.config.root import find_root
    from devloop.store import presence

    path = find_root(Path.cwd()) / folder.NAME
    if path.is_symlink():
        raise click.UsageError(f"{path} is a symbolic link; remove it yourself if you want to")
    if not path.exists():
        click.echo(f"Nothing to remove: there is no {path}.")
        return 0
    if not path.is_dir() or not folder.is_ours(path):
        raise click.UsageError(
            f"{path} was not made by devloop (its .gitignore is not ours); it is left alone"
        )
    if (pid := presence.holder(path.parent)) is not None:
        raise click.UsageError(f"`devloop watch` (pid {pid}) runs here; stop it first")
    files, size = _measure(path)
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be removed: {error.strerror}") from None
    click.echo(f"Removed {path} ({files} {'file' if files == 1 else 'files'}, {_human(size)}).")
    return 0


def _measure(folder: Path) -> tuple[int, int]:
    sizes = [path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()]
    return len(sizes), sum(sizes)


def _human(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
