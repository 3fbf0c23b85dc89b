"""`affected`, `why` and `graph`, and what `test` makes of paths and nodeids."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

MakeLab = Callable[..., Any]

TOTAL = "tests/test_cart.py::test_total"
CHAIN = ["tests/test_cart.py", "src/shop/cart.py", "src/shop/prices.py"]


def test_affected_names_tests_apps_and_steps_with_their_chains(shop: Any) -> None:
    """One edit: what it reaches, why, and by which files."""
    shop.write({"src/shop/prices.py": "PRICE = 2\n", "styles/a.css": "b\n"})
    found = shop.ask("affected")
    assert found["v"] == 1
    assert {"path": "src/shop/prices.py", "kind": "modified"} in found["changes"]
    reasons = {test["nodeid"]: test["reason"] for test in found["tests"]}
    # How near it is told depends on what the interpreter lets a run record.
    assert reasons[TOTAL]["kind"] in ("imports", "mentions")
    assert reasons[TOTAL]["chain"][0] == CHAIN[0]
    assert reasons[TOTAL]["chain"][-1].startswith(CHAIN[-1])
    (step,) = found["steps"]
    assert (step["name"], step["reason"]["chain"]) == ("css", ["css", "styles/a.css"])
    (app,) = found["apps"]
    chain = ["web", "src/shop/__main__.py", "src/shop/cart.py", "src/shop/prices.py"]
    assert (app["name"], app["reason"]["chain"]) == ("web", chain)


def test_affected_runs_nothing_and_answers_twice_alike(shop: Any) -> None:
    """What is due stays due until it has run."""
    shop.write({"src/shop/prices.py": "PRICE = 2\n"})
    first = shop.ask("affected")
    assert shop.ask("affected") == first
    assert set(first) >= {"v", "changes", "tests", "all", "all_reason", "steps", "apps"}
    assert first["all"] is False
    assert first["all_reason"] is None
    text = shop.run("affected").stdout
    assert "tests/test_cart.py" in text
    assert "src/shop/prices.py" in text
    assert "test_alone" not in text


def test_before_the_first_run_a_file_stands_for_its_tests(lab: MakeLab, shop_tree: str) -> None:
    """Nothing has been collected: nodeids are the files' paths, and all of them are due."""
    project = lab(shop_tree, record=False)
    found = project.ask("affected")
    assert {t["nodeid"] for t in found["tests"]} == {"tests/test_cart.py", "tests/test_alone.py"}
    assert found["all"] is True
    assert found["all_reason"]


def test_of_a_file_of_which_some_tests_alone_were_asked_for_it_stands_for_the_others(
    lab: MakeLab, shop_tree: str
) -> None:
    """Nobody knows which others there are; the one that has passed is not all that is due."""
    project = lab(shop_tree, record=False)
    assert project.run("test", "--pytest-args", "-k again").returncode == 0
    found = {test["nodeid"] for test in project.ask("affected")["tests"]}
    assert "tests/test_cart.py" in found


def test_an_edited_test_file_stands_for_the_tests_that_it_may_hold_now(shop: Any) -> None:
    """Who hands the nodeids to pytest must not miss the one that was just written."""
    text = shop.root.joinpath("tests/test_cart.py").read_text()
    new = "def test_new():\n    assert False\n"
    shop.write({"tests/test_cart.py": text + new, "src/shop/prices.py": "PRICE = 2\n"})
    found = {test["nodeid"] for test in shop.ask("affected")["tests"]}
    assert found == {"tests/test_cart.py"}
    assert "1 test file" in shop.run("affected").stdout
    assert shop.run("test").returncode == 1
    shop.write({"src/shop/prices.py": "PRICE = 3\n"})
    assert {TOTAL, "tests/test_cart.py::test_new"} <= {
        test["nodeid"] for test in shop.ask("affected")["tests"]
    }


def test_nothing_affected_is_good(shop: Any) -> None:
    """Exit code 0, for `affected` and for `test`."""
    assert shop.ask("affected")["tests"] == []
    assert shop.run("affected").returncode == 0
    assert shop.run("test").returncode == 0


