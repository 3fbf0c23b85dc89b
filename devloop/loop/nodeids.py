"""Nodeids that a person has typed."""

from __future__ import annotations

from devloop.config.fault import nearest
from devloop.errors import UsageError
from devloop.select.records import Records
from devloop.select.tests import by_file


def holds(outer: str, nodeid: str) -> bool:
    """Whether a nodeid is another one's, or that of something in it.

    Args:
        outer: of a file, a class, or a function with all its parameters.
        nodeid: of a test.
    """
    return nodeid == outer or nodeid.startswith((f"{outer}::", f"{outer}["))


def require_known(records: Records, target: str) -> None:
    """See to it that there is a test that a person has named.

    Args:
        records: what earlier runs have shown. Of a file that has never run nothing is known, so
            that any name in it may be right.
        target: a path or a nodeid.

    Raises:
        UsageError: the tests of its file are known, and it is none of them.
    """
    # A parameter may be another one each time (a clock, a set); its test stands for it.
    target = target.partition("[")[0]
    path, separator, _ = target.partition("::")
    known = [verdict.nodeid for verdict in by_file(records).get(path, ())]
    if not separator or not known or any(holds(target, nodeid) for nodeid in known):
        return
    meant = nearest(target, known)
    raise UsageError(
        f"there is no test {target}",
        hint=f"Did you mean {meant}?" if meant else f"{path} holds {len(known)} tests.",
    )
