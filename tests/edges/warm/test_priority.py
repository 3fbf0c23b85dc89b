"""What is prepared in the background steps back, and has its full share when it is used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from devloop.execute.priority import low

pytestmark = pytest.mark.anyio


@pytest.fixture
def session() -> Iterator[int]:
    """A process that leads a session."""
    command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(command, start_new_session=True) as process:
        yield process.pid
        process.kill()


def nice(pid: int) -> int:
    """The nice value of its session; skips where there is none."""
    try:
        return int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1])
    except OSError:
        pytest.skip("the kernel does not group processes by session")


async def test_it_has_its_share_again_in_the_end(session: int) -> None:
    """Also where the kernel asks for patience."""
    assert nice(session) == 0
    for _ in range(2):
        with anyio.fail_after(60):
            async with low(session):
                assert nice(session) in (19, 0)
            assert nice(session) == 0


async def test_a_process_that_has_ended_is_nobodys_worry() -> None:
    """There is nothing to be given back."""
    async with low(1 << 22):
        pass
