"""Roman numerals from a constant table."""

NUMERALS = (
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
)


def to_roman(number: int) -> str:
    """Write a number from 1 to 3999 as a Roman numeral.

    >>> to_roman(1994)
    'MCMXCIV'
    >>> to_roman(3999)
    'MMMCMXCIX'
    >>> to_roman(0)
    Traceback (most recent call last):
    ...
    ValueError: cannot write 0 as a Roman numeral
    """
    if not 0 < number < 4000:
        raise ValueError(f"cannot write {number} as a Roman numeral")
    result = ""
    for value, letters in NUMERALS:
        while number >= value:
            result += letters
            number -= value
    return result
