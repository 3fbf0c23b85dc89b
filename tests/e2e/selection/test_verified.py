"""Which green is verified and which assumed, and which tests are flaky."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

MakeLab = Callable[..., Any]

FLAKY = """
tests/test_flaky.py
    import pathlib
    def test_flaky():
        marks = pathlib.Path("MARK")
        seen = marks.exists()
        marks.touch()
        assert seen
tests/test_steady.py
    def test_steady():
        pass
    def test_bad():
        assert False
"""


def finished(lab: Any, *arguments: str) -> dict[str, Any]:
    """The end of the cycle of a `devloop test`."""
    done = lab.run("test", "--reporter", "jsonl", *arguments)
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    (found,) = [event for event in events if event["event"] == "cycle-finished"]
    return found


def test_verified_and_assumed_green_are_told_apart(shop: Any) -> None:
    """What ran is verified; what did not and holds a good verdict is assumed; a failure neither."""
    end = finished(shop)
    assert (end["verified"], end["assumed"]) == (0, 4)
    shop.write({"src/shop/alone.py": "X = 2\n"})
    end = finished(shop)
    assert (end["verified"], end["assumed"], end["failing"]) == (0, 3, 1)
    shop.write({"src/shop/alone.py": "X = 1\n"})
    end = finished(shop)
    assert (end["verified"], end["assumed"], end["failing"]) == (0, 4, 0)
    end = finished(shop, "--all")
    assert (end["verified"], end["assumed"]) == (4, 0)


def test_old_bytecode_does_not_outlive_a_question(shop: Any) -> None:
    """P23: what only `affected` has noticed as an edit runs as it is, two saves in a second."""
    alone, moment = shop.root / "src/shop/alone.py", int(time.time()) * 1_000_000_000
    shop.environment["PYTHONDONTWRITEBYTECODE"] = ""
    for text, ask in (("X = 3\n", finished), ("X = 1\n", lambda lab: lab.due())):
        alone.write_text(text)
        os.utime(alone, ns=(moment, moment))
        ask(shop)
    assert finished(shop, "--all")["verified"] == 4


def test_what_is_due_and_was_not_asked_for_is_not_assumed(shop: Any) -> None:
    """A test that is due is neither, though another one was named."""
    shop.write({"src/shop/prices.py": "PRICE = int(1)\n"})
    end = finished(shop, "tests/test_alone.py")
    assert (end["verified"], end["assumed"]) == (0, 1)


def test_another_outcome_on_the_same_content_is_told_as_flaky(lab: MakeLab, tmp_path: Any) -> None:
    """A failure that goes without an edit; a test that fails each time is none, nor is a fix."""
    project = lab(FLAKY.replace("MARK", str(tmp_path / "mark")), record=False)
    end = finished(project)
    assert (end["failing"], end["flaky"]) == (2, [])
    end = finished(project)
    assert (end["failing"], end["flaky"]) == (1, ["tests/test_flaky.py::test_flaky"])
    project.write({"tests/test_steady.py": "def test_steady(): pass\ndef test_bad(): pass\n"})
    assert finished(project)["flaky"] == []
    assert finished(project, "--all")["flaky"] == ["tests/test_flaky.py::test_flaky"]
