"""Search for a pattern in a text, place by place."""


def naive_string_matcher(string: list[int], symbols: list[int]) -> int:
    """Return where the pattern first stands in the text; the text's length where it does not.

    The symbols whose string is 0 are the text, those whose string is 1 the pattern.

    >>> naive_string_matcher([0, 0, 0, 1, 1], [2, 0, 1, 0, 1])
    1
    """
    text = [symbol for i, symbol in enumerate(symbols) if string[i] == 0]
    pattern = [symbol for i, symbol in enumerate(symbols) if string[i] == 1]
    for start in range(len(text) - len(pattern) + 1):
        if text[start : start + len(pattern)] == pattern:
            return start
    return len(text)
