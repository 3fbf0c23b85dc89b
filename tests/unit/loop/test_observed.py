"""What tests were seen to look at, as contents."""

from __future__ import annotations

from pathlib import Path

import pytest

from devloop.loop.observed import Observed
from devloop.loop.texts import Texts
from devloop.select.recorded import Recording


def facts(environ: dict[str, str]) -> dict[str, bytes]:
    """What the whole environment is to a test that has gone through it."""
    recording = Recording(tests={"test_a.py::test_all": frozenset({"v *"})})
    return Observed().joined(recording, environ).facts({}, Texts(Path()))


@pytest.mark.parametrize(
    "name", ["SHLVL", "SSH_TTY", "TMUX_PANE", "DBUS_SESSION_BUS_ADDRESS", "VSCODE_PID", "KITTY_PID"]
)
def test_another_terminal_is_no_other_environment(name: str) -> None:
    """As for a test that reads such a variable by its name."""
    assert facts({"A": "1", name: "1"}) == facts({"A": "1", name: "2"}) == facts({"A": "1"})


def test_any_other_variable_is_another_environment() -> None:
    """Set, set to something else, or gone."""
    assert len({*map(str, (facts({"A": "1"}), facts({"A": "2"}), facts({})))}) == 3
