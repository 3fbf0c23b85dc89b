"""What the store keeps, and how a record becomes a row.

A row is a key and a body. The body is msgpack behind a checksum of key and body, because
SQLite has none: a flipped bit in an import's name would silently cost a test.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TypeAlias, get_args

import msgspec

from devloop.errors import StoreError
from devloop.events import TestOutcome
from devloop.graph.facts import Facts
from devloop.plan.measures import Measure
from devloop.plan.steps import StepRecord
from devloop.plan.warm import WarmRecord
from devloop.select.proofs import FlakyTest, ShadowTotals, WrongSkip
from devloop.select.records import HistoryEntry, Listing, Pass, Verdict

Signature: TypeAlias = tuple[int, int, int, int]
Row: TypeAlias = tuple[bytes, bytes]

_NUMBER = 4
"""The bytes of a number in a key, so that keys sort by it."""
_OUTCOMES: tuple[TestOutcome, ...] = get_args(TestOutcome)

_REVISION = 8
"""The bytes of a revision in a key, so that keys sort by it."""

UNKNOWN: Signature = (0, 0, 0, 0)
"""The signature of no file: what bears it is read anew."""


class FileRecord(msgspec.Struct, frozen=True, gc=False):
    """What is known of one file.

    Args:
        path: relative to the root; undecodable bytes as lone surrogates (PEP 383).
        signature: size, mtime_ns, ctime_ns, inode.
        digest: of its bytes.
        facts: None for what is not parsed, and where another interpreter found them.
    """

    path: str
    signature: Signature
    digest: bytes
    facts: Facts | None = None


class _FileBody(msgspec.Struct, frozen=True, array_like=True, gc=False):
    signature: Signature
    digest: bytes
    stamp: bytes
    facts: Facts | None


class _VerdictBody(msgspec.Struct, frozen=True, array_like=True, gc=False):
    path: bytes
    outcome: int
    microseconds: int
    revision: int
    own: int
    base: int
    passes: tuple[tuple[int, int, int], ...]
    failures: int


class _CollectedBody(msgspec.Struct, frozen=True, array_like=True, gc=False):
    revision: int
    listings: tuple[tuple[int, int, int], ...]


class _StepBody(msgspec.Struct, frozen=True, array_like=True):
    key: bytes
    outputs: tuple[tuple[bytes, bytes], ...]
    made: bytes


class _WarmBody(msgspec.Struct, frozen=True, array_like=True):
    stamp: bytes
    record: WarmRecord


_encode = msgspec.msgpack.Encoder().encode
_file = msgspec.msgpack.Decoder(_FileBody).decode
_verdict = msgspec.msgpack.Decoder(_VerdictBody).decode
_step = msgspec.msgpack.Decoder(_StepBody).decode
_warm = msgspec.msgpack.Decoder(_WarmBody).decode
_measure = msgspec.msgpack.Decoder(Measure).decode
_bytes = msgspec.msgpack.Decoder(bytes).decode
_flaky = msgspec.msgpack.Decoder(FlakyTest).decode
_skip = msgspec.msgpack.Decoder(WrongSkip).decode
_totals = msgspec.msgpack.Decoder(ShadowTotals).decode
_int = msgspec.msgpack.Decoder(int).decode
_collected = msgspec.msgpack.Decoder(_CollectedBody).decode


def name(text: str) -> bytes:
    """The bytes of a path or a nodeid, whatever it holds, in any locale.

    Args:
        text: may hold lone surrogates.

    Returns:
        Bytes from which `text` gives back the same.
    """
    return text.encode("utf-8", "surrogatepass")


def text(data: bytes) -> str:
    """What `name` had been given."""
    return data.decode("utf-8", "surrogatepass")


def stamp(words: str) -> bytes:
    """A short digest of a caller's stamp, kept in every row that depends on it."""
    return blake2b(name(words), digest_size=8).digest()


def _seal(key: bytes, body: bytes) -> Row:
    return key, zlib.crc32(body, zlib.crc32(key)).to_bytes(4, "big") + body


