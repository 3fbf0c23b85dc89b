"""Watches by inotify: laid and taken away one by one, following the path and not the folder."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskGroup

from devloop.config.types import Watch
from devloop.events import Change
from devloop.watch.calm import REST
from devloop.watch.notify import Event
from devloop.watch.scan import ChangeSet
from devloop.watch.watcher import Watcher

if sys.platform != "linux":
    pytest.skip("this is a matter of Linux", allow_module_level=True)

from devloop.watch.by_inotify import ByInotify

pytestmark = pytest.mark.anyio

QUEUE = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())

Reported = Callable[..., Awaitable[list[ChangeSet]]]


class Heard:
    """Watches, and what they have told."""

    def __init__(self, tasks: TaskGroup) -> None:
        self.watches = ByInotify(tasks, self._hear, self._lose)
        self.events: list[Event] = []
        self.losses: list[Exception | None] = []
        self._news = anyio.Event()

    def _hear(self, events: Iterable[Event]) -> None:
        self.events += events
        self._news.set()

    def _lose(self, why: Exception | None) -> None:
        self.losses.append(why)
        self._news.set()

    async def when(self, happened: Callable[[], bool]) -> None:
        """Wait until something is so."""
        with anyio.fail_after(60):
            while not happened():
                self._news = anyio.Event()
                await self._news.wait()

    async def lay(self, *folders: Path, anew: bool = False) -> None:
        """Watch these folders and no others."""
        await self.watches.lay({str(folder) for folder in folders}, set(), anew=anew)

    async def until(self, path: Path) -> dict[str, Event]:
        """Wait until something has been told of a path; gives the last event of every place."""
        await self.when(lambda: any(event.place == str(path) for event in self.events))
        found = {event.place: event for event in self.events}
        self.events.clear()
        return found


@asynccontextmanager
async def listening() -> AsyncIterator[Heard]:
    """Watches of one's own."""
    async with anyio.create_task_group() as tasks:
        heard = Heard(tasks)
        try:
            yield heard
        finally:
            heard.watches.close()


def folder(path: Path) -> Path:
    """Make a folder."""
    path.mkdir(parents=True)
    return path


def kernel_watches() -> Iterator[str]:
    """What the kernel says this process watches: a line for each folder."""
    for info in Path("/proc/self/fdinfo").iterdir():
        try:
            text = info.read_text()
        except OSError:
            continue
        yield from (line for line in text.splitlines() if line.startswith("inotify wd:"))


async def test_folders_are_added_and_taken_away_one_by_one(tmp_path: Path) -> None:
    """Those that stay keep their watch and miss nothing; those that go have none any more."""
    one, two, three = (folder(tmp_path / name) for name in ("one", "two", "three"))
    async with listening() as heard:
        await heard.lay(one, two)
        before = set(kernel_watches())
        (one / "a.py").write_text("1\n")
        await heard.lay(one, three)
        (two / "b.py").write_text("1\n")
        (three / "c.py").write_text("1\n")
        found = await heard.until(three / "c.py")
        assert {str(one / "a.py"), str(three / "c.py")} == set(found)
        after = set(kernel_watches())
        assert len(before) == len(after) == 2
        assert len(before & after) == 1
    assert not set(kernel_watches())


async def test_what_is_known_of_a_file_is_whether_it_is_whole(tmp_path: Path) -> None:
    """Closed after writing or moved here: whole. Being written: not. Gone or new: unknown."""
    path = tmp_path / "m.py"
    async with listening() as heard:
        await heard.lay(tmp_path)
        path.write_text("1\n")
        assert (await heard.until(path))[str(path)] == Event(str(path), False, True)
        with path.open("w") as file:
            assert (await heard.until(path))[str(path)] == Event(str(path), False, False)
            file.write("2\n")
        await heard.until(path)
        path.rename(tmp_path / "n.py")
        found = await heard.until(tmp_path / "n.py")
        assert found[str(path)] == Event(str(path), True, None)
        assert found[str(tmp_path / "n.py")].whole is True
        (tmp_path / "link.py").symlink_to("n.py")
        assert (await heard.until(tmp_path / "link.py")).popitem()[1].whole is None
        (tmp_path / "n.py").chmod(0o600)
        folder(tmp_path / "last")
        assert [event.place for event in (await heard.until(tmp_path / "last")).values()] == [
            str(tmp_path / "last")
        ]


