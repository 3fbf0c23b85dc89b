"""From files to a configuration, each fault named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devloop.config import shape
from devloop.config.load import Overrides, load, place_of
from devloop.config.types import Config, argv, seconds
from devloop.errors import ConfigError


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    """Nothing need be configured; the files that could say something are known all the same."""
    loaded = load(tmp_path)
    assert loaded.config == Config()
    assert loaded.source is None
    assert loaded.files == (tmp_path / "devloop.toml", tmp_path / "pyproject.toml")


def test_a_pyproject_without_our_table_says_nothing(tmp_path: Path) -> None:
    """Other tools' tables are none of our business."""
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert load(tmp_path).source is None


def test_the_whole_file_of_the_contract_loads(tmp_path: Path) -> None:
    """Every key, as the documentation shows it."""
    for folder in ("src", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "devloop.toml").write_text(
        """
[watch]
paths = ["."]
ignore = ["docs/_build/"]
debounce = "20ms"
on-busy = "queue"

[python]
interpreter = "PYTHON"
roots = ["src", "."]

[apps.web]
command = "uvicorn shop.main:app --port 8000"
env = { DEBUG = "1" }
env-file = ".env"
cwd = "site"
watch = ["templates/**"]
start = "cold"
preload = false
handover = "overlap"
listen = ["127.0.0.1:3000", "[::1]:3000", "unix:run/app.sock"]
ready = { http = "http://127.0.0.1:8000/" }
ready-timeout = "1m"
stop-signal = "SIGINT"
stop-timeout = "5s"
needs = ["css"]

[apps.worker]
command = ["python", "-m", "shop.worker"]
ready = { log = "^ready" }

[warm]
exclude = ["torch"]
layers = false
tests = false

[tests]
paths = ["tests"]
args = ["-q"]
workers = 4
needs = ["css"]

[steps.tokens]
command = "npm run tokens"

[steps.css]
command = "npm run css"
inputs = ["styles/**/*.css"]
outputs = ["static/app.css"]
needs = ["tokens"]
timeout = "1.5m"
diagnostics = "%f:%l:%c: %m"
""".replace("PYTHON", sys.executable)
    )
    config = load(tmp_path).config
    assert config.apps["web"].command == "uvicorn shop.main:app --port 8000"
    assert config.apps["web"].ready is not None
    assert argv(config.apps["worker"].command) == ("python", "-m", "shop.worker")
    assert config.tests.workers == 4
    assert seconds(config.steps["css"].timeout or "") == 90.0
    assert config.watch.on_busy == "queue"


def test_a_key_of_devloop_toml_comes_before_pyproject(tmp_path: Path) -> None:
    """Key by key: what only one of the files says is kept; a value is never mixed from both."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.devloop.watch]\ndebounce = "1s"\nignore = ["a"]\n'
        '[tool.devloop.apps.web]\ncommand = "old"\nready = { port = 80 }\n'
        "[tool.devloop.tests]\nenv = { A = '1' }\n"
    )
    (tmp_path / "devloop.toml").write_text(
        '[watch]\ndebounce = "2s"\n'
        '[apps.web]\nready = { log = "up" }\n'
        "[tests]\nenv = { B = '2' }\n"
    )
    loaded = load(tmp_path)
    assert loaded.source == tmp_path / "devloop.toml"
    assert loaded.config.watch.debounce == "2s"
    assert loaded.config.watch.ignore == ("a",)
    assert loaded.config.apps["web"].command == "old"
    assert loaded.config.apps["web"].ready == msgspec.convert(
        {"log": "up"}, type(loaded.config.apps["web"].ready)
    )
    assert loaded.config.tests.env == {"B": "2"}


def test_overrides_are_laid_over_the_files_each_time(tmp_path: Path) -> None:
    """What the command line said stands when the configuration is loaded again."""
    file = tmp_path / "devloop.toml"
    file.write_text('[watch]\ndebounce = "1s"\n[apps.web]\ncommand = "serve"\n')
    overrides = Overrides(debounce="2s", on_busy="ignore", command=("bin/uvicorn", "main:app"))
    loaded = load(tmp_path, overrides)
    file.write_text('[watch]\nignore = ["x"]\n')
    for config in (loaded.config, loaded.again().config):
        assert config.watch.debounce == "2s"
        assert config.watch.on_busy == "ignore"
        assert list(config.apps) == ["uvicorn"]
    assert loaded.again().config.watch.ignore == ("x",)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("bin/uvicorn", "main:app"), "uvicorn"),
        (("python3", "-u", "tools/serve.py", "8000"), "serve"),
        (("/usr/bin/python", "-m", "http.server"), "http.server"),
        (("python",), "python"),
    ],
)
def test_an_app_of_the_command_line_is_named_after_what_runs(
    command: tuple[str, ...], name: str
) -> None:
    """An interpreter's name would say nothing."""
    assert list(Overrides(command=command).apply(Config()).apps) == [name]


