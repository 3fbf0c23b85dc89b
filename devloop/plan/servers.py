"""Which commands are known to end up listening: told from their words alone."""

from __future__ import annotations

from devloop.select.launchers import unwrap

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


def is_server(argv: tuple[str, ...]) -> bool:
    """Whether a command is known to end up listening.

    Args:
        argv: the program and its arguments.

    Returns:
        True for the well-known servers of Python, run by name, by ``python -m``, by
        ``manage.py`` or by what starts them (``uv run``); False where nothing is known.
    """
    run = unwrap(argv)
    if run.name in _SERVERS:
        return True
    if run.name not in _SUBCOMMANDS:
        return False
    wanted = _SUBCOMMANDS[run.name]
    return wanted is None or not wanted.isdisjoint(argv[run.at + 1 :])
