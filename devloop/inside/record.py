"""PYTEST_DONT_REWRITE: record on what the tests of this process depend, from here on.

Whatever happens in here must not fail a test: where the recorder does not know further, all tests
of the process are opaque from then on, with the reason.
"""

from __future__ import annotations

import _thread
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from devloop.inside import (
        record_bodies,
        record_calls,
        record_environ,
        record_programs,
        record_templates,
        record_tls,
    )
    from devloop.inside.record_askers import Askers
    from devloop.inside.record_contexts import Recorder, Written
    from devloop.inside.record_files import Files
    from devloop.inside.record_ground import Ground
    from devloop.inside.record_imports import Imports
else:
    Askers = sys.modules["_devloop_record_askers"].Askers
    record_bodies = sys.modules["_devloop_record_bodies"]
    record_calls = sys.modules["_devloop_record_calls"]
    record_environ = sys.modules["_devloop_record_environ"]
    record_programs = sys.modules["_devloop_record_programs"]
    record_templates = sys.modules["_devloop_record_templates"]
    record_tls = sys.modules["_devloop_record_tls"]
    Written = sys.modules["_devloop_record_contexts"].Written
    Recorder = sys.modules["_devloop_record_contexts"].Recorder
    Files = sys.modules["_devloop_record_files"].Files
    Ground = sys.modules["_devloop_record_ground"].Ground
    Imports = sys.modules["_devloop_record_imports"].Imports


class Recording:
    """What is hooked up in this process.

    Args:
        recorder: takes what is met.
        settings: ``root`` of the project, absolute, links followed; ``memos``, the functions
            known to keep results, as of `record_calls.Calls`; and ``given``, the environment
            that the run was started with.
        file: where a program writes that a test has started; None where pytest runs.
    """

    def __init__(self, recorder: Recorder, settings: dict[str, Any], file: str | None) -> None:
        self.recorder = recorder
        self.ground = ground = Ground(settings["root"])
        asked = Askers(ground)
        memos, alone = settings["memos"], file is None
        # Where debuggers and profilers hold all tools, modules are what is told apart.
        calls = record_calls.begin(recorder, ground, memos, apart=alone)
        if calls is None:
            record_bodies.wrap(recorder, ground, tests=alone)
        self.imports = Imports(recorder, ground, asked, module="p" if calls is None else "m")
        self.programs = record_programs.Programs(recorder, ground, asked, settings, file)
        files = Files(recorder, ground, asked)
        handlers = {**files.handlers(), **self.imports.handlers()}
        if calls is not None:
            handlers |= calls.handlers()
        hear(handlers, recorder)
        files.wrap()
        record_tls.wrap(files.opens)
        if file is None:
            files.wrap_lines()
            record_templates.wrap(recorder)
        self.imports.wrap()
        self.programs.wrap()
        record_environ.Environ(recorder, asked, settings["given"]).wrap()
        for name in record_environ.UNHEARD:
            recorder.add_to_process(f"v {name}")


def hear(handlers: dict[str, Callable[[tuple[Any, ...]], None]], recorder: Recorder) -> None:
    """Have audit events handled; that cannot be taken back.

    Args:
        handlers: by the event's name.
        recorder: is told of the exception of a handler.
    """
    handler_of, thread = handlers.get, _thread.get_ident
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


def begin(process: str, root: str, memos: list[str] | None, given: Mapping[str, str]) -> Recording:
    """Record in this process, in which pytest runs.

    Args:
        process: its name among those of the run.
        root: as of `Recording`.
        memos: as of `Recording`.
        given: as of `Recording`.

    Returns:
        What was begun.
    """
    global _current
    settings = {"root": root, "memos": memos, "given": dict(given)}
    _current = Recording(Recorder(process), settings, None)
    return _current


def begin_in_program(file: str, ident: str) -> None:
    """Record in this process, which a test has started.

    Args:
        file: where it writes.
        ident: what it was started as.
    """
    settings = record_programs.settings_of(file)
    recorder = Recorder(ident)
    recorder.flatten(Written(record_programs.begun(file, ident), recorder))
    Recording(recorder, settings, file)


def current() -> Recording | None:
    """What was begun in this process; None where nothing is recorded."""
    return _current
