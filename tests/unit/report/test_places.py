"""Places in tracebacks."""

from __future__ import annotations

import pytest

from devloop.report.places import Place, in_project, last_message, last_place

PYTHON = """\
Traceback (most recent call last):
  File "/p/shop/a.py", line 3, in f
    g()
  File "/p/.venv/lib/python3.12/site-packages/x.py", line 9, in g
    raise ValueError
ValueError: no

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/p/shop/b.py", line 5, in <module>
    f()
  File "<frozen importlib._bootstrap>", line 1, in g
RuntimeError: bad
  with a second line
INFO: goes on
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/p/shop/a.py", "shop/a.py"),
        ("shop/a.py", "shop/a.py"),
        ("./a.py", "a.py"),
        ("/p/.venv/lib/python3.12/site-packages/x.py", None),
        ("/usr/lib/python3.12/json/decoder.py", None),
        ("../other/a.py", None),
        ("<string>", None),
        ("C:\\python\\lib\\json.py", None),
    ],
)
def test_the_projects_own_paths_are_told_from_others(path: str, expected: str | None) -> None:
    """Installed, built-in and foreign files are not the project's, wherever they lie."""
    assert in_project(path, "/p") == expected


def test_the_innermost_frame_of_the_project_is_the_place() -> None:
    """Of the last traceback, without the frames of others."""
    assert last_place(PYTHON, "/p") == Place("shop/b.py", 5)
    assert last_place("nothing here", "/p") is None


def test_the_message_is_what_the_last_traceback_ends_with() -> None:
    """Of a chain of exceptions the last one was not handled."""
    assert last_message(PYTHON) == "RuntimeError: bad"
    assert (
        last_message("E   ValueError: no\n\nt.py:3: in f\nE   OSError: x\nE     y") == "OSError: x"
    )
    assert last_message("nothing here") is None
