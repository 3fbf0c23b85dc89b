from textkit.slug import slug


def test_words_are_joined() -> None:
    assert slug("Hello, World!") == "hello-world"


def test_accents_are_dropped() -> None:
    assert slug("Crème brûlée") == "creme-brulee"
