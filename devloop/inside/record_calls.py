"""PYTEST_DONT_REWRITE: which functions of the project run, and in which context.

An audit event (PEP 578) tells of each code object before it is executed, as an import does with a
module's: with it come all that are in it. `sys.monitoring` (PEP 669) then tells of those of the
project, and nobody else's code pays for that. An event that has come a few times in a context is
disabled, and when the context changes just those are armed again. That has to be done with local
events: a global rearming (``restart_events``) would be one for coverage and debuggers too.
"""

from __future__ import annotations

import _thread
import ast
import builtins
import gc
import sys
from types import CodeType, FunctionType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from devloop.inside import naming
    from devloop.inside.memos import CLOSED, keeping
    from devloop.inside.record_contexts import Context, Recorder
    from devloop.inside.record_ground import Ground
    from devloop.inside.record_holders import Holders, Met, identity
    from devloop.inside.record_lent import LENT, Lent
else:
    naming = sys.modules["_devloop_naming"]
    Holders = sys.modules["_devloop_record_holders"].Holders
    identity = sys.modules["_devloop_record_holders"].identity
    LENT, Lent = sys.modules["_devloop_record_lent"].LENT, sys.modules["_devloop_record_lent"].Lent
    Context = sys.modules["_devloop_record_contexts"].Context
    CLOSED: str = sys.modules["_devloop_memos"].CLOSED
    keeping = sys.modules["_devloop_memos"].keeping

LEAVES_A_TRACE = sys.version_info < (3, 13)
"""Whether a frame whose variables were looked at hands them on to `__import__`, which otherwise
gets none: a replacement, as click's test of its imports has, may look at them (PEP 667)."""
_IMPORT = builtins.__import__

OFTEN = 6
LONG = 50
"""How often a function is told of in one context: that many times, and once more for each so many
bytes of its code. Arming it again goes through all of them, and costs as much as that."""

CACHING = ("cache", "lazy", "memo", "once", "reify")
"""What the decorators of functions have in their names that keep results."""

_LENDING = frozenset({"test", "fixture"})
"""The kinds of contexts of which a library may keep something for others."""


class Known:
    """A function of the project that has run.

    Args:
        code: its own.
        number: of the dependency that it is.

    Attributes:
        kept: the context of what it keeps; None where it keeps nothing.
        holders: its variables that hold what that is kept on; none where anybody may meet it.
        met: who has met what of that last (see `Holders.met`).
        lends: a library may have kept what it was called for.
        limit: how often it is told of in one context.
        noted: the dependencies among which it was noted last.
        left: how often it is still to be told of there.
    """

    __slots__ = ("code", "holders", "kept", "left", "lends", "limit", "met", "noted", "number")

    def __init__(self, code: CodeType, number: int) -> None:
        self.code = code  # its address must not become another's
        self.number = number
        self.limit = OFTEN + len(code.co_code) // LONG
        self.kept: Context | None = None
        self.holders: tuple[str, ...] = ()
        self.met: Met = {}
        self.lends = False
        self.noted: set[int] | None = None
        self.left = 0


def begin(
    recorder: Recorder, ground: Ground, memos: Iterable[str] | None, *, apart: bool
) -> Calls | None:
    """Note the functions that run, from here on.

    Args:
        recorder: as of `Calls`.
        ground: as of `Calls`.
        memos: as of `Calls`.
        apart: as of `Calls`.

    Returns:
        What does so; None before Python 3.12, and where debuggers and profilers hold all tools.
    """
    if not hasattr(sys, "monitoring"):
        return None
    calls = Calls(recorder, ground, memos, apart=apart)
    return calls if calls.start() else None


