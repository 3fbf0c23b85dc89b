"""Records become rows and come back the same, or are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.errors import StoreError
from devloop.graph.facts import Facts, Import, SourceProblem
from devloop.plan.steps import StepRecord
from devloop.plan.warm import Quarantined, Shape, WarmRecord
from devloop.select.records import HistoryEntry, Listing, Pass, Verdict
from devloop.store import records
from devloop.store.records import FileRecord

FACTS = Facts(
    b"f" * 16,
    (Import("a.b", 1, ("c", "*"), True),),
    ("x.y",),
    (".plugins",),
    ("p",),
    ("app",),
    SourceProblem("invalid syntax", 3, 7),
)
MARK = records.stamp("cpython 3.11.7, parser 1")


@given(st.text(st.characters(codec=None)))
def test_any_text_keeps_its_characters(text: str) -> None:
    """A path or nodeid comes back as it was, lone surrogates (undecodable bytes) included."""
    assert records.text(records.name(text)) == text


def test_a_file_comes_back_with_its_facts() -> None:
    """Every field of a file's record survives, in a path that is not UTF-8 too."""
    record = FileRecord("src/\udcff\udcfe.py", (10, -5, 2**60, 2**64 - 1), b"d" * 16, FACTS)
    assert records.file_record(*records.file_row(record, MARK), MARK) == record


def test_facts_of_another_interpreter_are_left_out() -> None:
    """Under another stamp the digest stands, the facts do not."""
    record = FileRecord("a.py", (1, 2, 3, 4), b"d", FACTS)
    found = records.file_record(*records.file_row(record, MARK), records.stamp("cpython 3.13"))
    assert found == FileRecord("a.py", (1, 2, 3, 4), b"d", None)


@pytest.mark.parametrize(
    "record",
    [
        FileRecord("a.py", (1, 2**80, 3, 4), b"d", FACTS),
        FileRecord("a.py", (1, 2, 3, 4), b"d", Facts(b"f", problem=SourceProblem("\udcff"))),
    ],
    ids=["a date that needs more than 64 bits", "facts that are not Unicode"],
)
def test_what_cannot_be_kept_makes_the_file_be_read_anew(record: FileRecord) -> None:
    """No facts and the signature of no file: nothing is trusted that could not be written."""
    found = records.file_record(*records.file_row(record, MARK), MARK)
    assert found == FileRecord("a.py", records.UNKNOWN, b"d", None)


def test_verdicts_lists_and_steps_come_back() -> None:
    """The other records survive as well, odd names included."""
    nodeid = "t/\udce9.py::test_a[\ud800]"
    passes = (Pass(7, 1, 2), Pass(3))
    verdict = Verdict(nodeid, "t/\udce9.py", "xpassed", 0.5, 7, 1, 2, passes, 5)
    deps = ["f a.py::f", f"n {nodeid}"]
    assert records.verdict_record(*records.verdict_row(verdict, 1), deps) == verdict
    elsewhere = Verdict(nodeid, "other.py", "failed", 0.5, 7)
    assert records.verdict_record(*records.verdict_row(elsewhere, 1), deps) == elsewhere
    lists = (Listing(7, 1, 2), Listing(3, 0, 4))
    row = records.collected_row("t/\udce9.py", 7, lists)
    assert records.collected_record(*row) == ("t/\udce9.py", 7, lists)
    assert records.dep_record(*records.dep_row(70000, deps[1])) == (70000, deps[1])
    assert records.set_record(*records.set_row(9, b"\x01")) == (9, b"\x01")
    assert records.memo_record(*records.memo_row("t/\udce9.py::f", 9)) == ("t/\udce9.py::f", 9)
    assert records.outline_record(*records.outline_row(b"f", b"packed")) == (b"f", b"packed")
    entry = HistoryEntry("t/\udce9.py", 2**40, b"content")
    assert records.history_record(*records.history_row(entry)) == entry
    step = StepRecord(b"k", {"static/\udce9.css": b"1", "b": b"2"}, b"m")
    assert records.step_record(*records.step_row("css", step)) == ("css", step)


def test_what_is_known_of_starts_comes_back() -> None:
    """With the stamp that it is known under."""
    shape = Shape(frozenset({("a", "/p/a.py")}), ("/p",), ("optimize=0",))
    unsafe = {"grpc": Quarantined("grpcio 1.0", "starts a thread")}
    record = WarmRecord(
        modules=("json",),
        held=("json",),
        left_out={"x": "why"},
        quarantine=unsafe,
        shape=shape,
        audited=True,
        off="off",
        spare=True,
        refused="why not",
        installed="i",
        rewritten=("json",),
        anew={"a.py": "prints"},
        not_kept={"shop:load": "a thread"},
    )
    assert records.warm_record(*records.warm_row("web", record, MARK)) == ("web", MARK, record)


@given(st.data())
def test_a_flipped_bit_is_noticed(data: st.DataObject) -> None:
    """A row with any one bit changed, in its key or its body, is refused."""
    key, body = records.verdict_row(Verdict("a.py::test", "a.py", "passed", 1.0, 12), 3)
    whole = bytearray(key + body)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StoreError):
        records.verdict_record(
            bytes(whole[: len(key)]), bytes(whole[len(key) :]), ["n a.py::test"] * 4
        )
