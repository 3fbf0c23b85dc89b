"""What is a change of content, and what is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from devloop.watch import signatures
from devloop.watch.baseline import Baseline
from devloop.watch.signatures import Known, Signature, Unsettled, look, read

LATER = 3600 * 10**9


@pytest.fixture
def baseline(tmp_path: Path) -> Baseline:
    """Of a folder with one file, which has been read."""
    (tmp_path / "m.py").write_text("V = 1\n")
    found = Baseline(str(tmp_path))
    assert found.examine("m.py", time.time_ns() + LATER) == "created"
    return found


def test_what_was_put_is_given_back() -> None:
    """Packed and unpacked, with and without digest, with times before 1970 and large inodes."""
    baseline = Baseline("/nowhere")
    for number, digest in enumerate((None, b"d" * 16)):
        known = Known(Signature(5, -1, 2**62, 2**64 - 1), digest)
        baseline.put(f"{number}.py", known, LATER)
        assert baseline[f"{number}.py"] == known
    assert list(baseline) == ["0.py", "1.py"]
    baseline.forget("0.py")
    assert len(baseline) == 1


def test_the_same_bytes_are_no_change(baseline: Baseline, tmp_path: Path) -> None:
    """Written anew, another inode, another time: None, and the new signature is remembered."""
    now = time.time_ns() + LATER
    new = tmp_path / "new"
    new.write_text("V = 1\n")
    new.replace(tmp_path / "m.py")
    assert baseline.examine("m.py", now) is None
    assert baseline["m.py"].signature == look(str(tmp_path / "m.py"))


def test_other_bytes_of_one_length_and_time_are_a_change(
    baseline: Baseline, tmp_path: Path
) -> None:
    """Size and mtime set back to what they were: ctime tells, and the bytes decide."""
    stamp = (tmp_path / "m.py").stat()
    (tmp_path / "m.py").write_text("V = 2\n")
    os.utime(tmp_path / "m.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert baseline.examine("m.py", time.time_ns() + LATER) == "modified"


def test_a_young_signature_proves_nothing(tmp_path: Path) -> None:
    """Read within a tick of the write, the file is read again though its signature is the same."""
    path = tmp_path / "m.py"
    path.write_text("V = 2\n")
    signature = look(str(path))
    assert signature is not None
    baseline = Baseline(str(tmp_path))
    baseline.put("m.py", Known(signature, b"of V = 1".ljust(16)), signature.mtime_ns + 10**6)
    assert baseline.stale() == ["m.py"]
    assert baseline.examine("m.py", signature.mtime_ns + LATER) == "modified"
    assert baseline.stale() == []
    baseline.put("m.py", Known(signature, b"of V = 1".ljust(16)), signature.mtime_ns + LATER)
    assert baseline.examine("m.py", signature.mtime_ns + LATER) is None


def test_a_missing_file_may_come_back(baseline: Baseline, tmp_path: Path) -> None:
    """Unless it is said that it may be missing, that is not settled."""
    (tmp_path / "m.py").unlink()
    with pytest.raises(Unsettled):
        baseline.examine("m.py", LATER, deleted=False)
    assert "m.py" in baseline
    assert baseline.examine("m.py", LATER) == "deleted"
    assert baseline.examine("m.py", LATER) is None


def test_a_file_that_changes_while_it_is_read_is_not_settled(
    baseline: Baseline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P22: half a file is never remembered with the whole one's signature."""
    path, plain, armed = tmp_path / "m.py", os.read, ["once", "twice"]

    def read_and_write(fd: int, size: int) -> bytes:
        part = plain(fd, size)
        if not part and armed.pop():
            with path.open("a") as file:
                file.write("more\n")
        return part

    path.write_text("V = 22\n")
    before = baseline["m.py"]
    monkeypatch.setattr(os, "read", read_and_write)
    with pytest.raises(Unsettled):
        baseline.examine("m.py", time.time_ns() + LATER, patient=True)
    assert baseline["m.py"] == before
    assert baseline.examine("m.py", time.time_ns() + LATER) == "modified"
    monkeypatch.undo()
    assert not armed
    assert baseline["m.py"].digest is None
    assert baseline["m.py"].signature == look(str(path))


def test_a_file_that_is_empty_all_of_a_sudden_may_be_written_yet(
    baseline: Baseline, tmp_path: Path
) -> None:
    """Found so by looking, before the event came that tells of its writer: left alone, once."""
    (tmp_path / "m.py").write_text("")
    now = time.time_ns() + LATER
    with pytest.raises(Unsettled):
        baseline.examine("m.py", now, wary=True)
    assert baseline["m.py"].signature.size > 0
    assert baseline.examine("m.py", now) == "modified"
    (tmp_path / "new.py").touch()
    assert baseline.examine("new.py", now, wary=True) == "created"
    assert baseline.examine("new.py", now, wary=True) is None


def test_an_unread_file_counts_by_its_signature(tmp_path: Path) -> None:
    """A change of mode is none; another size or mtime is one."""
    path = tmp_path / "data.bin"
    path.write_bytes(b"1")
    signature = look(str(path))
    assert signature is not None
    baseline = Baseline(str(tmp_path))
    baseline.put("data.bin", Known(signature), time.time_ns() + LATER)
    path.chmod(0o600)
    assert baseline.examine("data.bin", time.time_ns() + LATER) is None
    baseline.put("data.bin", Known(signature), time.time_ns() + LATER)
    path.write_bytes(b"22")
    assert baseline.examine("data.bin", time.time_ns() + LATER) == "modified"


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """Its size and mtime stand for its content."""
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(signatures.LARGE + 1)
    baseline = Baseline(str(tmp_path))
    assert baseline.examine("large.bin", time.time_ns() + LATER) == "created"
    assert baseline["large.bin"].digest is None
    path.chmod(0o600)
    assert baseline.examine("large.bin", time.time_ns() + LATER) is None
    os.utime(path, ns=(0, 0))
    assert baseline.examine("large.bin", time.time_ns() + LATER) == "modified"


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """Folders, FIFOs and links that lead nowhere are no files; a link to a file is that file."""
    (tmp_path / "m.py").write_text("V = 1\n")
    (tmp_path / "link").symlink_to("m.py")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    assert read(str(tmp_path)) is None
    assert read(str(tmp_path / "dangling")) is None
    assert read(str(tmp_path / "fifo")) is None
    assert read(str(tmp_path / "link")) == read(str(tmp_path / "m.py"))


def test_a_file_is_filled_in_only_while_it_is_the_same(tmp_path: Path) -> None:
    """A change that nobody has reported yet must not become the baseline."""
    path = tmp_path / "m.py"
    path.write_text("V = 1\n")
    signature = look(str(path))
    assert signature is not None
    now = time.time_ns() + LATER
    baseline = Baseline(str(tmp_path))
    baseline.put("m.py", Known(signature), now)
    path.write_text("V = 22\n")
    baseline.fill("m.py", now)
    assert baseline["m.py"] == Known(signature)
    assert baseline.examine("m.py", now) == "modified"
