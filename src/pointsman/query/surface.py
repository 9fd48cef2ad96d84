"""What a request looks like from outside: lengths, shares of kinds of bytes, numbers, options, code, telling words.

Of a request of more than `HEAD + TAIL` characters its first `HEAD` and last `TAIL` are looked at, but for its length.
ASCII is counted by compiled loops (`scanning.py`) in 0.03 ms for 2,000 characters; regular expressions, their twin,
take 0.2 ms, and count what is not ASCII, and everything where numba is missing.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.query.outcomes import Floats, Ints
from pointsman.query.scanning import KEYWORDS, automaton, num_words, scanned

__all__ = [
    *("BYTE_KINDS", "HEAD", "LETTER", "OTHER", "SPACE", "SURFACE", "TAIL", "plain_counts", "scanned_counts"),
    "surface_of",
]

HEAD, TAIL = 3_000, 1_000

OTHER, SPACE, LETTER, DIGIT, UPPER = range(5)


def _byte_kinds() -> NDArray[np.uint8]:
    kinds = np.full(256, OTHER, dtype=np.uint8)
    kinds[[9, 10, 11, 12, 13, 32]] = SPACE
    kinds[ord("a") : ord("z") + 1] = LETTER
    kinds[ord("A") : ord("Z") + 1] = UPPER
    kinds[ord("0") : ord("9") + 1] = DIGIT
    kinds[128:] = LETTER  # of other scripts; a word of theirs is a run of such bytes
    return kinds


BYTE_KINDS: Final = _byte_kinds()

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OPTION = re.compile(r"^\s*\(?[A-Za-z0-9][).] ", re.MULTILINE)
_CODE = re.compile(rf"\b(?:{'|'.join(KEYWORDS)})\b|[;{{}}]\s*$|==|=>", re.MULTILINE)
_PHRASES = (
    *("how many", "how", "which", "what", "who", "why", "when", "where", "is ", "are ", "true", "false", "not", "if "),
    *("then", "find", "calculate", "solve", "write", "explain", "sort", "following", "possible", "example", "list"),
    *("string", "each", "step", "all", "best", "most", "total", "after", "before", "number"),
)
_FINDS = automaton(_PHRASES, ignores_case=True)
_SCRIPTS = ((0x0400, 0x052F), (0x0590, 0x06FF), (0x0900, 0x0DFF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF))
_SCRIPT_NAMES = ("cyrillic", "semitic", "indic", "kana", "han", "hangul")
_OPERATORS, _BRACKETS, _QUOTES = b"+-*/=<>^%", b"()[]{}", b"\"'`"

SURFACE = (
    *("bytes", "words", "lines", "paragraphs", "letters", "digits", "upper", "other", "numbers", "longest_number"),
    *("mean_digits", "options", "question_ends", "questions", "commas", "stops", "quotes", "brackets", "operators"),
    *("code", "distinct_words", "mean_word", "long_words", "words_per_sentence"),
    *(f"script_{name}" for name in _SCRIPT_NAMES),
    *(f"says_{phrase.strip().replace(' ', '_')}" for phrase in _PHRASES),
)
"""Names of the surface features: logarithms of counts, and shares of the bytes."""


def _groups() -> Floats:
    """(256, G) which bytes are counted together."""
    kinds = [np.flatnonzero(kind == BYTE_KINDS) for kind in (LETTER, DIGIT, UPPER, OTHER)]
    marks = [list(group) for group in (b"?", b",", b".", _QUOTES, _BRACKETS, _OPERATORS, b".?!")]
    found = np.zeros((256, len(kinds) + len(marks)))
    for number, group in enumerate([*kinds, *marks]):
        found[np.asarray(group), number] = 1
    return found


_GROUPS = _groups()


def surface_of(text: str) -> Floats:
    """The surface features of one request, in the order of `SURFACE`."""
    kept = text if len(text) <= HEAD + TAIL else text[:HEAD] + text[-TAIL:]
    data = np.frombuffer(kept.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    counts = scanned_counts(data) if kept.isascii() else None
    if counts is None:
        counts = plain_counts(kept)
    words, distinct, word_bytes, long_words, numbers, longest, digits, options, code, *says = counts.tolist()
    letter, digit, upper, other, *marks, stops = (np.bincount(data, minlength=256) @ _GROUPS).tolist()
    size, spread = max(len(data), 1), max(words, 1)
    all_words = num_words(text) if len(text) > len(kept) else words
    logs = [len(text), all_words, text.count("\n") + 1, text.count("\n\n") + 1]
    logs += [numbers, longest, digits / max(numbers, 1), options, float(kept.rstrip().endswith("?"))]
    logs += [*marks, code, words / max(stops, 1), *says]
    found = np.log1p(logs).tolist()
    shares = [letter / size, digit / size, upper / size, other / size]
    shape = [distinct / spread, word_bytes / spread / 10, long_words / spread]
    parts = found[:4], shares, found[4:16], shape, found[16:17], _scripts(kept), found[17:]
    return np.array([value for part in parts for value in part], dtype=np.float64)


def scanned_counts(data: NDArray[np.uint8]) -> Ints | None:
    """`plain_counts` of ASCII bytes; None without numba."""
    return scanned(data, _FINDS)


def plain_counts(text: str) -> Ints:
    """(9 + number of phrases,) of a text, one by one.

    Words, distinct ones, their characters, those of more than seven; numbers, characters of the longest and of all;
    options, marks of code; how often each phrase occurs.
    """
    words, numbers = text.split(), _NUMBER.findall(text)
    lengths, digits = [len(word) for word in words], [len(number) for number in numbers]
    counts = [len(words), len(set(words)), sum(lengths), sum(length > 7 for length in lengths)]
    counts += [len(numbers), max(digits, default=0), sum(digits), len(_OPTION.findall(text)), len(_CODE.findall(text))]
    lowered = text.lower()
    return np.array([*counts, *(lowered.count(phrase) for phrase in _PHRASES)], dtype=np.int64)


def _scripts(text: str) -> list[float]:
    if text.isascii():
        return [0.0] * len(_SCRIPTS)
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return [float(((points >= low) & (points <= high)).mean()) for low, high in _SCRIPTS]
