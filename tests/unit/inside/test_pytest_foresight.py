"""What of pytest's plugins may be a fixture, found before the run is wanted."""

from __future__ import annotations

import types
from collections.abc import Iterator

import pytest
from _pytest import fixtures

from devloop.inside import pytest_foresight as foresight


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Leave pytest as it was."""
    yield
    foresight.forget()


def plugin() -> types.ModuleType:
    """A plugin with a fixture among other things."""
    module = types.ModuleType("plugin")
    namespace = vars(module)
    source = (
        "import os, re\nfrom typing import Any\nimport pytest\n"
        "LIMIT = 3\nclass Helper: pass\ndef help(): pass\n"
        "@pytest.fixture\ndef wanted(): pass\n"
    )
    exec(source, namespace)
    return module


def looked_at(holder: object) -> list[str]:
    """The names that pytest looks at."""
    names = vars(fixtures).get("dir", dir)(holder)
    assert isinstance(names, list)
    return names


def test_plain_names_are_passed_over() -> None:
    """Of a plugin pytest looks at what may be a fixture, and not at the rest."""
    module = plugin()
    foresight.foresee([module, object()])

    names = looked_at(module)

    assert names == ["wanted"]


@pytest.mark.parametrize(("change", "name"), [("more = 1", "more"), ("LIMIT = 4", "LIMIT")])
def test_what_has_been_put_into_a_plugin_since_is_looked_at(change: str, name: str) -> None:
    """A conftest.py may put a fixture there."""
    module = plugin()
    foresight.foresee([module])

    exec(change, vars(module))

    assert looked_at(module) == sorted([name, "wanted"])


def test_others_are_looked_at_as_ever() -> None:
    """What was not known before, as a conftest.py, is looked at in full, and so is an object."""
    foresight.foresee([plugin()])
    other = plugin()

    assert looked_at(other) == dir(other)
    assert looked_at(foresight) == dir(foresight)


def test_objects_of_pytests_own_are_looked_at_by_their_class() -> None:
    """They are registered later; their classes hold no fixture, as long as none is added."""
    from _pytest import terminal

    foresight.foresee([terminal])
    reporter = object.__new__(terminal.TerminalReporter)
    assert looked_at(reporter) == []

    terminal.TerminalReporter.added = 1  # type: ignore[attr-defined]
    try:
        assert looked_at(reporter) == ["added"]
    finally:
        del terminal.TerminalReporter.added  # type: ignore[attr-defined]
