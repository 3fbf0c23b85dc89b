"""The devloop.toml that `devloop init` writes."""

from __future__ import annotations

import json

from devloop.config.survey import FoundApp, FoundScript, Survey


def render(survey: Survey, *, schema: str) -> str:
    """Write a configuration for a project.

    Args:
        survey: what was found in it.
        schema: where the JSON Schema is, relative to the file.

    Returns:
        The text. What was found is set; what else can be set is there as a comment.
    """
    parts = [
        f"""\
#:schema {schema}

# What `devloop watch` does on each save. Everything may be left out; a key that is commented
# out shows its default, or what it could be. `devloop doctor` checks the file.

[watch]
# paths = ["."]
# ignore = ["docs/_build/"]   # in .gitignore's syntax, on top of .gitignore
# debounce = "20ms"
# on-busy = "restart"         # what a change does while work goes on; or "queue", "ignore"
""",
        _python(survey),
        *(_app(app, survey.env_file) for app in survey.apps),
        _tests(survey),
        *(_step(script, survey) for script in survey.scripts),
    ]
    if not survey.apps:
        parts.insert(2, _APP)
    if not survey.scripts:
        parts.append(_STEP)
    parts.append(_NOTIFY)
    return "\n".join(parts)


_APP = """\
# A process that runs all the time, and is restarted when a module that it imports changes.
# [apps.web]
# command = "uvicorn main:app --port 8000"
# env-file = ".env"
# watch = ["templates/**"]   # what else restarts it
# ready = { http = "http://127.0.0.1:8000/" }
"""

_STEP = """\
# A command that makes files from files, and runs when what it reads has changed.
# [steps.css]
# command = "npm run css"
# inputs = ["styles/**/*.css"]
# outputs = ["static/app.css"]
"""


_NOTIFY = """\
# Calls you when the tests begin to fail, or pass again.
# [notify]
# bell = true
# terminal = true    # a notification of the terminal's
# desktop = true     # one of the desktop's
# when = "change"    # or "always"
"""


def _python(survey: Survey) -> str:
    lines = ["[python]"]
    if survey.interpreter is None:
        lines.append(
            '# interpreter = "python3"   # default: $VIRTUAL_ENV, .venv, or what runs devloop'
        )
    else:
        lines.append(f"interpreter = {_quote(survey.interpreter)}")
    roots = survey.roots or (".",)
    lines.append(f"# roots = {_list(roots)}   # the folders that imports start from")
    return "\n".join(lines) + "\n"


def _app(app: FoundApp, env_file: bool) -> str:
    lines = [
        f"# {app.kind}, found in {_comment(app.path)}.",
        f"[apps.{_key(app.name)}]",
        f"command = {_quote(app.command)}",
        f'{"" if env_file else "# "}env-file = ".env"   # read again at each restart',
        '# watch = ["templates/**"]   # what restarts it beside the modules that it imports',
        f"# ready = {{ http = {_quote(app.url)} }}   # default: it listens",
        '# needs = []   # steps, as in ["css"]',
        '# stop-timeout = "5s"',
    ]
    return "\n".join(lines) + "\n"


def _tests(survey: Survey) -> str:
    return f"""\
[tests]
# paths = {_list(survey.tests or ("tests",))}
# args = ["-q"]
# workers = "auto"   # 0 is one process, N is pytest-xdist with N
# record = false     # do not note what each test depends on: imports decide what runs
# shadow = true      # while idle, run what was left out and tell of what should not have been
"""


def _step(script: FoundScript, survey: Survey) -> str:
    names = [other.name for other in survey.scripts]
    name = script.name
    if names.count(name) > 1 and script.folder:
        name = f"{script.folder}-{name}"
    lines = [
        f"# A script of {_comment(script.path)}; a step, if it makes files from files.",
        f"# [steps.{_key(name)}]",
        f"# command = {_quote(script.command)}",
        *([f"# cwd = {_quote(script.folder)}"] if script.folder else []),
        '# inputs = []    # the files that it reads, as in ["styles/**/*.css"]',
        '# outputs = []   # the files that it writes, as in ["static/app.css"]',
    ]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    plain = all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    return name if plain and name else _quote(name)


def _quote(text: str) -> str:
    # JSON's escapes are TOML's too; DEL is the one character that only TOML forbids.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _list(items: tuple[str, ...]) -> str:
    return "[" + ", ".join(_quote(item) for item in items) + "]"
