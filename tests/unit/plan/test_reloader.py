"""A command's own reloader is recognised and turned off (trap P24)."""

from __future__ import annotations

import shlex

import pytest

from devloop.plan.reloader import tame


@pytest.mark.parametrize(
    ("command", "tamed"),
    [
        ("flask run --debug", "flask run --debug --no-reload"),
        (
            "flask --app shop run --debug --port 5001",
            "flask --app shop run --debug --port 5001 --no-reload",
        ),
        ("flask --debug run", "flask --debug run --no-reload"),
        ("flask run --reload", "flask run --no-reload"),
        ("python -m flask run --debug", "python -m flask run --debug --no-reload"),
        ("quart run --reload", "quart run --no-reload"),
        ("python manage.py runserver 8001", "python manage.py runserver 8001 --noreload"),
        ("./manage.py runserver", "./manage.py runserver --noreload"),
        (
            "python3.12 -X dev -u site/manage.py runserver",
            "python3.12 -X dev -u site/manage.py runserver --noreload",
        ),
        ("python -Wd manage.py runserver_plus", "python -Wd manage.py runserver_plus --noreload"),
        ("django-admin runserver", "django-admin runserver --noreload"),
        ("python -m django runserver", "python -m django runserver --noreload"),
        ("uvicorn main:app --reload", "uvicorn main:app"),
        (
            "uvicorn main:app --reload-dir src --reload --reload-include=*.html --port 8000",
            "uvicorn main:app --port 8000",
        ),
        (".venv/bin/uvicorn --reload main:app", ".venv/bin/uvicorn main:app"),
        ("python -m uvicorn main:app --reload", "python -m uvicorn main:app"),
        ("python -um uvicorn main:app --reload", "python -um uvicorn main:app"),
        (
            ".venv/bin/python .venv/bin/uvicorn a:b --reload",
            ".venv/bin/python .venv/bin/uvicorn a:b",
        ),
        ("uv run --with rich uvicorn main:app --reload", "uv run --with rich uvicorn main:app"),
        ("poetry run python -m uvicorn a:b --reload", "poetry run python -m uvicorn a:b"),
        ("uv run -m uvicorn a:b --reload", "uv run -m uvicorn a:b"),
        ("hatch run dev:uvicorn a:b --reload", "hatch run dev:uvicorn a:b"),
        ("python -muvicorn a:b --reload", "python -muvicorn a:b"),
        ("env A=1 uvicorn a:b --reload", "env A=1 uvicorn a:b"),
        ("fastapi dev", "fastapi dev --no-reload"),
        ("fastapi dev main.py --port 8001", "fastapi dev main.py --port 8001 --no-reload"),
        ("fastapi run --reload", "fastapi run --no-reload"),
        ("gunicorn --reload --reload-engine poll a:b", "gunicorn a:b"),
        ("hypercorn --reload a:b", "hypercorn a:b"),
        (
            "granian --interface asgi a:b --reload --reload-paths src",
            "granian --interface asgi a:b",
        ),
    ],
)
def test_a_reloader_is_turned_off(command: str, tamed: str) -> None:
    """The right option goes or comes, everything else stays, and one line says so."""
    result = tame(shlex.split(command), {})
    assert result is not None
    assert shlex.join(result.argv).replace("'", "") == tamed
    assert result.message is not None
    assert "its own reloader" in result.message
    assert "\n" not in result.message


@pytest.mark.parametrize(
    "command",
    [
        "uvicorn main:app",
        "fastapi dev --no-reload",
        "flask run --debug --no-reload",
        "flask routes --debug",
        "python manage.py migrate",
        "python manage.py runserver --noreload",
        "gunicorn a:b",
        "python app.py --reload",
        "uv run --with uvicorn serve.py --reload",
        "python -c 'import uvicorn' --reload",
        "node server.js --reload",
        "celery -A proj worker",
        "sh -c 'uvicorn main:app'",
        "uv",
        "python",
    ],
)
def test_other_commands_are_left_alone(command: str) -> None:
    """What has no reloader, or has it turned off, runs as it is written."""
    assert tame(shlex.split(command), {}) is None


@pytest.mark.parametrize("value", ["1", "true", "on"])
def test_a_variable_turns_it_on_too(value: str) -> None:
    """FLASK_DEBUG keeps its value, for the debugger; the option goes before it."""
    result = tame(["flask", "run"], {"FLASK_DEBUG": value})
    assert result is not None
    assert result.argv == ("flask", "run", "--no-reload")
    assert result.env == {}
    assert f"FLASK_DEBUG={value}" in (result.message or "")


def test_flask_may_read_its_own_environment_file() -> None:
    """`flask run` reads .flaskenv by itself: it gets the option, and there is nothing to say."""
    result = tame(["flask", "run"], {"FLASK_DEBUG": "0"})
    assert result is not None
    assert result.argv == ("flask", "run", "--no-reload")
    assert result.message is None


@pytest.mark.parametrize(
    ("argv", "env", "changed"),
    [
        (["uvicorn", "a:b"], {"UVICORN_RELOAD": "true"}, {"UVICORN_RELOAD": "false"}),
        (["granian", "a:b"], {"GRANIAN_RELOAD": "1"}, {"GRANIAN_RELOAD": "false"}),
        (
            ["gunicorn", "a:b"],
            {"GUNICORN_CMD_ARGS": "--bind :1 --reload"},
            {"GUNICORN_CMD_ARGS": "--bind :1"},
        ),
    ],
)
def test_a_variable_without_an_option_against_it_is_changed(
    argv: list[str], env: dict[str, str], changed: dict[str, str]
) -> None:
    """Where only the variable turns it on, the variable is what is changed."""
    result = tame(argv, env)
    assert result is not None
    assert result.argv == tuple(argv)
    assert result.env == changed
    assert result.message is not None


def test_what_follows_two_dashes_is_not_options() -> None:
    """Arguments after ``--`` belong to somebody else."""
    result = tame(["flask", "run", "--debug", "--", "--reload"], {})
    assert result is not None
    assert result.argv == ("flask", "run", "--debug", "--no-reload", "--", "--reload")


def test_a_shell_command_is_not_rewritten() -> None:
    """A reloader inside `sh -c` is told of, with the command to write."""
    argv = ["sh", "-c", "DEBUG=1 exec uvicorn main:app --reload"]
    result = tame(argv, {})
    assert result is not None
    assert list(result.argv) == argv
    assert result.message == (
        "uvicorn runs in a shell with its own reloader, beside devloop's: "
        "turn that off, as in: uvicorn main:app"
    )
