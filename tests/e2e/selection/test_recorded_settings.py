"""By records: what pytest and frameworks load by their settings, and what cannot be imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.selection.test_traps_selection import DJANGO, SECOND_MIGRATION

MakeLab = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SETTINGS = """
pytest.ini
    [pytest]
    addopts = -p support.early
    pythonpath = .
support/__init__.py
support/early.py
    import pytest
    from support import deep
    @pytest.fixture
    def early():
        return deep.number()
support/deep.py
    def number():
        return 1
    def unused():
        return 1
tests/test_it.py
    import warnings
    def test_warns():
        warnings.warn("old", DeprecationWarning)
    def test_early(early):
        assert early == 1
    def test_nothing():
        pass
"""


def test_settings_and_the_plugins_that_they_name(recorded: MakeLab) -> None:
    """S15, S16: another setting selects every test, the edit of a plugin's function few."""
    project = recorded(SETTINGS)
    strict = "[pytest]\naddopts = -p support.early\npythonpath = .\nfilterwarnings = error\n"
    assert len(project.check({"pytest.ini": strict}, "::test_warns")) == 3
    # Pytest itself was seen to read the file, too: that is not what selects.
    before = project.write({"pytest.ini": strict})
    tests = json.loads(project.run("affected", "--format", "json").stdout)["tests"]
    assert [test["reason"]["kind"] for test in tests] == 3 * ["configuration"]
    project.write(before)
    assert len(project.check({"pytest.ini": "[pytest]\npythonpath = .\n"}, "::test_early")) == 3
    number = project.edit("support/deep.py", "number():\n    return 1", "number():\n    return 2")
    assert project.check(number, "::test_early") == {"tests/test_it.py::test_early"}
    unused = project.edit("support/deep.py", "unused():\n    return 1", "unused():\n    return 2")
    assert project.check(unused) == set()
    project.check({"support/early.py": "\n"}, "::test_early")


def test_the_plugin_of_an_entry_point(recorded: MakeLab) -> None:
    """S15: nothing imports it; its functions select who ran them, what it imports likewise."""
    project = recorded(
        """
        pyproject.toml
            [project]
            name = "mine"
        src/mine/__init__.py
        src/mine/plugin.py
            import pytest
            from mine import deep
            @pytest.fixture
            def mined():
                return deep.gold()
        src/mine/deep.py
            def gold():
                return 1
        tests/test_mine.py
            def test_mine(mined):
                assert mined == 1
            def test_nothing():
                pass
        """,
        record=False,
    )
    (project.site / "mine.pth").write_text(f"{project.root / 'src'}\n")
    metadata = project.site / "mine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pytest11]\nmine = mine.plugin\n")
    url = f'{{"url": "{project.root.as_uri()}", "dir_info": {{"editable": true}}}}'
    (metadata / "direct_url.json").write_text(url)
    project.record()
    gold = project.edit("src/mine/deep.py", "return 1", "return 2")
    assert project.check(gold, "::test_mine") == {"tests/test_mine.py::test_mine"}
    project.check({"src/mine/plugin.py": "\n"}, "::test_mine")


def test_a_module_that_breaks_and_is_mended(recorded: MakeLab) -> None:
    """S31: all that import it fail, and all of them are due again, whatever they ran of it."""
    project = recorded(
        """
        conftest.py
        outer.py
            from inner import used
        inner.py
            def used():
                return 1
            def unused():
                return 1
        tests/test_it.py
            import outer
            def test_used():
                assert outer.used() == 1
            def test_nothing():
                pass
        tests/test_else.py
            def test_else():
                pass
        """
    )
    broken = {"inner.py": "def broken(:\n"}
    project.check(broken, "::test_used", "::test_nothing")
    whole = project.write(broken)
    assert project.run("test").returncode == 1
    assert {nodeid.partition("::")[0] for nodeid in project.due()} == {"tests/test_it.py"}
    project.write(whole)
    assert {nodeid.partition("::")[0] for nodeid in project.due()} == {"tests/test_it.py"}
    assert project.run("test").returncode == 0
    assert project.due() == {}


def test_django(recorded: MakeLab) -> None:
    """S23: settings named in a string, an installed app's models, urls and a new migration."""
    project = recorded(DJANGO, "django==5.2.19")
    project.check(project.edit("site_/settings.py", "DEBUG = True", "DEBUG = 0"), "::test_setting")
    shown = project.check(
        project.edit("blog/models.py", "return self.title", "return ''"), "::test_model"
    )
    assert "tests/test_blog.py::test_setting" not in shown
    view = project.check(project.edit("blog/views.py", '"hello"', '"bye"'), "::test_view")
    assert view == {"tests/test_blog.py::test_view"}
    project.check({"blog/migrations/0002_more.py": SECOND_MIGRATION}, "::test_saved")
    project.check({"extra/models.py": "raise ImportError\n"}, "::test_model")