def fault(folder: Path, text: str, file: str = "devloop.toml") -> str:
    """The one message for a faulty file."""
    (folder / file).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(folder)
    assert caught.value.exit_code == 4
    return str(caught.value)


STEP = '[steps.css]\ncommand = "x"\n'
APP = '[apps.web]\ncommand = "x"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[wach]\n",
            "devloop.toml:1: wach: unknown key in devloop's configuration; did you mean watch?",
        ),
        (
            '\n[watch]\ndebouce = "1s"',
            "devloop.toml:3: watch.debouce: unknown key in [watch]; did you mean debounce?",
        ),
        (
            APP + 'stop_signal = "SIGINT"',
            "devloop.toml:3: apps.web.stop_signal: unknown key in [apps.web]; "
            "did you mean stop-signal?",
        ),
        ('[watch]\ninterpreter = "x"', "It belongs in [python]."),
        ('[tests]\nstop-timeout = "1s"', "It belongs in [apps.<name>]."),
        ("[watch]\nzzz = 1", "Valid keys: debounce, ignore, on-busy, paths."),
        (
            "[watch]\ndebounce = 20",
            "devloop.toml:2: watch.debounce: expected a duration with its unit, "
            'such as "20ms", got the number 20: '
            "a bare number has no unit\n"
            'Write "20ms" or "20s".',
        ),
        ('[watch]\ndebounce = "20"', 'got "20"'),
        ('[watch]\ndebounce = "2 seconds"', 'Write "2s".'),
        ("[watch]\ndebounce = true", "got true"),
        ('[watch]\npaths = "src"', 'expected a list of strings, got "src"\nWrite ["src"].'),
        (
            '[watch]\npaths = [\n  "a",\n  5,\n]',
            "devloop.toml:2: watch.paths[1]: expected a string, got the number 5",
        ),
        ('[watch]\non-busy = "restrat"', 'did you mean "restart"?'),
        ('watch = "x"', "watch: expected a table, got"),
        (
            "[apps.web]\nwatch = []",
            "devloop.toml:1: apps.web.command: missing; expected a string or a list of strings",
        ),
        (
            APP + "env = { A = 1 }",
            "devloop.toml:3: apps.web.env.A: expected a string, got the number 1",
        ),
        (
            APP + "ready = { port = 70000 }",
            "expected a whole number from 1 to 65535, got the number 70000",
        ),
        (
            APP + "ready = { prot = 1 }",
            "apps.web.ready.prot: unknown key in [apps.web.ready]; did you mean port?",
        ),
        (
            "[tests]\nworkers = -1",
            'expected "auto" or a whole number from 0 to 512, got the number -1',
        ),
        ("[tests]\nworkers = true", "got true"),
        ("[warm]\ntests = 0", "expected true or false, got the number 0\nWrite false."),
        ("[warm]\nlayers = 'True'", 'expected true or false, got "True"\nWrite true.'),
        (
            "[apps.web]\ncommand = 'a'\nhandover = 'drian'",
            'expected "drain" or "overlap" or "stop-first", got "drian"; did you mean "drain"?',
        ),
        (
            "[apps.web]\ncommand = 'a'\nlisten = ['8000']",
            'an address, got "8000"\nAn address looks',
        ),
        ("[apps.web]\ncommand = 'a'\nlisten = ['h:0']", 'expected an address, got "h:0"'),
        ("[apps.web]\ncommand = 'a'\nlisten = ['unix:']", 'expected an address, got "unix:"'),
        ("[apps.web]\ncommand = 1979-05-27", "got a date or a time"),
        ("[apps.web]\ncommand = []", "devloop.toml:2: apps.web.command: names no program"),
        ("[apps.web]\ncommand = '  '", "names no program"),
        ("[apps.web]\ncommand = [1]", "apps.web.command[0]: expected a string"),
        (
            """[apps.web]\ncommand = 'run "it'""",
            "apps.web.command: cannot be split into words: a quotation is not closed",
        ),
        ("[apps.web]\ncommand = 'a && b'", 'Write ["sh", "-c", "a && b"]'),
        ("[apps.web]\ncommand = 'DEBUG=1 serve'", 'env = { DEBUG = "1" }'),
        (APP + "ready = {}", "expected just one of http, port and log, got none"),
        (
            APP + 'ready = { port = 1, log = "x" }',
            "apps.web.ready: expected just one of http, port and log, got port and log",
        ),
        (
            APP + 'ready = { log = "(" }',
            "devloop.toml:3: apps.web.ready.log: not a regular expression",
        ),
        (APP + 'ready = { http = "localhost" }', "expected a URL"),
        (APP + 'stop-signal = "SIGTREM"', "did you mean SIGTERM?"),
        (APP + 'stop-signal = "INT"', "did you mean SIGINT?"),
        (
            STEP + APP + 'needs = ["cs"]',
            'devloop.toml:5: apps.web.needs[0]: "cs" is not a step; did you mean "css"?\n'
            "Steps: css.",
        ),
        (
            '[tests]\nneeds = ["css"]',
            'tests.needs[0]: "css" is not a step\nNo steps are configured.',
        ),
        (
            STEP + 'needs = ["css"]',
            "devloop.toml:3: steps.css.needs: steps need each other in a circle: css → css",
        ),
        (
            '[steps.a]\ncommand = "x"\nneeds = ["b"]\n[steps.b]\ncommand = "x"\nneeds = ["c"]\n'
            '[steps.c]\ncommand = "x"\nneeds = ["b"]\n',
            "devloop.toml:9: steps.c.needs: steps need each other in a circle: b → c → b",
        ),
        (
            STEP + 'outputs = ["out/a"]\n[steps.b]\ncommand = "x"\noutputs = ["b", "./out/a"]',
            "devloop.toml:6: steps.b.outputs[1]: the steps css and b both write",
        ),
        (STEP + 'outputs = ["out"]\n[steps.b]\ncommand = "x"\noutputs = ["out/a"]', "both write"),
        (
            STEP
            + 'outputs = ["out/**/*.css"]\n[steps.b]\ncommand = "x"\noutputs = ["out/deep/a.css"]',
            "both write",
        ),
        (STEP + 'diagnostics = "ruf"', 'did you mean "ruff"?'),
        (STEP + 'diagnostics = "%l: %m"', "expected a known tool or a format with %f and %m"),
        (STEP + 'diagnostics = "%f: %m %f"', "%f stands twice"),
        (STEP + 'diagnostics = "%f:%d: %m"', "nothing is called %d in a format"),
        (STEP + 'timeout = "0s"', "expected a duration above zero with its unit"),
        (STEP + 'timeout = "0.0h"', 'got "0.0h"'),
        (STEP + 'timeout = "-1s"', 'got "-1s"'),
        (
            STEP + 'timeout = "25h"',
            'devloop.toml:3: steps.css.timeout: expected at most 24h, got "25h"',
        ),
        (APP + 'ready-timeout = "0ms"', "apps.web.ready-timeout: expected a duration above zero"),
        (APP + 'stop-timeout = "1000h"', "apps.web.stop-timeout: expected at most 24h"),
        ('[watch]\ndebounce = "1h"', "devloop.toml:2: watch.debounce: expected at most 60s"),
        ('[watch]\ndebounce = "20ms\\n"', "expected a duration with its unit"),
        (
            APP + 'env = { "A=1" = "2" }',
            'devloop.toml:3: apps.web.env."A=1": expected the name of a variable, without = and '
            'not empty\nWrite A = "1".',
        ),
        (STEP + 'env = { "" = "2" }', 'steps.css.env."": expected the name of a variable'),
        ('[tests.env]\nA = "1"\n"B\\u0000" = ""', "devloop.toml:3: tests.env."),
        ('[tests]\nenv = { A = "\\u0000" }', "tests.env.A: a variable's value cannot hold"),
        (
            STEP + 'outputs = ["a", "/srv/a.css"]',
            "devloop.toml:3: steps.css.outputs[1]: expected a path in the project, relative to "
            'its root, got "/srv/a.css"',
        ),
        (STEP + 'outputs = ["../a"]', 'got "../a"'),
        (STEP + 'outputs = ["."]', '"." is the whole project'),
        (STEP + 'outputs = [" "]', "expected a pattern, got an empty one"),
        (STEP + 'inputs = ["!"]', 'devloop.toml:3: steps.css.inputs[0]: not a pattern: "!"'),
        ('[watch]\nignore = ["a", "[z-a]"]', "watch.ignore[1]: not a pattern"),
        (APP + "watch = ['a\\']", "apps.web.watch[0]: not a pattern"),
        ("[tests]\nworkers = 100000", "a whole number from 0 to 512, got the number 100000"),
        (APP + "ready = { port = 0 }", "expected a whole number from 1 to 65535"),
        (
            APP + 'ready = { http = "http://a:70000/" }',
            "apps.web.ready.http: expected a URL with a host and a port from 1 to 65535",
        ),
        (APP + 'ready = { http = "http://:80/" }', "expected a URL with a host"),
        (
            STEP + '[steps.b]\ncommand = "x"\nneeds = ["css", "css"]',
            'devloop.toml:5: steps.b.needs[1]: "css" is named twice',
        ),
        ('[python]\ninterpreter = ".venv/bin/python"', "devloop.toml:2: python.interpreter: "),
        ('[python]\ninterpreter = "no-such-python"', "neither a file nor a program on PATH"),
        ('[python]\ninterpreter = "."', "is another folder"),
    ],
)
def test_a_fault_is_one_message(tmp_path: Path, text: str, expected: str) -> None:
    """File, line, key, what was expected, and the nearest valid name."""
    message = fault(tmp_path, text)
    assert expected in message
    assert message.startswith("devloop.toml:")
    assert len(message.splitlines()) <= 2


