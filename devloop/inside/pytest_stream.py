"""PYTEST_DONT_REWRITE: the pytest plugin that streams what happens, as it happens.

In a run of one process it reads orders between tests: a thread of its own would make every
``os.fork`` of a test one with threads, which Python 3.12 and later warns of. Under
pytest-xdist the controller streams, and may well have a thread, because no test runs there.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from devloop.inside import messages, record
    from devloop.inside import pytest_codes as codes
    from devloop.inside import pytest_foresight as foresight
    from devloop.inside import pytest_warm as warm
    from devloop.inside.pytest_choice import Choice
    from devloop.inside.pytest_places import Places, plain, summary, traceback_text
    from devloop.inside.pytest_record import Record
    from devloop.inside.pytest_workers import INPUT, STOPPED, Controller, Worker
else:
    messages = sys.modules["_devloop_messages"]
    record = sys.modules["_devloop_record"]
    Record = sys.modules["_devloop_pytest_record"].Record
    codes = sys.modules["_devloop_pytest_codes"]
    foresight = sys.modules["_devloop_pytest_foresight"]
    warm = sys.modules["_devloop_pytest_warm"]
    Choice = sys.modules["_devloop_pytest_choice"].Choice
    Places = sys.modules["_devloop_pytest_places"].Places
    plain = sys.modules["_devloop_pytest_places"].plain
    summary = sys.modules["_devloop_pytest_places"].summary
    traceback_text = sys.modules["_devloop_pytest_places"].traceback_text
    INPUT = sys.modules["_devloop_pytest_workers"].INPUT
    STOPPED = sys.modules["_devloop_pytest_workers"].STOPPED
    Controller = sys.modules["_devloop_pytest_workers"].Controller
    Worker = sys.modules["_devloop_pytest_workers"].Worker

RANK = {"passed": 0, "skipped": 1, "xfailed": 1, "xpassed": 1, "error": 2, "failed": 3}


class Channel:
    """The way to devloop; only the process that opened it writes.

    Args:
        fd: the descriptor.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._held = b""
        self._arrivals = select.poll()
        self._arrivals.register(fd, select.POLLIN)

    def hold(self, message: dict[str, Any]) -> None:
        """Have a message go out with the next one: each writing takes its time."""
        data = messages.pack(message)
        with self._lock:
            self._held += data

    def send(self, message: dict[str, Any]) -> None:
        """Send a message whole: an interrupt in the midst of it would spoil all that follow."""
        if os.getpid() != self._pid:
            return  # a child that a test has forked and that runs on into pytest
        # The functions of `signal` make an enumeration of each number, at each call.
        blocked = _signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        try:
            with self._lock:
                held, self._held = self._held, b""
                messages.write(self.fd, message, after=held)
        finally:
            _signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def receive(self) -> dict[str, Any] | None:
        """Wait for a message; None where devloop is gone."""
        return messages.read(self.fd)

    def waiting(self) -> bool:
        """Whether there is something to receive."""
        return bool(self._arrivals.poll(0))


_channel: Channel | None = None
_chosen: dict[str, Any] | None = None
_modules: tuple[str, ...] = ()


def prepare(modules: tuple[str, ...]) -> None:
    """Before pytest starts; in a worker this is never called.

    Args:
        modules: our modules' names, in the order in which they are loaded.
    """
    global _modules
    _modules = modules
    warm.GIVEN.update(os.environ)


