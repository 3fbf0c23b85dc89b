"""What git says: the paths that differ from a revision, and the tree that will be committed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from devloop.errors import UsageError
from devloop.events import Change, ChangeKind

_KINDS: dict[str, ChangeKind] = {"A": "created", "D": "deleted"}


def changed_since(root: Path, revision: str) -> tuple[Change, ...]:
    """The paths below the root that differ from a revision.

    Args:
        root: the project's.
        revision: anything that git takes for a commit; ``main...`` (with three dots) is where
            this branch left ``main``.

    Returns:
        Changes of the working tree, untracked files included.

    Raises:
        UsageError: there is no git checkout here, or no such revision.
    """
    base = _commit(root, revision)
    listed = _git(root, "diff", "--name-status", "--no-renames", "--relative", "-z", base, "--")
    changes = _changes(listed)
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    changes.extend(Change(path, "created") for path in _words(untracked))
    return tuple(sorted(changes))


def staged(root: Path) -> tuple[Change, ...]:
    """The paths below the root whose staged content differs from the last commit.

    Args:
        root: the project's.

    Returns:
        Changes of the index.

    Raises:
        UsageError: there is no git checkout here.
    """
    listed = _git(
        root, "diff", "--cached", "--name-status", "--no-renames", "--relative", "-z", "--"
    )
    return tuple(sorted(_changes(listed)))


def check_out_index(root: Path, folder: Path) -> Path:
    """Write what is staged into another folder.

    Args:
        root: the project's.
        folder: an empty one.

    Returns:
        The project's root in it.

    Raises:
        UsageError: there is no git checkout here.
    """
    top = Path(os.fsdecode(_git(root, "rev-parse", "--show-toplevel").rstrip(b"\n")))
    _git(top, "checkout-index", "--all", "--force", f"--prefix={folder}{os.sep}")
    return folder / root.resolve().relative_to(top.resolve())


def _commit(root: Path, revision: str) -> str:
    if revision.startswith("-"):
        raise UsageError(f"{revision!r} is no revision")
    if revision.endswith("..."):
        return os.fsdecode(_git(root, "merge-base", revision.removesuffix("..."), "HEAD")).strip()
    return os.fsdecode(
        _git(root, "rev-parse", "--verify", "--quiet", revision + "^{commit}")
    ).strip()


def _changes(listed: bytes) -> list[Change]:
    words = _words(listed)
    return [
        Change(path, _KINDS.get(status[:1], "modified"))
        for status, path in zip(words[::2], words[1::2], strict=True)
    ]


def _words(data: bytes) -> list[str]:
    return [os.fsdecode(word) for word in data.split(b"\0") if word]


def _git(root: Path, *args: str) -> bytes:
    try:
        done = subprocess.run(["git", *args], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError(
            "git was not found, and only git knows about revisions",
            hint="Install git, or leave out --since and --staged.",
        ) from None
    if done.returncode == 0:
        return done.stdout
    said = os.fsdecode(done.stderr).strip()
    if args[0] in ("rev-parse", "merge-base") and "not a git repository" not in said:
        raise UsageError(
            f"git knows no revision {args[-1].removesuffix('^{commit}')!r}"
            + (f": {said}" if said else ""),
            hint="Give a commit, a tag or a branch, as in: --since main",
        )
    raise UsageError(f"git refused: {said}", hint="--since and --staged need a git checkout.")
