"""Whatever is edited: no test whose outcome changed is left out.

Projects of a few small modules that import each other in every way, edited at random. First in
this process, with graph and records alone and a small stand-in for pytest; then through the
command line, with pytest's own outcomes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import discover
from devloop.inside import source
from devloop.select.category import category
from devloop.select.delta import Present
from devloop.select.learning import learn
from devloop.select.records import Ran, Records
from devloop.select.tests import due

MODULES = ("a.py", "b.py", "c.py", "pkg/__init__.py", "pkg/x.py", "pkg/sub/y.py", "tests/helper.py")
TESTS = ("test_top.py", "tests/test_one.py", "tests/inner/test_two.py")
CONFTESTS = ("conftest.py", "tests/conftest.py", "tests/inner/conftest.py")
DATA = ("data.txt",)

NAMES = ("a", "b", "c", "pkg", "pkg.x", "pkg.sub.y", "helper")
FORMS = (
    "import {name}\nparts.append({name}.total)",
    "from {name} import *\nparts.append(lambda: CONST)",
    "from {name} import total as one\nparts.append(one)",
    "def later():\n    import {name}\n    return {name}.total()\nparts.append(later)",
    "import importlib\nparts.append(importlib.import_module('{name}').total)",
    "import importlib\nwhole = '{name}'\nparts.append(importlib.import_module(whole).total)",
    "try:\n    import {name}\nexcept ImportError:\n    pass\nelse:\n    parts.append({name}.total)",
    "from importlib.util import find_spec\nparts.append(lambda: find_spec('{name}') is not None)",
    "from .x import total as near\nparts.append(near)",
    "from . import x\nparts.append(x.total)",
    "parts.append(lambda: len(open('data.txt').read()))",
)

MODULE = """\
parts = []
{imports}
CONST = {constant}
def total():
    return CONST + sum(part() for part in parts) + {added}
def test_it(given):
    assert total() + given == 1
"""

CONFTEST = """\
import pytest
@pytest.fixture
def given():
    parts = []
{imports}
    return {constant} + sum(part() for part in parts)
"""


def text_of(path: str, constant: int, added: int, forms: list[str], *, broken: bool) -> str:
    """The content of a file of the project."""
    if path in DATA:
        return "x" * constant
    if broken:
        return "def broken(:\n"
    if path in CONFTESTS:
        inside = [form for form in forms if "import *" not in form]
        imports = textwrap.indent("\n".join(inside), "    ")
        return CONFTEST.format(imports=imports, constant=constant)
    return MODULE.format(imports="\n".join(forms), constant=constant, added=added)


forms = st.builds(lambda form, name: form.format(name=name), st.sampled_from(FORMS),
                  st.sampled_from(NAMES))  # fmt: skip
some_forms = st.lists(forms, min_size=1, max_size=2)


@st.composite
def edits(draw: st.DrawFn, *, conftests_break: bool) -> tuple[str, str | None]:
    """A file and its next content; None where it is deleted."""
    paths = st.sampled_from((*MODULES, *MODULES, *TESTS, *CONFTESTS, *DATA))
    path = draw(paths)
    if draw(st.integers(0, 5)) == 0:
        return path, None
    content = text_of(
        path,
        draw(st.integers(0, 2)),
        draw(st.integers(0, 1)),
        draw(some_forms),
        broken=draw(st.integers(0, 9)) == 0 and (conftests_break or path not in CONFTESTS),
    )
    return path, content


RUNNER = """
import json, os, sys
outcomes = {}
for test in json.loads(sys.argv[1]):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            folder, _, name = test.rpartition("/")
            above = folder
            chain = ["conftest.py"]
            for part in folder.split("/") if folder else []:
                chain.append("/".join([*([] if len(chain) == 1 else [chain[-1].rpartition("/")[0]]),
                             part, "conftest.py"]))
            sys.path[:0] = [os.path.abspath(folder), os.getcwd(), os.path.abspath("tests")]
            names = {"__name__": "conftest", "given": None}
            sys.modules["pytest"] = pytest = type(sys)("pytest")
            pytest.fixture = lambda function: function
            for conftest in chain:
                if os.path.exists(conftest):
                    with open(conftest) as file:
                        exec(compile(file.read(), conftest, "exec"), names)
            module = __import__(name[:-3])
            said = str(module.total() + names["given"]())
        except BaseException as error:
            said = type(error).__name__
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        outcomes[test] = file.read()
    os.waitpid(child, 0)
