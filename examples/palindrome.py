"""Palindrome test with two pointers, ignoring case and punctuation."""


def is_palindrome(text: str) -> bool:
    """Say whether a word is a palindrome, or a text that reads the same both ways.

    Args:
        text: the word.

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
