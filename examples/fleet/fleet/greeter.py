"""An app: `/fr` answers with the French greeting."""

import json
from pathlib import Path

from fleet.server import serve


def greeting(words: dict[str, dict[str, str]], language: str) -> str:
    """The greeting in a language; in English where it is not known."""
    return words.get(language, words["en"])["hello"]


if __name__ == "__main__":
    words = json.loads(Path("build/words.json").read_text(encoding="utf-8"))
    serve("GREETER_PORT", 8101, lambda path: greeting(words, path.strip("/")))