print(json.dumps(outcomes))
"""


class Selecting(RuleBasedStateMachine):
    """Edits and runs in any order; what is not due has the outcome that was recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.files: dict[str, str] = {}
        self.graph = Graph.build(discover([]), {})
        self.records = Records()
        self.shown: dict[str, str] = {}

    @initialize(imports=st.fixed_dictionaries(dict.fromkeys((*MODULES, *TESTS), some_forms)))
    def begin(self, imports: dict[str, list[str]]) -> None:
        """All files are there, and import each other."""
        self.put("conftest.py", text_of("conftest.py", 0, 0, [], broken=False))
        self.put("data.txt", "x")
        for path, lines in imports.items():
            self.put(path, text_of(path, 1, 0, lines, broken=False))
        self.run()

    def put(self, path: str, content: str | None) -> None:
        """Write a file, or delete it, and take it into the graph as the loop does."""
        target = Path(self.folder.name, path)
        if content is None:
            target.unlink(missing_ok=True)
            self.files.pop(path, None)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
            self.files[path] = content
        layout = discover(self.files)
        if layout == self.graph.layout and not path.endswith(".txt"):
            self.graph = self.graph.with_file(path, None if content is None else facts(content))
        else:
            sources = {p: facts(c) for p, c in self.files.items() if p.endswith(".py")}
            self.graph = Graph.build(layout, sources)

    @property
    def contents(self) -> dict[str, bytes]:
        """The contents as selection sees them."""
        return {
            path: self.graph.files[path].fingerprint
            if path.endswith(".py")
            else blake2b(content.encode()).digest()
            for path, content in self.files.items()
        }

    def outcomes(self) -> dict[str, str]:
        """What each test really does."""
        tests = json.dumps(self.graph.tests)
        command = [sys.executable, "-I", "-S", "-B", "-c", RUNNER, tests]
        done = subprocess.run(
            command, cwd=self.folder.name, capture_output=True, text=True, check=True, timeout=60
        )
        found: dict[str, str] = json.loads(done.stdout)
        return found

    @rule(edit=edits(conftests_break=True))
    def edit(self, edit: tuple[str, str | None]) -> None:
        """Change one file."""
        self.put(*edit)

    @rule(path=st.sampled_from((*MODULES, *MODULES, *CONFTESTS, *DATA)))
    def bump(self, path: str) -> None:
        """Change a constant, and nothing else."""
        if path in DATA:
            self.put(path, self.files.get(path, "") + "x")
        elif path in self.files:
            self.put(path, re.sub(r"(CONST =|return) 1", r"\1 3", self.files[path]))

    @rule(path=st.sampled_from(MODULES), onto=st.sampled_from(MODULES))
    def rename(self, path: str, onto: str) -> None:
        """Move a module over another one."""
        if path in self.files and path != onto:
            content = self.files[path]
            self.put(path, None)
            self.put(onto, content)

    @rule()
    def run(self) -> None:
        """Run what is due, and record it."""
        chosen = {file.path for file in self.due()}
        now = self.outcomes()
        ran = Ran(
            {path + "::test_it": (path, "passed", 0.0) for path in chosen},
            {path: frozenset({path + "::test_it"}) for path in chosen},
        )
        self.records = self.records.with_learned(learn(self.present(), ran, frozenset()))
        self.shown.update({path: now[path] for path in chosen})
        assert not self.due()

    def present(self) -> Present:
        """What selection knows."""
        return Present(self.graph, self.records, self.contents, category, lambda _: {})

    def due(self) -> tuple[Any, ...]:
        """The test files that are due."""
        return due(self.present()).files

    @invariant()
    def nothing_that_changed_is_left_out(self) -> None:
        """What is not due does what it did when it was recorded."""
        chosen = {file.path: file.reason for file in self.due()}
        now = self.outcomes()
        for path in self.graph.tests:
            if path not in chosen:
                note(f"{path}: {self.shown[path]} then, {now[path]} now")
                assert self.shown[path] == now[path]

    def teardown(self) -> None:
        """Remove the project."""
        self.folder.cleanup()


def facts(text: str) -> Facts:
    """The facts of a source."""
    return msgspec.json.decode(msgspec.json.encode(source.facts(text.encode())), type=Facts)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks for each test")
def test_no_edit_leaves_out_a_test_whose_outcome_changed() -> None:
    """By graph and records alone, over sequences of edits and runs."""
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Selecting,
        settings=settings(
            max_examples=int(os.environ.get("SELECTION_EXAMPLES", "12")),
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
def test_no_edit_leaves_out_a_test_whose_outcome_pytest_shows_to_have_changed(
    lab: Callable[..., Any],
) -> None:
    """Through the command line: edits of a recorded project, each held to plain pytest.

    A conftest.py that cannot be imported is left to the other test: where it lies in a folder
    ``test*``, pytest loads it before all tests, those outside that folder too, and runs none.
    """
    paths = (*MODULES, *DATA, "conftest.py")
    start = {path: text_of(path, 0, 0, [], broken=False) for path in paths}
    importing = {
        "test_top.py": ["import a\nparts.append(a.total)"],
        "tests/test_one.py": ["import pkg.x\nparts.append(pkg.x.total)"],
        "tests/inner/test_two.py": ["from c import *"],
    }
    tests = {path: text_of(path, 1, 0, lines, broken=False) for path, lines in importing.items()}
    project = lab("pytest.ini\n    [pytest]\n", record=False)
    project.write({**start, **tests})
    # What is imported by its name alone is found in the folder of the tests, as pytest has it.
    project.environment["PYTHONPATH"] = str(project.root)
    project.record()

    @settings(
        max_examples=int(os.environ.get("PYTEST_EXAMPLES", "6")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.lists(edits(conftests_break=False), min_size=1, max_size=3))
    def holds(changes: list[tuple[str, str | None]]) -> None:
        files: Mapping[str, str | None] = {
            path: content
            for path, content in changes
            if content is not None or (project.root / path).exists()
        }
        project.check(files)

    holds()
