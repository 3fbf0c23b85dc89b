"""Where a key stands in a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devloop.config.document import Document, KeyPath, dotted
from devloop.errors import ConfigError

TEXT = """\
# a comment
[watch]
paths = [
    "src",   # a comment inside
    "tests",
]

[apps.web]
command = "serve"
env = { A = "1", B = "2" }

[apps."my app"]
command = \"\"\"
one
[steps.fake]
\"\"\"
ready.port = 80

[[extra]]
x = 1
[[extra]]
x = 2
"""


def document(folder: Path, text: str | bytes) -> Document:
    """A document with that text."""
    path = folder / "some.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Document(path, "some.toml")


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("watch",), 2),
        (("watch", "paths"), 3),
        (("watch", "paths", 1), 3),
        (("apps",), 8),
        (("apps", "web", "command"), 9),
        (("apps", "web", "env", "B"), 10),
        (("apps", "my app"), 12),
        (("apps", "my app", "command"), 13),
        (("apps", "my app", "ready", "port"), 17),
        (("extra", 1, "x"), 22),
        (("steps", "fake"), None),
        (("watch", "paths", 2), None),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_key_has_the_line_on_which_its_statement_begins(
    tmp_path: Path, key: KeyPath, line: int | None, line_end: str
) -> None:
    """Tables, lists over several lines, inline tables, text that looks like a table: all found."""
    assert document(tmp_path, TEXT.replace("\n", line_end)).line(key) == line


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", "# c", "k{} = 1", "k{} = [\n1,\n\n2]", "k{} = '''\na\n'''"])))
def test_every_key_is_found_where_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, statements: list[str]
) -> None:
    """Whatever stands around a statement, its line is its own."""
    text, lines = "", {}
    for number, statement in enumerate(statements):
        lines[f"k{number}"] = text.count("\n") + 1
        text += statement.format(number) + "\n"
    found = document(tmp_path_factory.mktemp("document"), text)
    for number, statement in enumerate(statements):
        expected = lines[f"k{number}"] if statement.startswith("k") else None
        assert found.line((f"k{number}",)) == expected


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("a = 1\nb = \n", "some.toml:2", "not valid TOML"),
        ("a = 1\na = 2\n", "some.toml:2", "overwrite"),
        ("[watch\npaths = []\n", "some.toml:1", "not valid TOML"),
        ("a = 1\nb = [1,\n", "some.toml:2", "not valid TOML"),
        (b"a = 1\nb = '\xe9'\n", "some.toml:2", "0xe9"),
        ("a = 1\n".encode("utf-16"), "some.toml", "UTF-16"),
    ],
)
def test_what_is_no_toml_is_named_with_its_line(
    tmp_path: Path, text: str | bytes, where: str, message: str
) -> None:
    """Syntax errors, keys given twice and foreign encodings are each one message."""
    with pytest.raises(ConfigError) as caught:
        document(tmp_path, text)
    assert (caught.value.where or "").startswith(where)
    assert message in caught.value.message


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Some editors write one; the file says the same."""
    assert document(tmp_path, b"\xef\xbb\xbfa = 1\r\n").data == {"a": 1}


def test_keys_are_written_as_in_the_file() -> None:
    """Names that are no bare keys are quoted; indexes stand in brackets."""
    assert dotted(("apps", "my app", "watch", 0)) == 'apps."my app".watch[0]'
