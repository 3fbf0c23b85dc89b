"""What doctor says of what is not held, and of starts that do not go ahead."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from devloop.checkup.warm import check
from devloop.config.types import App, Config
from devloop.execute import cold
from devloop.execute.command import Python, parse
from devloop.execute.warm import stamp_of
from devloop.plan.warm import WarmRecord
from devloop.store.store import Store


def test_what_cannot_be_held_is_listed_with_its_reason(tmp_path: Path) -> None:
    """A module is no fault of anybody; a result that was to be kept and is not is a warning."""
    (tmp_path / "main.py").write_text("")
    store = Store.open(tmp_path, stamp="x")
    record = WarmRecord(
        held=("json",),
        anew={"shop/db.py": "leaves a socket open"},
        not_kept={"shop.catalog:load": "it is a generator"},
    )
    store.save_warm("web", "x", record)
    store.close()
    config = Config(apps={"web": App(command=(sys.executable, "main.py"))})
    found = {one.message: one for one in check(tmp_path, config, sys.executable, os.environ)}
    assert found["not held, nor what imports it: shop/db.py: leaves a socket open"].severity == "ok"
    kept = found["shop.catalog:load is not kept: it is a generator"]
    assert kept.severity == "warning"
    assert "[apps.web] keep" in (kept.mend or "")


@pytest.mark.parametrize(
    ("name", "subject"), [("web", "warm start of web"), ("[tests]", "warm runs of the tests")]
)
def test_why_nothing_is_done_ahead_is_said(tmp_path: Path, name: str, subject: str) -> None:
    """Of an app and of the tests, once it has been tried; where they do go ahead nothing is."""
    (tmp_path / "main.py").write_text("")
    config = Config(apps={"web": App(command=(sys.executable, "main.py"))})
    reason = "it opens a port"
    for record in (WarmRecord(held=("json",), not_ahead=reason), WarmRecord(held=("json",))):
        with Store.open(tmp_path, stamp="x") as store:
            store.save_warm(name, "x", record)
        said = [
            one.message
            for one in check(tmp_path, config, sys.executable, os.environ)
            if one.subject == subject
        ]
        assert any("modules are held: json" in one for one in said)
        assert any(one.endswith(f": {reason}") for one in said) is (record.not_ahead is not None)


def test_where_an_app_listens_is_said_of_the_command_that_does(tmp_path: Path) -> None:
    """One that was switched to cold starts, or to another command, may listen elsewhere."""
    for name in ("main.py", "other.py"):
        (tmp_path / name).write_text("")
    warm = App(command=(sys.executable, "main.py"))
    other = App(command=(sys.executable, "other.py"))
    turned = App(command=(sys.executable, "main.py"), start="cold")
    turned_other = App(command=(sys.executable, "other.py"), start="cold")

    def said(app: App) -> bool:
        found = check(tmp_path, Config(apps={"web": app}), sys.executable, os.environ)
        return any(":50051" in one.message for one in found)

    command = parse(warm.command, os.environ, str(tmp_path))
    assert isinstance(command, Python)
    with Store.open(tmp_path, stamp="x") as store:
        store.save_warm("web", stamp_of(command), WarmRecord(not_handed_over=(":50051",)))
    assert [said(app) for app in (warm, other, turned, turned_other)] == [True, *[False] * 3]
    with Store.open(tmp_path, stamp="x") as store:
        stamp = cold.stamp_of(turned.command)
        store.save_warm("web", stamp, WarmRecord(not_handed_over=(":50051",)))
    assert [said(app) for app in (warm, other, turned, turned_other)] == [False, False, True, False]
