"""What earlier runs have shown, and on which contents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devloop.events import TestOutcome
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout
from devloop.select import learning
from devloop.select.category import category
from devloop.select.delta import Present
from devloop.select.records import HistoryEntry, Learned, Ran, Records

CONTENTS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([b"1", b"2", b"3"]))


def ran(path: str, **outcomes: TestOutcome) -> Ran:
    """A run in which all tests of one file ended."""
    tests = {f"{path}::{name}": (path, outcome, 0.5) for name, outcome in outcomes.items()}
    return Ran(tests, {path: frozenset(tests)})


GRAPH = Graph.build(Layout(), {})


def learned_from(records: Records, run: Ran, contents: dict[str, bytes], *doubtful: str) -> Learned:
    """What a run adds."""
    return learning.learn(
        Present(GRAPH, records, contents, category, lambda _: {}), run, frozenset(doubtful)
    )


def learn(records: Records, run: Ran, contents: dict[str, bytes], *doubtful: str) -> Records:
    """The records after a run."""
    return records.with_learned(learned_from(records, run, contents, *doubtful))


@given(st.lists(CONTENTS, min_size=1))
def test_the_history_knows_what_changed_since_any_revision(
    versions: list[dict[str, bytes]],
) -> None:
    """For every revision, just the paths whose content differs from it are named."""
    records = Records()
    at: dict[int, dict[str, bytes]] = {}
    for contents in versions:
        records = learn(records, Ran({}, {}), contents)
        at[records.revision] = contents
    now = versions[-1]
    for revision, then in at.items():
        differ = {path for path in now.keys() | then.keys() if now.get(path) != then.get(path)}
        assert records.changed_since(revision, now) == differ


@given(st.lists(CONTENTS))
def test_the_history_survives_the_store(versions: list[dict[str, bytes]]) -> None:
    """Records made anew from their entries, in any order, answer alike."""
    records = Records()
    entries: list[HistoryEntry] = []
    for contents in versions:
        learned = learned_from(records, Ran({}, {}), contents)
        entries.extend(learned.entries)
        records = records.with_learned(learned)
    again = Records(reversed(entries))
    assert again.revision == records.revision
    for revision in range(records.revision + 1):
        assert again.changed_since(revision, {}) == records.changed_since(revision, {})


def test_an_edit_that_was_taken_back_is_no_change() -> None:
    """The content counts, not the number of saves."""
    records = learn(Records(), ran("t.py", x="passed"), {"t.py": b"1"})
    assert records.changed_since(records.revision, {"t.py": b"2"}) == {"t.py"}
    assert records.changed_since(records.revision, {"t.py": b"1"}) == frozenset()


def test_unchanged_contents_make_no_revision() -> None:
    """A second run on the same tree adds verdicts and no history."""
    records = learn(Records(), ran("t.py", x="passed"), {"t.py": b"1"})
    learned = learned_from(records, ran("t.py", x="failed"), {"t.py": b"1"})
    assert learned.entries == ()
    assert learned.verdicts[0].revision == records.revision


def test_a_pass_in_doubt_is_not_kept_and_a_failure_is() -> None:
    """A save that may have reached a test while it ran: its pass says nothing of any content."""
    records = learn(Records(), ran("t.py", good="passed", bad="failed"), {"t.py": b"1"}, "t.py")
    assert {nodeid: v.outcome for nodeid, v in records.verdicts.items()} == {"t.py::bad": "failed"}
    assert records.collected == {}


def test_a_test_that_is_gone_is_forgotten() -> None:
    """It was not collected with the whole of its file, or its file is not there any more."""
    records = learn(Records(), ran("t.py", x="failed"), {"t.py": b"1", "u.py": b"1"})
    records = learn(records, ran("u.py", y="failed"), {"t.py": b"1", "u.py": b"1"})
    records = learn(records, ran("t.py", z="passed"), {"t.py": b"2"})
    assert set(records.verdicts) == {"t.py::z"}


def test_a_run_that_was_cut_short_does_not_list_a_file() -> None:
    """Tests that did not run leave their file's list of tests as it was (S32)."""
    run = Ran({"t.py::x": ("t.py", "passed", 0.1)}, {})
    assert learn(Records(), run, {"t.py": b"1"}).collected == {}
