"""One `watch` in a project: the lock that says so."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from devloop.errors import AlreadyWatching
from devloop.store import presence
from devloop.store.presence import NAME, hold, holder

HOLDER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from devloop.store import presence
from devloop.store.presence import hold
with hold(Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_watch_is_told_of_the_first(tmp_path: Path) -> None:
    """With its process, and what to do."""
    with hold(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with (
            pytest.raises(AlreadyWatching, match=rf"pid {os.getpid()}\)") as caught,
            hold(tmp_path),
        ):
            pass
        assert caught.value.exit_code == 4
        assert caught.value.hint
    assert holder(tmp_path) is None
    with hold(tmp_path):
        pass


def test_who_only_asks_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking takes the lock for a moment; a watch that begins in it begins all the same."""
    monkeypatch.setattr(presence, "ASKED", 60.0)
    with hold(tmp_path):
        pass
    asking = os.open(tmp_path / ".devloop" / NAME, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    ended = threading.Timer(0.02, os.close, [asking])
    ended.start()
    with hold(tmp_path):
        assert holder(tmp_path) == os.getpid()
    ended.join()


def test_where_nobody_has_watched_nobody_watches(tmp_path: Path) -> None:
    """And asking leaves nothing behind."""
    assert holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_killed_watch_leaves_no_stale_lock(tmp_path: Path) -> None:
    """The kernel gives the lock up however the process ends."""
    repository = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", HOLDER, repository, str(tmp_path)], stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert holder(tmp_path) == process.pid
        process.kill()
        process.wait(60)
    assert holder(tmp_path) is None
    with hold(tmp_path):
        assert holder(tmp_path) == os.getpid()


def test_where_nothing_can_be_locked_watching_goes_on(tmp_path: Path) -> None:
    """A file stands where the folder should be, say."""
    (tmp_path / ".devloop").touch()
    with hold(tmp_path), hold(tmp_path):
        assert holder(tmp_path) is None
