"""Whatever is edited: no test whose outcome changed is left out, by what the tests have recorded.

Projects of a few modules, made at random of what code is made of (functions that call each other,
constants, defaults, classes, caches, lazy imports, data files), edited by mutants, and held to
plain pytest.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.benchmarks.selection.mutants import Mutant, of_project

MakeLab = Callable[..., Any]

MODULES = 5
PROJECTS = int(os.environ.get("SELECTION_PROJECTS", "1"))
EDITS = int(os.environ.get("SELECTION_EDITS", "10"))

SHAPE = '''\
import functools
import os
import traceback
{imports}
CONST = {a}
TABLE = {{"k": CONST + {b}}}
DEFAULT = {c}


def helper(n={d}):
    """What it adds."""
    return n + {e}


def decorate(function):
    @functools.wraps(function)
    def run(*args):
        return function(*args) + {f}

    return run


class Base:
    attr = {g}

    def __init_subclass__(cls):
        cls.made = helper({h})

    def method(self, n=1):
        return self.hook() + n

    def hook(self):
        return {a}

    @property
    def prop(self):
        return self.attr + CONST


class Derived(Base):
    limit = TABLE["k"]

    def hook(self):
        return {b} if self.limit > 1 else {c}

    @functools.cached_property
    def kept(self):
        return helper(self.limit)


@functools.lru_cache
def cached(n=DEFAULT):
    return helper(n) + {use}


_memo = {{}}


def memo(n):
    if n not in _memo:
        _memo[n] = cached(n) * {e}
    return _memo[n]


@decorate
def top(n):
    if n > {f}:
        return memo(n)
    return {use2} + (lambda: {g})()


def factory(extra):
    def wrap(function):
        @functools.wraps(function)
        def run(*args):
            return function(*args) + extra

        return run

    return wrap


@factory(CONST)
def wrapped(n={e}):
    return n + {use}


class Filled:
    def __init__(self, n={c}):
        self.n = n + {d}


REGISTRY = []


def register(function):
    REGISTRY.append(function)
    return function


@register
def entry(n: CONST = {f}):
    return n


MADE = Filled(CONST)
BUILT = helper(DEFAULT)


def steps():
    yield helper()
    yield {use}


def reads():
    with open("data/{number}.txt") as file:
        return len(file.read()) + os.path.exists("data/absent.txt")


class Twin:
    @property
    def both(self):
        return self._both + {a}

    @both.setter
    def both(self, value):
        self._both = value + {use}


def set_both(n=1):
    twin = Twin()
    twin.both = n
    return twin._both


def get_both():
    twin = Twin()
    twin._both = {h}
    return twin.both


if CONST > {g}:
    SIDE = {a}

    def pick(n={h}):
        return n + {use}

else:
    SIDE = DEFAULT

    def pick(n=CONST):
        return n * {b}


def fails(n):
    return n // (CONST - CONST)


def shows():
    try:
        return fails({c})
    except ZeroDivisionError:
        shown = traceback.format_exc().partition("in fails")[0]
        return int(shown.rpartition("line ")[2].strip(", "))


def __getattr__(name):
    if name == "old":
        return {d} + CONST
    raise AttributeError(name)
'''


def module(chance: random.Random, number: int) -> str:
    """One module; it imports some of those with lower numbers, in several ways."""
    others = chance.sample(range(number), min(2, number))
    imports = []
    uses = ["1", "CONST", "Derived.made", "Derived().prop", "Base().method()"]
    for other in others:
        name = f"m{other}"
        way = chance.randrange(3)
        if way == 0:
            imports.append(f"import {name}")
            uses += [f"{name}.CONST", f"{name}.top(3)", f"{name}.Derived.limit", f"{name}.memo(1)"]
        elif way == 1:
            imports.append(f"from {name} import Derived as D{other}, memo as memo{other}")
            uses += [f"D{other}().hook()", f"memo{other}(2)", f"D{other}.attr"]
        else:
            uses += [f"__import__('{name}').helper()", f"__import__('{name}').TABLE['k']"]
    numbers = {letter: chance.randint(1, 4) for letter in "abcdefgh"}
    return SHAPE.format(
        imports="\n".join(imports),
        use=chance.choice(uses),
        use2=chance.choice(uses),
        number=number,
        **numbers,
    )


ASKED = (
    "m.top(1)", "m.top(5)", "m.memo(1)", "m.cached()", "m.Derived().kept", "m.Derived.made",
    "m.Base().method()", "list(m.steps())", "m.reads()", "m.TABLE['k']", "m.helper()",
    "m.wrapped()", "m.MADE.n", "m.BUILT", "m.Filled().n", "[f() for f in m.REGISTRY]",
    "vars(m)['CONST']", "getattr(m, 'MA' + 'DE').n", "eval('m.DEFAULT')",
    "m.set_both()", "m.get_both()", "m.SIDE", "m.pick()", "m.shows()", "m.old",
    "m.entry.__annotations__['n']", "m.helper.__defaults__[0]", "hasattr(m.Derived.prop, 'fget')",
)  # fmt: skip

CONFTEST = """\
import pytest
import m0
@pytest.fixture(scope="session")
def shared():
    return m0.memo(1)