def test_a_fault_in_pyproject_is_named_there(tmp_path: Path) -> None:
    """File, line and whole key are those of pyproject.toml, though devloop.toml is there too."""
    (tmp_path / "devloop.toml").write_text('[watch]\nignore = ["a"]\n')
    message = fault(
        tmp_path, '[project]\nname = "x"\n[tool.devloop.watch]\npats = []\n', "pyproject.toml"
    )
    assert message.startswith("pyproject.toml:4: tool.devloop.watch.pats: unknown key")


def test_steps_that_share_nothing_may_lie_side_by_side(tmp_path: Path) -> None:
    """Outputs in one folder, a step without outputs and steps that need one another are right."""
    (tmp_path / "devloop.toml").write_text(
        '[steps.a]\ncommand = "x"\noutputs = ["out/a.css", "out/*.js"]\n'
        '[steps.b]\ncommand = "x"\noutputs = ["out/b.css"]\nneeds = ["a"]\n'
        '[steps.c]\ncommand = "grep \'|\' x"\nneeds = ["a", "b"]\n'
    )
    assert set(load(tmp_path).config.steps) == {"a", "b", "c"}


def test_a_file_that_cannot_be_read_is_a_message(tmp_path: Path) -> None:
    """A folder of that name, say."""
    (tmp_path / "devloop.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


names = st.sampled_from(
    ["watch", "apps", "steps", "tests", "python", "web", "command", "paths", "debounce", "ready",
     "port", "workers", "env", "needs", "x"]
)  # fmt: skip
plain = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "x", "1s", "auto", "queue"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(names, plain, max_size=4))
def test_shape_and_types_agree(table: dict[str, Any]) -> None:
    """Whatever msgspec refuses has a fault that names a key, and nothing else has."""
    try:
        msgspec.convert(table, Config)
    except msgspec.ValidationError:
        found = shape.find(table)
        assert found is not None
        assert found.key
    else:
        assert shape.find(table) is None


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("[watch]\n\n[apps.web]\ncommand = 'a'\n", ("apps", "web"), 3),
        ("\n[apps]\nweb.env-file = 'e'\nweb.command = 'a'\n", ("apps", "web"), 3),
        ("\n\napps.web = { command = 'a' }\n", ("apps", "web"), 3),
        ("apps = { web = { command = 'a' } }\n[tests]\n", ("apps", "web"), 1),
        ("# no\n[apps.'my web']\ncommand = 'a'\n", ("apps", "my web"), 2),
        ("[steps.a]\ncommand = 'a'\n[steps.b]\ncommand = 'b'", ("steps", "b"), 3),
        ("[watch]\n[tests]\n", ("tests",), 2),
        ("[watch]\n", ("tests",), 1),
    ],
)
def test_a_table_has_a_line(tmp_path: Path, text: str, key: tuple[str, ...], line: int) -> None:
    """That of its header, its first dotted key or its inline table; else of what is around it."""
    (tmp_path / "devloop.toml").write_text(text)
    assert place_of(load(tmp_path), key) == ("devloop.toml", line)


