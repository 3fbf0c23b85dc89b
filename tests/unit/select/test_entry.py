"""Where commands enter a project, by their words."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

from devloop.graph.graph import Graph
from devloop.select.entry import entry

PROJECT = """
pyproject.toml
app.py
x.py
manage.py
gunicorn.conf.py
proj/__init__.py
proj/wsgi.py
pkg/__init__.py
pkg/__main__.py
bare/__main__.py
src/shop/__init__.py
src/shop/cli.py
src/shop/web.py
api/service.py
"""


@pytest.fixture
def graph(build: Callable[..., Graph]) -> Graph:
    """A project of many ways in."""
    return build(PROJECT.replace("pyproject.toml\n", ""))


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("uvicorn --factory app:create_app", ["app.py"]),
        ("uvicorn shop.web:app --port 8000", ["src/shop/web.py"]),
        ("uvicorn --app-dir src shop.web:app", ["src/shop/web.py"]),
        ("gunicorn -w 2 proj.wsgi", ["proj/wsgi.py", "gunicorn.conf.py"]),
        ("gunicorn 'app:create_app(\"a, b\")'", ["app.py", "gunicorn.conf.py"]),
        ("hypercorn -c python:proj.wsgi app:app", ["app.py"]),
        ("flask --app x run", ["x.py"]),
        ("flask --app=x:create_app run", ["x.py"]),
        ("flask -Ax run", ["x.py"]),
        ("flask --app \"x:create_app('dev')\" run --debug", ["x.py"]),
        ("flask --app src/shop/web run", ["src/shop/web.py"]),
        ("flask --app ./src/shop:make run", ["src/shop/__init__.py"]),
        ("python pkg/", ["pkg/__init__.py", "pkg/__main__.py"]),
        ("python bare", ["bare/__main__.py"]),
        ("flask run", ["app.py"]),
        ("python -m flask run", ["app.py"]),
        ("python -m pkg", ["pkg/__init__.py", "pkg/__main__.py"]),
        ("python -mpkg", ["pkg/__init__.py", "pkg/__main__.py"]),
        ("python -m bare", ["bare/__main__.py"]),
        ("python3.13 -X dev app.py", ["app.py"]),
        ("python manage.py runserver", ["manage.py"]),
        ("./app.py", ["app.py"]),
        ("sh -c 'exec python app.py'", ["app.py"]),
        ("sh -c 'python app.py; true'", ["app.py"]),
        ("uv run uvicorn app:app", ["app.py"]),
        ("uv run -m pkg", ["pkg/__init__.py", "pkg/__main__.py"]),
        ("hatch run dev:python app.py", ["app.py"]),
        ("python -m pdb app.py", ["app.py"]),
        ("python -c 'import shop.web; shop.web.run()'", ["src/shop/web.py"]),
    ],
)
def test_words_name_the_entry(graph: Graph, command: str, paths: list[str]) -> None:
    """Files, modules, references to attributes, options' values, and words within a word."""
    found = entry(tuple(shlex.split(command)), graph)
    assert list(found.paths) == paths
    assert found.python
    assert not found.launcher


def test_a_word_may_be_a_path_and_the_name_of_another_module(build: Callable[..., Graph]) -> None:
    """Which of them is found first is up to `sys.path`: an edit of either restarts."""
    graph = build("shop/__init__.py\nweb.py\nsrc/shop/__init__.py\nsrc/web.py\n")
    for word, path in (("shop", "shop/__init__.py"), ("web", "web.py")):
        assert {*entry(("python", "-m", word), graph).paths} == {path, f"src/{path}"}


@pytest.mark.parametrize("command", ["tool serve", ".venv/bin/tool", "poetry run tool"])
def test_a_script_of_the_project_enters_where_it_is_defined(graph: Graph, command: str) -> None:
    """Wherever in the command it stands, and by whatever path."""
    found = entry(tuple(command.split()), graph, scripts={"tool": "shop.cli:main"})
    assert found.paths == ("src/shop/cli.py",)
    assert found.python


def test_what_python_runs_may_be_unknown(graph: Graph) -> None:
    """It is Python by its name, or because the project's environment says so."""
    assert entry(("python", "-c", "print(1)"), graph).python
    assert entry(("tool", "serve"), graph, python=True) == entry(("python",), graph)


@pytest.mark.parametrize("command", ["make run", "just dev", "./run.sh", "sh -c 'cd api; ./go'"])
def test_a_launcher_may_start_anything(graph: Graph, command: str) -> None:
    """What a task runner or a shell starts cannot be told from its words."""
    found = entry(tuple(shlex.split(command)), graph)
    assert found.launcher
    assert found.paths == ()


