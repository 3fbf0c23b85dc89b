"""The text forms of `affected`, `why` and `graph`."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest

from devloop.report import tables
from devloop.report.paint import Paint

PLAIN = Paint()


def text(value: str) -> str:
    """An indented block."""
    return textwrap.dedent(value).lstrip("\n")


def selection(**parts: Any) -> dict[str, Any]:
    """The form of `affected --format json`."""
    empty: dict[str, Any] = {
        "v": 1,
        "changes": [],
        "tests": [],
        "all": False,
        "all_reason": None,
        "steps": [],
        "apps": [],
    }
    return empty | parts


def because(kind: str, *chain: str, detail: str | None = None) -> dict[str, Any]:
    """A reason's JSON form."""
    return {"kind": kind, "chain": list(chain), "detail": detail}


def test_affected_lists_everything_with_its_reason() -> None:
    """Changes, tests, steps and apps, in two columns; tests of one file are one row."""
    via = because("imports", "tests/test_api.py", "shop/api.py", "shop/cart.py")
    data = selection(
        changes=[
            {"path": "shop/cart.py", "kind": "modified"},
            {"path": "shop/new.py", "kind": "created"},
        ],
        tests=[
            {"nodeid": "tests/test_cart.py::test_a", "reason": because("failed")},
            {"nodeid": "tests/test_api.py::test_a", "reason": via},
            {"nodeid": "tests/test_api.py::test_b", "reason": via},
        ],
        steps=[{"name": "css", "reason": because("input", "css", "styles/a.css")}],
        apps=[{"name": "web", "reason": because("imports", "web", "a.py", "b.py", "c.py", "d.py")}],
    )
    assert tables.affected(data, PLAIN) == text(
        """
        2 changes
          shop/cart.py
          shop/new.py  created

        3 tests (2 import it, 1 failed before)
          tests/test_cart.py::test_a   it failed when it last ran
          tests/test_api.py (2 tests)  ← shop/api.py ← shop/cart.py

        1 step
          css  ← styles/a.css

        1 app
          web  ← a.py ← … 2 more … ← d.py
        """
    )


def test_affected_says_why_everything_is_selected() -> None:
    """One sentence stands for the reason of each."""
    data = selection(
        changes=[{"path": "pyproject.toml", "kind": "modified"}],
        tests=[{"nodeid": "tests/test_a.py", "reason": because("all", "tests/test_a.py")}],
        all=True,
        all_reason="pyproject.toml configures pytest",
    )
    assert tables.affected(data, PLAIN) == text(
        """
        1 change
          pyproject.toml

        all tests: pyproject.toml configures pytest
          tests/test_a.py
        """
    )


def test_affected_says_so_where_there_is_nothing() -> None:
    """An empty answer is an answer."""
    assert tables.affected(selection(), PLAIN) == "nothing is affected\n"


def test_why_draws_the_whole_chain() -> None:
    """No link is left out, and the changed file is the last."""
    chain = ("tests/test_api.py", "tests/conftest.py", "shop/api.py", "shop/tax.py", "shop/cart.py")
    assert tables.why("tests/test_api.py", because("conftest", *chain), PLAIN) == text(
        """
        tests/test_api.py is selected: it depends on shop/cart.py
          tests/test_api.py
          └─ tests/conftest.py  conftest
             └─ shop/api.py
                └─ shop/tax.py
                   └─ shop/cart.py
        """
    )


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (None, "t.py is not affected: nothing that it depends on has changed"),
        (because("edited", "t.py"), "t.py is selected: it was edited"),
        (because("odd", detail="it is so"), "t.py is selected: it is so"),
    ],
)
def test_why_is_one_sentence_without_a_chain(reason: dict[str, Any] | None, sentence: str) -> None:
    """What is not affected, or stands for itself, needs no tree."""
    assert tables.why("t.py", reason, PLAIN) == f"{sentence}\n"


def test_graph_draws_both_directions() -> None:
    """Kinds that are not plain imports are named; what was shown above is not shown again."""
    money = {"path": "shop/money.py", "kind": "imports"}
    data = {
        "path": "shop/cart.py",
        "imports": [
            {"path": "shop/tax.py", "kind": "imports", "children": [money]},
            {"path": "shop/types.py", "kind": "typing"},
            money | {"repeated": True},
        ],
        "importers": [],
    }
    assert tables.graph(data, PLAIN) == text(
        """
        shop/cart.py
        imports
        ├─ shop/tax.py
        │  └─ shop/money.py
        ├─ shop/types.py  for type checkers only
        └─ shop/money.py  above
        is imported by nobody
        """
    )


def test_colours_change_nothing_but_colours() -> None:
    """Columns stay aligned, whatever is painted."""
    import re

    data = selection(
        changes=[{"path": "a.py", "kind": "deleted"}, {"path": "日本.py", "kind": "created"}]
    )
    painted = tables.affected(data, Paint(color=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == tables.affected(data, PLAIN)
    assert "  a.py     deleted\n  日本.py  created\n" in tables.affected(data, PLAIN)


def test_rich_is_not_imported_for_a_short_answer() -> None:
    """`devloop affected` must be quick: the terminal's library is left out."""
    program = (
        "import sys; from devloop.report import tables; from devloop.report.paint import Paint;"
        "tables.why('t.py', None, Paint(color=True)); assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_dot_holds_files_without_edges() -> None:
    """Each once; those with edges are named by them."""
    edges = [{"importer": "a.py", "imported": "b.py", "kind": "imports"}]
    text = tables.dot(["a.py", "b.py", 'lone "one".py'], edges)
    assert text.splitlines()[3:] == [r'  "lone \"one\".py";', '  "a.py" -> "b.py";', "}"]


def test_the_kinds_of_reasons_are_counted_where_there_are_several() -> None:
    """The most frequent first."""
    tests = [
        {"nodeid": f"test_a.py::{n}", "reason": {"kind": kind, "chain": ["test_a.py", "lib.py"]}}
        for n, kind in enumerate(["ran", "mentions", "ran"])
    ]
    data = {"changes": [], "tests": tests, "all": False, "steps": [], "apps": []}
    assert "3 tests (2 ran what was edited, 1 mention it)" in tables.affected(data, PLAIN)


def test_why_says_which_edits_would_select_a_test() -> None:
    """Of which functions, and of statements by which way."""
    found = {
        "functions": [f"lib.py::f{n}" for n in range(10)],
        "recorded": True,
        "statements": {"kind": "imports", "chain": ["test_a.py", "lib.py"]},
        "content": None,
    }
    text = tables.would("test_a.py::a", "lib.py", found, PLAIN)
    assert "test_a.py::a would be selected by an edit of lib.py" in text
    assert "of the functions that it ran: f0, f1, f2, f3, f4, f5, f6, f7 and 2 more" in text
    assert "test_a.py ← lib.py" in text
    nothing = {"functions": [], "recorded": True, "statements": None, "content": None}
    assert "would not be selected" in tables.would("a", "b", nothing, PLAIN)


def test_what_is_not_affected_says_what_it_depends_on() -> None:
    """How much of each kind."""
    text = tables.why("test_a.py::a", None, PLAIN, {"functions": 3, "files": 1})
    assert "depended on 1 file, 3 functions" in text
