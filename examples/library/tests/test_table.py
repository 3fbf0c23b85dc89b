from textkit.table import table


def test_columns_are_aligned() -> None:
    assert table([["tea", "2.50"], ["espresso", "3"]]) == "tea       2.50\nespresso  3"


def test_wide_letters_are_aligned_too() -> None:
    assert table([["お茶", "2"], ["tea", "3"]]) == "お茶  2\ntea   3"
