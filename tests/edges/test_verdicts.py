"""What runs have shown, kept in a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from devloop.config.load import load
from devloop.execute.parsing import Parsers
from devloop.loop.project import Project
from devloop.select.proofs import ShadowTotals, WrongSkip
from devloop.select.records import BROKEN, HINDERED, Ran

TREE = """
pyproject.toml
    [project]
    name = "mine"
tests/conftest.py
tests/test_a.py
tests/inner/test_b.py
tests/other/conftest.py
tests/other/test_c.py
"""


@pytest.fixture
def project(tmp_path: Path, write_tree: Callable[[Path, str], None]) -> Iterator[Project]:
    """A project that has been read, with tests in three folders."""
    write_tree(tmp_path, TREE)
    project = Project.open(load(tmp_path))

    async def read() -> None:
        async with Parsers(project.interpreter.path, project.root) as parsers:
            await project.indexer.read(parsers)

    with project.store:
        anyio.run(read)
        yield project


def collected(project: Project, *broken: str) -> dict[str, int]:
    """What is known of the files after a run in which some could not be collected."""
    ran = Ran({}, {}, frozenset(broken))
    project.verdicts.learn(ran, project.contents, {})
    return dict(project.records.collected)


def test_a_broken_conftest_hinders_the_files_below_it(project: Project) -> None:
    """And none beside it; it is no test file that is broken itself."""
    assert collected(project, "tests/other/conftest.py") == {"tests/other/test_c.py": HINDERED}
    assert {file.path for file in project.due().files} >= {"tests/other/test_c.py"}


def test_a_conftest_at_the_top_hinders_all(project: Project) -> None:
    """Whatever folder they are in."""
    assert set(collected(project, "tests/conftest.py").values()) == {HINDERED}
    assert set(project.records.collected) == set(project.test_files)


def test_a_folder_that_cannot_be_collected(project: Project) -> None:
    """As with a package whose `__init__.py` raises, pytest names the folder."""
    assert collected(project, "tests/inner") == {"tests/inner/test_b.py": HINDERED}


def test_a_file_that_is_broken_itself_is_not_hindered(project: Project) -> None:
    """Both at once: its own fault is what is to be mended, and is counted."""
    found = collected(project, "tests/other/conftest.py", "tests/other/test_c.py")
    assert found == {"tests/other/test_c.py": BROKEN}


def test_a_test_that_was_skipped_wrongly_is_reached_by_any_change(project: Project) -> None:
    """`--since` and `--staged` take it as opaque, as a save does; documents are no change."""
    nodeid = "tests/test_a.py::test_one"
    ran = Ran(
        {nodeid: ("tests/test_a.py", "passed", 0.1)}, {"tests/test_a.py": frozenset([nodeid])}
    )
    project.verdicts.learn(ran, project.contents, {})
    elsewhere = {"tests/other/test_c.py": b"another"}

    def reached(before: dict[str, bytes]) -> set[str]:
        return {file.path for file in project.verdicts.reached(before).files}

    assert reached(elsewhere) == {"tests/other/test_c.py"}
    skip = WrongSkip(nodeid, 1.0, "passed", "failed")
    project.verdicts.note_shadow(ShadowTotals(), [skip])
    assert reached(elsewhere) == {"tests/other/test_c.py", "tests/test_a.py"}
    assert reached({"NEWS.md": b"another"}) == set()
