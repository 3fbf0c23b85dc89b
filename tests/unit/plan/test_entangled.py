"""Which modules cannot be held because of what comes before them."""

from __future__ import annotations

import msgspec
import pytest

from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout
from devloop.inside import source
from devloop.plan.entangled import entangled, reordered

PLACE = "ITEMS = []\ndef add(one):\n    ITEMS.append(one)\n    return one\n"
"""A module in which others register something."""


def graph_of(sources: dict[str, str]) -> Graph:
    """The graph of modules, given by their names and what they say."""
    facts = {
        f"{name}.py": msgspec.convert(source.facts(text.encode()), Facts, strict=False)
        for name, text in sources.items()
    }
    return Graph.build(Layout(), facts)


def found(sources: dict[str, str], edited: str = "edited") -> frozenset[str]:
    """Those that cannot be held once one of some modules, in their order, is edited."""
    modules = [(name, f"{name}.py") for name in sources]
    return entangled(graph_of(sources), modules, [f"{edited}.py"])


@pytest.mark.parametrize(
    "edited",
    [
        "import place\nplace.add(1)\n",
        "from place import ITEMS\nITEMS += [1]\n",
        "import place\nplace.ITEMS[0:] = [1]\n",
        "from place import add as register\n@register\ndef one(): pass\n",
        "from place import *\nadd(1)\n",
        "import place\nown = place.ITEMS\nown.append(1)\n",
        "try:\n    import place\nexcept ImportError:\n    pass\nelse:\n    place.add(2)\n",
        "import helper\nhelper.help()\n",
    ],
)
@pytest.mark.parametrize(
    "other", ["import place\nN = len(place.ITEMS)\n", "import place\nplace.add(2)\n"]
)
def test_what_looks_at_what_was_altered_is_not_held(edited: str, other: str) -> None:
    """Before it, it is."""
    helper = "import place\ndef help():\n    place.add(1)\n"
    first = {"place": PLACE, "helper": helper, "early": other}
    assert found({**first, "edited": edited, "late": other}) == {"late.py"}


@pytest.mark.parametrize(
    "edited",
    [
        "import place\nN = 1\n",
        "import place\ndef f():\n    place.add(1)\n",
        "from place import add\nf = lambda: add(1)\n",
        "ITEMS = []\nITEMS.append(1)\n",
        "from plain import twice\nFOUR = twice(2)\n",
    ],
)
def test_what_is_altered_by_nothing_is_held(edited: str) -> None:
    """Also where both modules call the same function, if there is nothing that it may alter."""
    late = "import place, plain\nN = len(place.ITEMS), plain.twice(2)\n"
    plain = "def twice(n):\n    return 2 * n\n"
    assert found({"place": PLACE, "plain": plain, "edited": edited, "late": late}) == frozenset()


def test_what_alters_something_that_was_seen_is_not_held() -> None:
    """The one that is worked on would see too much."""
    edited = "import place\nN = len(place.ITEMS)\n"
    late = "import place\nplace.add(1)\n"
    assert found({"place": PLACE, "edited": edited, "late": late}) == {"late.py"}


def test_bases_list_their_classes() -> None:
    """A base of a class that is from elsewhere may note each class that is derived from it."""
    base = "from orm import Model\nclass Base(Model): pass\n"
    model = "from base import Base\nclass {}(Base): pass\n"
    sources = {"base": base, "edited": model.format("A"), "late": model.format("B")}
    assert found({**sources, "plain": "X = 1\n"}) == {"late.py"}


def test_a_package_from_elsewhere_is_configured_by_statements_alone() -> None:
    """To call it for a value has no effect that matters; each module does."""
    late = "import structlog\nlog = structlog.get_logger()\n"
    edited = "import structlog\nstructlog.configure(wrapper=1)\n"
    assert found({"edited": edited, "late": late}) == {"late.py"}
    assert found({"edited": late, "late": late}) == frozenset()
    assert found({"edited": "import logging\nlogging.basicConfig()\n", "late": late}) == frozenset()


def test_who_imports_what_is_not_held_alters_as_well() -> None:
    """And so does what is not held because of another one."""
    sources = {
        "place": PLACE,
        "other": PLACE,
        "edited": "X = 1\n",
        "above": "import edited, place\nplace.add(1)\n",
        "next": "import place, other\nplace.add(2)\nother.add(1)\n",
        "last": "import other\nN = len(other.ITEMS)\n",
    }
    assert found(sources) == {"next.py", "last.py"}


def test_a_module_that_may_come_anywhere_comes_first() -> None:
    """No start has told where an edit imports it."""
    sources = {"place": PLACE, "late": "import place\nplace.add(1)\n"}
    graph = graph_of({**sources, "new": "import place\nplace.add(2)\n"})
    modules = [(name, f"{name}.py") for name in sources]
    assert entangled(graph, modules, [], ["new.py"]) == {"late.py"}


def test_imports_in_another_order_are_seen() -> None:
    """One that is left out is none, one that comes to stand before another is."""
    names = dict.fromkeys(("a", "b", "c"), "X = 1\n")
    held = [f"{name}.py" for name in names]

    def changes(before: str, after: str) -> bool:
        old, new = (graph_of({**names, "main": text}) for text in (before, after))
        return reordered(old, new, ["main.py"], held)

    assert changes("import a, b\n", "import b, a\n")
    assert changes("import b\n", "import a, b\n")
    assert not changes("import a, b, c\n", "import a, c\n")
    assert not changes("import a, b\n", "import a\nimport json\nimport b\nX = 1\n")