@pytest.fixture
def ending():
    yield m0.helper()
    assert m0.Base.attr
"""


def project_of(chance: random.Random) -> dict[str, str]:
    """The files of a project, without what its tests expect."""
    files = {f"m{number}.py": module(chance, number) for number in range(MODULES)}
    files["pytest.ini"] = "[pytest]\npythonpath = .\n"
    files["conftest.py"] = CONFTEST
    for number in range(MODULES):
        files[f"data/{number}.txt"] = "x" * chance.randint(1, 5) + "\n"
    return files


def expectations(chance: random.Random, shown: dict[str, Any]) -> dict[str, str]:
    """The test files: what each question about each module is answered when nothing is edited."""
    files = {}
    for number in range(MODULES):
        lines = [f"import m{number} as m"]
        for at, asked in enumerate(chance.sample(ASKED, 12)):
            fixture = chance.choice(["", "", "shared", "ending"])
            lines += [
                f"def test_{at}({fixture}):",
                f"    assert {asked} == {shown[f'm{number} {asked}']}",
            ]
            if fixture == "shared":
                lines.append(f"    assert shared == {shown['m0 m.memo(1)']}")
        files[f"tests/test_{number}.py"] = "\n".join(lines) + "\n"
    return files


ASK = """\
import importlib, json, sys
asked = json.loads(sys.argv[1])
sys.path.insert(0, ".")
found = {}
for name in asked["modules"]:
    m = importlib.import_module(name)
    for one in asked["asked"]:
        found[f"{name} {one}"] = eval(one)
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(PROJECTS))
def test_no_mutant_leaves_out_a_test_whose_outcome_it_changes(recorded: MakeLab, seed: int) -> None:
    """On a project made at random; some of its mutants, the classes in turn."""
    chance = random.Random(seed)
    files = project_of(chance)
    project = recorded("README.md\n    A project.\n", record=False)
    project.write(files)
    asked = json.dumps({"modules": [f"m{n}" for n in range(MODULES)], "asked": ASKED})
    command = [project.python, "-B", "-c", ASK, asked]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=True)
    project.write(expectations(chance, json.loads(done.stdout)))
    project.record()
    sources = {path: text.encode() for path, text in files.items() if path.startswith("m")}
    data = {path: text.encode() for path, text in files.items() if path.startswith("data/")}
    killed = 0
    for number, mutant in enumerate(of_project(sources, data, seed)):
        if number == EDITS:
            break
        killed += hold(project, files, mutant)
    assert killed
    path = chance.choice(sorted(sources))
    moved = files[path].index("class Twin")
    hold(project, files, Mutant("layout", path, moved, moved, "# moved\n", 1, ""))


def hold(project: Any, files: dict[str, str], mutant: Mutant) -> bool:
    """Hold what a mutant selects to plain pytest; whether it changes any outcome."""
    edit = {mutant.path: mutant.applied(files[mutant.path].encode()).decode()}
    before = project.write(edit)
    try:
        selected = set(project.due())
        changed = project.changed()
    finally:
        project.write(before)
    missed = {n for n in changed if n not in selected and n.partition("::")[0] not in selected}
    assert not missed, f"{mutant}: {sorted(missed)}"
    return bool(changed)