def _unseal(key: bytes, body: bytes) -> memoryview:
    view = memoryview(body)[4:]
    if zlib.crc32(view, zlib.crc32(key)).to_bytes(4, "big") != body[:4]:
        raise StoreError("a record in it is damaged")
    return view


def file_row(record: FileRecord, mark: bytes) -> Row:
    """The row of a file.

    Args:
        record: a signature beyond 64 bits (a date far in the future) and facts that are not
            Unicode are left out, so that the file is read anew.
        mark: the `stamp` of whom the facts come from.
    """
    key = name(record.path)
    body = _FileBody(record.signature, record.digest, mark, record.facts)
    try:
        return _seal(key, _encode(body))
    except (OverflowError, UnicodeEncodeError):
        return _seal(key, _encode(_FileBody(UNKNOWN, record.digest, mark, None)))


def file_record(key: bytes, body: bytes, mark: bytes) -> FileRecord:
    """The record of a file's row.

    Args:
        key: as `file_row` made it.
        body: likewise.
        mark: facts that bear another one are left out.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    row = _file(_unseal(key, body))
    facts = row.facts if row.stamp == mark else None
    return FileRecord(text(key), row.signature, row.digest, facts)


def verdict_row(verdict: Verdict, number: int) -> Row:
    """The row of a verdict.

    Args:
        verdict: its path is kept only where it is not the nodeid's beginning.
        number: of its nodeid among the dependencies.
    """
    own = verdict.nodeid.partition("::")[0]
    body = _VerdictBody(
        b"" if verdict.path == own else name(verdict.path),
        _OUTCOMES.index(verdict.outcome),
        round(verdict.seconds * 1e6),
        verdict.revision,
        verdict.own,
        verdict.base,
        tuple((one.revision, one.own, one.base) for one in verdict.passes),
        verdict.failures,
    )
    return _seal(_number(number), _encode(body))


def verdict_record(key: bytes, body: bytes, deps: Sequence[str]) -> Verdict:
    """The verdict of a row.

    Args:
        key: as `verdict_row` made it.
        body: likewise.
        deps: by their numbers.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    row = _verdict(_unseal(key, body))
    try:
        nodeid = deps[number_of(key)][2:]
        outcome = _OUTCOMES[row.outcome]
    except IndexError:
        raise StoreError("a test in it has no name") from None
    path = text(row.path) if row.path else nodeid.partition("::")[0]
    passes = tuple(Pass(*one) for one in row.passes)
    return Verdict(
        nodeid,
        path,
        outcome,
        row.microseconds / 1e6,
        row.revision,
        row.own,
        row.base,
        passes,
        row.failures,
    )


def collected_row(path: str, revision: int, listings: Iterable[Listing]) -> Row:
    """The row that says on which contents a file's list of tests is known.

    Args:
        path: of the file.
        revision: of the last one, or that it could not be collected.
        listings: the latest first.
    """
    body = _CollectedBody(revision, tuple((x.revision, x.base, x.tests) for x in listings))
    return _seal(name(path), _encode(body))


def collected_record(key: bytes, body: bytes) -> tuple[str, int, tuple[Listing, ...]]:
    """The path, revision and listings of a row.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    row = _collected(_unseal(key, body))
    return text(key), row.revision, tuple(Listing(*one) for one in row.listings)


def outline_row(fingerprint: bytes, outline: bytes) -> Row:
    """The row of a source's outline."""
    return _seal(fingerprint, outline)


def outline_record(key: bytes, body: bytes) -> tuple[bytes, bytes]:
    """The fingerprint and the outline of a row.

    Raises:
        StoreError: it is damaged.
    """
    return key, bytes(_unseal(key, body))


def dep_row(number: int, dep: str) -> Row:
    """The row of a dependency."""
    return _seal(_number(number), name(dep))


def dep_record(key: bytes, body: bytes) -> tuple[int, str]:
    """The number of a dependency, and what it is.

    Raises:
        StoreError: it is damaged.
    """
    return number_of(key), text(bytes(_unseal(key, body)))


