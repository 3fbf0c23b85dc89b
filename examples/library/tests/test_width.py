from textkit.width import pad, width


def test_latin_letters_take_one_column() -> None:
    assert width("tea") == 3


def test_wide_letters_take_two() -> None:
    assert width("お茶") == 4


def test_padding_fills_columns() -> None:
    assert pad("お茶", 6) == "お茶  "
