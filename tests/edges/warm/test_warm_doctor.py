"""What doctor says of modules and results of the project that are not held."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from devloop.checkup.warm import check
from devloop.config.types import App, Config
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
