"""A recorded session: every kind of cycle that a reporter has to show."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from devloop import events as ev

ROOT = "/home/me/shop"
NOON = 1_750_000_000.0

LONG_TRACEBACK = """\
    def test_total():
        items = [Item(price=1), Item(price=2)]
>       assert total(items) == 4
E       assert 3 == 4
E        +  where 3 = total([Item(price=1), Item(price=2)])

tests/test_cart.py:12: AssertionError"""

DEEP_TRACEBACK = """\
    def test_load():
>       load("{")

tests/test_load.py:5:\x20
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
shop/load.py:7: in load
    return json.loads(text)
           ^^^^^^^^^^^^^^^^
/usr/lib/python3.12/json/__init__.py:346: in loads
    return _default_decoder.decode(s)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

self = <json.decoder.JSONDecoder object at 0x7f1b869c9a50>, s = '{', idx = 0

    def raw_decode(self, s, idx=0):
        try:
>           obj, end = self.scan_once(s, idx)
                       ^^^^^^^^^^^^^^^^^^^^^^
E           json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes

/usr/lib/python3.12/json/decoder.py:353: JSONDecodeError"""

COLLECTION_TRACEBACK = """\
tests/test_cart.py:3: in <module>
    from shop.cart import totl
E   ImportError: cannot import name 'totl' from 'shop.cart' (/home/me/shop/shop/cart.py)"""

CONFTEST_OUTPUT = """\
ImportError while loading conftest '/home/me/shop/tests/conftest.py'.
tests/conftest.py:4: in <module>
    import nowhere
