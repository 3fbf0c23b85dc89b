"""PYTEST_DONT_REWRITE: the modules whose bodies run, where functions cannot be told apart.

Before Python 3.12 a module is what is recorded. The import system runs each body through one
function, which gives itself a name by which the interpreter takes its frames out of tracebacks;
so does the one that stands in for it here.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devloop.inside.record_contexts import Recorder
    from devloop.inside.record_ground import Ground

SOURCE = """
def _call_with_frames_removed(f, *args, **kwds):
    if f is not exec:
        return f(*args, **kwds)
    context = begin(args[0])
    try:
        return f(*args, **kwds)
    finally:
        end(context)
"""


def wrap(recorder: Recorder, ground: Ground, *, tests: bool) -> None:
    """Hear of the bodies of modules.

    Args:
        recorder: takes them.
        ground: tells the project's files.
        tests: pytest runs in this process.
    """

    def begin(code: Any) -> Any:
        path = ground.source(getattr(code, "co_filename", "<"))
        if path is None:
            return None
        if recorder.top is not recorder.process or path.rpartition("/")[2] != "conftest.py":
            recorder.add(f"p {path}")
        context = recorder.named("module", path)
        recorder.enter(context)
        return context

    def end(context: Any) -> None:
        if context is not None:
            recorder.leave(context)

    bootstrap: Any = sys.modules["_frozen_importlib"]
    names = {"begin": begin, "end": end}
    exec(compile(SOURCE, "<frozen importlib._bootstrap>", "exec"), names)
    bootstrap._call_with_frames_removed = names["_call_with_frames_removed"]
    if tests:
        _wrap_rewriting(begin, end)


def _wrap_rewriting(begin: Any, end: Any) -> None:
    """Pytest's own loader runs the bodies of tests and plugins."""
    from _pytest.assertion.rewrite import AssertionRewritingHook

    hook: Any = AssertionRewritingHook
    real = hook.exec_module

    def exec_module(self: Any, module: Any) -> None:
        __tracebackhide__ = True
        spec = getattr(module, "__spec__", None)
        context = begin(_Named(getattr(spec, "origin", None) or "<"))
        try:
            real(self, module)
        finally:
            end(context)

    hook.exec_module = exec_module


class _Named:
    """Stands for code of which only the file is known yet."""

    def __init__(self, co_filename: str) -> None:
        self.co_filename = co_filename