async def test_a_watch_follows_its_path_when_folders_are_moved(tmp_path: Path) -> None:
    """A moved folder is told of under its new path, and a new one of the old name by that."""
    inner = folder(tmp_path / "src" / "inner")
    moved = tmp_path / "lib" / "inner"
    async with listening() as heard:
        await heard.lay(tmp_path, tmp_path / "src", inner)
        (tmp_path / "src").rename(tmp_path / "lib")
        folder(inner)
        await heard.until(tmp_path / "src")
        await heard.lay(tmp_path, tmp_path / "src", inner, tmp_path / "lib", moved)
        (moved / "old.py").write_text("1\n")
        (inner / "new.py").write_text("1\n")
        assert set(await heard.until(inner / "new.py")) == {
            str(moved / "old.py"),
            str(inner / "new.py"),
        }
        assert len(set(kernel_watches())) == 5


async def test_a_moved_folder_that_matters_no_longer_is_not_watched(tmp_path: Path) -> None:
    """Moved to where nothing is watched: what happens there is not told under the old path."""
    inner = folder(tmp_path / "src" / "inner")
    async with listening() as heard:
        await heard.lay(tmp_path, tmp_path / "src", inner)
        (tmp_path / "src").rename(tmp_path / "away")
        await heard.until(tmp_path / "src")
        await heard.lay(tmp_path)
        (tmp_path / "away" / "inner" / "m.py").write_text("1\n")
        (tmp_path / "last.py").write_text("1\n")
        assert set(await heard.until(tmp_path / "last.py")) == {str(tmp_path / "last.py")}


async def test_two_folders_that_change_places_are_told_apart(tmp_path: Path) -> None:
    """Each event comes under the path that its folder has now."""
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two")
    async with listening() as heard:
        await heard.lay(tmp_path, one, two)
        one.rename(tmp_path / "other")
        two.rename(one)
        (tmp_path / "other").rename(two)
        await heard.until(two)
        await heard.lay(tmp_path, one, two)
        (one / "a.py").write_text("1\n")
        (two / "b.py").write_text("1\n")
        assert set(await heard.until(two / "b.py")) == {str(one / "a.py"), str(two / "b.py")}


async def test_a_folder_with_two_paths_is_told_of_under_both(tmp_path: Path) -> None:
    """As through a link; one of them is taken away, and the other stays."""
    one, two = folder(tmp_path / "one"), tmp_path / "two"
    two.symlink_to(one)
    async with listening() as heard:
        await heard.lay(one, two)
        (one / "a.py").write_text("1\n")
        assert set(await heard.until(one / "a.py")) == {str(one / "a.py"), str(two / "a.py")}
        await heard.lay(two)
        (one / "a.py").write_text("2\n")
        assert set(await heard.until(two / "a.py")) == {str(two / "a.py")}


async def test_folders_that_vanish_are_passed_over_and_found_again(tmp_path: Path) -> None:
    """While being laid, and after; nothing is raised, and a later lay takes them up."""
    gone, back = tmp_path / "gone", folder(tmp_path / "back")
    async with listening() as heard:
        await heard.lay(tmp_path, gone, back)
        back.rmdir()
        folder(back)
        await heard.until(back)
        folder(gone)
        await heard.lay(tmp_path, gone, back)
        (gone / "a.py").write_text("1\n")
        (back / "b.py").write_text("1\n")
        found = await heard.until(back / "b.py")
        assert {str(gone / "a.py"), str(back / "b.py")} <= set(found)


