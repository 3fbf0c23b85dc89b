"""A fault in a configuration, before it is known in which file it stands."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from devloop.config.document import KeyPath


class Fault(NamedTuple):
    """Something that a configuration may not say.

    Args:
        key: where it stands, below the table that is devloop's.
        message: what was expected, in words; the key is not part of it.
        hint: what to do, where the message does not say it.
        missing: the last part of `key` is not there, and should be.
    """

    key: KeyPath
    message: str
    hint: str | None = None
    missing: bool = False


def nearest(word: str, words: Collection[str]) -> str | None:
    """The word that was probably meant.

    Args:
        word: what was written.
        words: what could have been.

    Returns:
        One of `words`; None where none is near.
    """
    import difflib

    spelt = {other.lower().replace("_", "-"): other for other in words}
    close = difflib.get_close_matches(word.lower().replace("_", "-"), spelt, n=1)
    return spelt[close[0]] if close else None


def quoted(text: str) -> str:
    """A string in one line, as it could stand in the file.

    Args:
        text: any.

    Returns:
        It in quotation marks, cut where it is long.
    """
    import json

    return json.dumps(text if len(text) <= 40 else f"{text[:40]}…", ensure_ascii=False)
