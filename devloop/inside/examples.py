"""The examples that `doctest` finds in a text: what they import.

`doctest` itself is not imported: with `pdb` and `unittest` behind it, it takes a tenth of a second.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from .statements import Statements

PROMPT = ">>>"
_EXAMPLE = re.compile(
    r"^(?P<indent> *)>>>(?P<first> .*)?$"
    r"(?P<rest>(?:\n *\.\.\.(?: .*)?$)*)",
    re.MULTILINE,
)
"""As `doctest.DocTestParser._EXAMPLE_RE` has it, without what is expected."""


def source_of_examples(text: str) -> str:
    """The source of all examples in a text, one after the other.

    Args:
        text: a docstring, or a whole file.

    Returns:
        Nothing where there is none; those that do not compile are left out: they import nothing.
    """
    found = []
    for match in _EXAMPLE.finditer(text.expandtabs()):
        lines = [match["first"] or ""]
        lines += [line.lstrip().removeprefix("...") for line in match["rest"].split("\n")[1:]]
        example = "\n".join(line.removeprefix(" ") for line in lines)
        if _compiles(example):
            found.append(example)
    return "\n".join(found)


def imported_by_examples(texts: list[str]) -> list[list[Any]]:
    """What the examples in some texts import.

    Args:
        texts: docstrings, and other strings.

    Returns:
        The fields of `devloop.graph.facts.Import`, one for each.
    """
    statements = Statements()
    source = "\n".join(source_of_examples(text) for text in texts if "import" in text)
    tree: Any = compile(source, "examples", "exec", ast.PyCF_ONLY_AST, True, 0)
    statements.walk(tree.body)
    return statements.imports


def _compiles(example: str) -> bool:
    try:
        compile(example, "example", "exec", 0, True, 0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    # What must stand first in a module may stand anywhere among examples.
    return "__future__" not in example
