"""Where a project's modules are, and which files are tests."""

from __future__ import annotations

import pytest

from devloop.graph.layout import Layout, discover


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("pkg/mod.py", ("pkg.mod",)),
        ("pkg/__init__.py", ("pkg",)),
        ("top.py", ("top",)),
        ("src/pkg/mod.py", ("pkg.mod", "src.pkg.mod")),
        ("src/pkg/sub/__init__.py", ("pkg.sub", "src.pkg.sub")),
        ("src/__init__.py", ("src",)),
        ("pkg/fast.cpython-311-x86_64-linux-gnu.so", ("pkg.fast",)),
        ("pkg/fast.abi3.so", ("pkg.fast",)),
        ("pkg/fast.pyd", ("pkg.fast",)),
        ("pkg/window.pyw", ("pkg.window",)),
        ("pkg/stub.pyi", ()),
        ("pkg/data.json", ()),
        ("pkg/mod.tar.py", ()),
        (".hidden/mod.py", ()),
        ("__init__.py", ()),
        ("srcs/mod.py", ("srcs.mod",)),
        ("/elsewhere/pkg/mod.py", ()),
    ],
)
def test_module_names(path: str, names: tuple[str, ...]) -> None:
    """A file has one name for each root above it, the shortest first; other files have none."""
    assert Layout(roots=("src", "")).module_names(path) == names


def test_a_root_outside_the_project() -> None:
    """A folder installed in place may be anywhere: its files have names from it on."""
    layout = Layout(roots=("/elsewhere", ""))
    assert layout.module_names("/elsewhere/pkg/mod.py") == ("pkg.mod",)


def test_default_roots_of_a_src_layout() -> None:
    """`src` is a root if it holds Python, and so is the project's root."""
    files = ["src/pkg/__init__.py", "src/pkg/mod.py", "pyproject.toml", "README.md"]
    assert discover(files).roots == ("src", "")
    assert discover(["src/main.c", "mod.py"]).roots == ("",)


def test_src_that_is_a_package_is_no_root() -> None:
    """A package that happens to be called `src` is imported as `src.mod`."""
    assert discover(["src/__init__.py", "src/mod.py"]).roots == ("",)


def test_projects_in_a_project_have_roots_of_their_own() -> None:
    """In a repository of several projects each has its folder and its `src` as a root."""
    files = ["libs/a/pyproject.toml", "libs/a/src/a/__init__.py", "libs/b/setup.py", "libs/b/b.py"]
    assert discover(files).roots == ("libs/a/src", "libs/a", "libs/b", "")


def test_configured_roots_replace_the_default_ones() -> None:
    """What the configuration and the environment name is taken, in whatever spelling."""
    layout = discover(["src/a.py"], roots=["./lib/", "."], extra_roots=["/elsewhere/pkgs/"])
    assert layout.roots == ("/elsewhere/pkgs", "lib", "")


def test_folders_that_pytest_puts_on_the_path_are_roots() -> None:
    """That is the first folder upwards of a test or conftest that is no package."""
    files = [
        "tests/unit/test_a.py",
        "tests/whole/__init__.py",
        "tests/whole/inner/__init__.py",
        "tests/whole/inner/test_b.py",
        "checks/conftest.py",
        "checks/helper_conftest.py",
        "lib/other/mod.py",
    ]
    assert set(discover(files).roots) == {"tests/unit", "tests", "checks", ""}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/test_a.py", True),
        ("a_test.py", True),
        ("tests/a.py", False),
        ("tests/test_a.txt", False),
        ("tests/conftest.py", False),
    ],
)
def test_is_test_by_pattern(path: str, expected: bool) -> None:
    """The patterns of pytest are the default."""
    assert Layout().is_test(path) is expected


def test_is_test_by_path() -> None:
    """With `testpaths` only what is below one is a test; they may be patterns."""
    layout = Layout(test_paths=("tests", "libs/*/tests"))
    assert layout.is_test("tests/unit/test_a.py")
    assert layout.is_test("libs/a/tests/test_a.py")
    assert not layout.is_test("tests_old/test_a.py")
    assert not layout.is_test("libs/a/test_a.py")


def test_a_pattern_with_a_slash_is_for_the_whole_path() -> None:
    """As pytest has it for `python_files`."""
    layout = Layout(test_patterns=("tests/*.py", "check_*.py"))
    assert layout.is_test("tests/anything.py")
    assert layout.is_test("a/tests/anything.py")
    assert layout.is_test("a/check_it.py")
    assert not layout.is_test("a/anything.py")


