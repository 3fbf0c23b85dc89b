"""Doctor tells what starts come from, as the last session has found out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devloop.checkup import warm
from devloop.config.types import App, Config
from devloop.plan.warm import WarmRecord
from devloop.store.store import Store


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (WarmRecord(held=("json", "json.decoder")), "2 modules are held: json"),
        (
            WarmRecord(held=("grpc", "grpc.aio"), spare=True),
            "an interpreter that is used once imports 2 modules ahead of each start: grpc",
        ),
        (WarmRecord(refused="it is not so"), "starts cold: it is not so"),
        (WarmRecord(off="it differs"), "turned off: it differs"),
        (WarmRecord(), "nothing is known yet"),
    ],
)
def test_what_starts_come_from(tmp_path: Path, record: WarmRecord, said: str) -> None:
    """Held imports, a spare, or neither with the reason."""
    (tmp_path / "app.py").write_text("")
    with Store.open(tmp_path, stamp="s") as store:
        store.save_warm("web", "command", record)
    config = Config(apps={"web": App(command=(sys.executable, "app.py"))})
    (found,) = warm.check(tmp_path, config, sys.executable, {})
    assert found.subject == "warm start of web"
    assert said in found.message


@pytest.mark.parametrize(
    ("words", "main"),
    [
        (("app.py",), "app.py"),
        (("-m", "shop"), "shop/__main__.py"),
        (("-m", "shop.serve"), "shop/serve.py"),
        (("-m", "http.server"), "shop/other.py"),
    ],
)
def test_what_a_held_library_does_not_see(
    tmp_path: Path, words: tuple[str, ...], main: str
) -> None:
    """What the app's sources set up before they import it, the script or module itself included."""
    (tmp_path / "shop").mkdir()
    code = "import warnings\nwarnings.simplefilter('error')\nimport pandas\n"
    (tmp_path / main).write_text(code)
    (tmp_path / "shop" / "__init__.py").write_text("")
    with Store.open(tmp_path, stamp="s") as store:
        own = frozenset({"shop/__init__.py", "shop/other.py", "shop/gone.py"})
        store.save_warm("web", "command", WarmRecord(held=("json", "pandas"), own=own))
    config = Config(apps={"web": App(command=(sys.executable, *words))})
    said = [one for one in warm.check(tmp_path, config, sys.executable, {}) if one.mend]
    assert [(one.severity, one.message, one.mend) for one in said] == [
        (
            "ok",
            f"{main}:2 calls warnings.simplefilter before it imports pandas, which is held and "
            "was imported without that",
            'Where that matters: [warm] exclude = ["pandas"].',
        )
    ]
