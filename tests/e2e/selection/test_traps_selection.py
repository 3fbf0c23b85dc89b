"""Edit X, then test Y must be selected: the traps of selection, by the static graph alone.

Each test records a project whose tests all pass, then makes edits one at a time. What plain
pytest shows to have changed must be among what `devloop affected` names: too much is allowed,
too little never.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

MakeLab = Callable[..., Any]

VALUES = """
pyproject.toml
    [project]
    name = "shop"
src/shop/__init__.py
src/shop/consts.py
    A = 1
src/shop/shapes.py
    class Shape:
        sides = 4
        def name(self):
            return "shape"
        def describe(self):
            return self.name()
src/shop/squares.py
    from shop.shapes import Shape
    class Square(Shape):
        pass
src/shop/decorated.py
    def twice(function):
        return lambda *args: 2 * function(*args)
    def add(a, b: int = 1):
        return a + b
    __all__ = ["add"]
src/shop/registry.py
    class Base:
        kinds = []
        def __init_subclass__(cls):
            register(cls)
    def register(cls):
        Base.kinds.append(cls.__name__)
src/shop/lazy.py
    def value():
        return 1
src/shop/unrelated.py
    X = 1
conftest.py
    import sys
    sys.path.insert(0, "src")
tests/test_values.py
    import inspect
    from shop import consts, decorated
    from shop.decorated import *
    from shop.squares import Square

    def test_constant():
        assert consts.A == 1

    def test_attribute():
        assert Square.sides == 4

    def test_method():
        assert Square().describe() == "shape"

    def test_default():
        assert decorated.add(1) == 2

    def test_annotation():
        assert inspect.get_annotations(decorated.add) in ({"b": int}, {"b": "int"})

    def test_exported():
        assert "twice" not in globals()
tests/test_made.py
    from shop.registry import Base
    class Circle(Base):
        pass
    def test_registered():
        assert Base.kinds == ["Circle"]
tests/test_lazy.py
    import sys
    def test_first():
        import shop.lazy
        assert shop.lazy.value() == 1
    def test_second():
        module = sys.modules.get("shop.lazy")
        assert module is None or module.value() == 1
tests/test_alone.py
    def test_alone():
        pass
"""


@pytest.mark.slow
def test_values_classes_and_what_runs_at_import(lab: MakeLab) -> None:
    """S1, S2, S3, S4, S26, S36: what no test's function runs is an edit all the same."""
    project = lab(VALUES)
    selected = project.check({"src/shop/consts.py": "A = 2\n"}, "::test_constant")
    assert not any("test_alone" in nodeid or "test_made" in nodeid for nodeid in selected)
    shapes = project.root.joinpath("src/shop/shapes.py").read_text()
    project.check({"src/shop/shapes.py": shapes.replace("4", "5")}, "::test_attribute")
    override = (
        "from shop.shapes import Shape\nclass Square(Shape):\n    def name(self): return 'square'\n"
    )
    project.check({"src/shop/squares.py": override}, "::test_method")
    decorated = project.root.joinpath("src/shop/decorated.py").read_text()
    project.check(
        {"src/shop/decorated.py": decorated.replace("def add", "@twice\ndef add")}, "::test_default"
    )
    project.check({"src/shop/decorated.py": decorated.replace("= 1", "= 2")}, "::test_default")
    project.check({"src/shop/decorated.py": decorated.replace("int", "str")}, "::test_annotation")
    project.check(
        {"src/shop/decorated.py": decorated.replace('["add"]', '["add", "twice"]')},
        "::test_exported",
    )
    registry = project.root.joinpath("src/shop/registry.py").read_text()
    project.check(
        {"src/shop/registry.py": registry.replace("cls.__name__", "cls.__name__.lower()")},
        "::test_registered",
    )
    project.check(
        {"src/shop/lazy.py": "def value():\n    return 2\n"}, "::test_first", "::test_second"
    )


