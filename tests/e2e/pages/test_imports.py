"""`devloop graph --format html` in a real browser."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devloop.graph.facts import Facts, Import
from devloop.graph.graph import Graph
from devloop.graph.layout import discover
from devloop.report.pages import imports

if TYPE_CHECKING:
    from tests.e2e.pages.conftest import Browser

Run = Callable[..., "subprocess.CompletedProcess[str]"]

PROJECT = """
shop/__init__.py
shop/money.py
    RATE = 2
shop/cart.py
    from typing import TYPE_CHECKING
    from shop import money
    if TYPE_CHECKING:
        from shop import views
shop/views.py
    from shop.cart import money
shop/broken.py
    def (
tests/conftest.py
tests/test_cart.py
    from shop import cart
tests/test_views.py
    from shop import views
tests/test_nothing.py
pytest.ini
    [pytest]
    pythonpath = .
"""

PANEL = """({
  title: document.querySelector("#panel h2").textContent,
  figures: [...document.querySelectorAll("#panel .figures b")].map((b) => b.textContent),
  tests: [...document.querySelectorAll("#panel ul")].slice(0, 1)
    .flatMap((ul) => [...ul.querySelectorAll(".path")].map((one) => one.textContent)),
})"""

INK = """(() => {
  const canvas = document.getElementById("canvas"), pen = canvas.getContext("2d");
  const bytes = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const colors = new Set();
  for (let at = 0; at < bytes.length; at += 4) colors.add(bytes.slice(at, at + 3).join());
  return [colors.size, [bytes[0], bytes[1], bytes[2]]];
})()"""


@pytest.fixture(scope="module")
def page(
    tmp_path_factory: pytest.TempPathFactory,
    devloop_command: tuple[str, ...],
    write_tree: Callable[[Path, str], None],
) -> Path:
    """The page that the command makes of a small project."""
    root = tmp_path_factory.mktemp("shop") / "shop"
    write_tree(root, PROJECT)
    done = subprocess.run(
        [*devloop_command, "graph", "--format", "html"],
        cwd=root,
        capture_output=True,
        check=True,
        timeout=120,
    )
    path = root / "graph.html"
    path.write_bytes(done.stdout)
    return path


def test_it_is_drawn_in_light_and_dark_wide_and_narrow(browser: Browser, page: Path) -> None:
    """Without an error, without the network, and without a bar to scroll sideways."""
    grounds = []
    for width in (1280, 400):
        for dark in (False, True):
            browser.open(page, width=width, dark=dark)
            assert browser.faults() == []
            assert browser.run("document.documentElement.scrollWidth") == width
            colors, ground = browser.run(INK)
            assert colors > 20
            grounds.append((dark, sum(ground) < 300))
    assert all(dark == is_dark for dark, is_dark in grounds)


def test_a_file_is_found_and_its_edit_shown(browser: Browser, page: Path) -> None:
    """A part of its name and Enter look at it: the tests reached, and what it needs."""
    browser.open(page)
    browser.press("/")
    for letter in "money":
        browser.press(letter)
    assert browser.run("document.querySelectorAll('#found .file').length") == 1
    browser.press("Enter")
    assert browser.run(PANEL) == {
        "title": "shop/money.py",
        "figures": ["2", "4", "1"],
        "tests": ["tests/test_cart.py", "tests/test_views.py"],
    }
    assert browser.run("location.hash") == "#shop%2Fmoney.py"
    browser.press("Escape")
    assert browser.run(PANEL)["title"] == "All files"
    assert browser.faults() == []


def test_a_click_looks_at_the_file_below_it(browser: Browser, page: Path) -> None:
    """On the drawing itself; the panel's names lead on."""
    browser.open(page)
    browser.run("document.getElementById('fit').click()")
    title, steps = "All files", 0
    # The drawing is a few boxes on a plain ground: walk over it until one is met.
    for y in range(60, 780, 11):
        for x in range(30, 900, 90):
            browser.click(x, y)
            steps += 1
            title = browser.run("document.querySelector('#panel h2').textContent")
            if title != "All files":
                break
        if title != "All files":
            break
    assert title.endswith(".py"), steps
    browser.run("[...document.querySelectorAll('#panel .file')].pop().click()")
    assert browser.run("document.querySelector('#panel h2').textContent").endswith(".py")
    assert browser.faults() == []


def test_the_file_that_was_named_is_looked_at_first(
    browser: Browser, devloop: Run, write_tree: Callable[[Path, str], None], tmp_path: Path
) -> None:
    """`graph PATH --format html` shows the whole project, and that file in it."""
    write_tree(tmp_path, PROJECT)
    done = devloop("graph", "shop/views.py", "--format", "html")
    page = tmp_path / "page.html"
    page.write_text(done.stdout)
    browser.open(page)
    found = browser.run(PANEL)
    # Its importer for type checkers never runs it: that one's tests are not reached.
    assert (found["title"], found["tests"]) == ("shop/views.py", ["tests/test_views.py"])


def facts(*modules: str, **more: Any) -> Facts:
    """What a file that imports some modules says."""
    return Facts(b"x", tuple(Import(module) for module in modules), **more)


@pytest.fixture(scope="module")
def large() -> Graph:
    """Three thousand files in twenty packages, with some twelve thousand imports."""
    files: dict[str, Facts] = {}
    for number in range(2400):
        package, inner = divmod(number, 120)
        wanted = [f"p{package}.m{other}" for other in range(max(0, inner - 3), inner)]
        if package:
            wanted.append(f"p{package - 1}.m{inner * 7 % 120}")
        files[f"p{package}/m{inner}.py"] = facts(*wanted)
    for number in range(600):
        files[f"tests/test_{number}.py"] = facts(f"p{number % 20}.m{number * 11 % 120}")
    return Graph.build(discover(files), files)


def test_thousands_of_files_are_usable(browser: Browser, large: Graph, tmp_path: Path) -> None:
    """Found, looked at, zoomed; and what an edit reaches is what selection would run."""
    kinds = {path: "test" if path in large.tests else "source" for path in large.files}
    edges = [(e.importer, e.imported, e.kind) for p in large.files for e in large.imports(p)]
    page = tmp_path / "large.html"
    page.write_text(imports.render(kinds, edges, "large"))
    browser.open(page)
    for path in ("p3/m7.py", "p19/m119.py", "p0/m0.py", "tests/test_5.py"):
        browser.run(f"location.hash = '#{path}'")
        browser.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
        found = browser.run(PANEL)
        reached = set(large.affected([path]))
        tests = reached & set(large.tests)
        assert found["title"] == path
        assert found["figures"][:2] == [f"{len(tests):,}", f"{len(reached) - 1:,}"]
        assert found["figures"][2] == f"{len(large.closure([path])) - 1:,}"
    for key in "+++--0":
        browser.press(key)
    browser.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
    assert browser.faults() == []
