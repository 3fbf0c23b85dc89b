"""Modules of the project are held for the next start, as long as they are what it would import."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Program

pytestmark = pytest.mark.anyio

BORN = "import time\nBORN = time.time_ns()\n"
"""A module that tells when it was imported."""


@pytest.fixture
def shop(program: Callable[..., Program]) -> Program:
    """A program of four modules: main imports api, which imports prices; and util."""
    shop = program()
    shop.write("shop/__init__.py", "")
    shop.write("shop/util.py", BORN)
    shop.write("shop/prices.py", "X = 1\n")
    shop.write("shop/api.py", "from shop.prices import X\n")
    shop.write("main.py", "from shop import api, util\nprint(api.X, util.BORN)")
    return shop


async def test_what_an_edit_leaves_alone_is_not_imported_again(shop: Program) -> None:
    """W10: the edited module and its importers are new, although they took the name from it."""
    first = await shop.run()
    held = await shop.again()
    assert shop.was_layered()
    assert held != first
    assert await shop.run() == held

    shop.edit("shop/prices.py", "X = 2\n")
    fresh = await shop.run()
    assert not shop.was_layered()
    assert fresh.split()[0] == "2"
    second = await shop.again()
    assert shop.was_layered()
    assert second.split()[0] == "2"

    shop.edit("shop/prices.py", "X = 3\n")
    third = await shop.run()
    assert shop.was_layered()
    assert third.split() == ["3", second.split()[1]]


async def test_what_others_have_not_written_out_is_no_modules_own(
    shop: Program, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What the interpreter's start has left in a buffer keeps nothing from being held."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text("import sys\nsys.stdout.write('early ')\n")
    shop.env["PYTHONPATH"] = str(site)
    assert (await shop.run()).count("early ") == 1
    assert (await shop.again()).count("early ") == 1
    assert shop.was_layered()


async def test_a_seed_that_a_held_module_has_set_holds(program: Callable[..., Program]) -> None:
    """W6: and a generator that it has seeded with nothing is seeded anew in each process."""
    dice = program()
    dice.write("dice.py", "import random\nrandom.seed(5)\nANY = random.Random()\n")
    dice.write("main.py", "import random, dice\nprint(random.random(), dice.ANY.random())")
    first = (await dice.run()).split()
    second, third = (await dice.again()).split(), (await dice.run()).split()
    assert dice.was_layered()
    assert first[0] == second[0] == third[0]
    assert len({first[1], second[1], third[1]}) == 3


async def test_a_change_that_nobody_has_told_of_is_seen(shop: Program) -> None:
    """A file that was written just now is not held, even if its time is that of before."""
    await shop.run()
    await shop.prepare()
    path = shop.root / "shop/prices.py"
    before = path.stat()
    (shop.root / "new").write_text("X = 7\n")
    os.utime(shop.root / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (shop.root / "new").replace(path)
    assert (await shop.run()).split()[0] == "7"
    assert not shop.was_layered()


async def test_import_cycles_go_whole(program: Callable[..., Program]) -> None:
    """W11: one module of a cycle is edited; warm and cold print the same."""
    shop = program()
    shop.write("a.py", "V = 1\nimport b\nprint('a sees', b.V, hasattr(b, 'DONE'))\nDONE = 1\n")
    shop.write("b.py", "V = 1\nimport a\nprint('b sees', a.V, hasattr(a, 'DONE'))\nDONE = 1\n")
    shop.write("c.py", BORN)
    shop.write("main.py", "import a, b, c\nprint(b.V)")
    await shop.run()
    await shop.prepare()
    for version in (2, 3):
        text = f"V = {version}\nimport a\nprint('b sees', a.V, hasattr(a, 'DONE'))\nDONE = 1\n"
        shop.edit("b.py", text)
        warm = await shop.run()
        assert warm == await shop.cold()
        assert warm.split()[-1] == str(version)
        await shop.prepare()
    assert shop.was_layered()


async def test_a_cycle_is_entered_where_the_program_enters_it(
    program: Callable[..., Program],
) -> None:
    """W11: which module of a cycle finds the other one unfinished is as in a cold start."""
    shop = program()
    shop.write("b.py", "import a\nSEES = hasattr(a, 'DONE')\nDONE = 1\n")
    shop.write("a.py", "from b import SEES\nimport b\nALSO = hasattr(b, 'DONE')\nDONE = 1\n")
    shop.write("main.py", "import a, b\nprint(a.ALSO, b.SEES)")
    await shop.run()
    assert await shop.again() == await shop.cold() == "True False\n"
    assert shop.was_layered()


async def test_what_an_edited_module_does_to_others_comes_before_them(
    program: Callable[..., Program],
) -> None:
    """A module that registers something is edited; one that registers after it comes after it."""
    shop = program()
    shop.write("place.py", BORN + "ITEMS = []\n")
    shop.write("first.py", "import place\nplace.ITEMS.append('first 1')\n")
    shop.write("second.py", "import place\nplace.ITEMS.append('second')\n")
    shop.write("main.py", "import first, second, place\nprint(place.ITEMS)")
    await shop.run()
    await shop.again()
    assert shop.was_layered()
    for version in (2, 3):
        shop.edit("first.py", f"import place\nplace.ITEMS.append('first {version}')\n")
        warm = await shop.run()
        assert warm == await shop.cold() == f"['first {version}', 'second']\n"
        await shop.prepare()
    assert shop.was_layered()


async def test_an_edit_that_imports_in_another_order(program: Callable[..., Program]) -> None:
    """What is held was imported in the old one."""
    shop = program()
    shop.write("place.py", "ITEMS = []\n")
    shop.write("first.py", "import place\nplace.ITEMS.append('first')\n")
    shop.write("second.py", "import place\nplace.ITEMS.append('second')\n")
    shop.write("main.py", "import first, second, place\nprint(place.ITEMS)")
    await shop.run()
    await shop.again()
    assert shop.was_layered()
    shop.edit("main.py", "import second, first, place\nprint(place.ITEMS)")
    assert await shop.run() == await shop.cold() == "['second', 'first']\n"
    assert await shop.again() == "['second', 'first']\n"
    assert shop.was_layered()


@pytest.mark.parametrize("new", [None, "shop/costs.py"])
async def test_a_module_that_is_gone_is_missed(shop: Program, new: str | None) -> None:
    """W13: a held module is deleted or renamed: the ImportError is that of a cold start."""
    await shop.run()
    await shop.again()
    assert shop.was_layered()
    shop.edit("shop/prices.py", None)
    if new is not None:
        shop.edit(new, "X = 1\n")
    cold, warm = await shop.failing()
    assert warm == cold
    assert "ModuleNotFoundError: No module named 'shop.prices'" in warm


async def test_a_new_file_takes_the_place_of_a_module(shop: Program) -> None:
    """A package beside a module of its name is what a cold start finds."""
    await shop.run()
    await shop.again()
    assert shop.was_layered()
    (shop.root / "shop/prices").mkdir()
    (shop.root / "shop/prices/__init__.py").write_text("X = 9\n")
    assert (await shop.run()).split()[0] == "9"
    assert not shop.was_layered()


async def test_a_data_file_and_a_variable_that_imports_read(
    program: Callable[..., Program],
) -> None:
    """What a module has read at its import is part of what it is."""
    shop = program()
    shop.write("limits.txt", "1\n")
    shop.write(
        "limits.py",
        "import os\nwith open('limits.txt') as f:\n    X = f.read().strip()\n"
        "Y = os.environ.get('SHOP', '-')\nZ = sorted(os.listdir('plugins'))\n",
    )
    shop.write("plugins/one.txt", "")
    shop.write("main.py", "import limits\nprint(limits.X, limits.Y, limits.Z)")
    assert await shop.run() == "1 - ['one.txt']\n"
    assert await shop.again() == "1 - ['one.txt']\n"
    assert shop.was_layered()
    (shop.root / "limits.txt").write_text("2\n")
    assert await shop.run() == "2 - ['one.txt']\n"
    assert not shop.was_layered()
    assert await shop.again() == "2 - ['one.txt']\n"
    assert shop.was_layered()
    shop.env["SHOP"] = "tea"
    assert await shop.run() == "2 tea ['one.txt']\n"
    assert not shop.was_layered()
    assert await shop.again() == "2 tea ['one.txt']\n"
    assert shop.was_layered()
    (shop.root / "plugins/two.txt").write_text("")
    assert await shop.run() == "2 tea ['one.txt', 'two.txt']\n"
    assert not shop.was_layered()
    shop.env["OTHER"] = "1"
    await shop.again()
    shop.env["OTHER"] = "2"
    await shop.run()
    assert shop.was_layered()


FAULTY = {
    "prints": "print('hello')",
    "runs a program": "import subprocess\nsubprocess.run(['true'])",
    "starts a thread": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "open": "F = open(__file__)",
    "writes": "open('log', 'a').close()",
    "handles signal": "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: None)",
    "imports colorsys": "import colorsys",
    "ValueError": "ATTEMPTS = 1\nimport sys\nif 'main2' not in sys.modules:\n"
    "    raise ValueError('too early')",
    "ends the process": "import os, sys\nif 'main2' not in sys.modules:\n    os._exit(3)",
}


@pytest.mark.parametrize("why", FAULTY)
async def test_what_cannot_be_held_is_left_out_with_its_importers(
    program: Callable[..., Program], why: str
) -> None:
    """A module that does something at its import does it at each start; others are held."""
    shop = program()
    shop.write("main2.py", "")
    shop.write("faulty.py", FAULTY[why] + "\nX = 1\n")
    shop.write("user.py", "from faulty import X\n" + BORN)
    shop.write("other.py", BORN)
    shop.write(
        "main.py",
        "import sys\nsys.modules['main2'] = sys\nimport user, other\nprint(user.BORN, other.BORN)",
    )
    await shop.run()
    first = await shop.again()
    second = await shop.run()
    assert shop.was_layered()
    assert list(shop.layers.left_out) == ["faulty.py"]
    assert why in shop.layers.left_out["faulty.py"]
    assert ("hello" in second) == (why == "prints")
    (user, other), (user2, other2) = first.split()[-2:], second.split()[-2:]
    assert user != user2
    assert other == other2


async def test_the_script_itself_is_never_held(program: Callable[..., Program]) -> None:
    """Not even where a module imports it by its name; that module is not held either."""
    shop = program()
    shop.write("other.py", BORN)
    shop.write("user.py", "try:\n    import main\nexcept ImportError:\n    pass\n" + BORN)
    shop.write(
        "main.py",
        "import other\nif __name__ != '__main__':\n    raise ImportError\nimport user\n"
        "print(user.BORN, other.BORN)",
    )
    await shop.run()
    user, other = (await shop.again()).split()
    user2, other2 = (await shop.run()).split()
    assert other == other2
    assert user != user2


async def test_a_module_is_held_with_its_first_argument(program: Callable[..., Program]) -> None:
    """What a module finds at its import is what a start with `-m` puts there."""
    shop = program()
    shop.argv = (shop.argv[0], "-m", "main", "--port", "1")
    shop.write(
        "args.py",
        "import __main__, sys\nARGV = [*sys.argv, __main__.__file__, __main__.__spec__.name]\n"
        + BORN,
    )
    shop.write("main.py", "import args\nprint(args.ARGV, args.BORN)")
    first = await shop.run()
    second = await shop.again()
    assert shop.was_layered()
    assert await shop.run() == second
    assert second.rpartition(" ")[0] == first.rpartition(" ")[0]


async def test_an_import_that_is_dropped_is_not_made(program: Callable[..., Program]) -> None:
    """A module that registers something is gone when nobody imports it any more."""
    shop = program()
    shop.write("registry.py", "FOUND = []\n")
    shop.write("extra.py", "import registry\nregistry.FOUND.append('extra')\n")
    shop.write("main.py", "import registry, extra\nprint(registry.FOUND)")
    await shop.run()
    assert await shop.again() == "['extra']\n"
    assert shop.was_layered()
    shop.edit("main.py", "import registry\nprint(registry.FOUND)")
    assert await shop.run() == "[]\n"
    assert not shop.was_layered()


async def test_no_layers_where_they_are_not_wanted(program: Callable[..., Program]) -> None:
    """`layers = false` and `preload = false`: every start imports the project anew."""
    shop = program(modules=False)
    shop.write("other.py", BORN)
    shop.write("main.py", "import other\nprint(other.BORN)")
    first = await shop.run()
    assert await shop.again() != first
    assert not shop.was_layered()


async def test_a_layer_that_has_died_is_done_without(shop: Program) -> None:
    """The next start comes from below, and another layer is made."""
    await shop.run()
    await shop.again()
    for pid in shop.layers.pids:
        os.kill(pid, 9)
    await shop.run()
    await shop.again()
    assert shop.was_layered()


async def test_a_warm_start_finds_what_a_cold_one_does(shop: Program) -> None:
    """Modules, their order, `sys.path` and `__main__` are the same from a layer."""
    shop.write(
        "main.py",
        "import json, sys\nfrom shop import api, util\nmain = sys.modules['__main__']\n"
        "print(json.dumps([[n for n in sys.modules if n.startswith('shop')], sys.path, sys.argv,\n"
        "    sorted(vars(main)), vars(main) is globals(), __file__]))",
    )
    cold = await shop.cold()
    await shop.run()
    assert await shop.again() == cold
    assert shop.was_layered()


async def test_what_the_command_brings_about_before_it_imports(
    program: Callable[..., Program],
) -> None:
    """Its `sys.path` is that of the layer; a variable that it sets, or an import hook, is not."""
    shop = program()
    shop.write("lib/other.py", BORN)
    shop.write("lib/reader.py", "import os\nMODE = os.environ.get('MODE')\n" + BORN)
    shop.write("lib/mover.py", "import sys\nsys.path.append('x')\n" + BORN)
    hook = "class Hook:\n    @staticmethod\n    def find_spec(*_):\n        return None\n"
    text = (
        "import os, sys\nsys.path.insert(0, 'lib')\nos.environ['MODE'] = 'quick'\n"
        "import other, reader, mover\nprint(reader.MODE, sys.path[:2], sys.path[-1])\n"
        "print(other.BORN, reader.BORN, mover.BORN)"
    )
    shop.write("main.py", text)
    cold = (await shop.run()).splitlines()
    first = (await shop.again()).splitlines()
    second = (await shop.run()).splitlines()
    assert shop.was_layered()
    assert cold[0] == first[0] == second[0]
    same = [a == b for a, b in zip(first[1].split(), second[1].split(), strict=True)]
    assert same == [True, False, False]
    assert set(shop.layers.left_out) == {"lib/reader.py", "lib/mover.py"}

    shop.edit("main.py", f"import sys\n{hook}sys.meta_path.insert(0, Hook)\n{text}")
    await shop.run()
    assert shop.was_misled()
    await shop.run()
    assert not shop.was_layered()
    await shop.again()
    assert not shop.was_layered()
    assert not shop.was_misled()


async def test_a_command_that_goes_elsewhere(program: Callable[..., Program]) -> None:
    """What it imports then is not what a layer would find."""
    shop = program()
    shop.write("sub/other.py", BORN)
    shop.write("main.py", "import os, sys\nos.chdir('sub')\nsys.path[0] = ''\nimport other")
    await shop.run()
    await shop.again()
    assert not shop.was_layered()
