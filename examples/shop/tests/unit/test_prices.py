from shop.prices import euros, total


def test_cents_are_printed_as_euros() -> None:
    assert euros(1250) == "€12.50"
    assert euros(5) == "€0.05"


def test_ten_cost_a_tenth_less() -> None:
    assert total(450, 9) == 4050
    assert total(450, 10) == 4050
