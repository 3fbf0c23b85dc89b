"""Which paths of a tree are ignored: fixed names, the configuration, then git or ignore files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from devloop.watch import names
from devloop.watch.git import Git, GitFailed
from devloop.watch.patterns import spec

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

PATIENCE = 1.0
"""Seconds for which `git init` or a clone may take to make a checkout that git itself accepts."""


class Rules:
    """The ignore rules of one tree.

    Inside a checkout git is asked, in each nested one its own; `.ignore` files count
    everywhere, `.gitignore` files are read only where there is no git to ask.

    Args:
        base: the tree's top, absolute; all paths here are relative to it.
        ignore: the configuration's patterns, which stand above all other rules.
        notice: told, once for each checkout, why git could not be asked there.
        prefix: what makes a path that is reported from one that is relative to the top.
    """

    def __init__(
        self,
        base: str,
        ignore: Iterable[str] = (),
        notice: Callable[[str], None] | None = None,
        *,
        prefix: str = "",
    ) -> None:
        self.base = base
        self.prefix = prefix
        lines = [line for line in ignore if line.strip()]
        self._own = spec(lines) if lines else None
        self._notice = notice or (lambda _: None)
        self._chains: dict[str, tuple[tuple[int, GitIgnoreSpec], ...]] = {}
        self._listed: dict[str, set[str]] | None = None
        self._said: set[str] = set()
        self._checkouts = {"": self._opened("")}
        self._inside = Git.present(base)

    def checkout(self, folder: str) -> None:
        """Say that a folder below the top is a checkout of its own.

        Args:
            folder: it holds a `.git`.
        """
        if folder not in self._checkouts:
            self._checkouts[folder] = self._opened(folder)

    def ignored(self, paths: Collection[str]) -> set[str]:
        """Those of some paths that are not watched.

        Args:
            paths: folders end with a slash; no folder above any of them is ignored.
        """
        found: set[str] = set()
        asked: dict[str, list[str]] = {}
        only = "" if len(self._checkouts) == 1 else None
        for path in paths:
            match self._by_name(path):
                case True:
                    found.add(path)
                case None:
                    owner = self._owner(path) if only is None else only
                    asked.setdefault(owner, []).append(path)
        for owner, group in asked.items():
            found |= self._by_checkout(owner, group)
        return found

    def listing(self) -> Listing:
        """For the time of one walk over the whole tree: have git list once what it ignores."""
        return Listing(self)

    def tracked(self) -> frozenset[str] | None:
        """The files that git tracks; None where there is no git."""
        found: set[str] = set()
        inside = False
        for folder, git in list(self._checkouts.items()):
            if git is None:
                continue
            try:
                paths = git.tracked()
            except GitFailed as failure:
                self._give_up(folder, failure)
                continue
            inside = True
            if not folder and len(self._checkouts) == 1:
                return paths
            prefix = f"{folder}/" if folder else ""
            found.update(prefix + path for path in paths)
        return frozenset(found) if inside else None

    def locked(self) -> bool:
        """Whether git is moving files about just now."""
        return any(git is not None and git.locked() for git in list(self._checkouts.values()))

    def renew(self, *, patient: bool = False) -> None:
        """Read all rules anew, and look anew for git and the checkouts.

        Args:
            patient: wait for a checkout that is being made.
        """
        self.close()
        self._chains.clear()
        self._checkouts = {"": self._opened("", PATIENCE if patient else 0.0)}
        self._inside = Git.present(self.base)

    def moved(self) -> bool:
        """Whether a checkout around the tree has come or gone since it was looked for."""
        return self._inside != Git.present(self.base)

    def close(self) -> None:
        """End the processes that answer for git; the next question starts them again."""
        for git in list(self._checkouts.values()):
            if git is not None:
                git.forget()

    def _opened(self, folder: str, patience: float = 0.0) -> Git | None:
        base = os.path.join(self.base, folder) if folder else self.base
        end = time.monotonic() + patience
        while Git.present(base):
            try:
                git = Git(base)
                return git if folder or not git.ignores_base() else None
            except GitFailed as failure:
                if time.monotonic() >= end:
                    self._say(folder, failure)
                    return None
                time.sleep(0.02)
        return None

    def _give_up(self, folder: str, failure: GitFailed) -> None:
        self._say(folder, failure)
        self._checkouts[folder] = None
        self._chains.clear()

    def _say(self, folder: str, failure: GitFailed) -> None:
        message = f"git cannot be asked what it ignores in {folder or self.base}: {failure}"
        if message not in self._said:
            self._said.add(message)
            self._notice(message)

    def _by_name(self, path: str) -> bool | None:
        """What fixed names and the configuration say of it; None where they say nothing."""
        folder = path.endswith("/")
        name = path[path.rfind("/", 0, -1) + 1 :]
        if names.is_ignored_folder(name[:-1]) if folder else names.is_temporary(name):
            return True
        return self._own.check_file(path).include if self._own is not None else None

    def _by_checkout(self, owner: str, paths: list[str]) -> set[str]:
        git = self._checkouts[owner]
        found: set[str] = set()
        if git is not None:
            cut = len(owner) + 1 if owner else 0
            try:
                inside = {path[cut:] for path in paths}
                if self._listed is None:
                    hits = git.ignored(inside)
                else:
                    if owner not in self._listed:
                        self._listed[owner] = git.all_ignored()
                    hits = inside & self._listed[owner]
                found = {f"{owner}/{path}" for path in hits} if owner else hits
            except GitFailed as failure:
                self._give_up(owner, failure)
                git = None
        for path in paths:
            if path not in found and self._by_files(path, git is None):
                found.add(path)
        return found

    def _by_files(self, path: str, git_too: bool) -> bool:
        """What the ignore files above a path say of it; the nearest that says anything decides."""
        cut = path.rfind("/", 0, -1)
        folder = path[:cut] if cut > 0 else ""
        chain = self._chains.get(folder)
        if chain is None:
            chain = self._chain(folder, git_too)
        for length, found in chain:
            include = found.check_file(path[length:]).include
            if include is not None:
                return include
        return False

    def _chain(self, folder: str, git_too: bool) -> tuple[tuple[int, GitIgnoreSpec], ...]:
        """The ignore files above what is in a folder, the nearest first."""
        lines: list[str] = []
        for name in (".gitignore", ".ignore") if git_too else (".ignore",):
            place = os.path.join(self.base, folder, name)
            try:
                with open(place, encoding="utf-8", errors="surrogateescape") as file:
                    lines += file.read().splitlines()
            except OSError:
                continue
        above: tuple[tuple[int, GitIgnoreSpec], ...] = ()
        if folder:
            cut = folder.rfind("/")
            parent = folder[:cut] if cut > 0 else ""
            known = self._chains.get(parent)
            above = self._chain(parent, git_too) if known is None else known
        own = ((len(folder) + 1 if folder else 0, spec(lines)),) if lines else ()
        chain = self._chains[folder] = own + above
        return chain

    def _owner(self, path: str) -> str:
        """The checkout that a path belongs to."""
        folder = path.rstrip("/")
        while folder:
            folder = folder[: folder.rfind("/")] if "/" in folder else ""
            if folder in self._checkouts:
                return folder
        return ""


class Listing:
    """The time in which one listing by git answers, instead of a question for each path."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def __enter__(self) -> None:
        self._rules._listed = {}

    def __exit__(self, *_: object) -> None:
        self._rules._listed = None