@pytest.mark.parametrize("command", ["node server.js", "npm run dev", "caddy run"])
def test_others_are_not_python(graph: Graph, command: str) -> None:
    """A program that is neither Python nor known to start others is left to itself."""
    found = entry(tuple(command.split()), graph)
    assert (found.python, found.launcher, found.paths) == (False, False, ())


def test_files_that_are_not_sources_are_named(graph: Graph) -> None:
    """They may be read by the program, whichever it is."""
    found = entry(("node", "server/main.js", "--config=conf/a.json", "-v"), graph)
    assert found.named == ("server/main.js", "conf/a.json")


def test_the_folder_that_it_runs_in_counts(graph: Graph) -> None:
    """A path in a command is relative to where the command runs."""
    assert entry(("python", "service.py"), graph, folder="api").paths == ("api/service.py",)
    assert entry(("flask", "run"), graph, folder="api").paths == ()


def test_flask_reads_its_environment(graph: Graph) -> None:
    """FLASK_APP comes before `app.py`; one that is not of the project leaves all unknown."""
    assert entry(("flask", "run"), graph, environ={"FLASK_APP": "x.py"}).paths == ("x.py",)
    assert entry(("flask", "run"), graph, environ={"FLASK_APP": "shop.web:make()"}).paths == (
        "src/shop/web.py",
    )
    assert entry(("flask", "run"), graph, environ={"FLASK_APP": "elsewhere"}).paths == ()
    named = entry(("flask", "--app", "app", "run"), graph, environ={"FLASK_APP": "x.py"})
    assert named.paths == ("app.py",)


def test_celery_finds_tasks_that_no_word_names(graph: Graph) -> None:
    """So any source may be one that it runs."""
    found = entry(("celery", "-A", "proj", "worker"), graph)
    assert found.python
    assert found.paths == ()


@pytest.mark.parametrize(
    "command",
    [
        "python -m http.server",
        "python3.13 -u -mhttp.server 8000 --directory build",
        "poetry run python -m http.server",
        "uv run -m http.server",
        "env A=1 python -m wsgiref.simple_server",
    ],
)
def test_a_module_of_the_standard_library_enters_nothing_of_the_project(
    graph: Graph, command: str
) -> None:
    """Whatever starts it."""
    found = entry(tuple(command.split()), graph)
    assert (found.python, found.paths, found.foreign, found.launcher) == (True, (), True, False)


@pytest.mark.parametrize(
    "command",
    [
        "python -m unittest",
        "python -m pydoc -b",
        "python -m timeit 1+1",
        "python -m gunicorn",
        "python -c 'import http.server'",
        "gunicorn",
    ],
)
def test_what_may_import_the_project_by_other_ways_is_unknown(graph: Graph, command: str) -> None:
    """Modules that run others, and those that are installed: configuration may name the app."""
    found = entry(tuple(shlex.split(command)), graph, python=True)
    assert (found.python, found.paths, found.foreign) == (True, (), False)


def test_a_module_of_the_project_may_hide_one_of_the_standard_library(
    build: Callable[..., Graph],
) -> None:
    """Then it is entered: where the command runs, by itself or by what the library imports."""
    graph = build("http/__init__.py\nhttp/server.py\napi/socketserver.py\nlib/html.py\n")
    command = ("python", "-m", "http.server")
    found = entry(command, graph)
    assert set(found.paths) == {"http/__init__.py", "http/server.py"}
    assert not found.foreign
    graph = build("api/socketserver.py\nlib/html.py\n")
    assert entry(command, graph, folder="api").paths == ("api/socketserver.py",)
    assert entry(command, graph).foreign


def test_the_standard_library_is_that_of_the_interpreter(graph: Graph) -> None:
    """A module may have come, or gone, since devloop's own."""
    command = ("python", "-m", "compression.zstd")
    assert entry(command, graph, library={"compression"}).foreign
    assert not entry(command, graph, library=()).foreign


@pytest.mark.parametrize("command", ["poetry run node server.js", "env A=1 npm run dev"])
def test_another_language_is_seen_behind_what_starts_it(graph: Graph, command: str) -> None:
    """It is neither Python, nor may it be anything."""
    found = entry(tuple(command.split()), graph)
    assert (found.python, found.launcher) == (False, False)


@pytest.mark.parametrize("command", ["hatch run serve", "pdm run start", "uv run gunicorn"])
def test_a_task_of_a_runner_may_be_anything(graph: Graph, command: str) -> None:
    """What it is stands in a file of the runner's, or it is configured by one of its own."""
    assert entry(tuple(command.split()), graph).launcher
