"""Syntax trees are gone through as the standard library goes through them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import devloop
from devloop.inside.syntax import children, walk

SOURCES = sorted(Path(devloop.__file__).parent.rglob("*.py"))
RARE = """
from . import a as b, c
import d.e
global g
async def f(x: int = 1, /, *y, z=2, **w) -> "r":
    async with a as (b, *c), d: pass
    async for i in j: await k
    else: return
    return [q async for q in r if s]
@dec(1, *two, **three)
class C(B, metaclass=M):
    n: int
    del n, o.p, q[1:2, ...]
try: raise X from Y
except (E, F) as e: nonlocal_ = 1
finally: assert t, "u"
match v:
    case {"k": 1, **rest} | [1, *_] | P(q, r=s) | -1 | None as whole if g: pass
print(f"{v!r:>{w}}" "x", lambda *a, b=1: (yield), a if b else c, not d, a < b <= c, a @ b)
(m := {**n, 1: {2}}) and (yield from o)
while p: q += 1
"""


def known(node: ast.AST) -> bool:
    """Whether a node is more than a note of what is done with a name."""
    return not isinstance(node, ast.expr_context)


@pytest.mark.parametrize("text", [RARE, *(path.read_text() for path in SOURCES[::9])])
def test_all_nodes_are_met_in_the_usual_order(text: str) -> None:
    """All but those that only say whether a name is loaded or stored."""
    tree = ast.parse(text)
    nodes = [node for node in ast.walk(tree) if known(node)]
    assert list(walk(tree)) == nodes
    for node in nodes:
        assert children(node) == [one for one in ast.iter_child_nodes(node) if known(one)]
