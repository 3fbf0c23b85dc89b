"""What is forked from a command tells what it imports, and is otherwise left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

if TYPE_CHECKING:
    from tests.edges.warm.zygote.conftest import Life, Starter

pytestmark = pytest.mark.anyio

MAIN = """
import json, os, sys, time
import colorsys
reading, writing = os.pipe()
for number in range(40):
    if os.fork() == 0:
        if number % 2:
            import wave
        os.write(writing, b".")
        while not os.path.exists("go"):
            time.sleep(0.01)
        os.fork()
        if number == 1:
            import chunk_of_mine
        os.write(writing, b".")
        while True:
            time.sleep(0.5)  # a signal just before a sleep is handled after it
for _ in range(40):
    os.read(reading, 1)
print("up", sorted(fd for fd in map(int, os.listdir("/proc/self/fd")) if 2 < fd < 200)[:-1])
sys.stdout.flush()
while not os.path.exists("go"):
    time.sleep(0.01)
for _ in range(80):
    os.read(reading, 1)
print("more", flush=True)
while True:
    time.sleep(0.5)
"""


async def told(life: Life, count: int) -> list[dict[str, Any]]:
    """What children tell, until there is as much as that."""
    assert life.running is not None
    found: list[dict[str, Any]] = []
    with anyio.fail_after(60):
        while len(found) < count:
            await anyio.sleep(0.01)
            found += life.running.ledger.take()
    return found


async def test_each_tells_what_it_has_imported_itself(start: Starter) -> None:
    """Once; who has imported nothing tells nothing, and what is only signalled does nothing."""
    start.write("chunk_of_mine.py", "")
    start.write("main.py", MAIN)
    life = await start.warm("python", "main.py")
    await life.until("up")
    assert "up [3, 4]" in life.text
    assert life.running is not None
    await life.running.order({"m": "report"}, group=True)
    first = await told(life, 20)
    names = [[name for name, _ in message["modules"]] for message in first]
    assert len(names) == 20
    assert all("wave" in each for each in names)
    assert not any("colorsys" in each or "_devloop" in " ".join(each) for each in names)
    (start.root / "go").touch()
    await life.until("more")
    await life.running.order({"m": "retire"}, group=True)
    second = await told(life, 2)
    assert [[name for name, _ in message["modules"]] for message in second] == [
        ["chunk_of_mine"],
        ["chunk_of_mine"],
    ]
    await life.process.stop(9, 0.0)
    assert life.running.ledger.take() == []
