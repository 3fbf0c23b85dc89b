"""What a real `devloop watch --reporter plain` prints, cycle by cycle, for editors to read."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

BEGIN = "devloop: cycle started"
END = "devloop: cycle finished"

PROJECT = """
tests/test_sum.py
    def test_right():
        assert 1 + 1 == 2

    def test_wrong():
        total = 1 + 1
        assert total == 3, "a: b:1:2: c"
tests/test_slow.py
    def test_slow():
        pass
style.css
    body {}
lint.py
    import pathlib
    for number, line in enumerate(pathlib.Path("style.css").read_text().splitlines(), 1):
        if "!" in line:
            print(f"style.css:{number}:{line.index('!') + 1}: warning: shouting")
devloop.toml
    [steps.lint]
    command = ["python", "lint.py"]
    inputs = ["style.css", "lint.py"]
    diagnostics = "%f:%l:%c: %m"
pytest.ini
    [pytest]
"""

SLOW = """\
import pathlib, time
def test_slow():
    pathlib.Path({mark!r}).touch()
    time.sleep(100)
"""

WRONG = ("tests/test_sum.py", 6, "error")
SHOUTING = ("style.css", 2, "warning")
BROKEN = ("tests/test_broken.py", 1, "error")

EXPECTED: tuple[set[tuple[str, int, str]], ...] = (
    {WRONG},  # the first pass
    {WRONG, SHOUTING},  # a step warns
    {WRONG, SHOUTING},  # the next save cancels this one
    {WRONG, SHOUTING},
    {WRONG, SHOUTING, BROKEN},  # a file cannot be collected
    {WRONG, SHOUTING},
    {WRONG},
    set(),
)


class Recording(msgspec.Struct, frozen=True):
    """What was printed.

    Args:
        root: the project, as it was in the end.
        lines: all of it, without line ends.
        locations: what `.devloop/locations` held when each cycle had ended.
        expected: what stands after each cycle: file, line and severity.
    """

    root: Path
    lines: tuple[str, ...]
    locations: tuple[str, ...]
    expected: tuple[set[tuple[str, int, str]], ...] = EXPECTED

    def until(self, cycle: int) -> list[str]:
        """The lines up to the end of a cycle, counted from 0."""
        ends = [index for index, line in enumerate(self.lines) if line == END]
        return list(self.lines[: ends[cycle] + 1])

    def absolute(self, cycle: int) -> list[str]:
        """The same as `--absolute-paths` prints them; that it does is tested beside."""
        return [
            re.sub(r"^(?=[^\s:|]+:\d+:\d+: (?:error|warning): )", f"{self.root}/", line)
            for line in self.until(cycle)
        ]

    def printer(self, path: Path, lines: list[str]) -> str:
        """A program that prints some lines and stays, as `watch` does; its path.

        It ends when whoever reads is gone.
        """
        text = path.with_suffix(".txt")
        text.write_text("".join(f"{line}\n" for line in lines))
        path.write_text(f"#!/bin/sh\ncat {shlex.quote(str(text))}\nexec sleep 60\n")
        path.chmod(0o755)
        return str(path)


class Printing:
    """A running `watch`, and the lines that it has printed so far."""

    def __init__(self, root: Path, command: list[str], environment: dict[str, str]) -> None:
        self.root = root
        self.lines: list[str] = []
        self.locations: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def save(self, path: str, text: str) -> None:
        """Write a file of the project, as editors do: aside, then renamed."""
        news = self.root / f"{path}.tmp.1"
        news.write_text(text)
        news.replace(self.root / path)

    def ends(self, number: int) -> None:
        """Wait until so many cycles have ended."""
        self.until(lambda: self.lines.count(END) >= number)

    def until(self, check: Callable[[], bool]) -> None:
        """Wait for what shows in the lines, or elsewhere."""
        deadline = time.monotonic() + 60
        with self._news:
            while not check():
                assert time.monotonic() < deadline, "\n".join(self.lines)
                assert self.process.poll() is None, "\n".join(self.lines)
                self._news.wait(0.05)

    def end(self) -> None:
        """End it, with its user's Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self._reader.join(20)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                with self._news:
                    self.lines.append(line.decode().rstrip("\n"))
                    if self.lines[-1] == END:
                        self.locations.append((self.root / ".devloop/locations").read_text())
                    self._news.notify_all()


def record(folder: Path, command: list[str], write_tree: Callable[[Path, str], None]) -> Recording:
    """Work on a project as one does: break, cancel, break more, mend."""
    root = folder / "a project"
    write_tree(root, PROJECT)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CI", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "NO_COLOR", "FORCE_COLOR")
        and not name.startswith(("DEVLOOP_", "PYTEST_"))
    }
    watch = Printing(
        root, [*command, "watch", "--reporter", "plain"], {**kept, "HOME": str(folder)}
    )
    try:
        watch.ends(1)
        watch.save("style.css", "body {}\np { margin: 0 !important }\n")
        watch.ends(2)
        mark = folder / "slow"
        watch.save("tests/test_slow.py", SLOW.format(mark=str(mark)))
        watch.until(mark.exists)
        watch.save("tests/test_slow.py", "def test_slow():\n    assert 2 > 1\n")
        watch.ends(4)
        watch.save("tests/test_broken.py", "import nowhere\n")
        watch.ends(5)
        (root / "tests/test_broken.py").unlink()
        watch.ends(6)
        watch.save("style.css", "body {}\n")
        watch.ends(7)
        watch.save("tests/test_sum.py", "def test_right():\n    assert 1 + 1 == 2\n")
        watch.ends(8)
    finally:
        watch.end()
    return Recording(root, tuple(watch.lines), tuple(watch.locations))


@pytest.fixture(scope="package")
def recording(
    tmp_path_factory: pytest.TempPathFactory,
    devloop_command: tuple[str, ...],
    write_tree: Callable[[Path, str], None],
) -> Recording:
    """One session, printed by the plain reporter."""
    return record(tmp_path_factory.mktemp("editors"), list(devloop_command), write_tree)


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """An editor's program; where it is missing the test is skipped, with ``CI`` set it fails."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            message = f"{name} is not installed: apt-get install {name}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find
