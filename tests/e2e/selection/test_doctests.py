"""Examples that pytest runs: in texts, and in modules that are no test files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

MakeLab = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLES = """
pytest.ini
    [pytest]
    pythonpath = .
    addopts = --doctest-modules --doctest-glob=*.md --doctest-glob=guides/*.rst
    testpaths = shop docs guides tests README.md
README.md
    Prices are whole numbers:

    >>> from shop import prices
    >>> prices.price(2)
    2
docs/plain.rst
    >>> 1 + 1
    3
docs/index.md
    Nothing to run here.
guides/start.rst
    >>> import shop.names
    >>> shop.names.NAME
    'shop'
shop/__init__.py
shop/__main__.py
    '''
    >>> 1 + 1
    3
    '''
shop/prices.py
    def price(n):
        '''
        >>> price(1)
        1
        '''
        return n * FACTOR
    FACTOR = 1
shop/names.py
    NAME = "shop"
shop/labels.py
    def label():
        '''
        >>> from shop.names import NAME
        >>> f"{NAME}: {label()}"
        'shop: label'
        '''
        return "label"
shop/rates.py
    import functools
    def rate():
        return 1
    @functools.lru_cache
    def kept():
        return rate()
shop/kept.py
    def first():
        '''
        >>> from shop.rates import kept
        >>> kept()
        1
        '''
    def second():
        '''
        >>> from shop.rates import kept
        >>> kept()
        1
        '''
shop/quiet.py
    def quiet():
        return 1
tests/test_quiet.py
    from shop.quiet import quiet
    def test_quiet():
        assert quiet() == 1
"""

STATIC = """
devloop.toml
    [tests]
    record = false
"""


def check_examples(project: Any) -> None:
    """Make the edits; what plain pytest shows to have changed is selected."""

    def check(path: str, old: str, new: str, *expected: str) -> set[str]:
        found: set[str] = project.check(project.edit(path, old, new), *expected)
        return found

    readme, guide = "README.md::README.md", "guides/start.rst::start.rst"
    price, label = "shop/prices.py::shop.prices.price", "shop/labels.py::shop.labels.label"
    quiet = "tests/test_quiet.py::test_quiet"
    # A text itself, and what it imports.
    assert check("README.md", "\n2", "\n3", readme) == {readme}
    assert guide in check("guides/start.rst", "'shop'", "'stop'", guide)
    assert quiet not in check("shop/names.py", '"shop"', '"stop"', guide, label)
    assert quiet not in check("shop/prices.py", "n * FACTOR", "n + 1", readme, price)
    check("shop/prices.py", "FACTOR = 1", "FACTOR = 2", readme, price)
    kept = [f"shop/kept.py::shop.kept.{name}" for name in ("first", "second")]
    assert quiet not in check("shop/rates.py", "return 1", "return 2", *kept)
    # A module's own examples, those of what it imports for them alone, and a new one.
    assert readme not in check("shop/labels.py", "label'\n    '''", "labels'\n    '''", label)
    check("shop/quiet.py", "    return", "    '>>> quiet()'\n    return", "shop.quiet.quiet")
    added = {"docs/more.md": ">>> 1\n2\n", "shop/more.py": "'''\n>>> 1\n2\n'''\n"}
    found = project.check(added, "docs/more.md::more.md", "shop/more.py::shop.more")
    assert quiet not in found
    # pytest imports each module, whether or not it holds examples.
    project.write({"shop/bare.py": "import no_such_one\n"})
    assert project.due().keys() == {"shop/bare.py"}
    project.write({"shop/bare.py": None})
    # What pytest does not run selects nothing.
    assert check("docs/plain.rst", "3", "4") == set()
    assert check("docs/index.md", "run here", "see here") == set()


def test_examples_by_the_imports(lab: MakeLab) -> None:
    """An edit of a text or module with examples selects them, and so does one of their imports."""
    check_examples(lab(EXAMPLES + STATIC))


def test_examples_by_records(recorded: MakeLab) -> None:
    """The same where functions are told apart; an edit of one selects the examples that ran it."""
    project = recorded(EXAMPLES)
    check_examples(project)
    guide = project.edit("guides/start.rst", "'shop'", "'stop'")
    assert project.check(guide) == {"guides/start.rst::start.rst"}
    found = project.check(
        project.edit("shop/labels.py", 'return "label"', 'return "mark"'), "shop.labels.label"
    )
    assert found == {"shop/labels.py"}


DEFAULTS = """
tests/test_notes.txt
    >>> import shop
    >>> shop.PRICE
    1
tests/test_cases.txt
    one
tests/notes.txt
    >>> 1
    2
test-requirements.txt
    pytest
shop.py
    PRICE = 1
conftest.py
tests/test_shop.py
    from pathlib import Path
    def test_cases():
        assert Path(__file__).with_name("test_cases.txt").read_text() == "one\\n"
"""


@pytest.mark.parametrize("static", [STATIC, ""])
def test_texts_that_pytest_finds_by_itself(lab: MakeLab, static: str) -> None:
    """`test*.txt` without any configuration; one that holds no examples is data, as ever."""
    project = lab(DEFAULTS + static)
    notes = "tests/test_notes.txt::test_notes.txt"
    assert notes in project.green
    project.check({"shop.py": "PRICE = 2\n"}, notes)
    project.check({"tests/test_cases.txt": "two\n"}, "::test_cases")
    project.check({"tests/test_cases.txt": "one\n\n>>> 1\n2\n"}, "::test_cases", "_cases.txt")
    project.check({"conftest.py": "import shop\nshop.PRICE = 3\n"}, notes)
    assert project.due() == {}


def test_a_text_that_is_named_and_none_where_doctests_are_off(lab: MakeLab) -> None:
    """A text in `testpaths`; with `-p no:doctest` nothing of it; an edit of that is noticed."""
    project = lab(
        """
        pytest.ini
            [pytest]
            testpaths = notes.rst tests
        notes.rst
            >>> 1
            1
        tests/test_a.py
            def test_a():
                pass
        tests/test_b.txt
            >>> 1
            1
        """
    )
    notes = "notes.rst::notes.rst"
    assert notes in project.green
    assert project.check({"notes.rst": ">>> 1\n2\n"}, notes) == {notes}
    off = "[pytest]\ntestpaths = tests\naddopts = -p no:doctest\n"
    project.write({"pytest.ini": off})
    assert project.ran() == {"tests/test_a.py::test_a"}
    assert project.due() == {}
    assert {*project.check({"tests/test_b.txt": ">>> 1\n2\n"})} <= {"tests/test_a.py::test_a"}


def test_the_first_run_has_all_examples_and_why_knows_them(lab: MakeLab) -> None:
    """Nothing is known yet: all examples are due, and those that fail say so (no false green)."""
    project = lab(EXAMPLES.replace("    2\n", "    5\n", 1), record=False)
    assert set(project.due()) >= {"README.md", "guides/start.rst", "shop/prices.py"}
    ran = project.ran(code=1)
    assert "README.md::README.md" in ran
    assert project.due().keys() == {"README.md::README.md"}
    project.write({"README.md": ">>> 1 + 1\n2\n"})
    assert project.ran() == {"README.md::README.md"}
    said = project.run("why", "README.md", "--file", "shop/prices.py").stdout
    assert "README.md" in said
    said = project.run("why", "guides/start.rst", "--file", "shop/names.py").stdout
    assert "shop/names.py" in said


CASES = """
pytest.ini
    [pytest]
    testpaths = tests
tests/conftest.py
    import pytest
    def pytest_collect_file(parent, file_path):
        if file_path.suffix == ".case":
            return Cases.from_parent(parent, path=file_path)
    class Cases(pytest.File):
        def collect(self):
            for name in self.path.read_text().split():
                yield Case.from_parent(self, name=name)
    class Case(pytest.Item):
        def runtest(self):
            assert self.name != "bad"
tests/one.case
    good
tests/test_it.py
    def test_it():
        pass
"""


@pytest.mark.parametrize("static", [STATIC, ""])
def test_files_that_only_a_plugin_collects(lab: MakeLab, static: str) -> None:
    """A first run has what pytest finds; from then on files of that kind are tests."""
    project = lab(CASES + static)
    assert set(project.green) == {"tests/one.case::good", "tests/test_it.py::test_it"}
    project.write({"tests/one.case": "good bad\n"})
    assert "tests/one.case::bad" in project.ran(code=1)
    project.write({"tests/one.case": "good\n"})
    assert project.ran() <= {"tests/one.case::good", "tests/test_it.py::test_it"}
    project.write({"tests/two.case": "bad\n"})
    assert "tests/two.case" in project.due()
    assert "tests/two.case::bad" in project.ran(code=1)
    assert set(project.due()) == {"tests/two.case::bad"}
    project.write({"tests/two.case": "fine\n"})
    assert "tests/two.case::fine" in project.ran()
    assert project.due() == {}


def test_a_first_example_in_a_module(recorded: MakeLab) -> None:
    """Nothing ran when pytest looked for examples there; it looked at the text all the same."""
    project = recorded("""
        devloop.toml
            [tests]
            args = ["--doctest-modules"]
        conftest.py
        shop/__init__.py
        shop/quiet.py
            def quiet():
                return 1
        test_quiet.py
            from shop.quiet import quiet
            def test_quiet():
                assert quiet() == 1
        """)
    project.write(project.edit("shop/quiet.py", "    return", "    '>>> quiet()'\n    return"))
    assert "shop/quiet.py" in project.due()
    assert "shop/quiet.py::shop.quiet.quiet" in project.ran(code=1)
