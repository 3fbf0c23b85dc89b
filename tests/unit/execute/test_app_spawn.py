"""What an app is started as, found out ahead of its start or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from devloop.config.types import App
from devloop.events import Event, Notice
from devloop.execute import app_spawn
from devloop.execute.app_spawn import AppSpawn
from devloop.execute.wiring import Wiring


def made_after(
    root: Path, told: list[Event], *, looks: int, saved: str, rests: bool = False
) -> str | None:
    """What an app finds in `A`, for which its environment file is saved after looks at it."""
    app = App(command="python app.py", env_file=".env")
    spawn = AppSpawn(
        "web", app, emit=told.append, root=root, interpreter=None, environ={}, terminal=False
    )
    for _ in range(looks):
        spawn.look()
    (root / ".env").write_text(saved, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, Wiring(None) as wiring:
        if rests:
            patch.setattr(app_spawn, "FRESH", 0.0)
        made, _ = spawn.make(wiring)
        assert made.stdout == wiring.stdout
    return made.env.get("A")


def test_what_is_found_out_ahead_holds_for_milliseconds(tmp_path: Path) -> None:
    """A later start reads the environment file again."""
    (tmp_path / ".env").write_text("A=1\n", encoding="utf-8")
    assert made_after(tmp_path, [], looks=0, saved="A=2\n") == "2"
    assert made_after(tmp_path, [], looks=1, saved="A=3\n") == "2"
    assert made_after(tmp_path, [], looks=1, saved="A=4\n", rests=True) == "4"


def test_what_is_wrong_is_told_when_it_starts(tmp_path: Path) -> None:
    """Not when it might."""
    told: list[Event] = []
    made_after(tmp_path, told, looks=3, saved="")
    (notice,) = told
    assert isinstance(notice, Notice)
    assert ".env" in notice.message
