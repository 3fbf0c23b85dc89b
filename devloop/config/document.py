"""One TOML file that holds a configuration, and where in it a key stands."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path
from typing import Any, TypeAlias

from devloop.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KeyPath: TypeAlias = "tuple[str | int, ...]"
"""Keys from the top of the file down, with list indexes as numbers."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


class Document:
    """A parsed TOML file.

    Args:
        path: the file.
        name: how messages call it.
        prefix: the table that is devloop's; empty where the whole file is.
    """

    def __init__(self, path: Path, name: str, prefix: tuple[str, ...] = ()) -> None:
        self.path = path
        self.name = name
        self.prefix = prefix
        self.text = _decode(path.read_bytes(), name)
        try:
            self.data: dict[str, Any] = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise self._syntax_error(str(error)) from None

    def table(self) -> Any:
        """What stands under the prefix; None where nothing does."""
        return _at(self.data, self.prefix)

    def holds(self, key: KeyPath) -> bool:
        """Whether the file has such a key below the prefix."""
        return _at(self.data, self.prefix + key) is not None

    def line(self, key: KeyPath) -> int | None:
        """The line on which a key's statement begins.

        The TOML parser is asked: it is the first line after which a prefix of the file has the
        key. A prefix that ends inside a statement does not parse and counts as the next one that
        does, so that the search can halve.

        Args:
            key: below the prefix.

        Returns:
            Counted from 1; None where the file has no such key.
        """
        wanted = self.prefix + key
        if _at(self.data, wanted) is None:
            return None
        lines = self.text.split("\n")
        before, bound = 0, len(lines)
        while bound - before > 1:
            middle = (before + bound) // 2
            end, data = _first_parsed(lines, middle, bound)
            if data is not None and _at(data, wanted) is None:
                before = end
            else:
                bound = middle
        return before + 1

    def _syntax_error(self, message: str) -> ConfigError:
        where, found = self.name, _POSITION.search(message)
        if found is not None:
            line = found["line"] or str(self.text.rstrip("\n").count("\n") + 1)
            column = f":{found['column']}" if found["column"] else ""
            where = f"{self.name}:{line}{column}"
            message = message[: found.start()]
        return ConfigError(f"not valid TOML: {message[0].lower()}{message[1:]}", where=where)


def dotted(key: KeyPath) -> str:
    """A key as a person would write it.

    Args:
        key: the path of keys.

    Returns:
        As in ``apps."my app".watch[0]``.
    """
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            quoted = part if _BARE_KEY.fullmatch(part) else f'"{part}"'
            text += f".{quoted}" if text else quoted
    return text


def _at(data: Any, key: KeyPath) -> Any:
    for part in key:
        if isinstance(part, int):
            if not isinstance(data, list) or part >= len(data):
                return None
        elif not isinstance(data, dict) or part not in data:
            return None
        data = data[part]
    return data


def _first_parsed(lines: list[str], start: int, stop: int) -> tuple[int, dict[str, Any] | None]:
    for end in range(start, stop):
        try:
            return end, tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
    return stop, None


def _decode(data: bytes, name: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError("encoded as UTF-16, but TOML is UTF-8", where=name, hint=_SAVE_AS)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise ConfigError(
            f"not UTF-8 text: byte 0x{byte:02x} is not valid there",
            where=f"{name}:{line}",
            hint=_SAVE_AS,
        ) from None


_SAVE_AS = "Save the file with the encoding UTF-8."
