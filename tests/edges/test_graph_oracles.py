"""The graphs of flask, click and httpx against those of grimp and ruff.

An edge that one of them finds and we do not has to be explained here. We may find more: they
know nothing of strings, conftests and packages above.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.execute.parsing import Parsers
from devloop.graph.graph import Graph
from devloop.graph.layout import discover

pytestmark = pytest.mark.real
projects = pytest.mark.parametrize("name", ["flask", "click", "httpx"])

EXPLAINED: dict[tuple[str, str, str], str] = {}
"""Why an edge is none of ours: by project, importer and imported."""

GRIMP = """
import json, sys, grimp
graph = grimp.build_graph(sys.argv[1], cache_dir=None)
edges = [
    (importer, imported)
    for importer in graph.modules
    for imported in graph.find_modules_directly_imported_by(importer)
]
print(json.dumps(edges))
"""

LOADED = """
import importlib, json, os, sys
found = {}
for name in sys.argv[1:]:
    reader, writer = os.pipe()
    if os.fork() == 0:
        importlib.import_module(name)
        files = [getattr(module, "__file__", None) for module in sys.modules.values()]
        inside = [os.path.relpath(file) for file in files if file]
        os.write(writer, json.dumps([file for file in inside if file[0] != "."]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found[name] = json.load(pipe)
    os.wait()
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def graph_of(real_source: Callable[[str], Path]) -> Callable[[str], Graph]:
    """The graph of a project, parsed by real workers."""
    graphs: dict[str, Graph] = {}

    async def read(root: Path, files: list[str]) -> Graph:
        async with Parsers(sys.executable, root) as parsers:
            parsed = await parsers.parse(path for path in files if path.endswith(".py"))
        return Graph.build(discover(files), {path: one.facts for path, one in parsed.items()})

    def graph(name: str) -> Graph:
        if name not in graphs:
            root = real_source(name)
            files = [path.relative_to(root).as_posix() for path in root.rglob("*.*")]
            graphs[name] = anyio.run(read, root, files)
        return graphs[name]

    return graph


def ruff(root: Path, *options: str) -> set[tuple[str, str]]:
    """The edges that ruff finds."""
    command = [str(Path(sys.executable).with_name("ruff")), "analyze", "graph", "--isolated"]
    command += ["--quiet", "--config", 'src=["src", ".", "tests"]', *options]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {(importer, imported) for importer in found for imported in found[importer]}


def check(name: str, oracle: set[tuple[str, str]], ours: set[tuple[str, str]]) -> None:
    """Each edge of an oracle is ours, or explained."""
    assert len(oracle) > 40
    missing = {(importer, imported) for importer, imported in oracle - ours if importer != imported}
    assert {edge for edge in missing if (name, *edge) not in EXPLAINED} == set()


def edges(graph: Graph) -> set[tuple[str, str]]:
    """Our edges."""
    return {(e.importer, e.imported) for path in graph.files for e in graph.imports(path)}


def run(root: Path, program: str, *arguments: str) -> Any:
    """What a program prints as JSON that sees the project's package before an installed one."""
    source = root / "src" if (root / "src").is_dir() else root
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(source)},
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@projects
def test_ruff(
    name: str, real_source: Callable[[str], Path], graph_of: Callable[[str], Graph]
) -> None:
    """Every edge that ruff finds is one of ours."""
    check(name, ruff(real_source(name)), edges(graph_of(name)))


@projects
def test_ruff_with_strings(
    name: str, real_source: Callable[[str], Path], graph_of: Callable[[str], Graph]
) -> None:
    """Every module that ruff finds in a string is found by us."""
    oracle = ruff(real_source(name), "--detect-string-imports", "--min-dots", "1")
    check(name, oracle, edges(graph_of(name)))


@projects
def test_grimp(
    name: str, real_source: Callable[[str], Path], graph_of: Callable[[str], Graph]
) -> None:
    """Every edge that grimp finds in the package is one of ours."""
    graph = graph_of(name)
    oracle: set[tuple[str, str]] = set()
    for importer, imported in run(real_source(name), GRIMP, name):
        ((one,), (other,)) = graph.module_paths(importer), graph.module_paths(imported)
        oracle.add((one, other))
    check(name, oracle, edges(graph))


@pytest.mark.parametrize("name", ["click", "httpx"])  # what flask imports is not installed here
def test_python_itself(
    name: str, real_source: Callable[[str], Path], graph_of: Callable[[str], Graph]
) -> None:
    """Whatever Python loads for a module is in its closure; typing edges are not followed."""
    graph = graph_of(name)
    names = {
        graph.layout.module_names(path)[0]: path
        for path in graph.files
        if path.removeprefix("src/").startswith(name + "/")
        and not path.endswith(("__main__.py", "_winconsole.py"))
    }
    loaded = run(real_source(name), LOADED, *names)
    assert len(loaded) > 10
    for module, files in loaded.items():
        assert names[module] in files
        assert set(files) <= graph.closure([names[module]])