def test_why_tells_the_chain_of_the_current_edits(shop: Any) -> None:
    """Of a file, a nodeid, a step and an app; and that there is none."""
    assert shop.run("why", TOTAL).returncode == 0
    shop.write({"src/shop/prices.py": "PRICE = 2\n", "styles/a.css": "b\n"})
    for target in ("tests/test_cart.py", TOTAL):
        said = shop.run("why", target).stdout
        assert "tests/test_cart.py" in said
        assert "src/shop/prices.py" in said
    assert "prices.py" not in shop.run("why", "tests/test_alone.py").stdout
    assert "styles/a.css" in shop.run("why", "css").stdout
    assert "src/shop/prices.py" in shop.run("why", "web").stdout


def test_why_a_test_is_selected_that_has_just_been_written(shop: Any) -> None:
    """Its file is collected anew; the same is told of no test that is known and stays out."""
    text = shop.root.joinpath("tests/test_cart.py").read_text()
    shop.write({"tests/test_cart.py": f"{text}def test_new():\n    assert False\n"})
    said = shop.run("why", "tests/test_cart.py::test_new").stdout
    assert "is selected" in said
    assert "not affected" in shop.run("why", "tests/test_alone.py::test_x").stdout


def test_why_of_a_file_that_might_be_edited(shop: Any) -> None:
    """`--file` asks without editing: sources, data, documents, and files yet to be made."""
    assert "src/shop/cart.py" in shop.run("why", TOTAL, "--file", "src/shop/prices.py").stdout
    said = shop.run("why", "tests/test_alone.py", "--file", "src/shop/prices.py").stdout
    assert "src/shop/cart.py" not in said
    assert "src/shop/cart.py" in shop.run("why", "web", "--file", "src/shop/prices.py").stdout
    assert "styles/a.css" in shop.run("why", "css", "--file", "styles/a.css").stdout
    assert "tests/conftest.py" in shop.run("why", TOTAL, "--file", "tests/conftest.py").stdout


def test_why_of_what_is_not_there(shop: Any) -> None:
    """Exit code 4, and what there is instead."""
    done = shop.run("why", "nothing")
    assert done.returncode == 4
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr
    done = shop.run("why", "tests/test_cart.py::test_missing")
    assert done.returncode == 4
    assert "test_missing" in done.stderr


def test_graph_of_one_file(shop: Any) -> None:
    """Both ways, in each form."""
    found = shop.ask("graph", "src/shop/cart.py")
    edges = {(e["importer"], e["imported"], e["kind"]) for e in found["edges"]}
    assert ("src/shop/cart.py", "src/shop/prices.py", "imports") in edges
    assert ("tests/test_cart.py", "src/shop/cart.py", "imports") in edges
    tree = shop.run("graph", "src/shop/cart.py").stdout
    assert "src/shop/prices.py" in tree
    assert "tests/test_cart.py" in tree
    dot = shop.run("graph", "src/shop/cart.py", "--format", "dot").stdout
    assert dot.startswith("digraph")
    assert '"src/shop/cart.py" -> "src/shop/prices.py"' in dot


def test_graph_of_the_whole_project(shop: Any) -> None:
    """Every source is in it, those without an edge too."""
    sources = {str(p.relative_to(shop.root)) for p in shop.root.glob("*/**/*.py")}
    assert set(shop.ask("graph")["nodes"]) == sources
    tree = shop.run("graph").stdout
    assert all(path in tree for path in sources)
    assert all(f'"{path}"' in shop.run("graph", "--format", "dot").stdout for path in sources)


def test_graph_of_what_is_no_source(shop: Any) -> None:
    """A file that is not there, one that is not Python, and one outside."""
    for path in ("nothing.py", "styles/a.css", "/etc/hosts"):
        done = shop.run("graph", path)
        assert done.returncode == 4, path
        assert path in done.stderr


def test_questions_are_asked_from_below_the_root(shop: Any) -> None:
    """Paths are those of the folder one stands in."""
    below = shop.root / "src/shop"
    found = shop._devloop("graph", "cart.py", "--format", "json", cwd=below)
    assert "src/shop/prices.py" in json.loads(found.stdout)["nodes"]
    said = shop._devloop("why", "../../tests/test_cart.py", "--file", "prices.py", cwd=below)
    assert "src/shop/cart.py" in said.stdout


