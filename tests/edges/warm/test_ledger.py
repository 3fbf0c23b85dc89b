"""The file in which forked children tell what they have imported, both sides of it."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator

import pytest

from devloop.execute.ledger import Ledger
from devloop.inside import ledger as inside
from devloop.inside import messages


@pytest.fixture
def ours() -> Iterator[Ledger]:
    """Devloop's side."""
    ledger = Ledger()
    yield ledger
    ledger.close()


@pytest.fixture
def theirs(ours: Ledger) -> Iterator[inside.Ledger]:
    """The child's side."""
    ledger = inside.Ledger(os.dup(ours.theirs))
    yield ledger
    ledger.close()


def test_what_is_asked_is_found(ours: Ledger, theirs: inside.Ledger) -> None:
    """Nothing at first; and who shall retire is never asked for less again."""
    assert theirs.asked() == inside.NOTHING
    ours.ask("report")
    assert theirs.asked() == inside.REPORT
    ours.ask("retire")
    ours.ask("report")
    assert theirs.asked() == inside.RETIRE


def test_what_is_told_is_taken_once(ours: Ledger, theirs: inside.Ledger) -> None:
    """In the order in which it was told; what is asked meanwhile is not in the way."""
    theirs.append(messages.pack({"m": "news", "modules": [["a", None]]}))
    ours.ask("report")
    theirs.append(messages.pack({"m": "news", "modules": [["b", "/b.py"]]}))
    assert [message["modules"] for message in ours.take()] == [[["a", None]], [["b", "/b.py"]]]
    assert ours.take() == []
    theirs.append(messages.pack({"m": "news", "modules": []}))
    assert ours.take() == [{"m": "news", "modules": []}]
    assert theirs.asked() == inside.REPORT


def test_it_does_not_grow_without_end(ours: Ledger, theirs: inside.Ledger) -> None:
    """However many children tell something, and what was cut short is not read."""
    frame = messages.pack({"m": "news", "modules": ["x" * (inside.MOST // 4)]})
    for _ in range(20):
        theirs.append(frame)
    assert len(ours.take()) == 4
    assert os.fstat(ours.theirs).st_size < inside.MOST + len(frame)
    os.ftruncate(ours.theirs, 1)
    ledger = Ledger()
    os.write(ledger.theirs, frame[:100])
    assert ledger.take() == []
    ledger.close()


def test_a_look_takes_no_more_memory_than_what_is_told(ours: Ledger, theirs: inside.Ledger) -> None:
    """Each restart looks several times: room for all that there could be would add up."""
    theirs.append(messages.pack({"m": "news", "modules": []}))
    tracemalloc.start()
    try:
        assert len(ours.take()) == 1
        os.ftruncate(ours.theirs, 0)
        assert ours.take() == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 16


def test_a_program_that_closes_what_it_finds_open(ours: Ledger) -> None:
    """It is never written to in our place; and whoever cannot read what is asked retires."""
    fd = os.dup(ours.theirs)
    theirs = inside.Ledger(fd)
    reading, writing = os.pipe()
    os.dup2(writing, fd)
    os.set_blocking(reading, False)
    try:
        assert theirs.asked() == inside.RETIRE
        theirs.append(b"frame")
        theirs.close()
        assert os.fstat(fd)
        with pytest.raises(BlockingIOError):
            os.read(reading, 1)
    finally:
        for end in (reading, writing, fd):
            os.close(end)


def test_after_its_end(ours: Ledger) -> None:
    """Once it is closed nothing is asked or taken, and no error comes of that."""
    ours.close()
    ours.ask("retire")
    assert ours.take() == []