async def test_a_replaced_folder_is_found_even_if_nobody_told(tmp_path: Path) -> None:
    """Laid anew, every path is looked up: as after an overflow, which may have hidden a move."""
    src = folder(tmp_path / "src")
    async with listening() as heard:
        await heard.lay(src)
        src.rename(tmp_path / "old")
        folder(src)
        await heard.until(src)  # of its own move; the rest is as if it had been lost
        heard.watches._doubtful.clear()
        await heard.lay(src, anew=True)
        (tmp_path / "old" / "a.py").write_text("1\n")
        (src / "b.py").write_text("1\n")
        assert set(await heard.until(src / "b.py")) == {str(src / "b.py")}


@pytest.mark.skipif(QUEUE > 100_000, reason="the queue holds too many events here")
async def test_an_overflow_is_told(tmp_path: Path) -> None:
    """More events than the queue holds while nobody reads: the loss is told, and once."""
    async with listening() as heard:
        await heard.lay(tmp_path)
        files = [os.open(tmp_path / name, os.O_CREAT | os.O_WRONLY) for name in ("a", "b")]
        for number in range(QUEUE + 10):  # without a break for the event loop
            os.pwrite(files[number % 2], b"1", 0)
        for file in files:
            os.close(file)
        await heard.when(lambda: bool(heard.losses))
        heard.events.clear()
        (tmp_path / "last.py").write_text("1\n")
        await heard.until(tmp_path / "last.py")
        assert heard.losses == [None]


async def test_a_file_is_handed_on_when_its_writer_has_closed_it(
    tmp_path: Path, reported: Reported
) -> None:
    """Truncated and written over a time longer than the debounce: one set, of the whole file."""
    path = tmp_path / "m.py"
    path.write_text("V = 0\n")
    async with Watcher(tmp_path, config=Watch()) as watcher:
        with path.open("w") as file:
            for number in range(3):
                await anyio.sleep(0.05)
                file.write(f"V = {number}\n")
                file.flush()
        (found,) = await reported(watcher, "m.py")
        assert found.changes == (Change("m.py", "modified"),)
        assert watcher.known["m.py"].signature.size == path.stat().st_size
        (tmp_path / "last.py").write_text("\n")
        (last,) = await reported(watcher, "last.py")
        assert [change.path for change in last.changes] == ["last.py"]


async def test_a_save_is_told_of_before_it_is_handed_on(tmp_path: Path, reported: Reported) -> None:
    """Once it is whole; of a file that is being written, or of many, only that there is something.

    So the file can be read while it is waited for whether more comes.
    """
    path = tmp_path / "m.py"
    path.write_text("V = 0\n")
    told: list[Collection[str]] = []
    something = anyio.Event()

    def hear(paths: Collection[str]) -> None:
        told.append(paths)
        something.set()

    async with Watcher(tmp_path, config=Watch(), stirred=hear) as watcher:
        with path.open("w") as file:
            file.write("V = 1\n")
            file.flush()
            with anyio.fail_after(60):
                await something.wait()
            assert not any(told)
        await reported(watcher, "m.py")
        for number in range(60):
            await anyio.sleep(2 * REST)
            if number and any(told):
                break
            told.clear()
            (tmp_path / "new.tmp").write_text(f"V = {number}2\n")
            (tmp_path / "new.tmp").replace(path)
            await reported(watcher, "m.py")
        assert [*filter(None, told)] == [["m.py"]]
        told.clear()
        for number in range(20):  # without a break for the event loop
            (tmp_path / f"new{number}.py").write_text("\n")
        await reported(watcher, "new19.py")
        assert told
        assert not any(told)


async def test_of_two_quick_saves_the_last_content_is_reported(
    tmp_path: Path, reported: Reported
) -> None:
    """The second comes just when the first is being handed on, or before, or after."""
    path = tmp_path / "m.py"
    path.write_text("V = 0\n")
    async with Watcher(tmp_path, config=Watch()) as watcher:
        for number in range(1, 31):
            path.write_text(f"V = {number}\n")
            await anyio.sleep(number * 0.0005)
            path.write_text(f"V = {number} * {number}\n")
            last = path.stat()
            with anyio.fail_after(60):
                while watcher.known["m.py"].signature.mtime_ns != last.st_mtime_ns:
                    await watcher.__anext__()
            assert watcher.known["m.py"].signature.size == last.st_size
