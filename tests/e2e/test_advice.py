"""Advice is given once in a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devloop.config.load import load
from devloop.loop.project import Project
from devloop.select.records import Ran

FILES = [f"tests/{folder}/test_{folder}{i}.py" for folder in ("one", "two") for i in (1, 2)]


@pytest.fixture
def slow_project(
    tmp_path: Path,
    devloop: Callable[..., Any],
    write_tree: Callable[[Path, str], None],
) -> Path:
    """All its tests have passed, and are remembered to have taken long."""
    conftests = "tests/one/conftest.py\ntests/two/conftest.py\n"
    write_tree(tmp_path, "devloop.toml\n" + conftests)
    for file in FILES:
        (tmp_path / file).write_text("def test_it(): pass\n")
    assert devloop("test").returncode == 0
    project = Project.open(load(tmp_path))
    with project.store:
        outcomes = {
            nodeid: (v.path, v.outcome, 20.0) for nodeid, v in project.records.verdicts.items()
        }
        project.verdicts.learn(Ran(outcomes, {}), project.contents, {})
    return tmp_path


def test_advice_is_not_given_again_after_the_configuration_was_read_anew(
    slow_project: Path, watching: Callable[..., Any]
) -> None:
    """A loop that begins anew is the same session, whose user has read it."""
    watch = watching(slow_project)
    watch.wait("cycle-finished", outcome="passed")
    watch.save("tests/one/conftest.py", "A = 1\n")
    watch.wait("cycle-finished", outcome="passed")
    advice = [e for e in watch.of("notice") if "can run side by side" in e["message"]]
    assert len(advice) == 1
    watch.save("devloop.toml", '[watch]\nignore = ["x/"]\n')
    watch.wait("notice", message="the configuration has changed: beginning anew")
    watch.wait("cycle-finished", outcome="passed")
    watch.save("tests/two/conftest.py", "A = 1\n")
    watch.wait("run-started")
    watch.wait("cycle-finished", outcome="passed")
    assert [e for e in watch.of("notice") if "can run side by side" in e["message"]] == advice