PACKAGES = """
effects/__init__.py
    import os
    os.environ["EFFECT"] = "one"
effects/sub/__init__.py
effects/sub/mod.py
    import os
    def state():
        return os.environ["EFFECT"]
chain/__init__.py
    from chain._impl import value
chain/_impl.py
    from ._core import value
chain/_core.py
    value = 1
helpers.py
    def one():
        return 1
others.py
    def name():
        return "others"
plugins/__init__.py
plugins/a.py
    NAME = "a"
tests/test_packages.py
    import effects.sub.mod
    import chain
    def test_effect():
        assert effects.sub.mod.state() == "one"
    def test_chain():
        assert chain.value == 1
tests/test_star.py
    from others import *
    from helpers import *
    def test_star():
        assert name() == "others"
tests/test_plugins.py
    import pkgutil
    from importlib import import_module
    import plugins
    def load(n):
        return import_module(f"plugins.{n}")
    def test_named():
        assert load("a").NAME == "a"
    def test_all():
        assert [m.name for m in pkgutil.iter_modules(plugins.__path__)] == ["a"]
tests/test_shadow.py
    import colorsys
    def test_shadow():
        assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
tests/test_patch.py
    from unittest import mock
    def test_patch():
        with mock.patch("patched.inner.function") as patched:
            assert patched is not None
patched/__init__.py
patched/inner.py
    def function():
        pass
leaf.py
    VALUE = 1
tests/test_leaf.py
    import leaf
    def test_leaf():
        assert leaf.VALUE == 1
conftest.py
"""


@pytest.mark.slow
def test_packages_names_and_dynamic_imports(lab: MakeLab) -> None:
    """S9, S10, S11, S12, S13, S22: every way in which a name leads to a file."""
    project = lab(PACKAGES)
    effect = "import os\nos.environ['EFFECT'] = 'two'\n"
    project.check({"effects/__init__.py": effect}, "::test_effect")  # S9
    project.check({"chain/_core.py": "value = 2\n"}, "::test_chain")  # S10
    project.check(  # S11
        {"helpers.py": "def one(): return 1\ndef name(): return 'helpers'\n"}, "::test_star"
    )
    project.check({"plugins/a.py": "NAME = 'b'\n"}, "::test_named")  # S12
    project.check({"plugins/b.py": "NAME = 'b'\n"}, "::test_all")
    project.check({"tests/colorsys.py": "rgb_to_hsv = max\n"}, "::test_shadow")  # S13
    project.check({"patched/inner.py": "pass\n"}, "::test_patch")  # S22


@pytest.mark.slow
def test_modules_that_go_move_or_break(lab: MakeLab) -> None:
    """S22, S29, S31: a deleted, a renamed and a broken module select all who wanted it."""
    project = lab(PACKAGES)
    project.check({"leaf.py": None, "root.py": "VALUE = 1\n"}, "::test_leaf")  # S29
    project.check({"patched/inner.py": None}, "::test_patch")
    project.check({"chain/_impl.py": "def broken(:\n"}, "::test_chain")  # S31
    project.check({"helpers.py": None}, "::test_star")


def test_a_syntax_error_and_its_mending(lab: MakeLab) -> None:
    """S31: a broken module fails its importers, and its mending brings all of them again."""
    project = lab(PACKAGES)
    whole = project.write({"chain/_impl.py": "def broken(:\n"})
    assert project.run("test").returncode == 1
    assert project.write({"chain/_core.py": "value = 1 # still\n"})
    assert any("test_packages" in nodeid for nodeid in project.due())
    project.write(whole)
    assert any("test_packages" in nodeid for nodeid in project.due())
    done = project.run("test")
    assert done.returncode == 0, done.stdout
    assert project.due() == {}


def test_a_module_that_is_gone_but_for_its_bytecode(lab: MakeLab) -> None:
    """S29: `devloop test` after a rename fails as plain pytest does, `__pycache__` or not."""
    project = lab(PACKAGES)
    before = project.write({"leaf.py": None, "tree.py": "VALUE = 1\n"})
    done = project.run("test", "--reporter", "plain")
    assert done.returncode == 1
    assert "leaf" in done.stdout
    project.write(before)
    assert project.run("test").returncode == 0


FIXTURES = """
conftest.py
    import pytest
    pytest_plugins = ["support.fixtures", "lengths"]
    @pytest.fixture
    def colour():
        return "red"
lengths.py
    import pytest
    @pytest.fixture
    def length():
        return 1
support/__init__.py
support/fixtures.py
    import pytest
    from support import deep
    @pytest.fixture
    def size():
        return deep.SIZE
support/deep.py
    SIZE = 1
support/early.py
    import pytest
    @pytest.fixture
    def early():
        return 1
pytest.ini
    [pytest]
    addopts = -p support.early
    pythonpath = .
tests/test_top.py
    def test_top(colour):
        assert colour == "red"
    def test_size(size):
        assert size == 1
    def test_length(length):
        assert length == 1
    def test_early(early):
        assert early == 1
tests/inner/test_inner.py
    import warnings
    def test_inner(colour):
        assert colour == "red"
    def test_warns():
        warnings.warn("old", DeprecationWarning)
"""

