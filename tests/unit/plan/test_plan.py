"""The plan of a cycle's work."""

from __future__ import annotations

from devloop.config.types import App, Config, Step, Tests
from devloop.events import Reason
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout
from devloop.plan.plan import as_event, make, planned
from devloop.select.category import category
from devloop.select.delta import Present
from devloop.select.learning import learn
from devloop.select.records import Ran, Records
from devloop.select.selection import SelectedFile, SelectedTarget
from devloop.select.tests import Due

CONFIG = Config(
    steps={"tokens": Step(command="true"), "css": Step(command="true", needs=("tokens",))},
    apps={"web": App(command="true", needs=("css",)), "worker": App(command="true")},
    tests=Tests(needs=("css",)),
)
DUE = Due((SelectedFile("test_a.py", Reason("new")),), "nothing has run yet")
APPS = (SelectedTarget("web", Reason("imports")), SelectedTarget("worker", Reason("imports")))


def test_what_is_due_is_planned() -> None:
    """Where nothing holds it back, and nothing is to be said."""
    plan = make(CONFIG, DUE, APPS)
    assert (plan.tests, plan.apps, plan.notes) == (DUE.files, APPS, ())
    assert plan.all_reason == "nothing has run yet"


def test_a_failed_step_holds_back_what_needs_it() -> None:
    """Also through another step; each with a note, and the rest goes on."""
    plan = make(CONFIG, DUE, APPS, failed_steps=["tokens"])
    assert [app.name for app in plan.apps] == ["worker"]
    assert plan.tests == ()
    assert plan.all_reason is None
    assert len(plan.notes) == 2
    assert all("tokens" in note for note in plan.notes)


def test_tests_that_are_not_due_wait_for_nothing() -> None:
    """No note of what would not have run."""
    assert make(CONFIG, Due(()), (), failed_steps=["css"]).notes == ()


def test_a_running_app_is_not_stopped_for_a_broken_source() -> None:
    """One that is down is tried all the same, for its message."""
    broken = {"web": "shop.py", "worker": "shop.py"}
    plan = make(CONFIG, Due(()), APPS, broken=broken, running=["web"])
    assert [app.name for app in plan.apps] == ["worker"]
    assert "shop.py" in plan.notes[0]


def test_a_file_stands_for_its_tests_until_they_are_known() -> None:
    """Else each is named; where single tests are due, just those."""
    file = SelectedFile("test_a.py", Reason("new"))
    assert [test.nodeid for test in planned(file, [])] == ["test_a.py"]
    assert [test.nodeid for test in planned(file, ["test_a.py::a"])] == ["test_a.py::a"]
    single = SelectedFile("test_a.py", Reason("failed"), ("test_a.py::b",))
    assert [test.nodeid for test in planned(single, ["test_a.py::a"])] == ["test_a.py::b"]


def test_the_event_counts_what_is_known() -> None:
    """A file counts as one until its tests are known; selected is never more than all."""
    run = Ran(
        {f"test_a.py::{n}": ("test_a.py", "passed", 0.1) for n in "ab"},
        {"test_a.py": frozenset({"test_a.py::a", "test_a.py::b"}), "empty.py": frozenset()},
    )
    records = Records()
    records = records.with_learned(
        learn(
            Present(
                Graph.build(Layout(), {}), records, {"test_a.py": b"1"}, category, lambda _: {}
            ),
            run,
            frozenset(),
        )
    )
    event = as_event(make(CONFIG, DUE, APPS), (), records, ["test_a.py", "test_b.py", "empty.py"])
    assert (event.selected, event.total) == (2, 3)
    assert event.all
    assert event.all_reason == "nothing has run yet"
    assert [app.name for app in event.apps] == ["web", "worker"]
