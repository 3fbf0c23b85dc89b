"""PYTEST_DONT_REWRITE: our side of pytest-xdist, in its controller and in its workers.

xdist builds its workers without plugins that were given as objects. So the source that it
runs in a worker is preceded by a few lines that put our modules into `sys.modules` there,
where the ``-p`` of the common command line finds them. Each worker holds a channel of our
own to the controller: it brings the worker's findings, and takes the orders to stop. A
worker that is told to stop does so as after ``--maxfail``: xdist neither replaces it nor
takes the test that it was in for a crash, and its fixtures are torn down.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

STOPPED = "devloop has stopped the run"
INPUT = "devloop"


class Controller:
    """Equips the workers, and hands orders on to them.

    Args:
        modules: our modules, in the order in which they are loaded.
        settings: what the workers' plugin is to know.
        receive: takes the messages of workers, in a thread of execnet's.
    """

    def __init__(
        self,
        modules: tuple[str, ...],
        settings: dict[str, Any],
        receive: Callable[[dict[str, Any]], None],
    ) -> None:
        self._modules = modules
        self._settings = settings
        self._receive = receive
        self._lock = threading.Lock()
        self._channels: list[Any] = []
        self._order: str | None = None

    @pytest.hookimpl(hookwrapper=True)
    def pytest_sessionstart(self) -> Generator[None, None, None]:
        """Have xdist take the workers that are ready, where this run is a warm one."""
        nursery: Any = sys.modules.get("_devloop_pytest_nursery")
        with nursery.offered() if nursery is not None else contextlib.nullcontext():
            yield

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker its channel and its settings."""
        channel = node.gateway.newchannel()
        channel.setcallback(self._receive)
        with self._lock:
            self._channels.append(channel)
            node.workerinput[INPUT] = {
                **self._settings,
                "channel": channel,
                "order": self._order,
            }

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_getremotemodule(self) -> str:
        """The source of xdist's worker, after what loads our modules."""
        import importlib.util

        spec = importlib.util.find_spec("xdist.remote")
        if spec is None or spec.origin is None:
            raise ImportError("xdist.remote")
        remote = Path(spec.origin)
        files = [(name, sys.modules[name].__file__) for name in self._modules]
        given = dict(sys.modules["_devloop_pytest_warm"].GIVEN)
        begin = "worker", self._settings["root"], self._settings["memos"], given
        recorded = f"sys.modules['_devloop_record'].begin(*{begin!r})"
        lines = [
            "import importlib.util, sys",
            f"for name, path in {files!r}:",
            # A worker that is forked from a zygote has them.
            "    if name not in sys.modules:",
            "        spec = importlib.util.spec_from_file_location(name, path)",
            "        sys.modules[name] = importlib.util.module_from_spec(spec)",
            "        spec.loader.exec_module(sys.modules[name])",
            *([recorded] if self._settings["record"] else ()),
            "spec = None",
            "del importlib, sys, name, path, spec",
            f"exec(compile({remote.read_text(encoding='utf-8')!r}, {str(remote)!r}, 'exec'))",
        ]
        return "\n".join(lines)

    def order(self, order: str) -> None:
        """Hand an order on to every worker, to those that are still to come too.

        Args:
            order: ``finish`` the current test and stop, or ``interrupt`` it.
        """
        with self._lock:
            self._order = order
            channels = list(self._channels)
        for channel in channels:
            try:
                channel.send(order)
            except OSError:
                continue  # that worker has ended


class Worker:
    """Carries out orders in a worker.

    Args:
        config: the worker's.
        settings: what the controller has given.
        told: gives what a zygote is to know.
    """

    def __init__(
        self,
        config: pytest.Config,
        settings: dict[str, Any],
        told: Callable[[], dict[str, Any]],
    ) -> None:
        self._config = config
        self._told = told if settings["teach"] else None
        self._channel = settings["channel"]
        self._stop = settings["order"] is not None
        self._session: pytest.Session | None = None
        self._main = threading.main_thread()

    def publish(self, message: dict[str, Any]) -> None:
        """Send a message to the controller."""
        self._channel.send(message)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Begin to take orders."""
        self._session = session
        if self._stop:
            session.shouldstop = STOPPED
        self._channel.setcallback(self._take)

    def _take(self, order: str) -> None:
        """Take an order, in a thread of execnet's."""
        self._stop = True
        if self._session is not None:
            self._session.shouldstop = STOPPED
        if order == "interrupt" and self._main.ident is not None:
            if hasattr(signal, "pthread_kill"):
                signal.pthread_kill(self._main.ident, signal.SIGINT)
            else:
                os.kill(os.getpid(), signal.SIGINT)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool | None:
        """Begin no test after the order to stop."""
        return True if self._stop else None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Have an ordered end not be taken for an interrupt by hand, which xdist mends."""
        if self._told is not None:
            self.publish({"m": "loaded", **self._told()})
        if self._stop:
            session.shouldstop = STOPPED
            output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
            output["shouldstop"] = STOPPED
            output["exitstatus"] = int(pytest.ExitCode.OK)