NESTED = """
import pytest
@pytest.fixture
def colour():
    return "blue"
"""


@pytest.mark.slow
def test_conftests_plugins_and_configuration(lab: MakeLab) -> None:
    """S14, S15, S16: what pytest loads by place, by name, and by its settings."""
    project = lab(FIXTURES)
    selected = project.check({"tests/inner/conftest.py": NESTED}, "::test_inner")  # S14
    assert not any("test_top.py" in nodeid for nodeid in selected)
    project.check({"support/deep.py": "SIZE = 2\n"}, "::test_size")  # S15
    project.check({"support/fixtures.py": "\n"}, "::test_size")
    project.check({"lengths.py": "\n"}, "::test_length")
    project.check({"support/early.py": "\n"}, "::test_early")
    strict = "[pytest]\naddopts = -p support.early\npythonpath = .\nfilterwarnings = error\n"
    project.check({"pytest.ini": strict}, "::test_warns")  # S16
    project.check({"pytest.ini": "[pytest]\npythonpath = .\n"}, "::test_early")
    # The deletion of a nested conftest.py, from a state in which it counts.
    project.write(
        {
            "tests/inner/conftest.py": NESTED,
            "tests/inner/test_inner.py": "def test_inner(colour):\n    assert colour == 'blue'\n",
        }
    )
    project.record()
    project.check({"tests/inner/conftest.py": None}, "::test_inner")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (
            "pyproject.toml",
            "[tool.pytest.ini_options]\naddopts = ['-q']\n",
            "[tool.pytest.ini_options]\nfilterwarnings = ['error']\n",
        ),
        ("tox.ini", "[pytest]\naddopts = -q\n", "[pytest]\nfilterwarnings = error\n"),
        ("setup.cfg", "[tool:pytest]\naddopts = -q\n", "[tool:pytest]\nfilterwarnings = error\n"),
        ("pytest.ini", None, "[pytest]\nfilterwarnings = error\n"),
    ],
)
def test_each_file_of_pytests_settings(
    lab: MakeLab, name: str, before: str | None, after: str
) -> None:
    """S16: a changed, a new and a deleted file of settings selects every test."""
    project = lab(
        """
        test_it.py
            import warnings
            def test_warns():
                warnings.warn("old", DeprecationWarning)
        """
    )
    if before is not None:
        project.write({name: before})
        project.record()
    project.check({name: after}, "::test_warns")
    project.write({name: after, "test_it.py": "def test_good(): pass\n"})
    project.record()
    project.write({name: None})
    assert project.due()


