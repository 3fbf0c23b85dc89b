"""PYTEST_DONT_REWRITE: record on what the tests of this process depend, from here on.

Whatever happens in here must not fail a test: where the recorder does not know further, all tests
of the process are opaque from then on, with the reason.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devloop.inside import record_bodies, record_calls
    from devloop.inside.record_askers import Askers
    from devloop.inside.record_contexts import Recorder
    from devloop.inside.record_environ import Environ
    from devloop.inside.record_files import Files
    from devloop.inside.record_ground import Ground
    from devloop.inside.record_imports import Imports
else:
    Askers = sys.modules["_devloop_record_askers"].Askers
    record_bodies = sys.modules["_devloop_record_bodies"]
    record_calls = sys.modules["_devloop_record_calls"]
    Recorder = sys.modules["_devloop_record_contexts"].Recorder
    Environ = sys.modules["_devloop_record_environ"].Environ
    Files = sys.modules["_devloop_record_files"].Files
    Ground = sys.modules["_devloop_record_ground"].Ground
    Imports = sys.modules["_devloop_record_imports"].Imports


class Recording:
    """What is hooked up in this process.

    Args:
        recorder: takes what is met.
        root: the project's, absolute, links followed.
        memos: keys ``path::qualname`` of functions known to keep results.
        given: the environment that the run was started with.
    """

    def __init__(
        self, recorder: Recorder, root: str, memos: Iterable[str], given: Mapping[str, str]
    ) -> None:
        self.recorder = recorder
        self.ground = Ground(root)
        asked = Askers(self.ground)
        finest = (
            record_calls.POSSIBLE
            and record_calls.Calls(recorder, self.ground, frozenset(memos)).start()
        )
        if not finest:
            record_bodies.wrap(recorder, self.ground)
        self.imports = Imports(recorder, self.ground, asked, module="m" if finest else "p")
        files = Files(recorder, self.ground, asked)
        hear({**files.handlers(), **self.imports.handlers()}, recorder)
        files.wrap()
        self.imports.wrap()
        Environ(recorder, asked, given).wrap()


def hear(handlers: dict[str, Callable[[tuple[Any, ...]], None]], recorder: Recorder) -> None:
    """Have audit events handled; that cannot be taken back.

    Args:
        handlers: by the event's name.
        recorder: is told of the exception of a handler.
    """
    handler_of, thread = handlers.get, threading.get_ident
    within = recorder.within

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        handler = handler_of(event)
        if handler is None:
            return
        mine = thread()
        if mine in within:
            return  # what a handler does is audited as well
        within.add(mine)
        try:
            handler(arguments)
        except Exception as error:
            recorder.broke(error)
        finally:
            within.discard(mine)

    sys.addaudithook(hook)


_current: Recording | None = None


def begin(process: str, root: str, memos: Iterable[str], given: Mapping[str, str]) -> Recording:
    """Record in this process.

    Args:
        process: its name among those of the run.
        root: as of `Recording`.
        memos: as of `Recording`.
        given: as of `Recording`.

    Returns:
        What was begun.
    """
    global _current
    _current = Recording(Recorder(process), root, memos, given)
    return _current


def current() -> Recording | None:
    """What was begun in this process; None where nothing is recorded."""
    return _current
