"""How long it takes to find what is due: 2,000 tests that ran 30,000 functions between them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import discover
from devloop.inside import source
from devloop.select.category import category
from devloop.select.delta import Present
from devloop.select.learning import learn
from devloop.select.outlines import Outline, decode
from devloop.select.recorded import Recording
from devloop.select.records import Ran, Records
from devloop.select.tests import due
from tests.benchmarks.figures import Figure

MODULES, FUNCTIONS, FILES, TESTS, RAN = 100, 30, 100, 20, 14
LIMIT = 30.0
"""Milliseconds."""

EDITS = {
    "nothing": ("", ""),
    "one function body": ("return a + CONST5 + 3", "return a - 3"),
    "a constant": ("CONST5 = 5", "CONST5 = 6"),
    "a statement of unknown effect": ("CONST5 = 5", "CONST5 = print(6)"),
}


class _Project:
    """A project all of whose tests have passed."""

    def __init__(self) -> None:
        chosen = random.Random(1)
        self.packed: dict[bytes, bytes] = {}
        self.texts = {f"src/m{i}.py": _module(i) for i in range(MODULES)}
        for t in range(FILES):
            self.texts[f"tests/test_{t}.py"] = _tests(t)
        files = {path: self.read(text) for path, text in self.texts.items()}
        self.graph = Graph.build(discover([*files, "pyproject.toml"]), files)
        self.contents = {path: facts.fingerprint for path, facts in files.items()}
        tests = {}
        whole = {}
        for t in range(FILES):
            path = f"tests/test_{t}.py"
            names = [f"test_{n}" for n in range(TESTS)]
            for name in names:
                ran = [
                    (m, chosen.randrange(FUNCTIONS)) for m in chosen.choices(range(MODULES), k=RAN)
                ]
                functions = {f"f src/m{m}.py::f{m}_{k}" for m, k in ran}
                tests[f"{path}::{name}"] = frozenset({f"f {path}::{name}", *functions})
            whole[path] = frozenset(f"{path}::{name}" for name in names)
        run = Ran(
            {nodeid: (nodeid.partition("::")[0], "passed", 0.01) for nodeid in tests},
            whole,
            recording=Recording(tests),
        )
        self.records = Records()
        learned = learn(self.present(), run, frozenset())
        self.entries = learned

    def read(self, text: str) -> Facts:
        facts, packed = source.read(text.encode())
        read = msgspec.json.decode(msgspec.json.encode(facts), type=Facts)
        self.packed[read.fingerprint] = packed
        return read

    def load(self, fingerprints: Iterable[bytes]) -> Mapping[bytes, Outline]:
        return {one: decode(self.packed[one]) for one in fingerprints if one in self.packed}

    def present(self) -> Present:
        return Present(self.graph, self.records, self.contents, category, self.load)

    def edited(self, old: str, new: str) -> Present:
        """What selection knows after an edit of one module; nothing is unpacked yet."""
        path = "src/m5.py"
        facts = self.read(self.texts[path].replace(old, new, 1))
        contents = {**self.contents, path: facts.fingerprint}
        records = Records().with_learned(self.entries)
        return Present(self.graph.with_file(path, facts), records, contents, category, self.load)


def measure(_work: Path, rounds: int) -> Iterator[Figure]:
    """Measure it.

    Args:
        rounds: how often.

    Yields:
        A figure for each kind of edit; each time from packed records and outlines.
    """
    project = _Project()
    for what, (old, new) in EDITS.items():
        samples, count = [], 0
        for _ in range(rounds):
            present = project.edited(old, new)
            began = time.perf_counter()
            found = due(present)
            samples.append((time.perf_counter() - began) * 1000)
            count = sum(len(file.nodeids) or TESTS for file in found.files)
        note = f"{count} of {FILES * TESTS:,} tests"
        yield Figure(f"find what is due after an edit of {what}", "ms", samples, LIMIT, note=note)


def _module(number: int) -> str:
    lines = [f"import m{other}" for other in range(0, number, 7)] + [f"CONST{number} = {number}"]
    lines += [
        f"def f{number}_{k}(a):\n    return a + CONST{number} + {k}" for k in range(FUNCTIONS)
    ]
    return "\n".join(lines) + "\n"


def _tests(number: int) -> str:
    lines = [f"import m{(number * 3 + step) % MODULES}" for step in range(8)]
    lines += [f"def test_{n}(): pass" for n in range(TESTS)]
    return "\n".join(lines) + "\n"
