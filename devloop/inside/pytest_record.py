"""PYTEST_DONT_REWRITE: whose doing is what happens in pytest: a test's, a fixture's, a file's.

A fixture owns what it does while it is set up and torn down, and every test that uses it, at any
scope, depends on all of that. pytest tells only of those that are set up: so the method that each
use of a fixture goes through is wrapped.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from devloop.inside.pytest_warm import inherited
    from devloop.inside.record import Recording
    from devloop.inside.record_contexts import Context
    from devloop.inside.volatile import is_volatile
else:
    inherited = sys.modules["_devloop_pytest_warm"].inherited
    is_volatile = sys.modules["_devloop_volatile"].is_volatile
    Context = sys.modules["_devloop_record_contexts"].Context


class Record:
    """Opens and closes contexts, and sends what was met in them.

    Args:
        recording: what is hooked up in this process.
        send: takes messages.
        nodeid: makes the nodeid that devloop knows of pytest's.
    """

    def __init__(
        self,
        recording: Recording,
        send: Callable[[dict[str, Any]], None],
        nodeid: Callable[[str], str],
    ) -> None:
        self._recording = recording
        self._recorder = recording.recorder
        self._send = send
        self._nodeid = nodeid
        self._pid = os.getpid()
        self._fixtures = Fixtures(recording)
        for dep in inherited():
            if dep[0] != "v" or not is_volatile(dep[2:]):
                self._recorder.add_to_process(dep)
        self._test: Context | None = None
        self._texts: dict[tuple[type, Any], str | None] = {}

    def pytest_configure(self) -> None:
        """Wrap what fixtures go through."""
        self._fixtures.wrap()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, None, None]:
        """What is done to collect a file concerns the tests in it."""
        if isinstance(collector, (pytest.Session, pytest.Package)) or not collector.getparent(
            pytest.File  # type: ignore[type-abstract]
        ):
            yield
            return
        path = self._nodeid(collector.nodeid).partition("::")[0]
        context = self._recorder.named("collection", path)
        self._recorder.enter(context)
        self._note_text(collector)
        yield
        self._recorder.leave(context)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        """Open a test."""
        test = self._test = Context("test", self._nodeid(item.nodeid))
        self._recorder.enter(test)
        self._fixtures.prepare(item)
        self._note_text(item)
        yield
        self._recorder.leave(test)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """Send a test's record, before its outcome is told."""
        test, self._test = self._test, None
        if test is None:
            return  # it ran in a worker
        self._recorder.leave(test)
        self._recording.imports.distributed()
        self._recording.programs.collect()
        if not self._recording.programs.awaits(test):
            self._recorder.finish(test)
        self._tell()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, None, None]:
        """What a fixture does is its own; that of a single test is a part of that test."""
        if fixturedef.scope == "function" and self._test is not None:
            yield
            return
        context = self._fixtures.begin(fixturedef)
        self._recorder.enter(context)
        yield
        self._recorder.leave(context)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Send the rest."""
        self._recording.imports.distributed()
        for context in self._recording.programs.end():
            self._recorder.finish(context)
        self._tell()

    def _tell(self) -> None:
        if os.getpid() != self._pid:
            return  # a child that a test has forked and that runs on into pytest
        news = self._recorder.news()
        if news is not None:
            self._send(news)

    def _note_text(self, node: pytest.Item | pytest.Collector) -> None:
        """A test may be a text, which is not imported, or stand in a docstring."""
        kind = type(node), node.path
        if kind not in self._texts:
            self._texts[kind] = self._text_of(node)
        dep = self._texts[kind]
        if dep is not None:
            self._recorder.add(dep)

    def _text_of(self, node: pytest.Item | pytest.Collector) -> str | None:
        path = self._recording.ground.path(str(node.path))
        if path is None:
            return None
        if not path.endswith(".py"):
            return f"r {path}"
        return f"t {path}" if type(node).__module__ == "_pytest.doctest" else None


class Fixtures:
    """The fixtures that are set up now, and who uses them.

    Args:
        recording: what is hooked up in this process.
    """

    def __init__(self, recording: Recording) -> None:
        self._recorder = recording.recorder
        self._alive: dict[Any, Context] = {}
        self._nodes: dict[Any, Context] = {}
        self._above: dict[int, list[Context]] = {}
        self._count = 0

    def begin(self, fixturedef: Any) -> Context:
        """A fixture is set up: its context from now on."""
        context = self._alive[fixturedef] = self._fresh()
        return context

    def _fresh(self) -> Context:
        self._count += 1
        return Context("fixture", f"{self._recorder.process.name} {self._count}")

    def wrap(self) -> None:
        """Hear of each use of a fixture, and of its end."""
        from _pytest.fixtures import FixtureDef

        kind: Any = FixtureDef
        recorder, alive = self._recorder, self._alive
        execute, finish = kind.execute, kind.finish

        @functools.wraps(execute)
        def used(fixturedef: Any, request: Any) -> Any:
            __tracebackhide__ = True
            user = recorder.top
            try:
                return execute(fixturedef, request)
            finally:
                context = alive.get(fixturedef)
                if context is not None and context is not user:
                    user.uses.add(context)

        @functools.wraps(finish)
        def finished(fixturedef: Any, request: Any) -> Any:
            __tracebackhide__ = True
            context = alive.get(fixturedef)
            if context is None:
                return finish(fixturedef, request)
            recorder.enter(context)
            try:
                return finish(fixturedef, request)
            finally:
                recorder.leave(context)
                del alive[fixturedef]
                recorder.finish(context)

        kind.execute, kind.finish = used, finished

    def prepare(self, item: pytest.Item) -> None:
        """Have the set-up of a package or module be that of all tests below it.

        Args:
            item: the test that runs now.
        """
        parent = item.parent
        above = self._above.get(id(parent))
        if above is None:
            above = self._above[id(parent)] = []
            for node in item.listchain()[:-1]:
                if type(node).setup is not pytest.Collector.setup:
                    if node not in self._nodes:
                        self._wrap_node(node)
                    above.append(self._nodes[node])
        self._recorder.top.uses.update(above)

    def _wrap_node(self, node: Any) -> None:
        context = self._nodes[node] = self._fresh()
        setup, teardown = node.setup, node.teardown
        recorder = self._recorder

        def within(run: Callable[[], None], *, last: bool) -> None:
            __tracebackhide__ = True
            recorder.enter(context)
            try:
                run()
            finally:
                recorder.leave(context)
                if last:
                    recorder.finish(context)

        add = node.addfinalizer
        node.addfinalizer = lambda run: add(functools.partial(within, run, last=False))
        node.setup = functools.partial(within, setup, last=False)
        node.teardown = functools.partial(within, teardown, last=True)
