"""Which steps a change may have made out of date."""

from __future__ import annotations

from devloop.config.types import Step
from devloop.select.steps import affected_steps, needed

STEPS = {
    "bundle": Step(command="true", inputs=("js/*.js",), needs=("css",)),
    "css": Step(command="true", inputs=("*.css", "!generated.css"), needs=("tokens",)),
    "tokens": Step(command="true", inputs=("tokens.json",)),
    "other": Step(command="true", inputs=("*.txt",)),
}


def test_inputs_and_then_needs_select_steps() -> None:
    """In the order of the configuration; the chain leads from the step to the change."""
    found = {
        s.name: (s.reason.kind, s.reason.chain) for s in affected_steps(STEPS, ["tokens.json"])
    }
    assert found == {
        "bundle": ("needs", ("bundle", "css", "tokens", "tokens.json")),
        "css": ("needs", ("css", "tokens", "tokens.json")),
        "tokens": ("input", ("tokens", "tokens.json")),
    }
    assert list(found) == ["bundle", "css", "tokens"]


def test_a_step_does_not_select_what_it_needs() -> None:
    """The need is up to date."""
    assert [s.name for s in affected_steps(STEPS, ["js/a.js"])] == ["bundle"]


def test_what_is_no_input_selects_nothing() -> None:
    """Neither what is taken out of the patterns."""
    assert affected_steps(STEPS, ["generated.css", "a.py"]) == ()


def test_needs_are_followed_to_the_last() -> None:
    """The steps themselves are among them."""
    assert needed(STEPS, ["bundle"]) == {"bundle", "css", "tokens"}
    assert needed(STEPS, []) == frozenset()
