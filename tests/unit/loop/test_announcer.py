"""When a person who looks elsewhere is called."""

from __future__ import annotations

from devloop.config.types import Notify
from devloop.events import AppFailed, CycleFinished, CycleOutcome, Event
from devloop.loop.announcer import Announcer


def end(outcome: CycleOutcome, **counts: int) -> CycleFinished:
    """The end of a cycle."""
    return CycleFinished(outcome=outcome, seconds=1, **counts)  # type: ignore[arg-type]


def said(config: Notify, *events: Event) -> list[str | None]:
    """What is announced at each event."""
    announcer = Announcer(config, "shop")
    calls = [announcer.heard(event) for event in events]
    return [None if call is None else f"{call.title} ({call.message})" for call in calls]


CYCLES = (
    end("passed", verified=3),
    end("failed", failing=2, verified=1),
    end("cancelled", due=3),
    end("failed", failing=1),
    end("passed", verified=1, assumed=2),
)


def test_nobody_is_called_unasked() -> None:
    """Without a way there is nothing to announce."""
    assert said(Notify(when="always"), *CYCLES) == [None] * 5


def test_by_default_only_another_verdict_is_announced() -> None:
    """A first pass that is good is none, and a cancelled cycle has no verdict."""
    assert said(Notify(bell=True), *CYCLES) == [
        None,
        "shop: failed (2 failing, 1 verified)",
        None,
        None,
        "shop: passed (1 verified, 2 assumed to pass)",
    ]


def test_every_verdict_is_announced_where_that_is_asked_for() -> None:
    """But still none of a cancelled cycle."""
    calls = said(Notify(desktop=True, when="always"), *CYCLES)
    assert [call is not None for call in calls] == [True, True, False, True, True]


def test_an_app_that_fails_beside_the_cycles_is_announced() -> None:
    """In a cycle its end says so."""
    crash = AppFailed(name="web", message="it was ended by SIGKILL")
    assert said(Notify(bell=True), crash, crash) == [
        "shop: failed (app web: it was ended by SIGKILL)",
        None,
    ]
    inside = AppFailed(name="web", message="no", cycle=3)
    assert said(Notify(bell=True), inside) == [None]
