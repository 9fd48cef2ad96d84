"""Progressive income tax: whole dollars in, cents out, three filing statuses."""


def income_tax(income: int, status: str) -> int:
    """Return the tax in cents on an income in whole dollars.

    Rates are in hundredths of a percent, so dollars * rate // 100 is cents.

    >>> income_tax(0, "single")
    0
    >>> income_tax(30_000, "single")
    160500
    >>> income_tax(30_001, "single")
    160506
    >>> income_tax(250_000, "joint")
    1708250
    >>> income_tax(90_000, "head")
    554000
    >>> income_tax(10, "widow")
    Traceback (most recent call last):
    ...
    ValueError: unknown filing status: 'widow'
    """
    if income < 0:
        raise ValueError(f"income must not be negative: {income}")
    if status == "single":
        if income <= 30_000:
            return income * 535 // 100
        if income <= 100_000:
            return 160_500 + (income - 30_000) * 680 // 100
        if income <= 190_000:
            return 636_500 + (income - 100_000) * 785 // 100
        if income <= 600_000:
            return 1_343_000 + (income - 190_000) * 985 // 100
        return 5_381_500 + (income - 600_000) * 1_125 // 100
    if status == "joint":
        if income <= 45_000:
            tax = income * 535 // 100
        elif income <= 180_000:
            tax = 240_750 + (income - 45_000) * 680 // 100
        elif income <= 320_000:
            tax = 1_158_750 + (income - 180_000) * 785 // 100
        elif income <= 900_000:
            tax = 2_257_750 + (income - 320_000) * 985 // 100
        else:
            tax = 7_970_750 + (income - 900_000) * 1_125 // 100
        return tax
    if status == "head":
        if income <= 40_000:
            return income * 535 // 100
        if income <= 150_000:
            return 214_000 + (income - 40_000) * 680 // 100
        if income <= 260_000:
            return 962_000 + (income - 150_000) * 785 // 100
        if income <= 750_000:
            return 1_825_500 + (income - 260_000) * 985 // 100
        return 6_652_000 + (income - 750_000) * 1_125 // 100
    raise ValueError(f"unknown filing status: {status!r}")
