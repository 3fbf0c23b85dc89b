"""The two steps: `python -m fleet.build words` and `… page`."""

import json
import sys
from pathlib import Path

from fleet.words import WordsError, read_all

BUILD = Path("build")


def words() -> None:
    """words/*.txt → build/words.json"""
    found = read_all(Path("words"))
    (BUILD / "words.json").write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def page() -> None:
    """page.html and the languages → build/page.html"""
    languages = ", ".join(json.loads((BUILD / "words.json").read_text(encoding="utf-8")))
    text = Path("page.html").read_text(encoding="utf-8")
    text = text.replace("{languages}", languages)
    (BUILD / "page.html").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    BUILD.mkdir(exist_ok=True)
    try:
        {"words": words, "page": page}[sys.argv[1]]()
    except WordsError as error:
        sys.exit(str(error))
