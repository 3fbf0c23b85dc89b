"""A process that waits for an order: to import modules, to fork another one, or to be a command."""

from __future__ import annotations

import os
import sys

from . import (
    ahead,
    become,
    hiding,
    listeners,
    modules,
    orders,
    pages,
    preload,
    reloaders,
    seeds,
    settings,
)
from .appearing import Appearance
from .control import Control, private
from .entry import Entry, Unfit, absolute, put_main
from .forking import fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeVar

    from .scene import Scene

    T = TypeVar("T")

VERSION = 1


class Blank:
    """The loop of a process that is not a command yet.

    Args:
        control: the socket that orders come from.
        birth: how this process began.
    """

    def __init__(self, control: Control, birth: become.Birth) -> None:
        self._control = control
        self._birth = birth
        self._written: dict[str, str | None] = {}
        self._homes: dict[str, str] = {}
        self._number = 0
        self._held = 0
        self._stepped_back = False
        self._kept = False
        self._appearance: Appearance

    @classmethod
    def born(cls, fd: int, script: str) -> Blank:
        """Make what this process has been started for.

        Args:
            fd: of the control socket.
            script: the path that the interpreter was given.
        """
        birth = become.born = become.Birth(script)
        become.uninterruptible()
        put_main()
        if not getattr(sys.flags, "safe_path", sys.flags.isolated):
            sys.path[0] = become.PLACEHOLDER
        return cls(Control(fd), birth)

    def serve(self) -> Entry:
        """Do as is ordered, in whatever process.

        Returns:
            The command that this process has become. Others end here.
        """
        while True:
            got = self._control.receive()
            if got is None:
                os._exit(0)
            order, fds = got
            self._number = order["n"]
            kind = order["m"]
            if kind == "fork":
                self._fork(fds[0])
            elif kind == "preload":
                self._preload(order)
            elif kind == "layer":
                self._layer(order)
            elif kind == "copy":
                pages.copy(order["ranges"])
            elif kind == "ahead":
                return self._go_ahead(order)
            elif kind == "run":
                return self._run(order, fds)

    def _preload(self, order: dict[str, Any]) -> None:
        self._prepare(order)
        scene = _part("scene").Scene(order["entry"], order["modules"])
        loading = preload.Loading(
            lambda name: self._importing(name, scene),
            check=order["check"],
            trace=order["trace"],
            altered=order.get("altered", ()),
        )
        if (given := order.get("pytest")) is not None:
            from . import pytest_warm

            with pytest_warm.held(**given):
                answer = loading.run(order["modules"])
        else:
            fence, outside = _part("fence"), order.get("outside")
            with scene, fence.Fence(outside) if outside else fence.FolderFence(scene.first):
                answer = loading.run(order["modules"], scene.places())
        self._written.update(answer["written"])
        become.flush()  # or a layer would take it for what its own modules print
        self._homes = hiding.homes(self._birth.modules)
        crossed = _part("fence").CROSSED
        self._answer({**answer, "crossed": crossed, "settings": settings.VARIABLES, "v": VERSION})

    def _layer(self, order: dict[str, Any]) -> None:
        become.environment(order["env"], self._birth, self._written)
        become.place(order["entry"]["kind"], order["entry"]["target"])
        self._prepare(order)
        path, sys.path[:] = list(sys.path), order["path"]
        scene = _part("scene").Scene(order["entry"], order["modules"])
        making = _part("layer").Making(
            order, lambda name: self._importing(name, scene), become.flush
        )
        stepped_back = become.step_back()
        with scene:
            answer = making.run()
        if stepped_back:
            become.step_up()
        sys.path[:] = path
        self._written.update(answer["written"])
        become.flush()
        self._homes = hiding.homes(self._birth.modules)
        self._answer({**answer, "settings": settings.VARIABLES, "v": VERSION})

    def _prepare(self, order: dict[str, Any]) -> None:
        self._kept = False
        sys.orig_argv[:] = order["argv"]
        entry = order["entry"]
        sys.argv[:] = [_first(entry), *order["args"]]
        if entry["kind"] == "module":
            import runpy  # noqa: F401 - the interpreter itself does so
        else:
            # What is imported may look at it, as it would from the script.
            vars(sys.modules["__main__"])["__file__"] = absolute(entry["target"])

    def _answer(self, message: dict[str, Any]) -> None:
        """Answer the order; devloop may have given up waiting, and asked for something else."""
        self._control.send({**message, "n": self._number})

    def _importing(self, name: str, scene: Scene) -> None:
        scene.importing()
        self._control.send({"m": "importing", "name": name})

    def _fork(self, fd: int) -> None:
        """Make another one: a child of this process's parent, which outlives this process."""
        if len(sys._current_frames()) > 1:
            os.close(fd)
            what = "the interpreter's start" if self._birth.threaded else "a held module"
            self._answer({"m": "declined", "reason": f"{what} has started a thread"})
            return
        if not self._kept:
            # What is here stays; a collector that looked at it would copy its pages. Nothing is
            # flushed: what is yet to be written is the command's, and is written there, once.
            modules.hold()
            gc = private("gc")
            gc.collect()
            gc.freeze()
            self._kept = True
        reading, writing = os.pipe()
        try:
            between = fork()
        except OSError as error:
            for end in (reading, writing, fd):
                os.close(end)
            self._answer({"m": "declined", "reason": f"it cannot fork: {error.strerror}"})
            return
        if between == 0:
            try:
                if fork():
                    os._exit(0)
            except OSError as error:
                os.write(writing, f"-{error.errno}".encode())
                os._exit(1)
            self._control.close()
            self._control = Control(fd)
            os.setsid()
            seeds.forked()
            os.write(writing, str(os.getpid()).encode())
            os.close(reading)
            os.close(writing)
            if self._homes:  # this is not for holding anything
                become.rehearse(self._birth)
            return
        os.close(writing)
        os.close(fd)
        answer = os.read(reading, 32)
        os.close(reading)
        os.waitpid(between, 0)
        pid = int(answer or b"0")
        if pid > 0:
            self._answer({"m": "forked", "pid": pid})
        else:
            reason = os.strerror(-pid) if pid else "its process was killed"
            self._answer({"m": "declined", "reason": f"it cannot fork: {reason}"})

    def _go_ahead(self, order: dict[str, Any]) -> Entry:
        """Begin with the command, of which it is not yet known when it is wanted."""
        self._control.move(orders.FIRST_DESCRIPTOR)
        if order["trace"]:
            ahead.note(lambda what: self._decline(f"it {what}"))
        self._held = len(sys.modules)
        self._stepped_back = become.step_back()
        ahead.codes = order["codes"]
        entry = self._unless_declined(self._become, order)
        ahead.begin(self._wait)
        return entry

    def _wait(self) -> None:
        """Wait, in the midst of the command, until it is wanted."""
        if (noting := ahead.noting) is not None:
            noting.__exit__()
            become.flush()
            files = [[path, sign] for path, sign in noting.files.items()]
            folders = [[path, *known] for path, known in noting.folders.items()]
            there = [[*key, seen] for key, seen in noting.there.items()]
            self._answer({"m": "waits", "files": files, "there": there, "folders": folders})
            os._exit(0)
        # Those come last that have come last; to look at all of them would copy them all.
        news = len(sys.modules) - self._held
        if self._stepped_back:
            become.step_up()
        names = [name for name, _ in zip(reversed(sys.modules), range(news))]  # noqa: B905
        self._homes.update(hiding.homes(self._birth.modules, names))
        self._answer({"m": "waits"})
        got = self._control.receive()
        if got is None:
            os._exit(0)
        order, fds = got
        self._number = order["n"]
        become.forget_folders()
        self._unless_declined(self._take_on, order, fds)
        self._runs()

    def _run(self, order: dict[str, Any], fds: list[int]) -> Entry:
        entry = self._unless_declined(self._become, order)
        self._unless_declined(self._take_on, order, fds)
        self._runs()
        return entry

    def _runs(self) -> None:
        orders.send({"m": "running", "pid": os.getpid(), "n": self._number})

    def _unless_declined(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do a part of becoming a command; what cannot be done ends this process."""
        try:
            return work(*arguments)
        except OSError as error:
            self._decline(f"{error.filename or 'its setup'}: {error.strerror}")
        except Unfit as error:
            self._decline(str(error))
        except Exception as error:
            self._decline(f"its setup: {type(error).__name__}: {error}")

    def _decline(self, reason: str) -> NoReturn:
        self._answer({"m": "declined", "reason": reason})
        os._exit(0)

    def _become(self, order: dict[str, Any]) -> Entry:
        """Turn into the command, as far as that is the same whenever it is wanted."""
        birth, entry = self._birth, order["entry"]
        if not become.own(birth.guardian):
            raise Unfit("the guardian is not its parent")
        if (reason := settings.differs(order, birth)) is not None:
            raise Unfit(reason)
        become.environment(order["env"], birth, self._written)
        sys.orig_argv[:] = order["argv"]
        sys.argv[:] = [_first(entry), *order["args"]]
        become.place(entry["kind"], entry["target"])
        command = Entry(entry["kind"], entry["target"])
        if order.get("umask") is not None:
            os.umask(order["umask"])
        modules.begin()
        become.renew()
        self._appearance = Appearance(order["argv"], order["env"], order["variable"])
        return command

    def _take_on(self, order: dict[str, Any], fds: list[int]) -> None:
        """Take on what there is only once the command is wanted."""
        if (name := hiding.hidden(self._homes, order["folders"])) is not None:
            raise Unfit(f"the project has a module {name} of its own")
        become.descriptors(fds[:3], terminal=order["terminal"])
        os.write(1, order["said"].encode("latin-1"))
        become.begin()
        # What waits for an import can be seen, and a test may look; an app is waited for anyway.
        self._appearance.put_on(order["name"], late=order["handover"])
        for name, passed in zip(order["passed"], fds[3 + len(order["held"]) :]):  # noqa: B905
            os.environ[name] = str(passed)
        orders.install(self._control, fds[-1])
        if order["handover"]:
            listeners.install(zip(order["held"], fds[3:]))  # noqa: B905 - 3.10 has it
            reloaders.install(lambda name: orders.send({"m": "reloader", "name": name}))
        orders.listen()
        for target in order["learn"]:
            _part("keep").watch(target, orders.send)
        become.interruptible()


def _part(name: str) -> Any:
    """One of the files beside this one, where it is needed."""
    known = "__future__" in sys.modules
    part = __import__(f"{__package__}.{name}", fromlist=["*"])
    if not known:
        # Its first line has left a name that a command does not expect.
        sys.modules.pop("__future__", None)
    return part


def _first(entry: dict[str, str]) -> str:
    """What stands first in `sys.argv`; of a module, until it has been found."""
    return "-m" if entry["kind"] == "module" else entry["target"]
