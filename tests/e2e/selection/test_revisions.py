"""What `--since` and `--staged` take for the change: of sources what they say, not their bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeLab = Callable[..., Any]

CART = {
    "tests/test_cart.py::test_total",
    "tests/test_cart.py::test_again",
    "tests/test_cart.py::TestIt::test_inner",
}
ALONE = "tests/test_alone.py::test_x"


@pytest.fixture
def committed(shop: Any) -> Any:
    """The shop in git, with one commit."""
    shop.commit()
    return shop


@pytest.fixture
def fresh(lab: MakeLab, shop_tree: str) -> Any:
    """The same, and devloop has never been there."""
    project = lab(shop_tree, record=False)
    project.commit()
    return project


def since(project: Any, revision: str = "HEAD") -> set[str]:
    """The tests that `affected` names for what differs from a revision."""
    return set(project.due("--since", revision))


def test_since_a_revision_is_whatever_differs_from_it(committed: Any) -> None:
    """Committed or not, and whatever the records say: what the changes reach, and no more."""
    assert committed.ask("affected", "--since", "HEAD")["tests"] == []
    committed.write({"src/shop/prices.py": "PRICE = int(1)\n"})
    committed.commit()
    assert committed.run("test").returncode == 0
    assert committed.ask("affected")["tests"] == []
    found = committed.ask("affected", "--since", "HEAD~1")
    assert [change["path"] for change in found["changes"]] == ["src/shop/prices.py"]
    assert {test["nodeid"] for test in found["tests"]} == CART
    assert committed.ran("--since", "HEAD~1") == CART
    committed.write({"src/shop/new.py": "Y = 1\n", "src/shop/alone.py": None})
    found = committed.ask("affected", "--since", "HEAD")
    kinds = {change["path"]: change["kind"] for change in found["changes"]}
    assert kinds == {"src/shop/new.py": "created", "src/shop/alone.py": "deleted"}
    assert {test["nodeid"] for test in found["tests"]} == {ALONE}


def test_a_file_of_data_is_no_reason_for_all_tests_where_it_is_known_who_reads_it(
    committed: Any,
) -> None:
    """Then neither `all` nor its reason says that nobody knows."""
    reads = "def test_rates():\n    assert open('rates.json').read()\n"
    committed.write({"rates.json": "1\n", "tests/test_rates.py": reads})
    committed.commit()
    assert committed.run("test").returncode == 0
    committed.write({"rates.json": "2\n"})
    found = committed.ask("affected", "--since", "HEAD")
    assert [test["nodeid"] for test in found["tests"]] == ["tests/test_rates.py::test_rates"]
    assert (found["all"], found["all_reason"]) == (False, None)


def test_staged_looks_at_the_index_alone(committed: Any) -> None:
    """What is edited and not staged is no part of it."""
    committed.write({"src/shop/prices.py": "PRICE = int(1)\n"})
    committed.git("add", "src/shop/prices.py")
    committed.write({"src/shop/alone.py": "X = 2\n"})
    found = committed.ask("affected", "--staged")
    assert [change["path"] for change in found["changes"]] == ["src/shop/prices.py"]
    assert {test["nodeid"] for test in found["tests"]} == CART


@pytest.mark.parametrize("installed", [False, True])
def test_what_is_staged_is_tested_not_the_working_tree(
    lab: MakeLab, shop_tree: str, installed: bool
) -> None:
    """A commit made now would hold the index: with a src layout installed in place, too."""
    text = shop_tree.replace('pythonpath = ["src"]', "") if installed else shop_tree
    project = lab(text, record=False)
    if installed:
        project.install_in_place("shop")
    project.commit()
    assert project.run("test", "--staged").returncode == 0
    project.write({"src/shop/prices.py": "PRICE = 2\n"})
    project.git("add", ".")
    project.write({"src/shop/prices.py": "PRICE = 1\n"})
    done = project.run("test", "--staged", "--reporter", "plain")
    assert done.returncode == 1, done.stdout
    # The place is named in the project, where it can be opened, not in a copy that is gone.
    assert "tests/test_cart.py:3" in done.stdout
    assert "devloop-staged" not in done.stdout.partition("\n")[2]
    project.git("add", ".")
    project.write({"src/shop/prices.py": "PRICE = 2\n"})
    assert project.run("test", "--staged").returncode == 0
    assert project.run("test").returncode == 1
    assert project.root.joinpath("src/shop/prices.py").read_text() == "PRICE = 2\n"


@pytest.mark.parametrize("command", ["affected", "test"])
def test_a_revision_that_git_does_not_know(committed: Any, command: str) -> None:
    """Exit code 4, one message that names it, no traceback."""
    for revision in ("no-such", "--output=x", "nothing..."):
        done = committed.run(command, f"--since={revision}")
        assert done.returncode == 4, done.stderr
        assert revision.removesuffix("...") in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--staged", "--since=HEAD"])
@pytest.mark.parametrize("command", ["affected", "test"])
def test_revisions_need_a_checkout(shop: Any, command: str, option: str) -> None:
    """Outside git there are none: exit code 4, and the message says what is missing."""
    done = shop.run(command, option)
    assert done.returncode == 4
    assert "git" in done.stderr
    assert "Traceback" not in done.stderr


COMMENTED = "# Only this is new.\nPRICE   =  1   # And this.\n"


def test_comments_and_formatting_are_no_difference(committed: Any) -> None:
    """As between two runs: `affected` and `test` select nothing, and the change is still named."""
    committed.write({"src/shop/prices.py": COMMENTED})
    found = committed.ask("affected", "--since", "HEAD")
    assert found["changes"] == [{"path": "src/shop/prices.py", "kind": "modified"}]
    assert (found["tests"], found["apps"], found["steps"]) == ([], [], [])
    assert committed.ran("--since", "HEAD") == set()
    committed.git("add", ".")
    assert committed.due("--staged") == {}


def test_what_is_staged_is_compared_not_what_lies_in_the_tree(committed: Any) -> None:
    """A comment staged and code not, and the other way round."""
    committed.write({"src/shop/prices.py": COMMENTED, "src/shop/alone.py": "X = 2\n"})
    committed.git("add", ".")
    committed.write({"src/shop/prices.py": "PRICE = 2\n", "src/shop/alone.py": "X = 1 # Same.\n"})
    assert set(committed.due("--staged")) == {ALONE}


def test_an_edit_of_code_beside_one_of_comments(committed: Any) -> None:
    """Only what the code can reach is selected."""
    committed.write({"src/shop/prices.py": COMMENTED, "src/shop/alone.py": "X = int(1)\n"})
    assert since(committed) == {ALONE}
    assert committed.ran("--since", "HEAD") == {ALONE}


def test_an_old_version_that_does_not_compile(committed: Any) -> None:
    """It says nothing that could be the same, so the file is another one."""
    committed.write({"src/shop/prices.py": "PRICE = (\n"})
    committed.commit()
    committed.write({"src/shop/prices.py": "PRICE = 1\n"})
    assert since(committed) == CART
    assert since(committed, "HEAD~1") == set()


def test_a_new_version_that_does_not_compile(committed: Any) -> None:
    """Nor does this one."""
    committed.write({"src/shop/prices.py": "PRICE = (\n"})
    assert since(committed) == CART


def test_what_was_deleted_renamed_or_made(committed: Any) -> None:
    """Importers of both names are selected, and the test of a file that is gone is not."""
    committed.write({"src/shop/prices.py": None, "src/shop/costs.py": "PRICE = 1\n"})
    committed.write({"tests/test_alone.py": None})
    assert since(committed) == CART
    committed.git("add", "--all", ".")
    assert set(committed.due("--staged")) == CART
    committed.write({"src/shop/cart.py": "from shop.costs import PRICE\n"})
    committed.commit()
    committed.write({"src/shop/costs.py": "PRICE = 2\n"})
    assert since(committed, "HEAD~1") == CART


def test_a_source_that_was_a_link(committed: Any) -> None:
    """Where a link led is not what the file says."""
    source = committed.root / "src/shop/prices.py"
    source.unlink()
    source.symlink_to("alone.py")
    committed.commit()
    source.unlink()
    source.write_text("alone.py\n")
    assert since(committed) == CART


def test_a_revision_is_compared_with_before_anything_has_run(fresh: Any) -> None:
    """Of a project that has yet to be read the same tests are chosen: a runner of CI starts so."""
    fresh.write({"src/shop/alone.py": "X = int(1)\n", "src/shop/prices.py": COMMENTED})
    assert fresh.ran("--since", "HEAD") == {ALONE}


def test_names_that_git_would_quote(committed: Any) -> None:
    """Blanks, quotes, newlines and letters that are not ASCII."""
    names = [f"src/shop/{name}.py" for name in ("a b", 'q"t', "n\nl", "ü")]
    committed.write(dict.fromkeys(names, "X = 1\n"))
    committed.commit()
    committed.write(dict.fromkeys(names[1:], "X = 1  # The same.\n"))
    committed.write({names[0]: "X = 2\n"})
    assert len(committed.ask("affected", "--since", "HEAD")["changes"]) == 4
    assert since(committed) == set()


def test_a_project_below_the_top_of_its_checkout(lab: MakeLab, shop_tree: str) -> None:
    """Paths are those of the project, and what lies beside it is no part of it."""
    project = lab(shop_tree)
    top = project.root.parent
    project.git("init", "-q", "-b", "main", str(top))
    Path(top, "beside.py").write_text("X = 1\n")
    project.git("add", "--all", str(top))
    project.git("commit", "-q", "-m", "First")
    Path(top, "beside.py").write_text("X = 2\n")
    project.write({"src/shop/prices.py": COMMENTED, "src/shop/alone.py": "X = int(1)\n"})
    assert since(project) == {ALONE}


def test_only_what_is_watched_counts_among_untracked_files(lab: MakeLab, shop_tree: str) -> None:
    """A folder that devloop is told to ignore may fill with data: nobody's tests read it."""
    ignoring = '    [tool.devloop.watch]\n    ignore = ["scratch/"]\n'
    project = lab(shop_tree.replace("    [tool.devloop.apps", f"{ignoring}    [tool.devloop.apps"))
    project.commit()
    project.write({"scratch/cases.json": "[]\n"})
    found = project.ask("affected", "--since", "HEAD")
    assert (found["changes"], found["tests"]) == ([], [])
    assert project.ran("--since", "HEAD") == set()
    project.write({"cases.json": "[]\n"})
    found = project.ask("affected", "--since", "HEAD")
    assert [one["path"] for one in found["changes"]] == ["cases.json"]


@pytest.mark.parametrize("options", [["--since", "HEAD"], ["--staged"]])
def test_what_is_ignored_counts_neither_staged_nor_deleted(
    lab: MakeLab, shop_tree: str, options: list[str]
) -> None:
    """Nobody's tests read it, whatever has become of it; an ignored source may be imported."""
    ignoring = '    [tool.devloop.watch]\n    ignore = ["scratch/", "made/"]\n'
    project = lab(shop_tree.replace("    [tool.devloop.apps", f"{ignoring}    [tool.devloop.apps"))
    scratch = dict.fromkeys(("scratch/a.json", "scratch/in/b.json"), "[]\n")
    project.write({**scratch, "made/c.py": "X = 1\n", "data.json": "[]\n"})
    project.commit()
    project.write({"scratch/a.json": "{}\n", "scratch/in/b.json": None, "scratch/d.json": "[]\n"})
    project.git("add", "--all")
    found = project.ask("affected", *options)
    assert (found["changes"], found["tests"]) == ([], [])
    project.write({"made/c.py": None, "data.json": None})
    project.git("add", "--all")
    found = project.ask("affected", *options)
    assert [one["path"] for one in found["changes"]] == ["data.json", "made/c.py"]