def begin(fd: int) -> None:
    """Take the channel: the run is wanted. In a worker this is never called.

    Args:
        fd: the channel's descriptor.
    """
    global _channel, _chosen
    _channel = Channel(fd)
    _chosen = _channel.receive()
    # From before the first conftest.py is imported.
    if _chosen is not None and _chosen["record"]:
        given = warm.GIVEN or os.environ
        record.begin("main", _chosen["root"], _chosen["memos"], given)


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Before other plugins are loaded: those that a zygote holds are not imported again."""
    warm.renew(pluginmanager)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, None]:
    """A conftest.py that does not import is a failure with a place, not a wrong use of pytest.

    Up to here nothing has been read but pytest's settings: whoever has gone ahead waits here.
    """
    if (ahead := sys.modules.get("_devloop.ahead")) is not None:
        if ahead.unwanted():
            foresight.foresee(early_config.pluginmanager.get_plugins())
            if ahead.codes:
                codes.Codes(ahead.codes).offer()
        ahead.meet()
    outcome = yield
    if outcome.excinfo is not None and _channel is not None:
        error = outcome.excinfo[1]
        if type(error).__name__ == "ConftestImportFailure":
            report_conftest(_channel, Places(os.getcwd()), error)  # noqa: PTH109


def report_conftest(channel: Channel, places: Places, error: BaseException) -> None:
    """Tell of a conftest.py that does not import.

    Args:
        channel: to devloop.
        places: to name its path.
        error: pytest's ConftestImportFailure.
    """
    path = places.relative(str(getattr(error, "path", "conftest.py")))
    cause = error.__cause__ or error
    shown: pytest.ExceptionInfo[BaseException] = pytest.ExceptionInfo.from_exc_info(
        (type(cause), cause, cause.__traceback__)  # type: ignore[arg-type]
    )
    own = shown.traceback.filter(lambda entry: places.own(str(entry.path)))
    if own:
        shown.traceback = own
        text = str(shown.getrepr(style="short", chain=False))
    else:
        text = shown.exconly()
    channel.send({"m": "broken", "path": path, "text": plain(text), "place": places.of(error)})


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register what this process needs: a worker's plugin, or the stream."""
    settings: dict[str, Any] | None = getattr(config, "workerinput", {}).get(INPUT)
    if settings is not None:
        places = Places(settings["root"])
        worker = Worker(config, settings, lambda: warm.told(config))
        files = settings["files"]
        files = files and [(path, ids) for path, ids in files]
        choice = Choice(
            places.relative, files, settings["listed"], settings["whole"], worker.publish
        )
        plugins: list[object] = [worker, choice, Attach(places)]
        send = worker.publish
    elif _channel is not None:
        chosen, send = _chosen, _channel.hold
        if chosen is None:
            pytest.exit("devloop is gone", returncode=3)
        places = Places(chosen["root"])
        choice = Choice(
            places.relative, chosen["files"], chosen["listed"], chosen["whole"], _channel.send
        )
        handed_on = ("root", "files", "listed", "whole", "teach", "record", "memos")
        settings = {key: chosen[key] for key in handed_on}
        controller = Controller(_modules, settings, _channel.send)
        stream = Stream(config, _channel, choice, places, controller, teach=chosen["teach"])
        if config.getoption("capture", "fd") in {"no", "tee-sys"}:
            divert_terminal(config, _channel)
        plugins = [choice, Attach(places), stream, controller]
    else:
        return
    if (recording := record.current()) is not None:
        recording.recorder.process.name = getattr(config, "workerinput", {}).get("workerid", "main")
        # Before the one that tells of the end of the session.
        plugins.insert(0, Record(recording, send, choice.nodeid))
    for plugin in plugins:
        config.pluginmanager.register(plugin)


def divert_terminal(config: pytest.Config, channel: Channel) -> None:
    """Keep pytest's own lines apart from what the tests print, where that is not captured.

    Args:
        config: whose terminal reporter writes them.
        channel: takes them instead.
    """
    writer: Any = getattr(config.pluginmanager.get_plugin("terminalreporter"), "_tw", None)
    if hasattr(writer, "_file"):
        writer._file = Printed(channel)
    # A pipe would hold lines back, and mix them with those of subprocesses.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


class Printed(io.StringIO):
    """A file whose lines go to devloop.

    Args:
        channel: to it.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def flush(self) -> None:
        """Send what has been written."""
        text = self.getvalue()
        if text:
            self.seek(0)
            self.truncate()
            self._channel.send({"m": "printed", "text": text})


class Attach:
    """Adds to a report where its failure is; xdist carries that to the controller.

    A wrapper of the hook that makes reports would be dear: it is called three times a test.

    Args:
        places: finds it.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._raised: dict[tuple[str, str | None], BaseException] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
        """Keep what a phase of a test has raised, until its report is told of."""
        if call.excinfo is not None:
            self._raised[item.nodeid, call.when] = call.excinfo.value

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the place of a test's failure."""
        if self._raised:
            error = self._raised.pop((report.nodeid, report.when), None)
            if error is not None and report.failed:
                report.devloop = self._places.of(error)  # type: ignore[attr-defined]

    def pytest_exception_interact(
        self, call: pytest.CallInfo[Any], report: pytest.CollectReport | pytest.TestReport
    ) -> None:
        """Add the place of an error in collection."""
        if isinstance(report, pytest.CollectReport) and call.excinfo is not None:
            report.devloop = self._places.of(call.excinfo.value)  # type: ignore[attr-defined]


