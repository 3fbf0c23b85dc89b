"""Additions to JSON with comments leave everything else as it was written."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.editors.jsonc import merged, parse
from devloop.editors.place import Fault

WANTED = {"version": "2.0.0", "tasks": [{"label": "devloop", "type": "process", "args": ["watch"]}]}

names = st.text(st.sampled_from('ab "\\/*,:{}[]é\n'), max_size=4)
scalars = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | names
tasks = st.fixed_dictionaries(
    {}, optional={"label": st.sampled_from(["devloop", "x", "y"])}
).flatmap(
    lambda head: st.dictionaries(names, scalars, max_size=3).map(lambda rest: {**rest, **head})
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
documents = st.builds(
    lambda rest, tasks: {**rest, **({} if tasks is None else {"tasks": tasks})},
    st.dictionaries(names, values, max_size=3),
    st.none() | st.lists(tasks, max_size=3),
)


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Any, list[str]]:
    """A document as somebody may have written it: its text, its value and its comments."""
    comments: list[str] = []
    newline = draw(st.sampled_from(["\n", "\r\n"]))

    def blank() -> str:
        pieces = []
        for _ in range(draw(st.integers(0, 2))):
            kind = draw(st.sampled_from(["space", "line", "tab", "//", "/*"]))
            if kind == "//":
                comments.append(f'// {len(comments)}, "]}}')
                pieces.append(comments[-1] + newline)
            elif kind == "/*":
                comments.append(f'/* {len(comments)}{newline} // {{" */')
                pieces.append(comments[-1])
            else:
                pieces.append({"space": "  ", "line": newline, "tab": "\t"}[kind])
        return "".join(pieces)

    def write(value: Any) -> str:
        if not isinstance(value, (dict, list)):
            return json.dumps(value)
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        text = opening
        items = list(value.items()) if isinstance(value, dict) else [(None, v) for v in value]
        for index, (key, item) in enumerate(items):
            text += blank()
            if key is not None:
                text += json.dumps(key) + blank() + ":" + blank()
            text += write(item) + blank()
            if index < len(items) - 1 or draw(st.booleans()):
                text += ","
        return text + blank() + closing

    value = draw(documents)
    return blank() + write(value) + blank(), value, comments


def expected(value: Any, wanted: Any) -> Any:
    """What is wanted, set into a value."""
    if isinstance(wanted, dict):
        news = {
            key: expected(value[key], one) if key in value else one for key, one in wanted.items()
        }
        return {**value, **news}
    if isinstance(wanted, list) and isinstance(wanted[0], dict):
        result = list(value)
        for one in wanted:
            there = [
                index
                for index, item in enumerate(value)
                if isinstance(item, dict) and item.get("label") == one["label"]
            ]
            if there:
                result[there[-1]] = expected(result[there[-1]], one)
            else:
                result.append(one)
        return result
    return wanted


@given(written())
def test_any_document_is_read(document: tuple[str, Any, list[str]]) -> None:
    """Comments, trailing commas and white space anywhere change nothing of the value."""
    text, value, _ = document
    node = parse(text)
    assert node is not None
    assert node.value == value


@given(written())
def test_what_is_wanted_is_set_and_all_else_stays(document: tuple[str, Any, list[str]]) -> None:
    """The value is the old one with what is wanted in it, and the order of keys stays."""
    text, value, _ = document
    node = parse(merged(text, WANTED, identity="label"))
    assert node is not None
    assert node.value == expected(value, WANTED)
    assert [key for key in node.value if key in value] == list(value)


@given(written())
def test_no_comment_is_lost(document: tuple[str, Any, list[str]]) -> None:
    """All comments are there afterwards, in their order."""
    text, _, comments = document
    after = merged(text, {"tasks": [{"label": "new"}]}, identity="label")
    at = 0
    for comment in comments:
        at = after.index(comment, at) + len(comment)


@given(written())
def test_nothing_but_blanks_is_taken_out(document: tuple[str, Any, list[str]]) -> None:
    """Where only something is added, the old text is all there, in its order."""
    text, _, _ = document
    after = iter(merged(text, {"tasks": [{"label": "new"}]}, identity="label"))
    assert all(character in after for character in re.sub(r"\s", "", text))


@given(written())
def test_a_second_time_changes_nothing(document: tuple[str, Any, list[str]]) -> None:
    """What is there is not set again."""
    once = merged(document[0], WANTED, identity="label")
    assert merged(once, WANTED, identity="label") == once


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '{\n  "a": 1,\n  "b": [\n    {\n      "name": "x"\n    }\n  ]\n}\n'),
        ("// mine\n", '// mine\n{\n  "a": 1,\n  "b": [\n    {\n      "name": "x"\n    }\n  ]\n}\n'),
        ('{"a": 1, "b": [{"name": "x"}]}', '{"a": 1, "b": [{"name": "x"}]}'),
        (
            '{\n\t"a": 1,\n\t"b": [] // all\n}\n',
            '{\n\t"a": 1,\n\t"b": [\n\t\t{\n\t\t\t"name": "x"\n\t\t}\n\t] // all\n}\n',
        ),
        (
            '{\n   "a": 2, // two\n   "b": [\n      {"name": "y"}, // why\n      // end\n   ],\n}',
            '{\n   "a": 1, // two\n   "b": [\n      {"name": "y"}, // why\n'
            '      {\n         "name": "x"\n      },\n      // end\n   ],\n}',
        ),
        (
            '{\n  "b": [{"name": "x", "mine": 1}] // b\n}',
            '{\n  "b": [{"name": "x", "mine": 1}], // b\n  "a": 1\n}',
        ),
        (
            '{ "b": [ {"name": "y"} /* y */ ] }',
            '{ "b": [ {"name": "y"}, /* y */\n  {\n    "name": "x"\n  }\n],\n  "a": 1\n}',
        ),
    ],
)
def test_additions_look_like_their_neighbours(before: str, after: str) -> None:
    """Indentation is that of the file, comments stay with what they stand beside."""
    wanted = {"a": 1, "b": [{"name": "x"}]}
    assert merged(before, wanted, identity="name", unit="  ") == after


def test_lines_end_as_in_the_file() -> None:
    """A file from Windows stays one."""
    after = merged('{\r\n  "a": 1\r\n}\r\n', {"b": {"c": 2}}, identity="name")
    assert after == '{\r\n  "a": 1,\r\n  "b": {\r\n    "c": 2\r\n  }\r\n}\r\n'


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ('{"a": 1', 1, 8, "a comma or } was expected"),
        ('{\n "a" 1}', 2, 6, "a colon was expected"),
        ('{"tasks": 1,, }', 1, 13, "a value was expected"),
        ('{"tasks": tru}', 1, 11, "a value was expected"),
        ("{} x", 1, 4, "the end of the file was expected"),
        ('{\n "tasks": {}\n}', 2, 11, "an array was expected"),
        ("[]", 1, 1, "an object was expected"),
        ("[" * 100_000, 1, 1, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_said_with_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    """Nothing is changed in a file that cannot be read."""
    with pytest.raises(Fault) as caught:
        merged(text, WANTED, identity="label")
    fault = caught.value
    assert (fault.line, fault.column, fault.message) == (line, column, message)
