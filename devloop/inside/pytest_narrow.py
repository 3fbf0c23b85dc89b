"""PYTEST_DONT_REWRITE: make no tests that are not due, where it is known which tests a file holds.

pytest makes a test of each function and each of its parameters, with all the fixtures that it
needs; that takes longer than to import a file of many tests. Of a file whose collection comes to
what it came to before, only what is due is made. A plugin, or a conftest.py, may see more of
collection than the tests that run: then all of it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

_HEARING = (
    "pytest_pycollect_makeitem", "pytest_itemcollected", "pytest_generate_tests",
    "pytest_make_parametrize_id", "pytest_make_collect_report", "pytest_collectreport",
    "pytest_deselected",
)  # fmt: skip
"""The hooks that tell of tests that will not run, or have a say in how others are made."""

_HARMLESS = ("_pytest.", "_devloop", "xdist.", "__channelexec__", "anyio.")
"""How the names of modules begin whose hooks look at one test at a time."""


class Narrow:
    """Leaves out what is not due before it is made.

    Args:
        due: for each file whose tests are known the nodeids that are due in it.
        nodeid: makes the nodeid that devloop knows of pytest's.

    Attributes:
        left: the files in which something was left out.
    """

    def __init__(self, due: Mapping[str, Iterable[str]], nodeid: Callable[[str], str]) -> None:
        self._due = {path: below(path, nodeids) for path, nodeids in due.items()}
        self._nodeid = nodeid
        self._wanted: tuple[Any, frozenset[str] | None] = (None, None)
        self.left: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: Any, name: str) -> list[Any] | None:
        """Make nothing of a name that nothing is due below."""
        if self._wanted[0] is not collector:
            self._wanted = collector, self._names(collector)
        wanted = self._wanted[1]
        if wanted is None or name in wanted or not name.isidentifier():
            return None
        self.left.add(self._nodeid(collector.nodeid).partition("::")[0])
        return []

    def _names(self, collector: Any) -> frozenset[str] | None:
        """The names in a module or a class that tests are made of; None is all."""
        if type(collector) not in (pytest.Module, pytest.Class):
            return None
        nodeid = self._nodeid(collector.nodeid)
        names = self._due.get(nodeid.partition("::")[0], {}).get(nodeid)
        if names is None or hasattr(collector.obj, "pytest_generate_tests"):
            return None
        return None if heard(collector.config) else names


def below(path: str, nodeids: Iterable[str]) -> dict[str, frozenset[str]]:
    """What is due, as names in modules and classes.

    Args:
        path: of the file.
        nodeids: of tests in it; that of a class stands for all tests in it.

    Returns:
        By the nodeids of the module and of its classes the names that something is due below;
        what is not among them is wanted whole.
    """
    found: dict[str, set[str]] = {}
    wholes = []
    for nodeid in nodeids:
        outer = path
        # A parameter's own text comes last, and may hold anything.
        names = nodeid[len(path) + 2 :].partition("[")[0].split("::")
        for name in names:
            found.setdefault(outer, set()).add(name)
            outer = f"{outer}::{name}"
        wholes.append(outer)
    for whole in wholes:
        found.pop(whole, None)
    return {outer: frozenset(names) for outer, names in found.items()}


def heard(config: pytest.Config) -> bool:
    """Whether a plugin, or a conftest.py, may see what is left out.

    Args:
        config: of the run.
    """
    hooks: Any = config.hook
    told = [impl for name in _HEARING for impl in getattr(hooks, name).get_hookimpls()]
    told += [
        impl
        for impl in hooks.pytest_collection_modifyitems.get_hookimpls()
        # It may come before what leaves out the rest of what is not due.
        if impl.tryfirst and (impl.hookwrapper or getattr(impl, "wrapper", False))
    ]
    return any(not _module_of(impl.plugin).startswith(_HARMLESS) for impl in told)


def _module_of(plugin: object) -> str:
    name = getattr(plugin, "__name__", None)
    return name if isinstance(name, str) else type(plugin).__module__
