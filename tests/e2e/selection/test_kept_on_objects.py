"""What a function keeps on an object matters to those who meet that object (S8)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

MakeLab = Callable[..., Any]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.version_info < (3, 12), reason="functions are told apart from 3.12 on"),
]

TREE = """
pyproject.toml
    [tool.pytest.ini_options]
    pythonpath = ["src"]
src/app.py
    class App:
        def __init__(self):
            self._routes = None

        def routes(self):
            if self._routes is None:
                self._routes = build()
            return self._routes

    def build():
        return ["home"]
tests/test_shared.py
    from app import App
    APP = App()
    def test_first():
        assert APP.routes() == ["home"]
    def test_second():
        assert APP.routes() == ["home"]
tests/test_fixtures.py
    import pytest
    from app import App
    @pytest.fixture
    def app():
        app = App()
        app.routes()
        return app
    @pytest.fixture(scope="module")
    def lasting():
        return App()
    def test_own(app):
        assert app.routes() == ["home"]
    def test_lasting(lasting):
        assert lasting.routes() == ["home"]
    def test_lasting_again(lasting):
        assert lasting.routes() == ["home"]
tests/test_others.py
    from app import App
    def test_set():
        app = App()
        app._routes = []
        assert app.routes() == []
tests/test_busy.py
    from app import App
    def test_busy():
        for _ in range(9):
            app = App()
            app._routes = []
            app.routes()
"""


def test_who_meets_an_object_depends_on_what_was_kept_on_it(lab: MakeLab) -> None:
    """Also the test that found it kept, and ran nothing of what made it.

    Another test has run the function more often than is worth hearing of.
    """
    made = lab(TREE)
    edit = made.edit("src/app.py", 'return ["home"]', 'return ["away"]')
    made.check(
        edit,
        "::test_first",
        "::test_second",
        "::test_own",
        "::test_lasting",
        "::test_lasting_again",
    )


ASKED = """
pyproject.toml
    [tool.pytest.ini_options]
    pythonpath = ["src"]
src/app.py
    class App:
        ready = False

        def load(self):
            self.pages = build()
            self.ready = True

        def routes(self):
            if not self.ready:
                self.load()
            return self.pages

    APP = App()

    def build():
        return ["home"]
tests/test_first.py
    from app import APP, App
    ROUTES = APP.routes()
    def test_first():
        assert ROUTES == ["home"]
    def test_own():
        app = App()
        app.ready, app.pages = True, []
        assert app.routes() == []
tests/test_second.py
    import app
    def test_second():
        assert app.APP.routes() == ["home"]
    def test_nothing():
        pass
"""


def test_who_meets_what_another_test_file_was_imported_with_depends_on_it(lab: MakeLab) -> None:
    """It does not import that file; a method that the one it calls has called made it."""
    made = lab(ASKED)
    edit = made.edit("src/app.py", 'return ["home"]', 'return ["away"]')
    made.check(edit, "::test_first", "::test_second")


ALONE = """
pyproject.toml
    [tool.pytest.ini_options]
    pythonpath = ["src"]
src/app.py
    class App:
        def __init__(self):
            self._routes = None

        def routes(self, make):
            if self._routes is None:
                self._routes = make()
            return self._routes
src/home.py
    def home():
        return "home"
src/away.py
    def away():
        return "away"
tests/test_app.py
    import pytest
    from app import App
    from away import away
    from home import home
    @pytest.fixture
    def app():
        app = App()
        yield app
        app.routes(home)
    def test_home():
        assert App().routes(home) == "home"
    def test_away(app):
        assert app.routes(away) == "away"
    def test_both():
        assert App().routes(away) == "away"
"""


def test_who_meets_objects_of_its_own_depends_on_nothing_of_others(lab: MakeLab) -> None:
    """A function that keeps something on each object does not tie all its users together."""
    made = lab(ALONE)
    selected = made.check(made.edit("src/home.py", 'return "home"', 'return "none"'), "::test_home")
    assert {nodeid.rpartition("::")[2] for nodeid in selected} == {"test_home"}


LENT = """
pytest.ini
    [pytest]
    pythonpath = .
app.py
    import holding
    class Middleware:
        def __init__(self):
            self.tag = tag()
        def handle(self, name):
            return self.tag, view(name)
    def tag():
        return "tag"
    def view(name):
        return views()[name]()
    def views():
        return {"home": home, "away": away}
    def home():
        return "home"
    def away():
        return "away"
    APP = holding.App(Middleware)
tests/test_app.py
    import app
    import holding
    def test_home():
        assert app.APP.ask("home") == ("tag", "home")
    def test_away():
        assert app.APP.ask("away") == ("tag", "away")
    def test_own():
        assert holding.App(app.Middleware).ask("home") == ("tag", "home")
    def test_nothing():
        pass
"""
HOLDING = """
class App:
    def __init__(self, kind):
        self.kind = kind
        self.stack = None

    def ask(self, name):
        if self.stack is None:
            self.stack = self.build()
        return self.stack.handle(name)

    def build(self):
        return self.kind()
"""


def test_who_meets_what_a_library_has_made_depends_on_it(recorded: MakeLab) -> None:
    """The library asks the project for it once; what it asks for each time is not so."""
    project = recorded(LENT, record=False)
    (project.site / "holding.py").write_text(HOLDING)
    project.record()
    edit = project.edit("app.py", 'return "tag"', 'return "label"')
    project.check(edit, "::test_home", "::test_away", "::test_own")
    edit = project.edit("app.py", 'return "away"', 'return "gone"')
    found = project.check(edit, "::test_away")
    assert len(found) == 1, found
