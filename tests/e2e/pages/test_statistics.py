"""`devloop stats` of a real session, as text, as JSON, and in a real browser."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devloop.report.pages.statistics import render

if TYPE_CHECKING:
    from tests.e2e.conftest import Watching
    from tests.e2e.pages.conftest import Browser

Run = Callable[..., "subprocess.CompletedProcess[str]"]

PROJECT = """
shop.py
    RATE = 2
tests/test_shop.py
    import shop
    def test_rate():
        assert shop.RATE
tests/test_other.py
    def test_one(): pass
    def test_two(): pass
serve.py
    import shop, time, socket
    listener = socket.create_server(("127.0.0.1", 0))
    time.sleep(100)
devloop.toml
    [apps.web]
    command = "python serve.py"
pytest.ini
    [pytest]
    pythonpath = .
"""


TIP = """(() => {
  const column = document.querySelector(".column"), tip = column.querySelector(".tip");
  const before = getComputedStyle(tip).display;
  column.focus();
  const box = tip.getBoundingClientRect();
  return [before, getComputedStyle(tip).display, box.left >= 0 && box.right <= innerWidth];
})()"""

ENDS = """(() => {
  const all = document.querySelector(".columns"), last = all.lastElementChild;
  last.focus();
  const box = last.querySelector(".tip").getBoundingClientRect();
  const off = all.getBoundingClientRect().right - last.getBoundingClientRect().right;
  return [all.children.length, Math.abs(off) < 1, box.left >= 0 && box.right <= innerWidth];
})()"""


@pytest.fixture
def measured(
    watching: Callable[..., Watching],
    write_tree: Callable[[Path, str], None],
    tmp_path: Path,
) -> Path:
    """A project in which a session has answered two saves."""
    root = tmp_path / "shop"
    write_tree(root, PROJECT)
    watch = watching(root)
    watch.cycle(outcome="passed")
    for rate in (3, 4):
        watch.save("shop.py", f"RATE = {rate}\n")
        watch.cycle(outcome="passed")
    watch.end()
    return root


def test_a_session_is_measured(
    measured: Path, devloop: Run, browser: Browser, tmp_path: Path
) -> None:
    """Saves, restarts, tests run and saved: all forms say the same, in every light and width."""
    data = json.loads(devloop("stats", "--format", "json", cwd=measured).stdout)
    assert (data["v"], data["cycles"]) == (1, 3)
    assert data["verdict"]["count"] == 2
    assert 0 < data["verdict"]["median"] <= data["verdict"]["slowest"] < 60
    (web,) = data["served"]
    assert (web["app"], web["durations"]["count"], sum(web["starts"].values())) == ("web", 2, 2)
    assert (data["tests"]["ran"], data["tests"]["saved"]) == (2, 4)
    assert {slow["nodeid"] for slow in data["slowest"]} <= {
        "tests/test_shop.py::test_rate",
        "tests/test_other.py::test_one",
        "tests/test_other.py::test_two",
    }
    text = devloop("stats", cwd=measured).stdout
    assert "tests run          2 of 6 after changes, 66.7% saved" in text
    page = tmp_path / "stats.html"
    page.write_text(devloop("stats", "--html", cwd=measured).stdout)
    for width in (1280, 400):
        for dark in (False, True):
            browser.open(page, width=width, dark=dark)
            assert browser.faults() == []
            assert browser.run("document.documentElement.scrollWidth") == width
            ground = browser.run("getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(22, 23, 26)" if dark else "rgb(251, 251, 250)")
            words = browser.run("document.body.innerText")
            assert "66.7% 4 of 6" in words
            assert "No shadow run has been made" in words
            heights = browser.run(
                "[...document.querySelectorAll('.column .lower')].map((bar) => bar.clientHeight)"
            )
            assert heights
            assert min(heights) > 0
            # Pointed at, or tabbed to, a bar says its figures inside the window.
            assert browser.run(TIP) == ["none", "block", True]


def test_the_last_bar_stands_where_the_axis_names_its_time(
    devloop: Run, browser: Browser, tmp_path: Path
) -> None:
    """Few bars are spread as many are; the last one, too, says its figures inside the window."""
    (tmp_path / "pytest.ini").touch()
    data = json.loads(devloop("stats", "--format", "json").stdout)
    page = tmp_path / "stats.html"
    for count in (2, 5, 60):
        points = [{"t": 1_750_000_000 + 60 * n, "ran": 1, "saved": n} for n in range(count)]
        data |= {"cycles": count, "since": points[0]["t"], "until": points[-1]["t"]}
        data["tests"] = {"ran": count, "saved": count, "series": points}
        page.write_text(render(data, "shop"))
        for width in (1280, 400):
            browser.open(page, width=width, dark=False)
            assert browser.run(ENDS) == [count, True, True]


def test_nothing_measured_is_said(devloop: Run, tmp_path: Path) -> None:
    """In each form, with nothing written."""
    (tmp_path / "pytest.ini").touch()
    assert "devloop watch" in devloop("stats").stdout
    assert json.loads(devloop("stats", "--format", "json").stdout)["cycles"] == 0
    assert "devloop watch" in devloop("stats", "--html").stdout
    assert not (tmp_path / ".devloop").exists()
