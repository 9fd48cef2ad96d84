"""Knuth, Morris and Pratt's search for a pattern in a text."""


def kmp_matcher(string: list[int], symbols: list[int]) -> int:
    """Return where the pattern first stands in the text; the text's length where it does not.

    The symbols whose string is 0 are the text, those whose string is 1 the pattern, which must not be empty.

    >>> kmp_matcher([0, 0, 0, 1, 1], [2, 0, 1, 0, 1])
    1
    """
    text = [symbol for i, symbol in enumerate(symbols) if string[i] == 0]
    pattern = [symbol for i, symbol in enumerate(symbols) if string[i] == 1]
    prefixes = _prefixes(pattern)
    matched = 0
    for end, symbol in enumerate(text, start=1):
        while matched > 0 and pattern[matched] != symbol:
            matched = prefixes[matched - 1]
        if pattern[matched] == symbol:
            matched += 1
        if matched == len(pattern):
            return end - matched
    return len(text)


def _prefixes(pattern: list[int]) -> list[int]:
    """Return for each place the length of the longest proper prefix of pattern that ends there."""
    prefixes = [0]
    matched = 0
    for symbol in pattern[1:]:
        while matched > 0 and pattern[matched] != symbol:
            matched = prefixes[matched - 1]
        if pattern[matched] == symbol:
            matched += 1
        prefixes.append(matched)
    return prefixes
