"""When a step may run, and whether it has to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.config.types import Step
from devloop.plan.steps import Schedule, StepRecord, is_up_to_date, key, made


def steps(**needs: str) -> dict[str, Step]:
    """Steps with what each needs, as words."""
    return {name: Step(command="true", needs=tuple(text.split())) for name, text in needs.items()}


def test_what_is_independent_may_start_together() -> None:
    """Steps start as soon as all that they need has ended, not before."""
    schedule = Schedule(
        steps(page="css icons", css="tokens", icons="", tokens=""),
        {"page", "css", "icons", "tokens"},
    )
    assert schedule.ready() == (("icons", "tokens"), ())
    schedule.ended("icons", ok=True)
    assert schedule.ready() == ((), ())
    schedule.ended("tokens", ok=True)
    assert schedule.ready() == (("css",), ())
    schedule.ended("css", ok=True)
    assert schedule.ready() == (("page",), ())
    schedule.ended("page", ok=True)
    assert not schedule.active


def test_what_needs_a_failed_step_does_not_start() -> None:
    """All that is downstream of a failure is skipped; what is beside it runs."""
    schedule = Schedule(steps(a="", b="a", c="b", d=""), {"a", "b", "c", "d"})
    assert schedule.ready() == (("a", "d"), ())
    schedule.ended("a", ok=False)
    assert schedule.ready() == ((), (("b", "a"), ("c", "b")))
    assert schedule.active
    schedule.ended("d", ok=True)
    assert not schedule.active


def test_a_step_that_is_not_in_the_pass_counts_as_done() -> None:
    """A pass over some steps does not wait for the others."""
    schedule = Schedule(steps(a="", b="a"), {"b"})
    assert schedule.ready() == (("b",), ())


@given(st.data())
def test_every_step_ends_once_and_after_what_it_needs(data: st.DataObject) -> None:
    """In any graph, in any order of ends, with any failures: no step is lost, none is early."""
    count = data.draw(st.integers(1, 8))
    needs = {
        f"s{n}": " ".join(f"s{m}" for m in data.draw(st.sets(st.integers(0, n - 1))) if n)
        if n
        else ""
        for n in range(count)
    }
    graph = steps(**needs)
    schedule = Schedule(graph, set(graph))
    running: list[str] = []
    good: set[str] = set()
    bad: set[str] = set()
    while schedule.active:
        start, skipped = schedule.ready()
        for name in start:
            assert set(graph[name].needs) <= good
        for name, reason in skipped:
            assert reason in bad
            assert reason in graph[name].needs
            bad.add(name)
        running.extend(start)
        if not running:
            break
        name = running.pop(data.draw(st.integers(0, len(running) - 1)))
        ok = data.draw(st.booleans())
        schedule.ended(name, ok=ok)
        (good if ok else bad).add(name)
    assert good | bad == set(graph)
    assert not good & bad


CSS = Step(command="make css", inputs=("*.scss",), outputs=("app.css",), env={"A": "1"})
INPUTS = {"a.scss": b"1", "b.scss": b"2"}


@pytest.mark.parametrize(
    ("step", "inputs", "needed"),
    [
        (
            Step(command="make all", inputs=("*.scss",), outputs=("app.css",), env={"A": "1"}),
            INPUTS,
            {},
        ),
        (
            Step(command="make css", inputs=("*.scss",), outputs=("app.css",), env={"A": "2"}),
            INPUTS,
            {},
        ),
        (
            Step(command="make css", inputs=("*.scss",), outputs=("b.css",), env={"A": "1"}),
            INPUTS,
            {},
        ),
        (CSS, {"a.scss": b"1"}, {}),
        (CSS, {"a.scss": b"1", "c.scss": b"2"}, {}),
        (CSS, {"a.scss": b"1", "b.scss": b"3"}, {}),
        (CSS, INPUTS, {"tokens": b"new"}),
    ],
    ids=["command", "environment", "outputs", "deleted", "renamed", "edited", "what it needs"],
)
def test_the_key_tells_apart(
    step: Step, inputs: dict[str, bytes], needed: dict[str, bytes]
) -> None:
    """Everything that a step is made from makes another key."""
    assert key(step, inputs, needed) != key(CSS, INPUTS, {})


def test_the_key_is_the_same_for_the_same() -> None:
    """The order in which files were found is no part of it; nor is how a command is written."""
    again = Step(command=("make", "css"), inputs=("*.scss",), outputs=("app.css",), env={"A": "1"})
    assert key(again, dict(reversed(INPUTS.items())), {}) == key(CSS, INPUTS, {})


def test_undecodable_names_have_a_key() -> None:
    """A file name that is not UTF-8 is an input and an output as any other."""
    assert key(CSS, {"\udce9.scss": b"1"}, {}) != key(CSS, {"e.scss": b"1"}, {})
    assert made({"\udce9.css": b"1"}) != made({"e.css": b"1"})


def test_what_makes_a_step_out_of_date() -> None:
    """No success yet, another key, an output that is gone or is another one."""
    record = StepRecord(b"k", {"app.css": b"1"}, b"m")
    assert is_up_to_date(CSS, record, b"k", {"app.css": b"1"}, asked=True)
    assert not is_up_to_date(CSS, None, b"k", {"app.css": b"1"}, asked=True)
    assert not is_up_to_date(CSS, record, b"other", {"app.css": b"1"}, asked=True)
    assert not is_up_to_date(CSS, record, b"k", {}, asked=True)
    assert not is_up_to_date(CSS, record, b"k", {"app.css": b"by hand"}, asked=True)


def test_a_step_without_inputs_runs_when_it_is_asked_for() -> None:
    """And for another step's sake only where it has never succeeded."""
    step = Step(command="date")
    assert not is_up_to_date(step, StepRecord(b"k", {}, b"m"), b"k", {}, asked=True)
    assert is_up_to_date(step, StepRecord(b"k", {}, b"m"), b"k", {}, asked=False)
    assert not is_up_to_date(step, None, b"k", {}, asked=False)
