"""Which commands are known to end up listening: told from their words alone."""

from __future__ import annotations

import re

_SERVERS = frozenset(
    {"uvicorn", "gunicorn", "hypercorn", "granian", "daphne", "waitress-serve", "http.server"}
)
_SUBCOMMANDS: dict[str, set[str] | None] = {
    "flask": {"run"},
    "quart": {"run"},
    "fastapi": {"dev", "run"},
    "litestar": {"run"},
    "sanic": None,
    "manage.py": {"runserver"},
    "streamlit": {"run"},
}
_PYTHON = re.compile(r"(python|pypy)[\d.]*w?(\.exe)?")


def is_server(argv: tuple[str, ...]) -> bool:
    """Whether a command is known to end up listening.

    Args:
        argv: the program and its arguments.

    Returns:
        True for the well-known servers of Python, run by name, by ``python -m`` or by
        ``manage.py``; False where nothing is known.
    """
    words = [word.replace("\\", "/").rpartition("/")[2] for word in argv]
    if words and _PYTHON.fullmatch(words[0]):
        words = [word for word in words[1:] if not word.startswith("-")]
    if not words:
        return False
    if words[0] in _SERVERS:
        return True
    if words[0] not in _SUBCOMMANDS:
        return False
    wanted = _SUBCOMMANDS[words[0]]
    return wanted is None or not wanted.isdisjoint(words[1:])
