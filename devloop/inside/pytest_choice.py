"""PYTEST_DONT_REWRITE: which tests run, and in which order.

pytest collects as it would without us, from the user's own arguments; files that are not
chosen are left out as ``--ignore`` would. So a file that has vanished is simply not met, the
user's paths and options narrow the run further, and no list of tests has to fit into a
command line.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from devloop.inside.pytest_narrow import Narrow
else:
    Narrow = sys.modules["_devloop_pytest_narrow"].Narrow


class Choice:
    """Leaves out what is not chosen, and tells what was found.

    Args:
        relative: makes the path that devloop writes of an absolute one.
        files: each chosen file with the nodeids that are due in it, none for all of them; None
            for everything that pytest finds.
        listed: those among them of which it is known which tests they hold.
        whole: all files that devloop knows to hold tests are chosen whole, so that what only pytest
            knows of, as a plugin that collects files of another kind, is wanted too.
        publish: takes the message about what was collected.
    """

    def __init__(
        self,
        relative: Callable[[str], str],
        files: list[tuple[str, list[str]]] | None,
        listed: Collection[str],
        whole: bool,
        publish: Callable[[dict[str, Any]], None],
    ) -> None:
        self._relative = relative
        self._whole = whole
        self._publish = publish
        self._wanted = None if files is None else {path: set(ids) for path, ids in files}
        self._narrow = Narrow(
            {path: ids for path, ids in (self._wanted or {}).items() if path in listed},
            self.nodeid,
        )
        self._order = {path: place for place, path in enumerate(self._wanted or ())}
        self._folders = _folders(self._order)
        self._found: defaultdict[str, list[str]] = defaultdict(list)
        self._deselected: list[str] = []
        self._ours = False
        self._complete = False
        self._paths: dict[str, str] = {}
        self._rootdir = ""

    def nodeid(self, given: str) -> str:
        """The nodeid with its path relative to the project's root, not to pytest's rootdir.

        Args:
            given: pytest's own.

        Returns:
            One that pytest understands as an argument in the project's root.
        """
        path, colons, names = given.partition("::")
        mine = self._paths.get(path)
        if mine is None:
            mine = self._relative(os.path.normpath(os.path.join(self._rootdir, path)))  # noqa: PTH118
            self._paths[path] = mine
        return given if mine == path else mine + colons + names

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Learn what pytest's nodeids are relative to."""
        self._rootdir = str(config.rootpath)
        if not _asks_for_some(config):
            config.pluginmanager.register(self._narrow)

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out files that are not chosen, and folders without any that is."""
        if self._wanted is None:
            return None
        path = self._relative(str(collection_path))
        if path in self._folders or self._takes(path, self._wanted):
            return None
        folder, _, name = path.rpartition("/")
        # pytest 7 makes a package of a folder by collecting its __init__.py.
        if name == "__init__.py" and (folder or ".") in self._folders:
            return None
        return True

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Keep what is due, files in the given order, before any other plugin has its say."""
        ids = [self.nodeid(item.nodeid) for item in items]
        for nodeid in ids:
            self._found[nodeid.partition("::")[0]].append(nodeid)
        if self._is_to_come_again():
            items.clear()
            yield
            return
        if self._wanted is not None:
            due = {
                nodeid
                for path, ids in self._found.items()
                if self._takes(path, self._wanted)
                for nodeid in resolve(self._wanted.get(path, set()), ids)
            }
            named = list(zip(ids, items, strict=True))
            left_out = [item for nodeid, item in named if nodeid not in due]
            kept = [(nodeid, item) for nodeid, item in named if nodeid in due]
            last = len(self._order)
            kept.sort(key=lambda pair: self._order.get(pair[0].partition("::")[0], last))
            items[:] = [item for _, item in kept]
            if left_out:
                self._ours = True
                config.hook.pytest_deselected(items=left_out)
                self._ours = False
        yield
        self._complete = True

    def _is_to_come_again(self) -> bool:
        """Whether a file holds others than were known: they are found where all are made."""
        wanted = self._wanted or {}
        lost = [path for path in self._narrow.left if vanished(wanted[path], {*self._found[path]})]
        if lost:
            self._publish({"m": "again", "files": lost})
        return bool(lost)

    def _takes(self, path: str, wanted: Container[str]) -> bool:
        """Whether a file is chosen, or only pytest knows what it holds, and that is wanted too."""
        return path in wanted or (self._whole and not path.endswith(".py"))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note what the user's own options leave out."""
        if not self._ours:
            self._deselected += [self.nodeid(item.nodeid) for item in items]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell what there is and how much of it runs."""
        if not self._complete:
            return  # pytest calls this too when something has broken collection off
        self._publish(
            {
                "m": "collected",
                "files": dict(self._found),  # execnet takes no other mapping
                "deselected": self._deselected,
                "partial": _asks_for_some(session.config),
                "narrowed": sorted(self._narrow.left),
                "total": len(session.items),
            }
        )


def _asks_for_some(config: pytest.Config) -> bool:
    """Whether a file's list says nothing of what else is in it.

    Last-failed leaves tests out while they are collected, and an argument may name a single one.
    """
    return bool(config.getoption("lf", False)) or any("::" in arg for arg in config.args)


def resolve(wanted: set[str], found: list[str]) -> set[str]:
    """Find the tests that are due among those that there are now.

    Args:
        wanted: nodeids; none means all. That of a class stands for the tests in it, and that of
            a function for each of its parameters.
        found: the nodeids of the same file now.

    Returns:
        Those that are wanted; all of the file where one of them has vanished, because nobody
        knows what it is called now.
    """
    there = set(found)
    if not wanted or vanished(wanted, there):
        return there
    outer = tuple(one + mark for one in wanted - there for mark in ("::", "["))
    return {nodeid for nodeid in there if nodeid in wanted or nodeid.startswith(outer)}


def vanished(wanted: set[str], there: set[str]) -> bool:
    """Whether something that is wanted is not there.

    Args:
        wanted: as of `resolve`.
        there: the nodeids of the same file now.
    """
    return any(
        not any(nodeid.startswith((outer + "::", outer + "[")) for nodeid in there)
        for outer in wanted - there
    )


def _folders(paths: dict[str, int]) -> set[str]:
    """The folders above the files, the root itself as ``.``."""
    folders = {"."} if paths else set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders
