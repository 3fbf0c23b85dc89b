"""What comes of a request, as another process is told of it."""

from __future__ import annotations

import pytest

from devloop import events as ev
from devloop.serve.following import Outcome

FAILED: list[ev.Event] = [
    ev.Diagnostic(path="test_a.py", line=3, message="no", source="pytest", nodeid="test_a.py::one"),
    ev.TestFinished(nodeid="test_a.py::one", outcome="failed", seconds=0.1),
]


@pytest.mark.parametrize(
    ("before", "failing"),
    [
        (FAILED, set()),  # it may stand on other content, and be known to pass on this
        ([ev.RunStarted(selected=1), *FAILED, ev.RunFinished(outcome="failed")], set()),
        ([*FAILED, ev.RunStarted(selected=1)], set()),
        ([ev.RunStarted(selected=1), *FAILED], {"test_a.py::one"}),  # it goes on for the request
    ],
    ids=["stands", "ended", "begun anew", "goes on"],
)
def test_what_failed_before_counts_where_its_run_goes_on(
    before: list[ev.Event], failing: set[str]
) -> None:
    """Else the request's own runs tell of each test that is due."""
    outcome = Outcome()
    for event in before:
        outcome.apply(event, begun=False)
    assert outcome.failing == failing
    for event in FAILED:
        outcome.apply(event, begun=True)
    assert outcome.failing == {"test_a.py::one"}
