"""Whether a file that holds nothing but data may name something.

Who reads a file may look up what it names: a template's engine does, and so does what makes objects
of a configuration. A file of plain data can only name what it spells out, for nothing in it is
computed: it may stand there in other letters, or with other signs between its words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache

TextOf = Callable[[str], str | None]
"""Gives what a file says, on the contents that are compared; None where that is not at hand."""

PLAIN = (
    ".json", ".jsonl", ".csv", ".tsv", ".toml", ".ini", ".cfg", ".yaml", ".yml", ".pem", ".crt",
    ".key",
)  # fmt: skip
"""What the names of such files end with."""
_COMPUTED = ("{{", "{%", "${", "%(", "<%", "$(", "\\U", "\\N")
"""What may stand for something else in them."""
_WORD = re.compile(r"[\w-]+")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")


def may_name(path: str, names: Collection[str], text_of: TextOf) -> bool:
    """Whether a file may name something.

    Args:
        path: of the file.
        names: identifiers.
        text_of: gives its text.
    """
    if not path.endswith(PLAIN):
        return True
    text = text_of(path)
    words = None if text is None else _words(text)
    return words is None or any(_alike(name) in words for name in names if " " not in name)


@lru_cache(maxsize=32)
def _words(text: str) -> frozenset[str] | None:
    """The words of a text without what they may differ in; None where something is computed."""
    if any(sign in text for sign in _COMPUTED):
        return None
    plain = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
    return frozenset(map(_alike, _WORD.findall(plain)))


def _alike(text: str) -> str:
    return text.casefold().replace("_", "").replace("-", "")
