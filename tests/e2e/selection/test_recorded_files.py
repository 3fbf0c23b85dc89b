"""By what each test was seen to read, to look for, to import and to start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

MakeLab = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TEMPLATES = """
pytest.ini
    [pytest]
    pythonpath = .
render.py
    import jinja2
    ENV = jinja2.Environment(loader=jinja2.FileSystemLoader("templates"))
    def render(name):
        return ENV.get_template(name).render(x=1)
templates/grand.html
    grand {% block a %}{% endblock %}
templates/parent.html
    {% extends "grand.html" %}
templates/child.html
    {% extends "parent.html" %}{% block a %}{{ x }}{% endblock %}
templates/alone.html
    alone
tests/test_templates.py
    from render import render
    def test_child():
        assert render("child.html") == "grand 1"
    def test_child_again():
        assert render("child.html") == "grand 1"
    def test_alone():
        assert render("alone.html") == "alone"
    def test_nothing():
        pass
"""


def test_a_template_selects_those_that_rendered_what_extends_it(recorded: MakeLab) -> None:
    """S19: the grandparent, though the second test got it from the environment's cache."""
    project = recorded(TEMPLATES, "jinja2==3.1.6", "markupsafe==3.0.2")
    grand = {"templates/grand.html": "great {% block a %}{% endblock %}\n"}
    found = project.check(grand, "::test_child", "::test_child_again")
    assert not any(nodeid.endswith("::test_nothing") for nodeid in found), found
    project.check({"templates/alone.html": "else\n"}, "::test_alone")


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