class Stream:
    """Sends what happens, and takes orders.

    Args:
        config: of this run.
        channel: to devloop.
        choice: translates nodeids.
        places: translates paths.
        controller: hands orders on to workers, where there are any.
        teach: tell at the end what a zygote is to know.
    """

    def __init__(
        self,
        config: pytest.Config,
        channel: Channel,
        choice: Choice,
        places: Places,
        controller: Controller,
        *,
        teach: bool,
    ) -> None:
        self._config = config
        self._teach = teach
        self._channel = channel
        self._choice = choice
        self._places = places
        self._controller = controller
        self._distributed = False
        self._session: pytest.Session | None = None
        self._open: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Tell how the run is set up."""
        foresight.forget()
        self._session = session
        self._distributed = self._config.pluginmanager.hasplugin("dsession")
        self._channel.send(
            {
                "m": "session",
                "distributed": self._distributed,
                "capture": self._config.getoption("capture", "fd"),
            }
        )
        if self._distributed:
            threading.Thread(target=self._orders, name="devloop", daemon=True).start()

    def _orders(self) -> None:
        while message := self._channel.receive():
            self._controller.order(message["m"])

    def _take_order(self) -> None:
        if not self._distributed and self._session is not None and self._channel.waiting():
            self._channel.receive()
            self._session.shouldstop = STOPPED

    def pytest_collectstart(self) -> None:
        """Take an order that came while files are collected."""
        self._take_order()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Send an error in collection."""
        if report.failed:
            nodeid = self._choice.nodeid(report.nodeid)
            self._channel.send(
                {
                    "m": "broken",
                    "path": nodeid.partition("::")[0],
                    "text": traceback_text(report),
                    "place": getattr(report, "devloop", None),
                }
            )

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Send that a test runs now."""
        self._channel.send({"m": "start", "id": self._choice.nodeid(nodeid)})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase of a test to what is known of it."""
        if report.when == "setup" or report.nodeid not in self._open:
            seconds = self._open.get(report.nodeid, {}).get("seconds", 0.0)
            self._open[report.nodeid] = {"outcome": None, "seconds": seconds, "text": []}
        test = self._open[report.nodeid]
        test["seconds"] += getattr(report, "duration", 0.0)
        outcome = _outcome(report)
        if outcome is None:
            return
        if test["outcome"] is None or RANK[outcome] > RANK[test["outcome"]]:
            test["outcome"] = outcome
        if outcome in {"failed", "error"}:
            test["text"].append(traceback_text(report))
            test.setdefault("place", self._place(report))
        test["sections"] = [(title, text) for title, text in report.sections if text]
        # xdist makes one report of a worker that has died in a test, and nothing after it.
        if report.when not in {"setup", "call", "teardown"}:
            self._finish(report.nodeid)

    def _place(self, report: pytest.TestReport) -> dict[str, Any]:
        found: dict[str, Any] = getattr(report, "devloop", {})
        if found.get("path"):
            return found
        # No frame is the project's own: a fixture that is not there, say, which has its one
        # telling line at an "E".
        path, line, _ = report.location
        lines = traceback_text(report).strip().splitlines() or ["failed"]
        told = next((text[1:].strip() for text in lines if text.startswith("E  ")), lines[0])
        return {
            "path": self._choice.nodeid(path).partition("::")[0],
            "line": None if line is None else line + 1,
            "message": told,
        }

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Send a test's outcome, all its phases merged."""
        self._finish(nodeid)
        self._take_order()

    def _finish(self, nodeid: str) -> None:
        test = self._open.pop(nodeid, None)
        if test is None or test["outcome"] is None:
            return
        bad = test["outcome"] in {"failed", "error"}
        # In one process the next test, or the end, follows at once.
        send = self._channel.send if self._distributed else self._channel.hold
        send(
            {
                "m": "test",
                "id": self._choice.nodeid(nodeid),
                "outcome": test["outcome"],
                "seconds": test["seconds"],
                "text": "\n\n".join(test["text"]) if bad else None,
                "sections": test.get("sections", []) if bad else [],
                "place": test.get("place") if bad else None,
            }
        )

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Send that something has interrupted the run: a test, a plugin, or we."""
        message = plain(excinfo.exconly()).strip().partition("\n")[0]
        place = self._places.of(excinfo.value)
        self._channel.send({"m": "interrupted", "text": message, "place": place})

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Send what pytest itself has failed of."""
        if type(excinfo.value).__name__ == "ConftestImportFailure":
            report_conftest(self._channel, self._places, excinfo.value)
        else:
            self._channel.send({"m": "internal", "text": summary(excinfo.value)})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Send that the session has come to its end: without this no result is trusted."""
        if self._teach:
            self._channel.send({"m": "loaded", **warm.told(self._config)})
        self._channel.send({"m": "finish", "code": int(exitstatus)})


def _outcome(report: pytest.TestReport) -> str | None:
    """What one phase says of the whole test; None where it is run again."""
    if hasattr(report, "wasxfail") and not report.failed:
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "error" if report.when in {"setup", "teardown"} else "failed"
    if report.skipped:
        return "skipped"
    return "passed" if report.passed else None
