"""By what each test was seen to read, to look for, to import and to start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeLab = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DATA = """
pytest.ini
    [pytest]
    pythonpath = .
cases.txt
    1
data/one.txt
    one
data/two.txt
    two
data/three.txt
    three
data/four.txt
    four
data/unread.txt
    unread
kept.db.txt
    rows
pkg/__init__.py
pkg/inside.txt
    inside
pkg/loaded.txt
    loaded
tests/test_cases.py
    import pathlib
    import pytest
    CASES = [int(pathlib.Path("cases.txt").read_text())]
    @pytest.mark.parametrize("case", CASES, ids=["one"])
    def test_case(case):
        assert case == 1
tests/test_data.py
    import importlib.resources, mmap, os, pathlib, pkgutil, sqlite3
    def test_open():
        assert open("data/one.txt").read() == "one\\n"
    def test_os_open():
        fd = os.open("data/two.txt", os.O_RDONLY)
        assert os.read(fd, 100) == b"two\\n"
        os.close(fd)
    def test_mmap():
        with open("data/three.txt", "rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
                assert held[:] == b"three\\n"
    def test_resources():
        assert importlib.resources.files("pkg").joinpath("inside.txt").read_text() == "inside\\n"
    def test_loader():
        assert pkgutil.get_data("pkg", "loaded.txt") == b"loaded\\n"
    def test_absent():
        assert not pathlib.Path("made.txt").exists()
    def test_absent_too():
        assert not os.path.isfile("data/made.txt")
    def test_tried():
        try:
            open("data/tried.txt")
        except FileNotFoundError:
            return
        assert False
    def test_listed():
        assert sorted(os.listdir("data"))[:2] == ["four.txt", "one.txt"]
    def test_globbed():
        assert len(list(pathlib.Path("data").glob("t*.txt"))) == 2
    def test_scanned():
        with os.scandir("data") as entries:
            assert len(list(entries)) == 5
    def test_sqlite():
        with sqlite3.connect("base.sqlite3") as base:
            assert base.execute("select n from rows").fetchall() == [(1,)]
    def test_nothing():
        pass
"""


def test_a_data_file_selects_those_that_read_it(recorded: MakeLab) -> None:
    """S17, S18, S20: by whatever call; a new file, those that looked for it or listed there."""
    project = recorded(DATA, record=False)
    database(project.root / "base.sqlite3", 1)
    project.record()

    def check(files: dict[str, str | None], *expected: str) -> set[str]:
        found = project.check(files, *(f"::{name}" for name in expected))
        names = {nodeid.rpartition("::")[2] for nodeid in found}
        assert "test_nothing" not in names
        return names

    assert check({"data/one.txt": "1\n"}, "test_open") == {"test_open"}
    assert check({"data/two.txt": "2\n"}, "test_os_open") == {"test_os_open"}
    assert check({"data/three.txt": "3\n"}, "test_mmap") == {"test_mmap"}
    assert check({"pkg/inside.txt": "x\n"}, "test_resources") == {"test_resources"}
    assert check({"pkg/loaded.txt": "x\n"}, "test_loader") == {"test_loader"}
    assert check({"cases.txt": "2\n"}, "test_case[one]") == {"test_case[one]"}
    assert check({"data/unread.txt": "x\n"}) == set()
    assert check({"made.txt": "x\n"}, "test_absent") == {"test_absent"}
    assert "test_open" not in check({"data/made.txt": "x\n"}, "test_absent_too", "test_scanned")
    check({"data/tried.txt": "x\n"}, "test_tried", "test_globbed", "test_scanned")
    check({"data/five.txt": "x\n"}, "test_listed", "test_scanned")
    before = (project.root / "base.sqlite3").read_bytes()
    database(project.root / "base.sqlite3", 2)
    assert {n.rpartition("::")[2] for n in project.due()} == {"test_sqlite"}
    assert any(n.endswith("::test_sqlite") for n in project.changed())
    (project.root / "base.sqlite3").write_bytes(before)
    assert project.due() == {}


SIZES = """
pytest.ini
    [pytest]
    pythonpath = .
    testpaths = tests
data/one.txt
    one
data/two.txt
    two
sizes.py
    import os
    def total():
        return sum(size_of(entry) for entry in os.scandir("data"))
    def size_of(entry):
        return entry.stat().st_size
tests/test_sizes.py
    import os, pathlib
    import sizes
    def test_total():
        assert sizes.total() == 8
    def test_walked():
        assert len(next(os.walk("data"))[2]) == 2
        assert len(list(pathlib.Path("data").rglob("*"))) == 2
"""


def test_who_scans_a_folder_may_ask_how_large_its_files_are(recorded: MakeLab) -> None:
    """An entry of `os.scandir` knows, and nobody hears that it is asked."""
    project = recorded(SIZES)
    assert project.check({"data/one.txt": "longer\n"}, "::test_total") == {
        "tests/test_sizes.py::test_total"
    }


def database(path: Path, number: int) -> None:
    """Write a database with one row, whatever was there."""
    path.unlink(missing_ok=True)
    program = (
        "import sqlite3, sys\n"
        "base = sqlite3.connect(sys.argv[1])\n"
        "base.execute('create table rows (n)')\n"
        "base.execute('insert into rows values (?)', (int(sys.argv[2]),))\n"
        "base.commit()\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path), str(number)], check=True)


TEMPLATES = """
pytest.ini
    [pytest]
    pythonpath = .
render.py
    import jinja2
    ENV = jinja2.Environment(loader=jinja2.FileSystemLoader("templates"))
    KEPT = jinja2.Environment(loader=jinja2.FileSystemLoader("templates"), auto_reload=False)
    def render(name, env=ENV):
        return env.get_template(name).render(x=1)
templates/grand.html
    grand {% block a %}{% endblock %}
templates/parent.html
    {% extends "grand.html" %}
templates/child.html
    {% extends "parent.html" %}{% block a %}{{ x }}{% endblock %}
templates/alone.html
    alone
tests/test_templates.py
    from render import KEPT, render
    def test_child():
        assert render("child.html") == "grand 1"
    def test_child_again():
        assert render("child.html") == "grand 1"
    def test_kept():
        assert render("child.html", KEPT) == "grand 1"
    def test_kept_again():
        assert render("child.html", KEPT) == "grand 1"
    def test_alone():
        assert render("alone.html") == "alone"
    def test_nothing():
        pass
"""


def test_a_template_selects_those_that_rendered_what_extends_it(recorded: MakeLab) -> None:
    """S19: the grandparent, though the second test got it from the environment's cache.

    Where the environment does not look whether the file is another one, only the code that a
    template was compiled to tells that it was used.
    """
    project = recorded(TEMPLATES, "jinja2==3.1.6", "markupsafe==3.0.2")
    grand = {"templates/grand.html": "great {% block a %}{% endblock %}\n"}
    users = ("::test_child", "::test_child_again", "::test_kept", "::test_kept_again")
    found = project.check(grand, *users)
    assert not any(nodeid.endswith("::test_nothing") for nodeid in found), found
    project.check({"templates/alone.html": "else\n"}, "::test_alone")


KEPT_TEMPLATES = """
pytest.ini
    [pytest]
    pythonpath = .
rendering/__init__.py
rendering/of_jinja.py
    import jinja2
    def load(name):
        return "loaded {{ 1 }}"
    ENV = jinja2.Environment(loader=jinja2.FunctionLoader(load))
    def render():
        return ENV.get_template("any").render()
rendering/of_django.py
    import django
    from django.conf import settings
    from django.template.loader import render_to_string
    BACKEND = "django.template.backends.django.DjangoTemplates"
    TAGS = {"libraries": {"tags": "rendering.tags"}}
    settings.configure(TEMPLATES=[{"BACKEND": BACKEND, "DIRS": ["pages"], "OPTIONS": TAGS}])
    django.setup()
    def render(name):
        return render_to_string(name).strip()
rendering/tags.py
    from django import template
    register = template.Library()
    class Word(template.Node):
        def __init__(self, word):
            self.word = word
        def render(self, context):
            return self.word
    @register.tag
    def word(parser, token):
        return Word(spelled())
    def spelled():
        return "word"
pages/parent.html
    parent {% block a %}{% endblock %}
pages/child.html
    {% extends "parent.html" %}{% load tags %}{% block a %}{% word %}{% endblock %}
pages/alone.html
    alone
tests/test_kept.py
    from rendering import of_django, of_jinja
    def test_child():
        assert of_django.render("child.html") == "parent word"
    def test_child_again():
        assert of_django.render("child.html") == "parent word"
    def test_alone():
        assert of_django.render("alone.html") == "alone"
    def test_loaded():
        assert of_jinja.render() == "loaded 1"
    def test_loaded_again():
        assert of_jinja.render() == "loaded 1"
"""


def test_what_loads_a_template_selects_all_that_were_given_it(recorded: MakeLab) -> None:
    """The second test got it from the library's cache: it opens no file, and parses no tag."""
    django, jinja = ("django==5.2.19",), ("jinja2==3.1.6", "markupsafe==3.0.2")
    project = recorded(KEPT_TEMPLATES, *django, *jinja)
    users = ("::test_child", "::test_child_again")
    parent = project.edit("pages/parent.html", "parent {", "mother {")
    for edit in (parent, project.edit("rendering/tags.py", 'return "word"', 'return "letter"')):
        found = project.check(edit, *users)
        assert len(found) == len(users), found
    edit = project.edit("rendering/of_jinja.py", "loaded {{", "other {{")
    found = project.check(edit, "::test_loaded", "::test_loaded_again")
    assert len(found) == 2, found


READERS = """
pytest.ini
    [pytest]
    pythonpath = .
data.txt
    1
reading.py
    import lxml
    def first():
        return lxml.first("data.txt")
tests/test_before.py
    def test_before():
        pass
tests/test_reading.py
    import reading
    def test_read():
        assert reading.first() == b"1"
"""

LIBRARY = """
import ctypes
libc = ctypes.CDLL(None)
def first(path):
    data = ctypes.create_string_buffer(1)
    descriptor = libc.open(path.encode(), 0)
    libc.read(descriptor, data, 1)
    libc.close(descriptor)
    return data.raw
"""


def test_a_data_file_selects_those_that_a_library_in_c_may_have_read_it_for(
    recorded: MakeLab,
) -> None:
    """S20: nothing tells of what it opens; an edit of code selects as ever."""
    project = recorded(READERS, record=False)
    (project.site / "lxml.py").write_text(LIBRARY)
    project.record()
    found = project.check({"data.txt": "2\n"}, "::test_read")
    assert found == {"tests/test_reading.py::test_read"}
    assert project.check({"new.xml": "<a/>\n"}) == {"tests/test_reading.py::test_read"}
    assert project.check({"tests/test_before.py": "def test_before():\n    print(1)\n"}) == {
        "tests/test_before.py::test_before"
    }


ATTACHED = """
pytest.ini
    [pytest]
    pythonpath = .
joined.py
    import sqlite3
    def rows():
        with sqlite3.connect(":memory:") as base:
            base.execute("attach database 'other.db' as other")
            return base.execute("select n from other.rows").fetchall()
tests/test_before.py
    def test_before():
        assert open("other.db", "rb").read()
tests/test_joined.py
    import joined
    def test_joined():
        assert joined.rows() == [(1,)]
tests/test_else.py
    def test_else():
        pass
"""


def test_a_data_file_selects_those_that_may_have_attached_it_as_a_database(
    recorded: MakeLab,
) -> None:
    """S20: SQL names it; that another test has read it does not tell that this one has not."""
    project = recorded(ATTACHED, record=False)
    database(project.root / "other.db", 1)
    project.record()
    database(project.root / "other.db", 2)
    assert project.due().keys() == {
        "tests/test_before.py::test_before",
        "tests/test_joined.py::test_joined",
    }


EXTENSION = """
pytest.ini
    [pytest]
    pythonpath = .
data.txt
    1
fast/__init__.py
    from fast import _json
    def quoted(text):
        return _json.encode_basestring(text)
slow.py
    def quoted(text):
        return repr(text)
tests/test_fast.py
    import fast
    def test_fast():
        assert fast.quoted("a") == '"a"'
tests/test_slow.py
    import slow
    def test_slow():
        assert slow.quoted("a") == "'a'"
"""


def test_a_data_file_selects_those_that_an_extension_module_may_have_read_it_for(
    recorded: MakeLab,
) -> None:
    """S20: as for libraries, the project's own code in C tells nothing of what it opens."""
    project = recorded(EXTENSION, record=False)
    where = [project.python, "-c", "import _json; print(_json.__file__, end='')"]
    shutil.copy(subprocess.check_output(where, text=True), project.root / "fast")
    project.record()
    assert project.check({"data.txt": "2\n"}) == {"tests/test_fast.py::test_fast"}


PROCESSES = """
pytest.ini
    [pytest]
    pythonpath = .
app/__init__.py
app/__main__.py
    from app import core
    print(core.value())
app/core.py
    def value():
        return 1
    def other():
        return 2
run.sh
    #!/bin/sh
    exec "$PYTHON" -m app
forked.py
    def work(n):
        return n + 1
tests/test_processes.py
    import multiprocessing, os, subprocess, sys
    import forked
    def test_module():
        done = subprocess.run([sys.executable, "-m", "app"], capture_output=True, text=True)
        assert done.stdout == "1\\n"
    def test_script():
        env = {**os.environ, "PYTHON": sys.executable}
        done = subprocess.run(["sh", "run.sh"], capture_output=True, text=True, env=env)
        assert done.stdout == "1\\n"
    def test_pool():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.map(forked.work, [1]) == [2]
    def test_fork():
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.map(forked.work, [1]) == [2]
    def test_nothing():
        pass
"""


def test_what_a_child_process_runs_is_its_tests(recorded: MakeLab) -> None:
    """S21: `python -m`, through a shell script, spawned and forked workers."""
    project = recorded(PROCESSES)
    core = project.edit("app/core.py", "return 1", "return 3")
    project.check(core, "::test_module", "::test_script")
    project.check({"run.sh": "#!/bin/sh\necho 2\n"}, "::test_script")
    work = project.edit("forked.py", "n + 1", "n + 2")
    project.check(work, "::test_pool", "::test_fork")


LASTING_POOL = """
pytest.ini
    [pytest]
    pythonpath = .
lasting.py
    import atexit, multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    POOL = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    atexit.register(POOL.shutdown)
    def work():
        return 1
tests/test_lasting.py
    import lasting
    def test_first():
        assert lasting.POOL.submit(lasting.work).result() == 1
    def test_second():
        assert lasting.POOL.submit(lasting.work).result() == 1
"""


def test_who_comes_later_may_use_a_process_that_outlives_its_test(recorded: MakeLab) -> None:
    """It does for the second test what it has told of already."""
    project = recorded(LASTING_POOL)
    project.check(
        project.edit("lasting.py", "return 1", "return 2"), "::test_first", "::test_second"
    )


IMPORTS = """
pytest.ini
    [pytest]
    pythonpath = .
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
    def value():
        return 1
helpers.py
    def one():
        return 1
others.py
    def name():
        return "others"
plugins/__init__.py
plugins/a.py
    def name():
        return "a"
settings.py
    import os
    MODE = os.environ.get("SHOP_MODE", "plain")
patched/__init__.py
patched/inner.py
    def function():
        pass
support/__init__.py
support/fixtures.py
    import pytest
    @pytest.fixture
    def size():
        return measure()
    def measure():
        return 1
conftest.py
    pytest_plugins = ["support.fixtures"]
tests/test_packages.py
    import effects.sub.mod
    import chain
    def test_effect():
        assert effects.sub.mod.state() == "one"
    def test_chain():
        assert chain.value() == 1
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
        assert load("a").name() == "a"
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
tests/test_optional.py
    import pytest
    foo = pytest.importorskip("foo_of_trap")
    def test_optional():
        assert foo.VALUE == 1
tests/test_tried.py
    def test_tried():
        try:
            import foo_of_trap
        except ImportError:
            foo_of_trap = None
        assert foo_of_trap is None
tests/test_mode.py
    import os
    import settings
    def test_mode():
        assert settings.MODE == "plain"
    def test_direct():
        assert os.getenv("SHOP_MODE") is None
tests/test_size.py
    def test_size(size):
        assert size == 1
tests/test_nothing.py
    def test_nothing():
        pass
"""


def test_names_that_lead_to_files(recorded: MakeLab) -> None:
    """S9 to S15, S22, S29: effects of packages, re-exports, shadows, plugins, what is patched."""
    project = recorded(IMPORTS)

    def check(files: dict[str, str | None], *expected: str, spares: bool = True) -> None:
        found = project.check(files, *(f"::{name}" for name in expected))
        if spares:
            assert not any(nodeid.endswith("::test_nothing") for nodeid in found), found

    check(project.edit("effects/__init__.py", '"one"', '"two"'), "test_effect")
    check(project.edit("chain/_core.py", "return 1", "return 2"), "test_chain")
    shadowing = "def one(): return 1\ndef name(): return 'helpers'\n"
    check({"helpers.py": shadowing}, "test_star")
    check(project.edit("plugins/a.py", '"a"', '"b"'), "test_named")
    check({"plugins/b.py": "\n"}, "test_all")
    check({"tests/colorsys.py": "rgb_to_hsv = max\n"}, "test_shadow", spares=False)
    check({"patched/inner.py": "pass\n"}, "test_patch")
    check({"patched/inner.py": None}, "test_patch")
    check(project.edit("support/fixtures.py", "return 1", "return 2"), "test_size")
    check({"tests/conftest.py": None, "chain/_impl.py": "def broken(:\n"}, "test_chain")
    check({"others.py": None, "othersx.py": "def name(): return 'others'\n"}, "test_star")
    nested = "import pytest\n@pytest.fixture\ndef size():\n    return 2\n"
    check({"tests/conftest.py": nested}, "test_size", spares=False)


def test_what_is_installed_and_what_is_set(recorded: MakeLab) -> None:
    """S24, S25 and variables: a missing module that comes, an upgrade, another environment."""
    project = recorded(IMPORTS)
    install(project.site, "1.0", 1)
    found = {nodeid.rpartition("::")[2] for nodeid in project.due()} | set(project.due())
    assert any("test_optional" in one for one in found)
    assert any("test_tried" in one for one in found)
    assert project.run("test").returncode == 1
    tried = project.edit("tests/test_tried.py", "foo_of_trap is None", "foo_of_trap.VALUE == 1")
    project.write(tried)
    assert project.run("test").returncode == 0
    assert project.due() == {}
    install(project.site, "1.1", 2)
    found = set(project.due())
    assert any("test_optional" in one for one in found)
    assert any("test_tried" in one for one in found)
    install(project.site, "1.0", 1)
    assert project.run("test").returncode == 0
    project.environment["SHOP_MODE"] = "other"
    names = {nodeid.rpartition("::")[2] for nodeid in project.due()}
    assert {"test_mode", "test_direct"} <= names
    assert "test_nothing" not in names
    project.environment.pop("SHOP_MODE")
    project.environment["UNREAD_BY_ALL"] = "1"
    assert project.due() == {}


def install(site: Path, version: str, value: int) -> None:
    """Install a distribution of one module, or another version of it."""
    for old in site.glob("foo_of_trap-*"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    metadata = site / f"foo_of_trap-{version}.dist-info"
    metadata.mkdir()
    described = f"Metadata-Version: 2.1\nName: foo_of_trap\nVersion: {version}\n"
    (metadata / "METADATA").write_text(described)
    (metadata / "RECORD").write_text("foo_of_trap.py,,\n")
    (site / "foo_of_trap.py").write_text(f"VALUE = {value}\n")
    for cached in (site / "__pycache__").glob("foo_of_trap.*"):
        os.unlink(cached)  # noqa: PTH108