E   ModuleNotFoundError: No module named 'nowhere'"""

APP_OUTPUT = """\
Traceback (most recent call last):
  File "/usr/lib/python3.12/runpy.py", line 198, in _run_module_as_main
    return _run_code(code, main_globals, None,
  File "/home/me/shop/shop/main.py", line 9
    app = Starlette(
                   ^
SyntaxError: '(' was never closed"""


class Recorder:
    """Builds a list of events as the loop would emit them: stamped, and numbered by cycle.

    Args:
        start: seconds since the epoch.
    """

    def __init__(self, start: float = NOON) -> None:
        self.events: list[ev.Event] = []
        self.now = start
        self.cycle = 0
        self.inside = False
        self.began = start

    def add(self, event: ev.Event, after: float = 0.01) -> None:
        """Append an event.

        Args:
            event: without time and cycle.
            after: seconds since the one before.
        """
        self.now += after
        cycle = self.cycle if self.inside else None
        self.events.append(msgspec.structs.replace(event, t=round(self.now, 3), cycle=cycle))

    def begin(self, *paths: str, trigger: str = "change", **kinds: str) -> None:
        """Start a cycle; a path's kind is given as ``path=kind`` with dots for slashes."""
        self.cycle += 1
        self.inside = True
        changes = tuple(ev.Change(path) for path in paths)
        self.began = self.now
        self.add(ev.CycleStarted(trigger=trigger, changes=changes), after=20.0)  # type: ignore[arg-type]
        self.began = self.now

    def end(self, outcome: str, failing: int = 0, due: int = 0, assumed: int = 0) -> None:
        """Finish the cycle."""
        seconds = round(self.now - self.began, 3)
        self.add(
            ev.CycleFinished(
                outcome=outcome,  # type: ignore[arg-type]
                seconds=seconds,
                failing=failing,
                due=due,
                assumed=assumed,
            )
        )
        self.inside = False

    def test(
        self, nodeid: str, outcome: str = "passed", seconds: float = 0.01, **more: object
    ) -> None:
        """Run one test."""
        self.add(ev.TestStarted(nodeid=nodeid), after=0)
        self.add(
            ev.TestFinished(nodeid=nodeid, outcome=outcome, seconds=seconds, **more),  # type: ignore[arg-type]
            after=seconds,
        )

    def problem(self, path: str, line: int | None, message: str, **more: object) -> None:
        """Report a problem."""
        more.setdefault("source", "pytest")
        self.add(ev.Diagnostic(path=path, line=line, message=message, **more), after=0)  # type: ignore[arg-type]


def because(kind: str, *chain: str, detail: str | None = None) -> ev.Reason:
    """A reason."""
    return ev.Reason(kind, chain, detail)


def session(recorder: Recorder) -> None:
    """A session begins."""
    recorder.add(
        ev.SessionStarted(
            root=ROOT, command="watch", version="0.1.0", pid=100, python=".venv/bin/python"
        )
    )
    recorder.add(ev.Notice(message="Polling, because notification is silent on this file system"))


def first_cycle(recorder: Recorder) -> None:
    """Everything runs: a step, an app, six tests, one of which fails and one is skipped."""
    recorder.begin(trigger="start")
    for done in (0, 500, 1000):
        recorder.add(ev.Progress(task="reading the project", done=done, total=1000), after=0.4)
    recorder.add(
        ev.PlanMade(
            steps=(ev.PlannedTarget("css", because("new", "css")),),
            apps=(ev.PlannedTarget("web", because("start", "web")),),
            tests=(
                ev.PlannedTest("tests/test_cart.py", because("new")),
                ev.PlannedTest("tests/test_load.py", because("new")),
            ),
            all=True,
            all_reason="no test has run here before",
        )
    )
    recorder.add(ev.StepStarted(name="css"))
    recorder.add(ev.Output(source="step", name="css", text="42 rules"), after=0.1)
    recorder.add(ev.StepFinished(name="css", outcome="built", seconds=0.31), after=0.2)
    recorder.add(ev.AppStarted(name="web", pid=4242))
    recorder.add(
        ev.Output(source="app", name="web", text="\x1b[32mINFO\x1b[0m:  Started\nListening")
    )
    recorder.add(ev.RunStarted(selected=2, predicted=2.5))
    recorder.add(ev.RunCollected(total=6))
    recorder.test("tests/test_cart.py::test_empty")
    recorder.add(ev.AppReady(name="web", pid=4242, seconds=0.354, address=":8000"))
    recorder.test(
        "tests/test_cart.py::test_total",
        "failed",
        traceback=LONG_TRACEBACK,
        captured=(("Captured stdout call", "adding 1\nadding 2\n"),),
    )
    recorder.problem(
        "tests/test_cart.py",
        12,
        "assert 3 == 4\n +  where 3 = total([Item(price=1), Item(price=2)])",
        nodeid="tests/test_cart.py::test_total",
    )
    recorder.test("tests/test_cart.py::test_currency[€]", seconds=1.2)
    recorder.test("tests/test_cart.py::test_tax", "skipped")
    recorder.test("tests/test_load.py::test_load", "failed", traceback=DEEP_TRACEBACK)
    recorder.test("tests/test_load.py::test_save")
    recorder.add(ev.RunFinished(outcome="failed", passed=3, failed=2, skipped=1, seconds=1.31))
    recorder.end("failed", failing=2)


def fixing_cycle(recorder: Recorder) -> None:
    """An edit mends one of the two failures; the other one is not affected."""
    recorder.begin("shop/cart.py", "shop/tax.py", "shop/money.py")
    recorder.add(
        ev.PlanMade(
            apps=(
                ev.PlannedTarget("web", because("imports", "web", "shop/main.py", "shop/cart.py")),
            ),
            tests=(
                ev.PlannedTest(
                    "tests/test_cart.py", because("imports", "tests/test_cart.py", "shop/cart.py")
                ),
            ),
            selected=4,
            total=6,
        )
    )
    recorder.add(ev.AppStopping(name="web", pid=4242))
    recorder.add(ev.AppExited(name="web", pid=4242, code=0, expected=True), after=0.1)
    recorder.add(ev.AppStarted(name="web", pid=4250))
    recorder.add(ev.RunStarted(selected=1))
    recorder.add(ev.RunCollected(total=4))
    for name, outcome in (
        ("test_empty", "passed"),
        ("test_total", "passed"),
        ("test_currency[€]", "passed"),
        ("test_tax", "skipped"),
    ):
        recorder.test(f"tests/test_cart.py::{name}", outcome)
    recorder.add(ev.RunFinished(outcome="passed", passed=3, skipped=1, seconds=0.2))
    recorder.add(ev.AppReady(name="web", pid=4250, seconds=0.41, address=":8000"), after=0.2)
    recorder.end("failed", failing=1, assumed=1)


def collection_cycle(recorder: Recorder) -> None:
    """A test file cannot be collected."""
    recorder.begin("tests/test_cart.py")
    recorder.add(
        ev.PlanMade(
            tests=(
                ev.PlannedTest("tests/test_cart.py", because("edited", "tests/test_cart.py")),
                ev.PlannedTest("tests/test_load.py::test_load", because("failed")),
            ),
            selected=5,
            total=6,
            note="web keeps running: it does not import tests/test_cart.py",
        )
    )
    recorder.add(ev.RunStarted(selected=2))
    recorder.problem(
        "tests/test_cart.py",
        3,
        "ImportError: cannot import name 'totl' from 'shop.cart' (/home/me/shop/shop/cart.py)",
        nodeid="tests/test_cart.py",
        traceback=COLLECTION_TRACEBACK,
    )
    recorder.add(ev.RunCollected(total=1))
    recorder.test("tests/test_load.py::test_load")
    recorder.add(ev.RunFinished(outcome="failed", passed=1, errors=1, seconds=0.15))
    recorder.end("failed", failing=1)


def cancelled_cycle(recorder: Recorder) -> None:
    """A save interrupts a run."""
    recorder.begin("tests/test_cart.py")
    recorder.add(
        ev.PlanMade(
            tests=(ev.PlannedTest("tests/test_cart.py", because("edited", "tests/test_cart.py")),),
            selected=4,
            total=6,
        )
    )
    recorder.add(ev.RunStarted(selected=1))
    recorder.add(ev.RunCollected(total=4))
    recorder.test("tests/test_cart.py::test_empty")
    recorder.add(ev.TestStarted(nodeid="tests/test_cart.py::test_total"))
    recorder.add(
        ev.RunFinished(
            outcome="cancelled", passed=1, seconds=0.1, message="tests/conftest.py was saved"
        )
    )
    recorder.end("cancelled", due=3)


def runner_cycle(recorder: Recorder) -> None:
    """The runner dies before it has a result."""
    recorder.begin("tests/conftest.py")
    recorder.add(
        ev.PlanMade(
            tests=(
                ev.PlannedTest(
                    "tests/test_cart.py",
                    because("conftest", "tests/test_cart.py", "tests/conftest.py"),
                ),
                ev.PlannedTest(
                    "tests/test_load.py",
                    because("conftest", "tests/test_load.py", "tests/conftest.py"),
                ),
            ),
            selected=6,
            total=6,
        )
    )
    recorder.add(ev.RunStarted(selected=2))
    recorder.add(
        ev.RunFinished(
            outcome="runner-failed",
            seconds=0.2,
            message="pytest ended with code 4 and no result",
            output=CONFTEST_OUTPUT,
        )
    )
    recorder.problem(
        "tests/conftest.py",
        4,
        "pytest ended with code 4 and no result: ModuleNotFoundError: No module named 'nowhere'",
    )
    recorder.end("failed", due=6)


def crash_cycle(recorder: Recorder) -> None:
    """The app is killed between two cycles; then an edit breaks its start."""
    recorder.add(ev.AppExited(name="web", pid=4250, signal="SIGKILL"), after=5)
    recorder.begin("shop/main.py")
    recorder.add(
        ev.PlanMade(
            apps=(ev.PlannedTarget("web", because("edited", "web", "shop/main.py")),), total=6
        )
    )
    recorder.add(ev.AppStarted(name="web", pid=4300))
    recorder.add(ev.Output(source="app", name="web", text=APP_OUTPUT), after=0.2)
    recorder.add(
        ev.AppFailed(
            name="web", message="exited with code 1 before it was ready", output=APP_OUTPUT
        )
    )
    recorder.problem(
        "shop/main.py",
        9,
        "app web: exited with code 1 before it was ready: SyntaxError: '(' was never closed",
        source="web",
    )
    recorder.add(ev.AppExited(name="web", pid=4300, code=1))
    recorder.end("failed", due=6)


def step_cycle(recorder: Recorder) -> None:
    """A step fails, with a place; what needs it does not run."""
    recorder.begin("styles/app.css")
    recorder.add(
        ev.PlanMade(
            steps=(ev.PlannedTarget("css", because("input", "css", "styles/app.css")),), total=6
        )
    )
    recorder.add(ev.StepStarted(name="css"))
    recorder.add(ev.Output(source="step", name="css", text="styles/app.css:7:3: unknown word"))
    recorder.problem("styles/app.css", 7, "unknown word", column=3, source="css")
    recorder.add(
        ev.StepFinished(name="css", outcome="failed", seconds=0.2, message="exited with code 1"),
        after=0.2,
    )
    recorder.end("failed", due=6)


def mending_cycle(recorder: Recorder) -> None:
    """All is mended by a configuration change that selects everything."""
    recorder.begin("pyproject.toml", "shop/main.py", "styles/app.css")
    recorder.add(
        ev.PlanMade(
            steps=(ev.PlannedTarget("css", because("input", "css", "styles/app.css")),),
            apps=(ev.PlannedTarget("web", because("edited", "web", "shop/main.py")),),
            tests=(
                ev.PlannedTest("tests/test_cart.py", because("all")),
                ev.PlannedTest("tests/test_load.py", because("all")),
            ),
            selected=6,
            total=6,
            all=True,
            all_reason="pyproject.toml configures pytest",
        )
    )
    recorder.add(ev.StepStarted(name="css"))
    recorder.add(ev.StepFinished(name="css", outcome="built", seconds=0.3), after=0.3)
    recorder.add(ev.AppStarted(name="web", pid=4400))
    recorder.add(ev.RunStarted(selected=2, workers=2))
    recorder.add(ev.RunCollected(total=6))
    for nodeid in (
        "tests/test_cart.py::test_empty",
        "tests/test_cart.py::test_total",
        "tests/test_cart.py::test_currency[€]",
        "tests/test_load.py::test_load",
        "tests/test_load.py::test_save",
    ):
        recorder.test(nodeid)
    recorder.test("tests/test_cart.py::test_tax", "skipped")
    recorder.add(ev.RunFinished(outcome="passed", passed=5, skipped=1, seconds=0.4))
    recorder.add(ev.AppReady(name="web", pid=4400, seconds=0.5, address=":8000"))
    recorder.end("passed")


def quiet_cycle(recorder: Recorder) -> None:
    """A document was edited: nothing is affected."""
    recorder.begin("README.md")
    recorder.add(ev.PlanMade(total=6))
    recorder.end("passed", assumed=6)


def record(*parts: Callable[[Recorder], None]) -> list[ev.Event]:
    """The events of some parts, one after the other."""
    recorder = Recorder()
    for part in parts:
        part(recorder)
    return recorder.events


@pytest.fixture
def recorded() -> list[ev.Event]:
    """A whole session."""
    events = record(
        session,
        first_cycle,
        fixing_cycle,
        collection_cycle,
        cancelled_cycle,
        runner_cycle,
        crash_cycle,
        step_cycle,
        mending_cycle,
        quiet_cycle,
    )
    return [*events, ev.SessionFinished(code=0, t=events[-1].t + 1)]


@pytest.fixture
def one_shot() -> list[ev.Event]:
    """`devloop test`, once."""
    recorder = Recorder()
    recorder.add(ev.SessionStarted(root=ROOT, command="test", version="0.1.0", pid=100))
    fixing_cycle(recorder)
    first_cycle(recorder)
    return [*recorder.events, ev.SessionFinished(code=1, t=recorder.now)]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are those of Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with a file beside the tests; ``UPDATE_GOLDEN=1`` writes it."""
    import os

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def terminal() -> Terminal:
    """A terminal to write to."""
    return Terminal()
