"""Problems are read from what tools print."""

from __future__ import annotations

import pytest

from devloop.config.types import DIAGNOSTIC_TOOLS
from devloop.plan.diagnostics import Problem, reader


def read(form: str, text: str) -> list[Problem]:
    """All problems in a tool's output."""
    parse = reader(form)
    return [problem for line in text.splitlines() if (problem := parse(line))]


@pytest.mark.parametrize(
    ("form", "line", "problem"),
    [
        ("%f:%l:%c: %m", "a.scss:3:14: no such mixin", ("a.scss", 3, 14, None, "no such mixin")),
        ("%f:%l:%c: %m", "a b/c.py:3:4: x: y:3", ("a b/c.py", 3, 4, None, "x: y:3")),
        ("%f:%l:%c: %m", "a.c:1:2: warning: unused", ("a.c", 1, 2, "warning", "unused")),
        ("%f:%l:%c: %m", "a.c:1:2: fatal error: gone", ("a.c", 1, 2, "error", "gone")),
        ("%f(%l): %m", "a.c(3): error C2065: x", ("a.c", 3, None, "error", "C2065: x")),
        ("%f:%l: %m", "a.c:3: error handling", ("a.c", 3, None, None, "error handling")),
        ("[%f] %m (100%%)", "[a.c] bad (100%)", ("a.c", None, None, None, "bad")),
        ("%m at %f:%l", "bad thing at a.js:0", ("a.js", None, None, None, "bad thing")),
    ],
)
def test_a_format_describes_a_line(
    form: str, line: str, problem: tuple[str, int | None, int | None, None, str]
) -> None:
    """Fields are taken where the format has them; a severity is taken from the message."""
    assert read(form, line) == [Problem(*problem)]


@pytest.mark.parametrize("line", ["a.c:1:2: note: declared here", "a.c:x:2: bad", "Done.", ""])
def test_other_lines_are_no_problems(line: str) -> None:
    """Notes, lines of another form and empty ones are passed over."""
    assert read("%f:%l:%c: %m", line) == []


RUFF = """\
F401 [*] `os` imported but unused
 --> pkg/a.py:1:8
  |
1 | import os
  |        ^^
  |
help: Remove unused import: `os`

invalid-syntax: Expected a parameter
 --> b.py:3:7
  |

pkg/a.py:2:1: E302 Expected 2 blank lines
b.py:3:7: invalid-syntax: Expected a parameter
unformatted: File would be reformatted
 --> c.py:2:1
Would reformat: d.py
error: Failed to parse e.py:3:7: Expected a parameter
Found 3 errors.
"""
MYPY = """\
pkg/a.py:2: error: Incompatible types in assignment  [assignment]
pkg/a.py:2:5: error: Bad  [misc]
pkg/a.py:2:5:2:9: error: Bad end  [misc]
pkg/a.py:2: note: See the documentation
b.py: error: Source file found twice
Found 2 errors in 1 file (checked 1 source file)
"""
PYRIGHT = """\
/home/me/pkg/a.py
  /home/me/pkg/a.py:2:10 - error: Type "str" is not assignable (reportAssignmentType)
  /home/me/pkg/a.py:3:1 - warning: Import "x" is not accessed
  /home/me/pkg/a.py:4:1 - information: hint
1 error, 1 warning, 1 information
"""
TY = """\
error[unresolved-import]: Cannot resolve imported module `x`
 --> a.py:1:8
  |
1 | import x
  |        ^
  |
info: make sure your Python environment is configured
info[a-b]: nothing
 --> a.py:1:8
b.py:2:3: warning[possibly-unbound] Name `y`
Found 2 diagnostics
"""


@pytest.mark.parametrize(
    ("tool", "text", "expected"),
    [
        (
            "ruff",
            RUFF,
            [
                ("pkg/a.py", 1, 8, None, "F401 [*] `os` imported but unused"),
                ("b.py", 3, 7, None, "invalid-syntax: Expected a parameter"),
                ("pkg/a.py", 2, 1, None, "E302 Expected 2 blank lines"),
                ("b.py", 3, 7, None, "invalid-syntax: Expected a parameter"),
                ("c.py", 2, 1, None, "unformatted: File would be reformatted"),
                ("d.py", None, None, None, "Would reformat"),
                ("e.py", 3, 7, "error", "Expected a parameter"),
            ],
        ),
        (
            "mypy",
            MYPY,
            [
                ("pkg/a.py", 2, None, "error", "Incompatible types in assignment  [assignment]"),
                ("pkg/a.py", 2, 5, "error", "Bad  [misc]"),
                ("pkg/a.py", 2, 5, "error", "Bad end  [misc]"),
                ("b.py", None, None, "error", "Source file found twice"),
            ],
        ),
        (
            "pyright",
            PYRIGHT,
            [
                (
                    "/home/me/pkg/a.py",
                    2,
                    10,
                    "error",
                    'Type "str" is not assignable (reportAssignmentType)',
                ),
                ("/home/me/pkg/a.py", 3, 1, "warning", 'Import "x" is not accessed'),
            ],
        ),
        (
            "ty",
            TY,
            [
                (
                    "a.py",
                    1,
                    8,
                    "error",
                    "[unresolved-import]: Cannot resolve imported module `x`",
                ),
                ("b.py", 2, 3, "warning", "[possibly-unbound] Name `y`"),
            ],
        ),
    ],
)
def test_known_tools_are_read(
    tool: str, text: str, expected: list[tuple[str, int | None, int | None, None, str]]
) -> None:
    """Their forms of one line and of several, with notes and information left out."""
    assert read(tool, text) == [Problem(*fields) for fields in expected]


def test_every_tool_that_the_configuration_knows_is_read() -> None:
    """No tool that `diagnostics` can name is taken for a format."""
    for tool in DIAGNOSTIC_TOOLS:
        assert read(tool, f"{tool}\n") == []
