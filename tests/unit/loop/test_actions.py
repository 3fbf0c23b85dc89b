"""Actions: one form for keys, the control socket and hooks."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from devloop.config.types import App, Config, Step
from devloop.errors import UsageError
from devloop.loop import actions
from devloop.loop.actions import (
    Action,
    AnyAction,
    ClearFilters,
    FailedOnly,
    FilterNames,
    FilterPaths,
    Pause,
    Restart,
    RunAll,
    RunSince,
    RunStep,
    definite,
    described,
    focused,
    require_known,
)
from devloop.select.focus import Focus

CONFIG = Config(
    apps={"web": App(command="python web.py"), "worker": App(command="python worker.py")},
    steps={"css": Step(command="make css")},
)


def every() -> list[type[Action]]:
    """All actions that there are."""
    return [
        found
        for found in vars(actions).values()
        if isinstance(found, type) and issubclass(found, Action) and found is not Action
    ]


@pytest.mark.parametrize("kind", every(), ids=lambda kind: kind.__name__)
def test_every_action_has_one_json_form(kind: type[Action]) -> None:
    """What is encoded is read back as the same, and it can be described."""
    required = [field.name for field in msgspec.structs.fields(kind) if field.required]
    action = kind(**dict.fromkeys(required, "main"))
    text = msgspec.json.encode(action)
    union = msgspec.json.decode(text, type=AnyAction)
    assert union == action
    assert described(action)


def test_the_union_holds_every_action() -> None:
    """An action that is not in it could not be asked for from outside."""
    assert set(get_args(AnyAction)) == set(every())


def test_absent_fields_have_their_defaults() -> None:
    """A restart without a name is of all apps."""
    assert msgspec.json.encode(Restart()) == b'{"action":"restart"}'


@pytest.mark.parametrize(
    ("action", "problem", "hint"),
    [
        (Restart("wep"), "there is no app wep", "Did you mean web? Configured: web, worker."),
        (RunStep("zzz"), "there is no step zzz", "Configured: css."),
    ],
)
def test_what_is_not_there_is_named_with_what_is(action: Action, problem: str, hint: str) -> None:
    """An app or a step that nobody knows is a mistake, told with the nearest name."""
    with pytest.raises(UsageError) as error:
        require_known(action, CONFIG)
    assert (error.value.message, error.value.hint) == (problem, hint)


def test_nothing_to_restart_is_a_mistake() -> None:
    """`R` in a project without apps says so."""
    with pytest.raises(UsageError, match="no app to restart"):
        require_known(Restart(), Config())
    require_known(Restart("web"), CONFIG)
    require_known(RunStep("css"), CONFIG)
    require_known(RunAll(), Config())


def test_filters_add_up_until_they_are_cleared() -> None:
    """Each key changes its own part; one that is about nothing of it changes none."""
    focus = Focus()
    for action, wanted in (
        (FilterPaths(" cart "), Focus(paths="cart")),
        (FilterNames("total"), Focus(paths="cart", names="total")),
        (FailedOnly(on=True), Focus(paths="cart", names="total", failed_only=True)),
        (RunSince("main"), Focus(paths="cart", names="total", failed_only=True)),
        (FailedOnly(on=False), Focus(paths="cart", names="total")),
        (FilterNames(), Focus(paths="cart")),
        (ClearFilters(), Focus()),
    ):
        focus = focused(focus, action)
        assert focus == wanted


def test_a_toggle_asks_for_the_other_of_two() -> None:
    """Who names one of them gets that one, twice as well."""
    for now in (True, False):
        assert definite(Pause(), paused=now, failed_only=True) == Pause(on=not now)
        assert definite(FailedOnly(), paused=True, failed_only=now) == FailedOnly(on=not now)
        assert definite(Pause(on=True), paused=now, failed_only=now) == Pause(on=True)
    assert definite(RunAll(), paused=True, failed_only=True) == RunAll()
