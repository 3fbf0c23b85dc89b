"""What commands run in the end."""

from __future__ import annotations

import shlex

import pytest

from devloop.select.launchers import unwrap


@pytest.mark.parametrize(
    ("command", "name", "at", "kind"),
    [
        ("/venv/bin/uvicorn main:app", "uvicorn", 0, "program"),
        ("python app.py", "app.py", 1, "script"),
        ("python3.13t -X dev -W error -u tools/app.py -m x", "app.py", 6, "script"),
        ("python -m http.server", "http.server", 2, "module"),
        ("python -mhttp.server 80", "http.server", 1, "module"),
        ("python -Bum shop", "shop", 2, "module"),
        ("python -Wm shop.py", "shop.py", 2, "script"),
        ("python -c 'import shop' -m x", "python", 0, "unknown"),
        ("python -", "python", 0, "unknown"),
        ("python", "python", 0, "unknown"),
        ("python -m", "-m", 1, "unknown"),
        ("poetry run tool serve", "tool", 2, "program"),
        ("poetry -C api run python -m shop", "shop", 6, "module"),
        ("uv run --with rich -- uvicorn a:b", "uvicorn", 5, "program"),
        ("uv run -m shop", "shop", 3, "module"),
        ("uv run python -m shop", "shop", 4, "module"),
        ("hatch run dev:python -m shop", "shop", 4, "module"),
        ("hatch run serve", "serve", 2, "program"),
        ("pdm run -p api start", "start", 4, "program"),
        ("pipenv run gunicorn", "gunicorn", 2, "program"),
        ("env -u HOME A=1 B=2 node x.js", "node", 5, "program"),
        ("nohup env A=1 uv run flask run", "flask", 5, "program"),
        ("uv sync", "uv", 0, "program"),
        ("uv run", "uv", 0, "program"),
        ("npm run dev", "npm", 0, "program"),
        ("sh -c 'python app.py'", "sh", 0, "program"),
    ],
)
def test_the_program_behind_what_starts_it(command: str, name: str, at: int, kind: str) -> None:
    """Runners and prefixes are seen through; task runners, shells and other tools are not."""
    assert unwrap(shlex.split(command)) == (name, at, kind)
