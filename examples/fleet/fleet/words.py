"""Reading the lists of words."""

from pathlib import Path


class WordsError(Exception):
    """A list of words cannot be read; says where."""


def read(path: Path) -> dict[str, str]:
    """One list: a line is `key: text`."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        key, colon, text = line.partition(":")
        if not colon:
            raise WordsError(f"{path.as_posix()}:{number}: expected `key: text`, got {line!r}")
        found[key.strip()] = text.strip()
    return found


def read_all(folder: Path) -> dict[str, dict[str, str]]:
    """All lists of a folder, by language."""
    return {path.stem: read(path) for path in sorted(folder.glob("*.txt"))}
