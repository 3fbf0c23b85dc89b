"""Projects to measure on: a small web app, and trees of thousands of modules."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

MODULES = 25
"""Modules in a package."""

TESTS = 0.1
"""Which part of the files are tests."""

LINES = 200
"""Of a file, on average; from 60 to 340."""

STANDARD = ["json", "os", "re", "logging", "dataclasses", "collections", "typing", "pathlib"]

UNIT = '''

class Thing#N:
    """A thing of number @.

    What it does is of no importance, but real code has documentation, comments and empty
    lines, on average a third of all lines, and so has this.
    """

    kind = "thing.@"

    def method(self, first: int, second: str = "x@") -> list[str]:
        """Find what is to be found.

        Args:
            first: how many.
            second: a path.
        """
        if first > @ and second != self.kind:
            raise ValueError(f"{first!r} is too large for {second}")
        found = [str(item) for item in range(first) if item % 3]

        # Files that cannot be read are passed over.
        try:
            with open(second) as file:
                found.extend(line.strip() for line in file)
        except OSError as error:
            print(error, {"first": first, "second": second})
        return sorted(found, key=lambda item: item.lower())


def compute#N(*values: float, scale: float = @.5) -> float:
    """Add up, every other one reversed."""
    total = 0.0
    for index, value in enumerate(values):
        total += value * scale if index % 2 else -value
    return total
'''.splitlines()
"""What a module is made of; ``@`` is a number, ``#N`` that of the unit."""


def source(chance: random.Random, imports: Sequence[str], lines: int) -> str:
    """Some lines of code.

    Args:
        chance: where what is random comes from.
        imports: the modules that it imports something of.
        lines: how many, from 60 on.
    """
    text = ['"""A module."""', "", "from __future__ import annotations", ""]
    text += [f"import {name}" for name in chance.sample(STANDARD, 4)]
    for name in imports:
        text.append(f"from {name} import Thing0, compute0")
    number = 0
    while number == 0 or len(text) < lines - len(UNIT):
        value = chance.randint(1, 10**6)
        text += [line.replace("@", str(value)).replace("#N", str(number)) for line in UNIT]
        number += 1
    filler = "# This line is only here to make the file as long as it should be."
    text += [filler] * (lines - len(text))
    return "\n".join(text) + "\n"


def modules(root: Path, count: int) -> list[str]:
    """Write a project of many modules that import each other, in a git checkout.

    Args:
        root: its folder, which does not exist yet.
        count: how many files; a tenth are tests.

    Returns:
        The paths of the modules, without the tests.
    """
    chance = random.Random(count)
    tests = int(count * TESTS)
    names: list[str] = []
    paths: list[str] = []
    for number in range(count - tests):
        package, place = divmod(number, MODULES)
        folder = root / "src" / f"part{package:03}"
        if place == 0:
            folder.mkdir(parents=True)
            (folder / "__init__.py").write_text('"""A part."""\n', encoding="utf-8")
            paths.append(f"src/part{package:03}/__init__.py")
            continue
        # Most of what a module imports is near; nothing is imported in a circle.
        near = names[-60:]
        imports = sorted(
            {*chance.sample(near, min(4, len(near))), *chance.sample(names, min(1, len(names)))}
        )
        text = source(chance, imports, chance.randint(LINES - 140, LINES + 140))
        (folder / f"mod{place:02}.py").write_text(text, encoding="utf-8")
        names.append(f"part{package:03}.mod{place:02}")
        paths.append(f"src/part{package:03}/mod{place:02}.py")
    (root / "tests").mkdir()
    (root / "tests" / "conftest.py").write_text('"""Nothing is shared."""\n', encoding="utf-8")
    for number in range(tests - 1):
        text = source(chance, sorted(chance.sample(names, 3)), LINES)
        text += "\n\ndef test_it() -> None:\n    assert compute0(1.0) == -1.0\n"
        (root / "tests" / f"test_{number:04}.py").write_text(text, encoding="utf-8")
    (root / "pyproject.toml").write_text(
        '[project]\nname = "many"\nversion = "1"\n\n[tool.pytest.ini_options]\n'
        'pythonpath = ["src"]\ntestpaths = ["tests"]\n',
        encoding="utf-8",
    )
    commit(root, "first")
    return paths


def git(root: Path, *words: str) -> None:
    """Run git in a checkout.

    Args:
        root: of the checkout.
        *words: its arguments.
    """
    quiet = ["-c", "user.name=b", "-c", "user.email=b@example.org", "-c", "gc.auto=0"]
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(
        ["git", *quiet, *words],
        cwd=root,
        env={**os.environ, **nobody},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def commit(root: Path, subject: str) -> None:
    """Commit all that there is, into a new checkout where there is none.

    Args:
        root: of the checkout.
        subject: of the commit.
    """
    if not (root / ".git").exists():
        git(root, "init", "-b", "main")
        (root / ".gitignore").write_text("__pycache__/\n.venv/\n", encoding="utf-8")
    git(root, "add", "-A")
    git(root, "commit", "-m", subject)


_MAIN = '''\
"""A small shop."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from shop.prices import VERSION, total


async def version(request: Request) -> PlainTextResponse:
    return PlainTextResponse(VERSION)


async def cart(request: Request) -> JSONResponse:
    return JSONResponse({"total": total([1, 2, 3])})


app = Starlette(routes=[Route("/", version), Route("/cart", cart)])
'''
_PRICES = '''\
"""What things cost."""

VERSION = "{version}"


def total(prices: list[int]) -> int:
    return sum(prices)
'''
_TEST = """\
from shop.prices import total


def test_total() -> None:
    assert total([1, 2]) == 3
"""


def shop(root: Path) -> None:
    """Write a small Starlette app with a test.

    Args:
        root: its folder, which does not exist yet.
    """
    (root / "shop").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "shop" / "__init__.py").write_text("", encoding="utf-8")
    (root / "shop" / "main.py").write_text(_MAIN, encoding="utf-8")
    (root / "tests" / "test_prices.py").write_text(_TEST, encoding="utf-8")
    edit_shop(root, "0")


def edit_shop(root: Path, version: str) -> None:
    """Save the shop's module of prices, as an editor does that writes in place.

    Args:
        root: of the shop.
        version: what the app answers from now on.
    """
    (root / "shop" / "prices.py").write_text(_PRICES.format(version=version), encoding="utf-8")
