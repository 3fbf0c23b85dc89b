"""Reading a project: what lies in the tree, and what a change set comes to."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from devloop.config.load import load
from devloop.errors import ConfigError
from devloop.events import Change
from devloop.execute.parsing import Parsed, Parsers
from devloop.loop.indexer import Applied
from devloop.loop.project import Project
from devloop.loop.reading import digests

pytestmark = pytest.mark.anyio

TREE = """
pyproject.toml
    [project]
    name = "mine"
    [tool.pytest.ini_options]
    pythonpath = ["src"]
.gitignore
    _version.py
src/mine/__init__.py
    from mine._version import V
src/mine/_version.py
    V = 1
src/mine/other.py
    X = 1
tests/test_a.py
    from mine import V
    def test_a(): pass
cases.json
    []
notes.log
    hello
"""


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, write_tree: Callable[[Path, str], None]) -> None:
    """A project that imports a file which it ignores."""
    write_tree(tmp_path, TREE)


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[tuple[Project, Parsers]]:
    """The project, read to the end."""
    project = Project.open(load(root))
    with project.store:
        async with Parsers(project.interpreter.path, project.root) as parsers:
            if not project.complete:
                await project.indexer.read(parsers)
            yield project, parsers


class Noting(Parsers):
    """Parsers that note what they are asked for."""

    def __init__(self, project: Project) -> None:
        super().__init__(project.interpreter.path, project.root)
        self.parsed: list[str] = []

    async def __aenter__(self) -> Noting:
        await super().__aenter__()
        return self

    async def parse(self, paths: Iterable[str], **more: Any) -> dict[str, Parsed]:
        """See `Parsers.parse`."""
        paths = list(paths)
        self.parsed += paths
        return await super().parse(paths, **more)


async def apply(project: Project, parsers: Parsers, *changes: Change) -> Applied:
    """Take up changes, as the watcher would tell them."""
    there = [change.path for change in changes if change.kind != "deleted"]
    return await project.indexer.apply(changes, digests(project.root, there), parsers)


def write(project: Project, path: str, text: str, kind: str = "modified") -> Change:
    """Save a file."""
    place = project.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return Change(path, kind)  # type: ignore[arg-type]


def files_of_tests(project: Project) -> list[str]:
    """Its test files, now."""
    return list(project.test_files)


async def test_an_ignored_source_is_read_where_it_is_imported(tmp_path: Path) -> None:
    """A generated `_version.py` is part of the graph; after a restart, too."""
    for _ in range(2):
        async with opened(tmp_path) as (project, _parsers):
            assert "src/mine/_version.py" in project.graph.closure(["tests/test_a.py"])
            assert project.indexer.ignored == {"src/mine/_version.py"}
            assert "src/mine/_version.py" in project.watched_although_ignored()


async def test_what_is_unchanged_is_not_read_again(tmp_path: Path) -> None:
    """The store has it; one edit, one deletion and one new file are all that is left to do."""
    async with opened(tmp_path):
        pass
    project = Project.open(load(tmp_path))
    with project.store:
        assert project.complete
    write(project, "src/mine/other.py", "X = 22\n")
    (tmp_path / "cases.json").unlink()
    write(project, "src/mine/new.py", "")
    async with opened(tmp_path) as (again, _parsers):
        assert again.contents.keys() >= {"src/mine/new.py", "src/mine/other.py"}
        assert "cases.json" not in again.contents
        assert again.indexer.edited.paths == {"src/mine/other.py", "src/mine/new.py"}
        same = again.contents.keys() & project.contents.keys()
        changed = {path for path in same if again.contents[path] != project.contents[path]}
        assert changed == {"src/mine/other.py"}


async def test_what_was_foreseen_is_not_read_again(tmp_path: Path) -> None:
    """It counts as it was then, once; where it is another one by now, that is read."""
    async with opened(tmp_path) as (project, _), Noting(project) as parsers:
        other = write(project, "src/mine/other.py", "X = 2\n")
        await project.indexer.foresee([other.path], parsers)
        applied = await apply(project, parsers, other)
        assert other.path in applied.changed
        assert parsers.parsed == [other.path]
        await apply(project, parsers, other)
        assert parsers.parsed == [other.path] * 2

        write(project, "src/mine/other.py", "X = 3\n")
        await project.indexer.foresee([other.path], parsers)
        write(project, "src/mine/other.py", "import mine\n")
        await apply(project, parsers, other)
        assert parsers.parsed == [other.path] * 4
        assert "src/mine/__init__.py" in project.graph.closure([other.path])


async def test_a_change_set_waits_for_what_is_foreseen_just_then(tmp_path: Path) -> None:
    """And does not have it read by another process at the same time."""
    async with opened(tmp_path) as (project, _), Noting(project) as parsers:
        other = write(project, "src/mine/other.py", "X = 2\n")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(project.indexer.foresee, [other.path], parsers)
            await anyio.lowlevel.checkpoint()
            applied = await apply(project, parsers, other)
        assert other.path in applied.changed
        assert parsers.parsed == [other.path]


async def test_a_change_set_is_told_by_what_its_files_say(tmp_path: Path) -> None:
    """Comments touch a file and change nothing; a log is no content at all."""
    async with opened(tmp_path) as (project, parsers):
        changes = [
            write(project, "src/mine/other.py", "# why\nX = 1\n"),
            write(project, "notes.log", "more\n"),
        ]
        applied = await apply(project, parsers, *changes)
        assert applied == Applied(frozenset(change.path for change in changes), frozenset())
        applied = await apply(
            project,
            parsers,
            write(project, "src/mine/other.py", "X = 2\n"),
            write(project, "cases.json", "[1]\n"),
        )
        assert applied.changed == {"src/mine/other.py", "cases.json"}


async def test_a_new_file_may_change_the_layout(tmp_path: Path) -> None:
    """A test file counts as one at once, and is none any more when it is gone."""
    async with opened(tmp_path) as (project, parsers):
        new = write(project, "checks/test_b.py", "import helper\n", "created")
        helper = write(project, "checks/helper.py", "", "created")
        applied = await apply(project, parsers, new, helper)
        assert applied.changed == {"checks/test_b.py", "checks/helper.py"}
        assert files_of_tests(project) == ["checks/test_b.py", "tests/test_a.py"]
        assert "checks/helper.py" in project.graph.closure(["checks/test_b.py"])
        (tmp_path / "checks/test_b.py").unlink()
        applied = await apply(project, parsers, Change("checks/test_b.py", "deleted"))
        assert applied.changed == {"checks/test_b.py"}
        assert files_of_tests(project) == ["tests/test_a.py"]


async def test_pytests_settings_lay_the_project_out_anew(tmp_path: Path) -> None:
    """Other files are tests from then on; a file that cannot be read changes nothing of that."""
    text = (tmp_path / "pyproject.toml").read_text()
    async with opened(tmp_path) as (project, parsers):
        patterns = f"{text}python_files = ['oth*.py']\n"
        applied = await apply(project, parsers, write(project, "pyproject.toml", patterns))
        assert applied.problem is None
        assert files_of_tests(project) == ["src/mine/other.py"]
        applied = await apply(project, parsers, write(project, "pyproject.toml", "[tool"))
        assert isinstance(applied.problem, ConfigError)
        assert files_of_tests(project) == ["src/mine/other.py"]
        applied = await apply(project, parsers, write(project, "pyproject.toml", text))
        assert files_of_tests(project) == ["tests/test_a.py"]


async def test_an_import_may_bring_an_ignored_file_in(tmp_path: Path) -> None:
    """It is read with the edit that imports it."""
    async with opened(tmp_path) as (project, parsers):
        write(project, ".gitignore", "_version.py\nmade.py\n")
        write(project, "src/mine/made.py", "import mine.other\n")
        edit = write(project, "tests/test_a.py", "import mine.made\n")
        await apply(project, parsers, edit)
        assert "src/mine/made.py" in project.indexer.ignored
        assert "src/mine/other.py" in project.graph.closure(["tests/test_a.py"])


@pytest.mark.parametrize("made", [["__init__.py", "val.py"], ["val.py"], ["inner/val.py"]])
async def test_an_ignored_package_is_read_with_what_is_imported_from_it(
    tmp_path: Path, made: list[str]
) -> None:
    """Whether or not it is a namespace; what it holds is told only by those who import that."""
    async with opened(tmp_path) as (project, parsers):
        write(project, ".gitignore", "_version.py\ngen/\n")
        for name in made:
            write(project, f"src/gen/{name}", "")
        package = "gen" + "".join(f".{part}" for part in made[-1].split("/")[:-1])
        edit = write(project, "tests/test_a.py", f"from {package} import val\n")
        await apply(project, parsers, edit)
        paths = {f"src/gen/{name}" for name in made}
        assert paths <= project.indexer.ignored
        assert paths <= project.graph.closure(["tests/test_a.py"])


async def test_what_moved_under_a_run_is_told(tmp_path: Path) -> None:
    """Other bytes count, another time of writing does not; by-products never."""
    async with opened(tmp_path) as (project, _parsers):
        assert project.indexer.moved() == frozenset()
        os.utime(tmp_path / "src/mine/other.py", ns=(1, 1))
        write(project, "notes.log", "more\n")
        assert project.indexer.moved() == frozenset()
        write(project, "src/mine/other.py", "X = 2\n")
        (tmp_path / "cases.json").unlink()
        assert project.indexer.moved() == {"src/mine/other.py", "cases.json"}


async def test_a_save_between_survey_and_reading_is_noticed(tmp_path: Path) -> None:
    """Apps and first tests did not wait, so it is a change to them."""
    project = Project.open(load(tmp_path))
    with project.store:
        write(project, "src/mine/other.py", "X = 2\n")
        (tmp_path / "cases.json").unlink()
        async with Parsers(project.interpreter.path, project.root) as parsers:
            await project.indexer.read(parsers)
        assert project.indexer.saved_before_reading() == (
            Change("cases.json", "deleted"),
            Change("src/mine/other.py", "modified"),
        )


async def test_what_a_step_has_made_is_looked_at(tmp_path: Path) -> None:
    """Nobody watches it: only what is another one counts."""
    async with opened(tmp_path) as (project, parsers):
        write(project, "out/a.css", "a")
        write(project, "out/b.css", "b")
        changes, known = project.indexer.look(["out/"])
        assert changes == (Change("out/a.css", "created"), Change("out/b.css", "created"))
        await project.indexer.apply(changes, known, parsers)
        write(project, "out/b.css", "bb")
        changes, _ = project.indexer.look(["out/*.css"])
        assert changes == (Change("out/b.css", "modified"),)


async def test_a_muted_file_is_no_content(tmp_path: Path) -> None:
    """What runs here writes it again and again: it is no reason for anything."""
    async with opened(tmp_path) as (project, parsers):
        project.codebase.muted = frozenset(["cases.json"])
        applied = await apply(project, parsers, write(project, "cases.json", "[1]\n"))
        assert applied.changed == frozenset()
