"""Failures as pytest itself writes them today: its forms are read, not guessed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devloop.report.failures import Failures
from devloop.report.paint import Paint
from devloop.report.places import last_message, last_place

CONFTEST = """
import json

def pytest_runtest_logreport(report):
    if report.failed:
        with open("texts.json", "a") as file:
            print(json.dumps([report.nodeid.split("::")[1], report.longreprtext]), file=file)
"""

TESTS = """
import json
import pytest


@pytest.fixture
def broken():
    raise RuntimeError("no database")


def helper(text):
    return json.loads(text)


def test_assert():
    value = [1, 2]
    assert value == [1, 3], (
        "not the same"
    )


def test_library():
    helper("{")


def test_chain():
    try:
        helper("{")
    except ValueError as error:
        raise RuntimeError("bad") from error


def test_fixture(broken):
    pass


def test_raises():
    with pytest.raises(ValueError):
        pass
"""

EXPECTED = {
    "test_assert": (16, "not the same"),
    "test_library": (12, "Expecting property name enclosed in double quotes"),
    "test_chain": (29, "bad"),
    "test_fixture": (8, "no database"),
    "test_raises": (37, "DID NOT RAISE"),
}


@pytest.mark.parametrize("style", ["auto", "long", "short", "native"])
def test_every_style_of_traceback_is_read(tmp_path: Path, style: str) -> None:
    """The place in the project and the message are found, and the frames of others are folded."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--tb={style}", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    lines = (tmp_path / "texts.json").read_text().splitlines()
    texts = dict(json.loads(line) for line in lines)
    assert texts.keys() == EXPECTED.keys()
    for name, (number, message) in EXPECTED.items():
        shown = list(Failures(Paint(), str(tmp_path)).traceback(texts[name]))
        text = "\n".join(shown)
        assert message in (last_message(texts[name]) or ""), text
        place = last_place(texts[name], str(tmp_path))
        # Of a statement of several lines Python 3.10 and later name different ones.
        assert place is not None, text
        assert place.path == "test_it.py", text
        assert abs(place.line - number) <= 1, text
        assert message in text
        if style != "native":
            marked = [line for line in shown if line.startswith("> ")]
            assert marked, text
            assert int(marked[-1].split()[1]) == place.line, text
            assert "scan_once" not in text
            assert ("outside the project, to json/decoder.py" in text) == (
                name in ("test_library", "test_chain")
            )
