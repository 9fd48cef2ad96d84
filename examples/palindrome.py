"""Palindrome test with two pointers, ignoring case and punctuation."""


def is_palindrome(text: str) -> bool:
    """Say whether text reads the same both ways.

    >>> is_palindrome("A man, a plan, a canal: Panama")
    True
    >>> is_palindrome("router")
    False
    >>> is_palindrome("?!")
    True
    """
    left = 0
    right = len(text) - 1
    while left < right:
        if not text[left].isalnum():
            left += 1
        elif not text[right].isalnum():
            right -= 1
        elif text[left].lower() != text[right].lower():
            return False
        else:
            left += 1
            right -= 1
    return True