def set_row(number: int, packed: bytes) -> Row:
    """The row of a set of dependencies."""
    return _seal(_number(number), packed)


def set_record(key: bytes, body: bytes) -> tuple[int, bytes]:
    """The number of a set, and the set, packed.

    Raises:
        StoreError: it is damaged.
    """
    return number_of(key), bytes(_unseal(key, body))


def memo_row(key: str, number: int) -> Row:
    """The row of what a cached function has reached."""
    return _seal(name(key), _encode(number))


def memo_record(key: bytes, body: bytes) -> tuple[str, int]:
    """The key of a cached function, and the number of the set of what it has reached.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    return text(key), _int(_unseal(key, body))


def _number(number: int) -> bytes:
    return number.to_bytes(_NUMBER, "big")


def number_of(key: bytes) -> int:
    """The number that a key holds."""
    return int.from_bytes(key, "big")


def history_row(entry: HistoryEntry) -> Row:
    """The row of an entry of the contents' history."""
    key = entry.revision.to_bytes(_REVISION, "big") + name(entry.path)
    return _seal(key, _encode(entry.content))


def history_record(key: bytes, body: bytes) -> HistoryEntry:
    """The entry of a row.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    content = _bytes(_unseal(key, body))
    return HistoryEntry(text(key[_REVISION:]), revision_of(key), content)


def revision_of(key: bytes) -> int:
    """The revision that the key of a history's row begins with."""
    return int.from_bytes(key[:_REVISION], "big")


def step_row(step: str, record: StepRecord) -> Row:
    """The row of a step."""
    outputs = tuple((name(path), digest) for path, digest in record.outputs.items())
    return _seal(name(step), _encode(_StepBody(record.key, outputs, record.made)))


def step_record(key: bytes, body: bytes) -> tuple[str, StepRecord]:
    """The name and record of a step's row.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    row = _step(_unseal(key, body))
    outputs = {text(path): digest for path, digest in row.outputs}
    return text(key), StepRecord(row.key, outputs, row.made)


def warm_row(app: str, record: WarmRecord, mark: bytes) -> Row:
    """The row of what is known of an app's starts.

    Args:
        app: its name.
        record: what is known.
        mark: the `stamp` of its command and its interpreter.
    """
    return _seal(name(app), _encode(_WarmBody(mark, record)))


def warm_record(key: bytes, body: bytes) -> tuple[str, bytes, WarmRecord]:
    """The app, the stamp and the record of a row.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    row = _warm(_unseal(key, body))
    return text(key), row.stamp, row.record


def proof_row(key: str, proof: FlakyTest | WrongSkip | ShadowTotals) -> Row | None:
    """The row of what is known of selection itself.

    Args:
        key: a nodeid; nothing for the totals.
        proof: what is known.

    Returns:
        None for what is not Unicode: a file's name that is not is no reason to fail.
    """
    try:
        return _seal(name(key), _encode(proof))
    except UnicodeEncodeError:
        return None


def flaky_record(key: bytes, body: bytes) -> FlakyTest:
    """The flaky test of a row.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    return _flaky(_unseal(key, body))


def skip_record(key: bytes, body: bytes) -> WrongSkip:
    """The wrong skip of a row.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    return _skip(_unseal(key, body))


def totals_record(key: bytes, body: bytes) -> ShadowTotals:
    """The totals of a row.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    return _totals(_unseal(key, body))


def measure_row(measure: Measure) -> Row:
    """The row of a cycle's measure."""
    return _seal(moment(measure.t), _encode(measure))


def measure_record(key: bytes, body: bytes) -> Measure:
    """The measure of a row.

    Raises:
        StoreError: it is damaged.
        msgspec.DecodeError: it has another form.
    """
    return _measure(_unseal(key, body))


def moment(t: float) -> bytes:
    """A time as a key that sorts by it.

    Args:
        t: seconds since the epoch.
    """
    return max(round(t * 1_000_000), 0).to_bytes(8, "big")
