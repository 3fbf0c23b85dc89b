"""Graphs from a tree of sources, given as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import discover
from devloop.inside import source


@pytest.fixture(scope="session")
def facts_of() -> Callable[[str], Facts]:
    """The facts of a source."""

    def facts(text: str) -> Facts:
        return msgspec.json.decode(msgspec.json.encode(source.facts(text.encode())), type=Facts)

    return facts


@pytest.fixture(scope="session")
def build(
    tree: Callable[[str], dict[str, str]], facts_of: Callable[[str], Facts]
) -> Callable[..., Graph]:
    """A graph of a tree of files, as the `tree` fixture reads it; options are `discover`'s."""

    def build(text: str, **options: Any) -> Graph:
        files = tree(text)
        return Graph.build(
            discover(files, **options), {path: facts_of(body) for path, body in files.items()}
        )

    return build
