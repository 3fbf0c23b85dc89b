"""What an edit would select before there is one."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from devloop.events import Reason
from devloop.select.delta import Present
from devloop.select.judge import Judge
from devloop.select.reach import Reach
from devloop.select.records import UNRECORDED, Pass, Verdict

_SEEN = {"f": "functions", "m": "modules", "p": "modules", "r": "files", "v": "variables"}


class Foresight(msgspec.Struct, frozen=True):
    """Which edits of a file would select a test.

    Args:
        functions: those of the file that it ran; empty also where nothing was recorded.
        recorded: whether what it ran was recorded.
        statements: how an edit of any statement outside of functions would reach it.
        content: how another content of the file would, if it is no source, or its text is
            looked at.
    """

    functions: tuple[str, ...] = ()
    recorded: bool = False
    statements: Reason | None = None
    content: Reason | None = None


def foresee(present: Present, path: str, tests: Collection[Verdict], file: str) -> Foresight:
    """Find which edits of a file would select a test.

    Args:
        present: what is known now.
        path: of the test's file.
        tests: the verdicts of the test, or of all tests that are meant.
        file: the one that would be edited.
    """
    records = present.records
    known = [one for one in _telling(present, tests) if one.own != UNRECORDED]
    found = {records.deps[number] for number in _members(present, known)}
    functions = sorted(dep[2:] for dep in found if dep.startswith(f"f {file}::"))
    static = Reach(present.graph, [file], present.categorise).reason(path)
    content = None
    for dep, detail in ((f"r {file}", "it reads the file"), (f"t {file}", "it looks at its text")):
        if dep in found:
            content = Reason("read", (path, file), detail)
    if content is None and any(dep.startswith(f"t {file}:") for dep in found):
        content = Reason("read", (path, file), "it shows lines of it")
    is_source = file in present.graph.files
    if not known and not is_source:
        content = static
    return Foresight(tuple(functions), bool(known), static if is_source else None, content)


def seen(present: Present, tests: Collection[Verdict]) -> dict[str, int]:
    """How much some tests were seen to depend on, by what it is.

    Args:
        present: what is known now.
        tests: their verdicts.
    """
    counts: dict[str, int] = {}
    for number in _members(present, _telling(present, tests)):
        word = _SEEN.get(present.records.deps[number][0])
        if word is not None:
            counts[word] = counts.get(word, 0) + 1
    return counts


def _telling(present: Present, tests: Collection[Verdict]) -> list[Verdict | Pass]:
    """What tells on what each test depends.

    Where it has passed on what there is now, that does: it may have failed since on something
    else, and have come less far.
    """
    judge = Judge(present)
    return [judge.holding(test) or test for test in tests]


def _members(present: Present, telling: Collection[Verdict | Pass]) -> frozenset[int]:
    members = present.records.members
    return frozenset().union(*(members(n) for one in telling for n in (one.own, one.base)))
