"""What git says: the paths that differ from a revision, and the tree that will be committed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from devloop.errors import UsageError
from devloop.events import Change, ChangeKind

_KINDS: dict[str, ChangeKind] = {"A": "created", "D": "deleted"}
_REGULAR = ("100644", "100755")
"""The modes of regular files, in which git knows no other permission than that to be executed."""


class Difference(msgspec.Struct, frozen=True, order=True):
    """A path whose bytes, mode or presence differ.

    Args:
        change: what has become of it.
        before: the object that was a regular file's content; None where there was no such file.
        after: likewise of what is staged; None also where the working tree was asked about.
    """

    change: Change
    before: str | None = None
    after: str | None = None


def changed_since(root: Path, revision: str) -> tuple[Difference, ...]:
    """The paths below the root that differ from a revision.

    Args:
        root: the project's.
        revision: anything that git takes for a commit; ``main...`` (with three dots) is where
            this branch left ``main``.

    Returns:
        How the working tree differs, untracked files included.

    Raises:
        UsageError: there is no git checkout here, or no such revision.
    """
    base = _commit(root, revision)
    found = [Difference(one.change, one.before) for one in _differences(root, base)]
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    found.extend(Difference(Change(path, "created")) for path in _words(untracked))
    return tuple(sorted(found, key=lambda one: one.change))


def recent(root: Path, most: int = 50) -> list[tuple[str, str]]:
    """Revisions that a person may mean.

    Args:
        root: the project's.
        most: of each kind.

    Returns:
        Names, each with what is said about it: the last commit, branches and tags by age, and
        commits with their subjects.

    Raises:
        UsageError: there is no git checkout here.
    """
    count = f"--count={most}"
    names = _git(root, "for-each-ref", "--sort=-creatordate", count, "--format=%(refname:short)")
    commits = _git(root, "log", f"-{most}", "--format=%h %s")
    found = [("HEAD", "the last commit"), *((name, "") for name in _lines(names))]
    return [*found, *((line.split(" ", 1)[0], line.partition(" ")[2]) for line in _lines(commits))]


def staged(root: Path) -> tuple[Difference, ...]:
    """The paths below the root whose staged content differs from the last commit.

    Args:
        root: the project's.

    Returns:
        How the index differs.

    Raises:
        UsageError: there is no git checkout here.
    """
    return tuple(sorted(_differences(root, "--cached"), key=lambda one: one.change))


def read_objects(root: Path, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Read contents that git holds, by one process.

    Args:
        root: the project's.
        names: of objects, in full.

    Yields:
        Each with its content; those that are not at hand are left out.
    """
    # Of a clone without all its contents (`--filter`) git would fetch each one for itself.
    environ = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
    with subprocess.Popen(
        ["git", "cat-file", "--batch"],
        cwd=root,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as git:
        assert git.stdin is not None
        assert git.stdout is not None
        for name in names:
            git.stdin.write(f"{name}\n".encode())
            git.stdin.flush()
            words = git.stdout.readline().split()  # "NAME blob SIZE", or "NAME missing"
            if len(words) == 3:
                yield name, git.stdout.read(int(words[2]))
                git.stdout.read(1)


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


def _differences(root: Path, *arguments: str) -> Iterator[Difference]:
    listed = _git(
        root, "diff", *arguments, "--raw", "--no-abbrev", "--no-renames", "--relative", "-z", "--"
    )
    words = _words(listed)
    for about, path in zip(words[::2], words[1::2], strict=True):
        mode_before, mode_after, before, after, status = about.removeprefix(":").split(" ")
        yield Difference(
            Change(path, _KINDS.get(status[:1], "modified")),
            _object(mode_before, before),
            _object(mode_after, after),
        )


def _object(mode: str, name: str) -> str | None:
    # Zeros stand for content that git has not got.
    return name if mode in _REGULAR and name.strip("0") else None


def _words(data: bytes) -> list[str]:
    return [os.fsdecode(word) for word in data.split(b"\0") if word]


def _lines(data: bytes) -> list[str]:
    return data.decode(errors="replace").splitlines()


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