def test_the_plugin_of_an_install_in_place(lab: MakeLab) -> None:
    """S15: a `pytest11` entry point of the project's own selects every test."""
    project = lab(
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
                return deep.GOLD
        src/mine/deep.py
            GOLD = 1
        tests/test_mine.py
            def test_mine(mined):
                assert mined == 1
        """,
        record=False,
    )
    project.install_in_place("mine", entry_points="[pytest11]\nmine = mine.plugin\n")
    project.record()
    project.check({"src/mine/deep.py": "GOLD = 2\n"}, "::test_mine")
    project.check({"src/mine/plugin.py": None}, "::test_mine")


DJANGO = """
manage.py
    import os, sys
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
    from django.core.management import execute_from_command_line
    if __name__ == "__main__":
        execute_from_command_line(sys.argv)
conftest.py
    import os
    import django
    from django.core.management import call_command
    def pytest_configure():
        os.environ["DJANGO_SETTINGS_MODULE"] = "site_.settings"
        django.setup()
        call_command("migrate", verbosity=0)
site_/__init__.py
site_/settings.py
    SECRET_KEY = "secret"
    DEBUG = True
    USE_TZ = True
    ALLOWED_HOSTS = ["*"]
    INSTALLED_APPS = ["django.contrib.contenttypes", "blog.apps.BlogConfig", "extra"]
    ROOT_URLCONF = "site_.urls"
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
site_/urls.py
    from django.urls import include, path
    urlpatterns = [path("blog/", include("blog.urls"))]
extra/__init__.py
extra/models.py
    LOADED = True
blog/__init__.py
blog/apps.py
    from django.apps import AppConfig
    class BlogConfig(AppConfig):
        name = "blog"
blog/models.py
    from django.db import models
    class Post(models.Model):
        title = models.CharField(max_length=20)
        def shown(self):
            return self.title
blog/urls.py
    from django.urls import path
    from blog import views
    urlpatterns = [path("", views.index)]
blog/views.py
    from django.http import HttpResponse
    def index(request):
        return HttpResponse("hello")
blog/migrations/__init__.py
blog/migrations/0001_initial.py
    from django.db import migrations, models
    class Migration(migrations.Migration):
        operations = [
            migrations.CreateModel(
                "Post",
                [
                    ("id", models.AutoField(primary_key=True)),
                    ("title", models.CharField(max_length=20)),
                ],
            )
        ]
tests/test_blog.py
    from django.apps import apps
    from django.conf import settings
    def test_model():
        Post = apps.get_model("blog", "Post")
        assert Post(title="x").shown() == "x"
    def test_saved():
        Post = apps.get_model("blog", "Post")
        Post.objects.create(title="x")
        assert Post.objects.filter(title="x").exists()
    def test_view():
        from django.test import Client
        assert Client().get("/blog/").content == b"hello"
    def test_setting():
        assert settings.DEBUG
"""

SECOND_MIGRATION = """
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [("blog", "0001_initial")]
    operations = [migrations.RunSQL("DROP TABLE blog_post")]
"""


@pytest.mark.slow
def test_django(lab: MakeLab, distribution: Callable[..., str]) -> None:
    """S23: settings named in a string, an installed app's models, urls and a new migration."""
    project = lab(DJANGO, PYTHONPATH=distribution("django==5.2.19"))
    settings = project.root.joinpath("site_/settings.py").read_text()
    project.check({"site_/settings.py": settings.replace("True", "False", 1)}, "::test_setting")
    models = project.root.joinpath("blog/models.py").read_text()
    project.check({"blog/models.py": models.replace("self.title", "''")}, "::test_model")
    views = project.root.joinpath("blog/views.py").read_text()
    project.check({"blog/views.py": views.replace("hello", "bye")}, "::test_view")
    project.check({"blog/migrations/0002_more.py": SECOND_MIGRATION}, "::test_saved")
    project.check({"extra/models.py": "raise ImportError\n"}, "::test_model")


DATA = """
cases.yaml
    1
templates/grand.txt
    grand
note.txt
    1
tests/test_data.py
    import pathlib
    import pytest
    ROOT = pathlib.Path(__file__).parents[1]
    CASES = [int(ROOT.joinpath("cases.yaml").read_text())]
    @pytest.mark.parametrize("case", CASES, ids=["one"])
    def test_case(case):
        assert case == 1
    def test_absent():
        assert not ROOT.joinpath("made.txt").exists()
    def test_template():
        assert ROOT.joinpath("templates", "grand.txt").read_text() == "grand\\n"
tool.py
    print("tool")
tests/test_process.py
    import subprocess, sys
    def test_process():
        done = subprocess.run([sys.executable, "-m", "tool"], capture_output=True, text=True)
        assert done.stdout == "tool\\n"
readme.py
    '''Use it.'''
tests/test_docstring.py
    import readme
    def test_docstring():
        assert readme.__doc__ == "Use it."
conftest.py
"""


def test_data_that_tests_read(lab: MakeLab) -> None:
    """S17, S18, S19, S27: without records whoever may have read a file is selected."""
    project = lab(DATA)
    project.check({"cases.yaml": "2\n"}, "::test_case[one]")
    project.check({"made.txt": "\n"}, "::test_absent")
    project.check({"templates/grand.txt": "else\n"}, "::test_template")
    project.check({"readme.py": "'''Use it not.'''\n"}, "::test_docstring")


def test_nothing_is_due_on_an_unchanged_tree(lab: MakeLab) -> None:
    """S33: comments, blank lines at the end, a reformat, a touch: nothing is selected."""
    project = lab(VALUES)
    registry = project.root / "src/shop/registry.py"
    registry.touch()
    assert project.due() == {}
    text = registry.read_text()
    project.write({"src/shop/registry.py": text + "\n\n\n# the end\n"})
    assert project.due() == {}
    reformatted = text.replace("    register(cls)\n", "    register(\n            cls\n        )\n")
    assert reformatted != text
    project.write({"src/shop/registry.py": "# begins\n" + reformatted})
    assert project.due() == {}
    project.write({"README.md": "# Shop\n", ".gitignore": "*.log\n"})
    assert project.due() == {}
    done = project.run("test", "--reporter", "plain")
    assert done.returncode == 0
    project.write({"src/shop/registry.py": text})
    assert project.due() == {}


def test_line_numbers_that_tests_see(lab: MakeLab) -> None:
    """S28: a blank line before a function moves what a traceback or `getsource` shows.

    Positions are not part of a fingerprint. The exception is what the trap is for: a test
    that asserts one is in the file that says so.
    """
    project = lab(
        """
        test_lines.py
            import inspect
            def test_line():
                assert inspect.currentframe().f_lineno == 3
        """
    )
    text = project.root.joinpath("test_lines.py").read_text()
    project.check({"test_lines.py": "X = 1\n" + text}, "::test_line")


def test_a_failing_test_stays_due_until_it_passes(lab: MakeLab) -> None:
    """S34: an unrelated edit, or none, never hides a known failure; nor does `-k` (S32)."""
    project = lab(VALUES)
    before = project.write({"src/shop/consts.py": "A = 2\n"})
    assert project.run("test").returncode == 1
    failed = "tests/test_values.py::test_constant"
    assert set(project.due()) == {failed}
    assert project.due()[failed]["kind"] == "failed"
    assert project.run("test").returncode == 1
    project.write({"src/shop/unrelated.py": "X = 2\n"})
    assert failed in project.due()
    said = project.run("test", "--pytest-args", "-k test_alone").stdout
    assert "1 not run that failed before" in said
    assert failed in said
    assert failed in project.due()
    project.write({"src/shop/consts.py": "A = int(2)\n"})
    assert failed in project.due()
    assert project.run("test").returncode == 1
    project.write({"src/shop/consts.py": "A = int(1)\n"})
    assert failed in project.due()
    assert project.run("test").returncode == 0
    assert project.due() == {}
    # It has passed on these contents, too, and fails on others only.
    project.write(before)
    assert project.due() == {}
    assert project.run("test").returncode == 0


def test_tests_that_did_not_run_are_not_clean(lab: MakeLab) -> None:
    """S32: `-x` and `-k` leave the rest due."""
    project = lab(VALUES)
    project.write({"src/shop/consts.py": "A = 3\n", "tests/test_alone.py": "def test_b(): pass\n"})
    assert project.run("test", "--pytest-args", "-x").returncode == 1
    assert "tests/test_values.py::test_exported" in project.due() or (
        "tests/test_values.py" in project.due()
    )
    project.write({"src/shop/consts.py": "A = int(1)\n"})
    done = project.run("test", "--pytest-args", "-k test_method")
    assert done.returncode in (0, 1)
    assert any("test_constant" in nodeid or nodeid.endswith("py") for nodeid in project.due())
    assert project.run("test").returncode == 0
    assert project.due() == {}


def test_back_to_the_old_content(lab: MakeLab) -> None:
    """S30: content that has been tested is not due again; a new content is, each time."""
    project = lab(VALUES)
    good = project.write({"src/shop/consts.py": "A = 2\n"})
    project.write(good)
    assert project.due() == {}
    project.write({"src/shop/consts.py": "A = 2\n"})
    assert project.run("test").returncode == 1
    project.write(good)
    assert project.due() == {}
    project.write({"src/shop/consts.py": "A = 2\n"})
    assert "tests/test_values.py::test_constant" in project.due()


def test_ids_that_come_and_go(lab: MakeLab) -> None:
    """S35: ids made from the clock are new tests each time; gone ones fail nothing."""
    project = lab(
        """
        tests/test_ids.py
            import time
            import pytest
            @pytest.mark.parametrize("n", [str(time.time_ns())])
            def test_clock(n):
                pass
            def test_still():
                pass
        tests/test_other.py
            def test_other():
                pass
        """
    )
    assert not any("other" in nodeid for nodeid in project.due())
    project.write({"tests/test_ids.py": project.root.joinpath("tests/test_ids.py").read_text()})
    assert project.run("test", "--all").returncode == 0
    assert project.run("test", "tests/test_ids.py::test_clock[1]").returncode == 0
    assert project.due() == {}
