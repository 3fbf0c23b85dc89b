"""Commands that are known to end up listening."""

from __future__ import annotations

import pytest

from devloop.plan.servers import is_server


@pytest.mark.parametrize(
    "command",
    [
        "uvicorn main:app --port 80",
        "/venv/bin/gunicorn -w 2 proj.wsgi",
        "python -m uvicorn main:app",
        "python3.12 -u -m http.server 8000",
        "flask --app x run",
        "python manage.py runserver",
        "fastapi dev main.py",
        "uv run --with rich uvicorn main:app",
        "poetry run python manage.py runserver",
    ],
)
def test_servers_are_known(command: str) -> None:
    """By their names, however they are started."""
    assert is_server(tuple(command.split()))


@pytest.mark.parametrize(
    "command", ["python worker.py", "sh run.sh", "flask --app x shell", "python"]
)
def test_of_others_nothing_is_known(command: str) -> None:
    """A second of life has to do for them."""
    assert not is_server(tuple(command.split()))
