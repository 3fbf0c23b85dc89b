"""The four reporters, compared on the events of a real session in which everything goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from devloop import events as ev
from tests.unit.report.agreement import disagreements

if TYPE_CHECKING:
    from tests.e2e.conftest import Watching

PROJECT = """
cart.py
    def total(prices):
        return sum(prices)
load.py
    def load():
        return 1
tests/test_cart.py
    import cart
    import pytest
    def test_total():
        assert cart.total([1, 2]) == 3
    @pytest.mark.parametrize("price", [1, 2, 3])
    def test_one(price):
        assert cart.total([price]) == price
    def test_skipped():
        pytest.skip("not here")
    @pytest.mark.xfail
    def test_expected():
        assert cart.total([]) == 1
    @pytest.fixture
    def opened():
        yield
        assert cart.total([1]) != 1
    def test_closed(opened):
        assert cart.total([]) == 0
    @pytest.fixture
    def missing():
        assert cart.total([1]) != 1
    def test_set_up(missing):
        pass
    def test_both(opened):
        assert cart.total([1]) == 2
tests/test_load.py
    import load
    def test_load():
        assert load.load() == 1
tests/test_unsteady.py
    import pathlib
    import cart
    def test_unsteady():
        count = pathlib.Path({beside!r}, "count")
        count.write_text(count.read_text() + "x" if count.exists() else "x")
        assert cart.total([1]) and len(count.read_text()) % 2
tests/test_slow.py
    import pathlib
    import time
    import load
    def test_slow():
        if pathlib.Path({beside!r}, "wait").exists():
            time.sleep(600)
        assert load.load()
pytest.ini
    [pytest]
    pythonpath = .
"""
CART = "def total(prices):\n    return {}\n"


def test_the_reporters_agree_on_a_real_session(
    tmp_path: Path, write_tree: Callable[[Path, str], None], watching: Callable[..., Watching]
) -> None:
    """Errors of every kind, unsteady tests, cancelled runs, edits taken back, files that go."""
    root, beside = tmp_path / "p", tmp_path / "beside"
    root.mkdir()
    beside.mkdir()
    write_tree(root, PROJECT.replace("{beside!r}", repr(str(beside))))
    session = watching(root)
    session.wait("cycle-finished", outcome="failed")

    def save(path: str, text: str) -> None:
        session.save(path, text)
        session.wait("cycle-finished")

    save("cart.py", CART.format("sum(prices) + 1"))
    save("cart.py", CART.format("sum(prices)"))
    save("cart.py", CART.format("sum(prices) + 0"))
    save("load.py", "def load(:\n    return 1\n")
    save("load.py", "def load():\n    return 2\n")
    save("load.py", "def load():\n    return 1\n")
    save("tests/conftest.py", "import nowhere\n")
    save("tests/conftest.py", "import os\ndef pytest_runtest_setup():\n    os._exit(9)\n")
    (root / "tests/conftest.py").unlink()
    session.wait("cycle-finished")
    (beside / "wait").touch()
    session.save("load.py", "def load():\n    return 3\n")
    session.wait("test-started", nodeid="tests/test_slow.py::test_slow")
    session.save("load.py", "def load():\n    return 4\n")
    session.wait("cycle-finished", outcome="cancelled")
    (beside / "wait").unlink()
    session.wait("cycle-finished")
    save("tests/test_load.py", "import load\ndef test_other():\n    assert load.load() == 1\n")
    (root / "tests/test_load.py").unlink()
    session.wait("cycle-finished")
    session.end()
    events = [event for found in session.events if (event := ev.from_dict(found)) is not None]
    ends = [event for event in events if isinstance(event, ev.CycleFinished)]
    assert any(event.restored for event in ends)
    assert any(event.gone for event in ends)
    outcomes = {event.outcome for event in events if isinstance(event, ev.RunFinished)}
    assert outcomes >= {"failed", "cancelled", "runner-failed"}
    assert disagreements(events, tmp_path) == []