class Calls:
    """Notes the functions that run.

    Args:
        recorder: takes them.
        ground: tells the project's files.
        memos: functions that keep results, beside those that their decorators give away:
            ``path::`` and what `memos.keeping` says; None where that is not known.
        apart: whether what different tests run is kept apart.
    """

    def __init__(
        self, recorder: Recorder, ground: Ground, memos: Iterable[str] | None, *, apart: bool
    ) -> None:
        self._recorder = recorder
        self._ground = ground
        self._memos: dict[str, tuple[str, ...]] = {}
        self._closed: set[str] = set()
        self._take_memos(memos or ())
        self._unread = memos is None
        self._apart = apart
        self._holders = Holders(recorder)
        self._lent = Lent(recorder, ground) if apart else None
        self._lending: dict[Context, list[Any]] = {}
        self._known: dict[int, Known] = {}
        self._first: dict[str, Known] = {}
        """By their qualified names, which are at hand; of several of one name the first."""
        self._keepers: set[str] = {"<module>"}
        """The qualified names of what opens a context, or keeps something on objects."""
        self._twins: dict[int, tuple[CodeType, int]] = {}
        self._open: dict[int, list[Any]] = {}
        self._wrapped: dict[int, tuple[CodeType, str]] = {}
        self._lines: dict[str, list[str]] = {}
        self._caching: set[str] = set()
        """The files in which a decorator may be one of such a name."""
        self._main = _thread.get_ident()
        self._monitoring: Any = getattr(sys, "monitoring", None)

    def start(self) -> bool:
        """Begin.

        Returns:
            False where no tool can be had: debuggers and profilers hold all of them.
        """
        monitoring = self._monitoring
        tool = next((tool for tool in (4, 3, 5, 2) if monitoring.get_tool(tool) is None), None)
        if tool is None:
            return False
        events = monitoring.events
        monitoring.use_tool_id(tool, "devloop")
        self._set_local = monitoring.set_local_events
        self._get_local = monitoring.get_local_events
        self._tool = tool
        self._usual = events.PY_START | events.PY_RESUME
        self._keeping = self._usual | events.PY_RETURN | events.PY_YIELD
        self._returning = events.PY_RETURN
        told, self._recorder.switched = self._teller_and_rearmer()
        for event, callback in (
            (events.PY_START, told),
            (events.PY_RESUME, told),
            # A generator that pauses goes on later.
            (events.PY_RETURN, self._left(returns=True)),
            (events.PY_YIELD, self._left(returns=False)),
            (events.PY_THROW, self._thrown()),
            (events.PY_UNWIND, self._unwound()),
        ):
            monitoring.register_callback(tool, event, callback)
        # These two have no local form.
        monitoring.set_events(tool, events.PY_THROW | events.PY_UNWIND)
        if self._apart:
            self._hear_of_wrappers()
        self._arm_what_is_there()
        return True

    def handlers(self) -> dict[str, Callable[[tuple[Any, ...]], None]]:
        """What is to be called with the arguments of an audit event, by its name."""
        return {
            "exec": self._executed,
            # Code that was made of other code has not been executed as a part of a module.
            "function.__new__": self._executed,
            "object.__setattr__": self._set,
        }

    def _executed(self, arguments: tuple[Any, ...]) -> None:
        code = arguments[0]
        if code.__class__ is CodeType:
            path = self._ground.source(code.co_filename)
            if path is not None and not self._get_local(self._tool, code):
                self._arm(code, path)

    def _set(self, arguments: tuple[Any, ...]) -> None:
        _, name, value = arguments
        if name == "__code__":
            self._executed((value,))

    def _arm(self, code: CodeType, path: str) -> None:
        """Have some code told of, and all that is in it."""
        codes = [code]
        for one in codes:  # to which those that are in it are added
            self._set_local(self._tool, one, self._usual)
            inner = [constant for constant in one.co_consts if constant.__class__ is CodeType]
            codes += inner
            if inner and path not in self._caching:
                mentioned = (*one.co_names, *one.co_varnames, *one.co_freevars, *one.co_cellvars)
                text = " ".join(mentioned).lower()
                if any(word in text for word in CACHING):
                    self._caching.add(path)
        names = {one.co_qualname for one in codes}  # type: ignore[attr-defined,unused-ignore]
        if len(names) < len(codes) and code.co_name == "<module>":
            self._twins.update((identity(twin[0]), twin) for twin in naming.twins(code))

    def _arm_what_is_there(self) -> None:
        """A ``.pth`` file or a plugin may have imported something of the project before."""
        files = [
            vars(module).get("__file__")
            for module in list(sys.modules.values())
            # One of another type may be loaded by nothing more than a look at it.
            if type(module) is ModuleType
        ]
        source = self._ground.source
        if any(isinstance(file, str) and source(file) for file in files):
            for function in gc.get_objects():
                if type(function) is FunctionType:
                    self._executed((function.__code__,))

    def _teller_and_rearmer(
        self,
    ) -> tuple[Callable[[CodeType, int], Any], Callable[[Context], None]]:
        """What is called where a known function begins or goes on, and where the context changes.

        The first is called some hundred times a test.
        """
        first, every, enter, find = self._first, self._known, self._enter, self._find
        main, thread, identify = self._main, _thread.get_ident, identity
        set_local, tool = self._set_local, self._tool
        usual, keeping, disable = self._usual, self._keeping, self._monitoring.DISABLE
        disarmed: set[Known] = set()
        now, holders = self._recorder.top.deps, self._holders
        lent, lend, frame_at = self._lent, self._lend, sys._getframe

        def told(code: CodeType, _: int) -> Any:
            try:
                known = first[code.co_qualname]  # type: ignore[attr-defined,unused-ignore]
                if known.code is not code:
                    known = every[identify(code)]
            except KeyError:
                return find(code)
            deps = now  # another thread may change the context
            if known.noted is not deps:
                deps.add(known.number)
                if known.kept is not None and not known.holders:
                    enter(code, known.kept)
                    known.kept.deps.add(known.number)
                else:
                    known.left = known.limit
                    known.noted = deps
                    # What the project itself calls is not for a library.
                    if lent is not None and (
                        (frame := frame_at(1)).f_back is None
                        or identify(frame.f_back.f_code) not in every
                    ):
                        lend(known, frame)
                return None
            if known.left:
                known.left -= 1
                return None
            if thread() != main:
                return None  # another thread's could be disabled for another context
            disarmed.add(known)
            return disable

        def rearm(context: Context) -> None:
            nonlocal now
            now = deps = context.deps
            if lent is not None:
                lent.switched(context)
            if holders.held:
                holders.release()
            for known in [known for known in disarmed if known.number not in deps]:
                disarmed.discard(known)
                set_local(tool, known.code, 0)
                set_local(tool, known.code, keeping if known.holders or known.lends else usual)

        return told, rearm

    def _find(self, code: CodeType) -> None:
        """Some code begins that is not known yet."""
        path = self._ground.source(code.co_filename)
        try:
            if path is None:
                self._set_local(self._tool, code, 0)  # it stands in code of the project's
            elif code.co_name != naming.GETATTR or not self._take_asked(code, path):
                self._take(code, path)
        except Exception as error:
            self._recorder.broke(error)

    def _take(self, code: CodeType, path: str) -> None:
        ident = identity(code)
        recorder = self._recorder
        # A template that was compiled is no source.
        key = naming.key_of(code) if path.endswith(".py") else None
        if not path.endswith(".py"):
            dep = f"r {path}"
        elif key is not None:
            twin, number = self._twins.get(ident, (None, 0))
            dep = f"f {path}::{key}#{number}" if twin is code else f"f {path}::{key}"
        elif code.co_name == "<module>":
            self._begin_module(code, path)
            return
        else:
            self._set_local(self._tool, code, 0)
            return
        number = recorder.number(dep)
        known = self._known[ident] = Known(code, number)
        name = code.co_qualname  # type: ignore[attr-defined,unused-ignore]
        self._first.setdefault(name, known)
        recorder.top.deps.add(number)
        if self._apart and key is not None and (memo := self._memo(code, path, key)) is not None:
            kept = known.kept = recorder.named("memo", memo)
            kept.deps.add(number)
            self._keepers.add(name)
            known.holders = self._memos.get(memo.removesuffix(CLOSED), ())
            known.met = self._holders.met(kept)
            if not known.holders:
                self._enter(code, kept)
            self._set_local(self._tool, code, self._keeping)
        elif self._lent is not None and key is not None:
            self._lend(known, sys._getframe(3))

    def _lend(self, known: Known, frame: Any) -> None:
        """A function begins in a context, may be for something that a library keeps.

        Args:
            known: it.
            frame: its own.
        """
        recorder, code = self._recorder, known.code
        top = recorder.top
        # What a template is loaded with belongs to all who are given it anyway.
        if top.kind not in _LENDING or top.__class__ is not Context or known.kept is not None:
            return
        try:
            keepers = self._lent.keepers(frame) if self._lent is not None else []
            if not keepers or identity(code) in self._open:
                return
            name = recorder.string(known.number)[2:] + LENT
            context = Context("lent", name)
            context.deps.add(known.number)
            self._lending[context] = keepers
            self._keepers.add(code.co_qualname)  # type: ignore[attr-defined,unused-ignore]
            known.lends = True
            self._enter(code, context)
            self._set_local(self._tool, code, self._keeping)
        except Exception as error:
            recorder.broke(error)

    def _take_asked(self, code: CodeType, path: str) -> bool:
        """Whether a module is asked for a private name, as imports and pytest do; that is noted."""
        frame = sys._getframe(3)
        if naming.key_of(code) != naming.GETATTR or frame.f_code is not code:
            return False
        if LEAVES_A_TRACE and builtins.__import__ is not _IMPORT:
            return False
        name = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        if name.__class__ is not str or name[:1] != "_":
            return False
        self._recorder.add(f"f {path}::{naming.REFUSAL}")
        return True

    def _begin_module(self, code: CodeType, path: str) -> None:
        recorder = self._recorder
        # Which conftest.py files a test has is known without asking.
        if recorder.top is not recorder.process or path.rpartition("/")[2] != "conftest.py":
            recorder.add(f"m {path}")
        if recorder.is_amid_tests:
            recorder.add(f"a {path}")
        self._enter(code, recorder.named("module", path))
        self._set_local(self._tool, code, self._returning)

    def _enter(self, code: CodeType, context: Context) -> None:
        opened = self._open.get(identity(code))
        if self._recorder.is_open(context):
            if opened is not None:
                opened[2] += 1
            return
        self._open[identity(code)] = [code, context, 1]
        self._recorder.enter(context)

    def _left(self, *, returns: bool) -> Callable[[CodeType, int, object], None]:
        """What is called where the body of a module or of a function that keeps results is left."""
        first, every, look, close = self._first, self._known, self._holders.look, self._close
        frame_at, identify, recorder = sys._getframe, identity, self._recorder

        def left(code: CodeType, _: int, __: object) -> None:
            known = first.get(code.co_qualname)  # type: ignore[attr-defined,unused-ignore]
            if known is None or known.code is not code:
                known = every.get(identify(code))
            if known is not None and known.kept is not None and known.holders:
                held = frame_at(1).f_locals
                try:
                    look(held, known.kept, known.met, known.holders, code if returns else None)
                except Exception as error:
                    recorder.broke(error)
            else:
                close(code)

        return left

    def _close(self, code: CodeType) -> None:
        """Leave the context that some code has opened, once it has ended as often as it began."""
        opened = self._open.get(identity(code))
        if opened is not None:
            opened[2] -= 1
            if not opened[2]:
                del self._open[identity(code)]
                self._recorder.leave(opened[1])
                if self._lent is not None and opened[1] in self._lending:
                    self._lent.lend(self._lending.pop(opened[1]), opened[1])

    def _unwound(self) -> Callable[[CodeType, int, object], None]:
        """What is called where an exception ends a function, of whomever it is."""
        keepers = self._keepers
        known, holders, recorder = self._known, self._holders, self._recorder

        def unwound(code: CodeType, _: int, __: object) -> None:
            if code.co_qualname not in keepers:  # type: ignore[attr-defined,unused-ignore]
                return
            one = known.get(identity(code))
            if one is not None and one.kept is not None and one.holders:
                frame: Any = sys._getframe(1)  # its own, or of what it has called
                while frame.f_code is not code and frame.f_back is not None:
                    frame = frame.f_back
                try:
                    # It lives on in the exception.
                    holders.look(frame.f_locals, one.kept, one.met, one.holders, None)
                except Exception as error:
                    recorder.broke(error)
            else:
                self._close(code)

        return unwound

    def _thrown(self) -> Callable[[CodeType, int, object], None]:
        """What is called where an exception is thrown into a generator or coroutine, of whomever.

        To close it is to throw one, too.
        """
        first, every, recorder = self._first, self._known, self._recorder

        def thrown(code: CodeType, _: int, __: object) -> None:
            if code.co_qualname in first:  # type: ignore[attr-defined,unused-ignore]
                known = every.get(identity(code))
                if known is not None:
                    recorder.top.deps.add(known.number)

        return thrown

    def _memo(self, code: CodeType, path: str, key: str) -> str | None:
        """The key under which results are kept of what some code does; None where none are."""
        wrapped = self._wrapped.get(identity(code))
        if wrapped is not None:
            return wrapped[1]
        memo = f"{path}::{key}"
        if self._unread and path not in self._lines:
            self._look_through(path, code.co_filename)
        if memo in self._memos:
            return memo + CLOSED if memo in self._closed else memo
        return memo if self._is_decorated(code, path) else None

    def _look_through(self, path: str, filename: str) -> None:
        """Find the functions of a file that keep results: nobody has read it before us."""
        with self._recorder.at_work():
            text = _read(filename)
            self._lines[path] = _lines_of_caches(text)
            try:
                found = keeping(ast.parse(text), None)
            except SyntaxError:
                return  # it was edited since it was imported: the run proves nothing of it
        self._take_memos(f"{path}::{memo}" for memo in found)

    def _take_memos(self, memos: Iterable[str]) -> None:
        for memo in memos:
            path, _, rest = memo.rpartition("::")
            qualname, *holders = rest.split(" ")
            key = f"{path}::{qualname.removesuffix(CLOSED)}"
            self._memos[key] = tuple(holders)
            if qualname.endswith(CLOSED):
                self._closed.add(key)

    def _is_decorated(self, code: CodeType, path: str) -> bool:
        if path not in self._caching:
            return False
        lines = self._lines.get(path)
        if lines is None:
            with self._recorder.at_work():
                lines = self._lines[path] = _lines_of_caches(_read(code.co_filename))
        # The first line of decorated code is that of its first decorator.
        above = lines[code.co_firstlineno - 1 : code.co_firstlineno]
        if not above or above[0].lstrip()[:1] != "@":
            return False
        for line in lines[code.co_firstlineno - 1 :]:
            text = line.strip()
            if text.startswith(("def ", "async def ")):
                return False
            if any(word in text.lower() for word in CACHING):
                return True
        return False

    def _hear_of_wrappers(self) -> None:
        """Notice the functions that are given to `functools`, however that is called."""
        import functools

        tools: Any = functools
        real, initialise = tools._lru_cache_wrapper, functools.cached_property.__init__

        def wrapper(function: Any, *arguments: Any) -> Any:
            self._keep(function)
            return real(function, *arguments)

        @functools.wraps(initialise)
        def init(self_: Any, func: Any) -> None:
            self._keep(func)
            initialise(self_, func)

        tools._lru_cache_wrapper = wrapper
        tools.cached_property.__init__ = init

    def _keep(self, function: Any) -> None:
        outer = getattr(function, "__code__", None)
        # What it wraps gives the name by which the project knows it.
        while hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        inner = getattr(function, "__code__", outer)
        if outer is not None and inner is not None:
            path = self._ground.source(inner.co_filename)
            key = naming.key_of(inner)
            if path is not None and key is not None:
                self._wrapped[identity(outer)] = (outer, f"{path}::{key}")


def _read(filename: str) -> str:
    try:
        with open(filename, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""


def _lines_of_caches(text: str) -> list[str]:
    """The lines of a source; none where no decorator in it can be one that keeps results."""
    lower = text.lower()
    return text.splitlines() if any(word in lower for word in CACHING) else []
