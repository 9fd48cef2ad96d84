"""Gregorian calendar rules: leap years and the day of the week."""

MONTH_OFFSETS = (0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4)
DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def is_leap(year: int) -> bool:
    """Say whether year is a leap year.

    >>> [year for year in (1900, 2000, 2023, 2024) if is_leap(year)]
    [2000, 2024]
    """
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """Return the length of a month in days.

    >>> days_in_month(2024, 2), days_in_month(2023, 2), days_in_month(2023, 9)
    (29, 28, 30)
    """
    if month == 2:
        return 29 if is_leap(year) else 28
    if month in (4, 6, 9, 11):
        return 30
    if 1 <= month <= 12:
        return 31
    raise ValueError(f"no such month: {month}")


def day_of_week(year: int, month: int, day: int) -> str:
    """Name the weekday of a date, by Sakamoto's rule.

    >>> day_of_week(2000, 1, 1)
    'Saturday'
    >>> day_of_week(2024, 2, 29)
    'Thursday'
    >>> day_of_week(2023, 2, 29)
    Traceback (most recent call last):
    ...
    ValueError: no such day: 2023-02-29
    """
    if not 1 <= day <= days_in_month(year, month):
        raise ValueError(f"no such day: {year}-{month:02d}-{day:02d}")
    if month < 3:
        year -= 1
    index = (year + year // 4 - year // 100 + year // 400 + MONTH_OFFSETS[month - 1] + day) % 7
    return DAY_NAMES[index]