def test_a_table_of_pyproject_has_a_line(tmp_path: Path) -> None:
    """Each is looked for in the file that has it; what none has is at the table that is ours."""
    shared = tmp_path / "pyproject.toml"
    shared.write_text("[project]\nname = 'a'\n[tool.devloop.apps.web]\ncommand = 'a'\n")
    loaded = load(tmp_path)
    assert place_of(loaded, ("apps", "web")) == ("pyproject.toml", 3)
    assert place_of(loaded, ("tests",)) == ("pyproject.toml", 3)
    (tmp_path / "devloop.toml").write_text("\n[steps.css]\ncommand = 'a'\n")
    assert place_of(loaded, ("steps", "css")) == ("devloop.toml", 2)
    assert place_of(loaded, ("apps", "web")) == ("pyproject.toml", 3)


def test_a_table_of_no_file_has_no_line(tmp_path: Path) -> None:
    """Nothing is configured, or the file is being edited and does not parse."""
    loaded = load(tmp_path)
    assert place_of(loaded, ("tests",)) is None
    (tmp_path / "devloop.toml").write_text("[tests\n")
    assert place_of(loaded, ("tests",)) is None


def test_what_makes_some_sense_is_taken(tmp_path: Path) -> None:
    """No debounce, an immediate kill, ignore patterns of every kind, outputs that are patterns."""
    (tmp_path / "devloop.toml").write_text(
        """
[watch]
debounce = "0ms"
ignore = ["!keep", "[a-z].txt", "a b", "**/x/", "\\\\#a"]

[tests]
workers = 0

[apps.web]
command = "a"
stop-timeout = "0s"
ready-timeout = "0.5s"
ready = { http = "https://[::1]:65535/a" }
env = { "a.b" = "" }

[steps.css]
command = "a"
outputs = ["out/", "./a..b", "b/*.css"]
diagnostics = "100%%: %f: %m"
"""
    )
    assert load(tmp_path).config.watch.ignore[-1] == "\\#a"