def test_paths_and_nodeids_restrict_what_is_run(shop: Any) -> None:
    """Of what is due only what lies there; with `--all`, due or not."""
    assert shop.ran("tests/test_cart.py") == set()
    assert shop.ran("--all", "tests/test_alone.py") == {"tests/test_alone.py::test_x"}
    assert shop.ran("--all", "tests/test_cart.py::TestIt") == {
        "tests/test_cart.py::TestIt::test_inner"
    }
    assert len(shop.ran("--all")) == 4
    shop.write({"src/shop/prices.py": "PRICE = 1 + 0\n", "src/shop/alone.py": "X = 1 + 0\n"})
    shop.write({"src/shop/prices.py": "PRICE = int(1)\n", "src/shop/alone.py": "X = int(1)\n"})
    assert shop.ran(TOTAL) == {TOTAL}
    assert shop.ran("tests") >= {
        "tests/test_cart.py::test_again",
        "tests/test_cart.py::TestIt::test_inner",
        "tests/test_alone.py::test_x",
    }
    assert shop.ran() == set()


def test_a_part_that_passes_does_not_hide_what_failed_before(shop: Any) -> None:
    """The exit code is that of what ran; the report names what was not run and still fails."""
    cart = "tests/test_cart.py"
    text = shop.root.joinpath(cart).read_text()
    shop.write({cart: text.replace("== 1", "== 2", 1)})
    assert shop.run("test").returncode == 1

    def edit(number: int) -> None:
        """Edit the other test, so that it is due."""
        other = text.replace("== 1", "== 2", 1).replace("== 1", f"== int({number}) - {number - 1}")
        shop.write({cart: other})

    for number, reporter, word in ((2, "plain", "devloop: "), (3, "terminal", "PASS ")):
        edit(number)
        done = shop.run("test", "--pytest-args", "-k test_again", "--reporter", reporter)
        assert done.returncode == 0
        assert f"failed before, and was not run: {TOTAL}" in done.stdout
        assert f"{word}1 passed" in done.stdout
        assert "1 not run that failed before" in done.stdout
    edit(4)
    done = shop.run("test", "--pytest-args", "-k test_again", "--reporter", "jsonl")
    (last,) = [
        e for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "cycle-finished"
    ]
    assert (last["outcome"], last["failing"], last["unrun"]) == ("passed", 1, [TOTAL])
    done = shop.run("test", "--reporter", "plain")
    assert done.returncode == 1
    assert "before" not in done.stdout


def test_exit_codes(shop: Any) -> None:
    """0 all good, 1 failures and files that cannot be collected, 2 pytest interrupted, 3, 4."""
    cart = "tests/test_cart.py"
    text = shop.root.joinpath(cart).read_text()
    shop.write({cart: text.replace("== 1", "== 2")})
    assert shop.run("test").returncode == 1
    shop.write({cart: "import nothing_of_the_kind\n"})
    assert shop.run("test").returncode == 1
    shop.write({cart: "def test_stop():\n    raise KeyboardInterrupt\n"})
    assert shop.run("test").returncode == 2
    shop.write({cart: "import os\ndef test_die():\n    os._exit(3)\n"})
    assert shop.run("test").returncode == 3
    shop.write({cart: "import os\ndef test_die():\n    os._exit(0)\n"})
    assert shop.run("test").returncode == 3
    assert shop.run("test", "--pytest-args", "--no-such-option").returncode in (3, 4)
    assert shop.run("test", "--no-such-option").returncode == 4
    assert shop.run("test", "no/such/folder").returncode == 4
    shop.write({cart: "X = 1\n"})
    assert shop.run("test").returncode == 0
    shop.write({cart: text})
    assert shop.run("test").returncode == 0


def test_a_nodeid_that_has_vanished_is_no_error(shop: Any) -> None:
    """A test that failed and was renamed: the next run is of what is there now."""
    cart = "tests/test_cart.py"
    text = shop.root.joinpath(cart).read_text()
    failing = text.replace("== 1", "== 2", 1)
    shop.write({cart: failing})
    assert shop.run("test").returncode == 1
    shop.write({cart: text.replace("test_total", "test_sum")})
    assert "tests/test_cart.py::test_sum" in shop.ran()
    assert shop.due() == {}
    assert Path(shop.root, ".devloop").is_dir()
