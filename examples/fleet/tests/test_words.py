from pathlib import Path

import pytest
from fleet.greeter import greeting
from fleet.words import WordsError, read, read_all

WORDS = {"en": {"hello": "Hello"}, "fr": {"hello": "Bonjour"}}


def test_lists_are_read_by_language(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("hello: Hallo\nbye: Tschüs\n", encoding="utf-8")
    assert read_all(tmp_path) == {"de": {"hello": "Hallo", "bye": "Tschüs"}}


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("hello: Hallo\noops\n", encoding="utf-8")
    with pytest.raises(WordsError, match=r"de\.txt:2: expected"):
        read(tmp_path / "de.txt")


def test_the_language_is_chosen() -> None:
    assert greeting(WORDS, "fr") == "Bonjour"


def test_english_stands_in() -> None:
    assert greeting(WORDS, "xx") == "Hello"