def test_conftests() -> None:
    """The chain goes up to the root, nearest first; a conftest is not in its own."""
    layout = Layout()
    assert layout.conftests("a/b/test_x.py") == ("a/b/conftest.py", "a/conftest.py", "conftest.py")
    assert layout.conftests("a/b/conftest.py") == ("a/conftest.py", "conftest.py")
    assert layout.conftests("test_x.py") == ("conftest.py",)
    assert layout.conftests("conftest.py") == ()


def test_folders_of_scripts_are_bases() -> None:
    """Without configuration every folder that modules could be imported from is tried (S21)."""
    files = ["run.py", "scripts/go.py", "scripts/help.py", "tests/apps/one/__init__.py"]
    layout = discover([*files, "tests/apps/one/in/__init__.py", "tests/test_a.py"])
    assert layout.roots == ("tests", "")
    assert layout.bases == ("tests/apps", "scripts")
    assert layout.module_names("scripts/help.py") == ("scripts.help", "help")
    expected = ("apps.one.in", "tests.apps.one.in", "one.in")
    assert layout.module_names("tests/apps/one/in/__init__.py") == expected
    assert discover(files, roots=[""]).bases == ()


def test_modules_in_bases_do_not_shadow_the_standard_library() -> None:
    """A `json` package in a namespace package is not what everybody imports."""
    layout = Layout(roots=("tests", ""), bases=("space",))
    assert layout.module_names("space/json/dump.py") == ("space.json.dump",)
    assert layout.module_names("space/jsons/dump.py") == ("space.jsons.dump", "jsons.dump")
    assert layout.module_names("tests/json.py") == ("json", "tests.json")


def test_discover_is_the_same_for_any_order_of_files() -> None:
    """A layout is a value: the same files give an equal one."""
    files = ["tests/test_a.py", "src/a/__init__.py", "libs/x/setup.py", "libs/x/x.py"]
    assert discover(files, always=["a", "b", "a"]) == discover(files[::-1], always=["a", "b"])


@pytest.mark.parametrize(
    ("path", "collected"),
    [
        ("tests/test_a.py", True),
        ("shop/cart.py", True),
        ("shop/__main__.py", False),
        ("other/cart.py", False),
        ("shop/window.pyw", False),
        ("docs/a.md", True),
        ("docs/a.txt", False),
        ("other/a.md", False),
        ("notes.rst", True),
        ("docs/notes.rst", False),
        ("docs/guide/a.inc", True),
        ("docs/a.inc", False),
    ],
)
def test_what_pytest_looks_for_doctests_in(path: str, collected: bool) -> None:
    """Modules, the texts that a pattern means, and those that `testpaths` names."""
    layout = Layout(
        test_paths=("tests", "shop", "docs", "notes.rst", "window.md"),
        doctest_modules=True,
        doctest_globs=("*.md", "guide/*.inc"),
    )
    assert layout.is_test(path) is collected
    assert layout.is_test_module(path) is (path == "tests/test_a.py")


def test_modules_hold_no_doctests_unless_asked_for() -> None:
    """Without `--doctest-modules` a module that is no test file is none."""
    layout = Layout(doctest_globs=("test*.txt",))
    assert not layout.is_test("shop/cart.py")
    assert layout.is_test("deep/down/test_it.txt")
    assert not layout.is_test("notes.rst")


def test_a_module_with_doctests_is_imported_from_its_base() -> None:
    """The first folder above it that is no package is on `sys.path`."""
    files = ["lib/pkg/__init__.py", "lib/pkg/mod.py"]
    assert discover(files, roots=["src"], doctest_modules=True).roots == ("lib", "src")
    assert discover(files, roots=["src"]).roots == ("src",)


def test_files_of_a_kind_in_which_tests_were_found() -> None:
    """Where pytest looks for tests, and by the end of their names."""
    layout = Layout(test_paths=("tests",), found=(".case", "/Cases"))
    assert layout.is_test("tests/deep/a.case")
    assert layout.is_test("tests/Cases")
    assert not layout.is_test("other/a.case")
    assert not layout.is_test("tests/MyCases")
    assert not layout.is_test_module("tests/a.case")
