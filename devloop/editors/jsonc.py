"""Additions to JSON with comments, made in its text: what is there stays as it was written.

The language is that of VS Code's and Zed's settings: JSON with ``//`` and ``/* */`` comments and
with commas after the last member (https://code.visualstudio.com/docs/languages/json#_json-with-comments).
A value is changed only where another one is wanted; comments, order, indentation and keys that
nobody asked about are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from devloop.editors.place import Fault

_BLANK = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_REST_OF_LINE = re.compile(r"(?:[ \t]+|/\*.*?\*/)*(?://[^\r\n]*)?", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\r\n]|\\.)*"')
_WORD = re.compile(r"[-+.\w]+")


class Node(msgspec.Struct, frozen=True):
    """One value and where it stands.

    Args:
        kind: an object, an array or something without parts.
        start: its first character.
        end: the character after its last one.
        value: what it says.
        parts: of an object or array, each with its key; an array's keys are numbers.
        comma: the comma after the last part; None where there is none.
    """

    kind: Literal["object", "array", "scalar"]
    start: int
    end: int
    value: Any
    parts: tuple[tuple[str | int, Node], ...] = ()
    comma: int | None = None


class Edit(NamedTuple):
    """Characters and what stands in their place."""

    start: int
    end: int
    text: str


def parse(text: str) -> Node | None:
    """Read JSON with comments.

    Args:
        text: of a file.

    Returns:
        Its value; None where there are only comments.

    Raises:
        Fault: it is nothing of the kind.
    """
    reader = _Reader(text)
    at = reader.blank(0)
    if at == len(text):
        return None
    try:
        node = reader.value(at)
    except RecursionError:
        raise reader.fault("nested too deeply", at) from None
    at = reader.blank(node.end)
    if at != len(text):
        raise reader.fault("the end of the file was expected", at)
    return node


def merged(text: str, wanted: Any, *, identity: str, unit: str = "    ") -> str:
    """The text with what is wanted in it.

    Args:
        text: of a file; may be empty.
        wanted: an object or a list. Members of objects are set one by one, those beside them
            stay. Objects in a list stand for themselves by a name: one that is there already
            is completed, another one comes last.
        identity: the member that holds that name.
        unit: one step of indentation, where the text shows none.

    Returns:
        The text, unchanged where all of it is there.

    Raises:
        Fault: the text is not JSON, or holds a list where an object is wanted, or the other
            way round.
    """
    root = parse(text)
    if root is None:
        head = text if not text or text.endswith("\n") else f"{text}\n"
        return f"{head}{_rendered(wanted, unit)}\n"
    pieces: list[str] = []
    at = 0
    edits = _Merge(text, root, identity, unit).into(root, wanted)
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += (text[at : edit.start], edit.text)
        at = edit.end
    return "".join(pieces) + text[at:]


class _Reader:
    """Reads values by recursive descent."""

    def __init__(self, text: str) -> None:
        self._text = text

    def fault(self, message: str, at: int) -> Fault:
        return Fault.at(message, self._text, at)

    def blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        assert found is not None
        return found.end()

    def value(self, at: int) -> Node:
        first = self._text[at : at + 1]
        if first in ("{", "["):
            return self._container(at, object_=first == "{")
        if first == '"':
            return self._scalar(_STRING.match(self._text, at), at)
        return self._scalar(_WORD.match(self._text, at), at)

    def _scalar(self, found: re.Match[str] | None, at: int) -> Node:
        if found is not None:
            try:
                return Node("scalar", at, found.end(), json.loads(found[0], strict=False))
            except ValueError:
                pass
        raise self.fault("a value was expected", at)

    def _container(self, start: int, *, object_: bool) -> Node:
        close = "}" if object_ else "]"
        parts: list[tuple[str | int, Node]] = []
        comma: int | None = None
        at = self.blank(start + 1)
        while self._text[at : at + 1] != close:
            if parts and comma is None:
                raise self.fault(f"a comma or {close} was expected", at)
            comma = None
            key: str | int = len(parts)
            if object_:
                name = self._scalar(_STRING.match(self._text, at), at)
                key, at = name.value, self.blank(name.end)
                if self._text[at : at + 1] != ":":
                    raise self.fault("a colon was expected", at)
                at = self.blank(at + 1)
            node = self.value(at)
            parts.append((key, node))
            at = self.blank(node.end)
            if self._text[at : at + 1] == ",":
                comma = at
                at = self.blank(at + 1)
        value = {key: node.value for key, node in parts} if object_ else [n.value for _, n in parts]
        kind: Literal["object", "array"] = "object" if object_ else "array"
        return Node(kind, start, at + 1, value, tuple(parts), comma)


class _Merge:
    """Finds the edits that make one text of another."""

    def __init__(self, text: str, root: Node, identity: str, unit: str) -> None:
        self._text = text
        self._identity = identity
        self._newline = "\r\n" if "\r\n" in text else "\n"
        own = self._own_indent(root.parts[0][1].start) if root.parts else None
        if own is None and root.parts and root.kind == "object":
            own = self._own_indent(self._start_of_first(root))
        self._unit = own or unit

    def into(self, node: Node, wanted: Any) -> Iterator[Edit]:
        """What makes of a value the wanted one."""
        if isinstance(wanted, dict):
            yield from self._into_object(node, wanted)
        elif isinstance(wanted, list) and wanted and all(self._is_named(one) for one in wanted):
            yield from self._into_list(node, wanted)
        elif node.value != wanted or type(node.value) is not type(wanted):
            yield Edit(node.start, node.end, self._rendered(wanted, self._indent(node.start)))

    def _into_object(self, node: Node, wanted: dict[str, Any]) -> Iterator[Edit]:
        self._require(node, "object")
        there = dict(node.parts)  # of two members of one name the last one counts
        news = []
        for key, value in wanted.items():
            if key in there:
                yield from self.into(there[key], value)
            else:
                news.append((f"{_rendered(key, '')}: ", value))
        yield from self._append(node, news)

    def _into_list(self, node: Node, wanted: list[dict[str, Any]]) -> Iterator[Edit]:
        self._require(node, "array")
        there = {
            part.value[self._identity]: part for _, part in node.parts if self._is_named(part.value)
        }
        news = []
        for value in wanted:
            part = there.get(value[self._identity])
            if part is None:
                news.append(("", value))
            else:
                yield from self.into(part, value)
        yield from self._append(node, news)

    def _is_named(self, value: Any) -> bool:
        return isinstance(value, dict) and isinstance(value.get(self._identity), str)

    def _require(self, node: Node, kind: str) -> None:
        if node.kind != kind:
            raise Fault.at(f"an {kind} was expected", self._text, node.start)

    def _append(self, node: Node, news: list[tuple[str, Any]]) -> Iterator[Edit]:
        """Put new parts after the last one, and after the comments that belong to that."""
        if not news:
            return
        newline, base = self._newline, self._indent(node.start)
        close = node.end - 1
        inner = base + self._unit
        if node.parts:
            inner = self._own_indent(self._start_of_first(node)) or inner
        lines = f",{newline}".join(
            f"{inner}{head}{self._rendered(value, inner)}" for head, value in news
        )
        if not node.parts:
            start = node.start + 1 + len(self._text[node.start + 1 : close].rstrip())
            yield Edit(start, close, f"{newline}{lines}{newline}{base}")
            return
        last = node.parts[-1][1]
        if node.comma is None:
            yield Edit(last.end, last.end, ",")
        rest = _REST_OF_LINE.match(self._text, last.end if node.comma is None else node.comma + 1)
        assert rest is not None
        start = min(rest.end(), close)
        comma = "" if node.comma is None else ","
        if "\n" in self._text[start:close]:
            yield Edit(start, start, f"{newline}{lines}{comma}")
        else:
            start = len(self._text[:start].rstrip(" \t"))
            yield Edit(start, close, f"{newline}{lines}{comma}{newline}{base}")

    def _start_of_first(self, node: Node) -> int:
        """Where the first part begins: its key, or an array's value."""
        found = _BLANK.match(self._text, node.start + 1)
        assert found is not None
        return found.end()

    def _indent(self, at: int) -> str:
        """The white space that the line of a character begins with."""
        line = self._text[self._text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _own_indent(self, at: int) -> str | None:
        """The same, where nothing but white space stands before the character."""
        line = self._text[self._text.rfind("\n", 0, at) + 1 : at]
        return line if not line.strip(" \t") and "\n" in self._text[:at] else None

    def _rendered(self, value: Any, indent: str) -> str:
        return _rendered(value, self._unit).replace("\n", self._newline + indent)


def _rendered(value: Any, unit: str) -> str:
    """A value as a person would write it: what holds no objects or lists is on one line."""
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        inside = ",\n".join(_rendered(item, unit) for item in value)
        return f"[\n{_indented(inside, unit)}\n]"
    if isinstance(value, dict) and value:
        inside = ",\n".join(
            f"{_rendered(key, unit)}: {_rendered(item, unit)}" for key, item in value.items()
        )
        return f"{{\n{_indented(inside, unit)}\n}}"
    return json.dumps(value, ensure_ascii=False)


def _indented(text: str, unit: str) -> str:
    return "\n".join(unit + line for line in text.split("\n"))
