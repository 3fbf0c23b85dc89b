"""Money, in cents."""


def euros(cents: int) -> str:
    """As it is printed: 1250 is €12.50."""
    return f"€{cents // 100}.{cents % 100:02}"


def total(cents: int, count: int) -> int:
    """The price of some of a kind; from ten on, each costs a tenth less."""
    whole = cents * count
    return whole - whole // 10 if count >= 10 else whole
