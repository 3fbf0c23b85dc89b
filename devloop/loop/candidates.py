"""What a prompt looks through: test files, tests, revisions."""

from __future__ import annotations

from collections.abc import Sequence

from devloop.errors import UsageError
from devloop.loop.keys import Candidate, Kind
from devloop.loop.project import Project
from devloop.watch import revisions


def candidates(project: Project, kind: Kind) -> Sequence[Candidate]:
    """What can be meant, the likeliest first.

    Args:
        project: as it is known now.
        kind: what is asked for.

    Returns:
        Test files; tests that have run, each once for all its parameters; or revisions, none
        where git knows of none.
    """
    if kind == "paths":
        return [Candidate(path, path) for path in project.test_files]
    if kind == "names":
        there = frozenset(project.test_files)
        names = dict.fromkeys(
            nodeid.partition("::")[2].partition("[")[0]
            for nodeid, verdict in sorted(project.records.verdicts.items())
            if verdict.path in there
        )
        return [Candidate(name, name) for name in names]
    try:
        found = revisions.recent(project.root)
    except UsageError:
        return []
    return [Candidate(name, f"{name} {about}".strip()) for name, about in found]
