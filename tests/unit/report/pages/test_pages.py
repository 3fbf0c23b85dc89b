"""The text of the pages: whole, escaped, and without anything from elsewhere."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.errors import UsageError
from devloop.plan.measures import Measure
from devloop.plan.statistics import summarise
from devloop.report.pages import delivery, imports, statistics
from devloop.report.pages.charts import ceiling
from devloop.select.proofs import FlakyTest, Proofs
from devloop.select.records import Verdict

EVIL = 'a</script><script>alert("1")</script>\udcff&<b>.py'


class Parsed(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it, and where it leads."""
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action")]


def page_of_statistics(name: str = "shop") -> str:
    """A page with something in each of its parts."""
    measures = [Measure(60.0 * n, "change", "passed", n / 7, 1, n, 10) for n in range(9)]
    verdicts = [Verdict(name, "x", "passed", 1.0, 1)]
    proofs = Proofs({name: FlakyTest(name, 2, 1.0)})
    return statistics.render(msgspec.to_builtins(summarise(measures, verdicts, proofs)), name)


def page_of_imports(name: str = "a.py") -> str:
    """A page of two files."""
    edges = [(name, "b.py", "imports")]
    return imports.render({name: "test", "b.py": "source"}, edges, name, "b.py")


@pytest.mark.parametrize("page", [page_of_statistics(), page_of_imports()])
def test_a_page_asks_nobody_for_anything(page: str) -> None:
    """No address in it, in tags, styles or scripts; and its policy forbids all others."""
    assert Parsed(page).addresses == ["data:,"]
    assert not re.search(r"https?:|//cdn|@import|url\(", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize("make", [page_of_statistics, page_of_imports])
def test_names_are_text_whatever_they_hold(make: object) -> None:
    """No name ends a script or opens a tag."""
    assert callable(make)
    plain, evil = Parsed(make()), Parsed(make(EVIL))
    assert evil.tags == plain.tags
    make(EVIL).encode()


def test_the_script_finds_files_and_edges() -> None:
    """As plain values, with what they are and where the page begins."""
    found = re.search(r'id="data">(.*?)</script>', page_of_imports())
    assert found is not None
    data = json.loads(found[1])
    assert [(f[0], f[3]) for f in data["files"]] == [("a.py", "test"), ("b.py", "source")]
    assert data["edges"] == [[0, 1, data["kinds"].index("imports")]]
    assert data["focus"] == 1


def test_nothing_measured_is_a_page_as_well() -> None:
    """It says what would measure."""
    page = statistics.render(msgspec.to_builtins(summarise([], [], Proofs())), "shop")
    assert "devloop watch" in page
    assert "section" not in Parsed(page).tags


@given(st.floats(1e-6, 1e9))
def test_an_axis_ends_at_a_round_number(value: float) -> None:
    """Not below the greatest bar, and not far above it."""
    top = ceiling(value)
    assert value <= top * (1 + 1e-9)
    assert top <= value * 2.01
    assert float(f"{top:.3g}") == pytest.approx(top)


class Terminal(io.StringIO):
    """Somebody looks on."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_a_page_goes_into_a_file_at_a_terminal(tmp_path: Path) -> None:
    """And its address to the person; elsewhere the page itself is the output."""
    stream = Terminal()
    delivery.deliver("<p>", tmp_path, "graph.html", stream)
    assert stream.getvalue() == f"file://{tmp_path}/.devloop/graph.html\n"
    assert (tmp_path / ".devloop/graph.html").read_text() == "<p>"
    piped = io.StringIO()
    delivery.deliver("<p>", tmp_path, "x.html", piped)
    assert piped.getvalue() == "<p>"


def test_a_folder_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    """With what to do instead."""
    (tmp_path / ".devloop").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        delivery.deliver("<p>", tmp_path, "graph.html", Terminal())
