"""What `devloop init --editor` changes in the files of editors, and the change itself.

Each editor's module says which files it wants and how it puts its part into what is there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from devloop.editors import bacon, emacs, jetbrains, neovim, vscode, zed
from devloop.editors.place import Fault, File, Place
from devloop.errors import UsageError

EDITORS: Mapping[str, Callable[[Place], Iterator[File]]] = {
    "vscode": vscode.files,
    "zed": zed.files,
    "neovim": neovim.files,
    "emacs": emacs.files,
    "jetbrains": jetbrains.files,
    "bacon": bacon.files,
}
"""Each with the files that it wants; the last one stands for plugins made for bacon."""


class Change(msgspec.Struct, frozen=True):
    """A file that would be another one.

    Args:
        path: absolute.
        before: its text; None where there is no file.
        after: its text, or where a link leads.
        link: it is to be a symbolic link.
    """

    path: Path
    before: str | None
    after: str
    link: bool = False


def changes(editors: Sequence[str], place: Place) -> list[Change]:
    """Find what setting up some editors would change.

    Args:
        editors: their names, keys of `EDITORS`.
        place: whom they are set up for.

    Returns:
        The files that would change; none where all is in place.

    Raises:
        UsageError: a file cannot be read, or holds what its editor cannot read.
    """
    wanted = [file for name in dict.fromkeys(editors) for file in EDITORS[name](place)]
    return [change for file in wanted if (change := _change(file)) is not None]


def write(change: Change) -> None:
    """Make a change, whole or not at all.

    Args:
        change: from `changes`. What a symbolic link leads to is changed, and the link stays.

    Raises:
        OSError: it cannot be written.
    """
    change.path.parent.mkdir(parents=True, exist_ok=True)
    if change.link:
        change.path.symlink_to(change.after)
        return
    path = change.path.resolve()
    news = path.with_name(f".{path.name}.devloop~")
    try:
        news.write_bytes(change.after.encode())
        if change.before is not None:
            shutil.copymode(path, news)
        news.replace(path)
    finally:
        news.unlink(missing_ok=True)


def _change(file: File) -> Change | None:
    if file.link is not None:
        if file.path.is_symlink() and file.path.readlink() == Path(file.link):
            return None
        if file.path.is_symlink() or file.path.exists():
            raise UsageError(
                f"{file.path} is there already", hint="Remove it if devloop may put a link there."
            )
        return Change(file.path, None, file.link, link=True)
    try:
        before = file.path.read_bytes().decode() if file.path.exists() else None
    except UnicodeDecodeError:
        raise UsageError(f"{file.path} is not UTF-8") from None
    except OSError as error:
        raise UsageError(f"{file.path} cannot be read: {error.strerror}") from None
    try:
        after = file.merge(before or "")
    except Fault as fault:
        raise UsageError(
            fault.message,
            where=f"{file.path}:{fault.line}:{fault.column}",
            hint="Nothing was changed. Mend the file, or move it out of the way.",
        ) from None
    return None if after == before else Change(file.path, before, after)
