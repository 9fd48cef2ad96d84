"""Counting in a text of ASCII bytes by compiled loops: words, numbers, options, marks of code, phrases.

Phrases are found by an automaton (Aho and Corasick, 1975) that makes one move a byte, however many phrases there are.
The twin is `surface.plain_counts`, in regular expressions, which says what each count means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman.query.compiling import compiled
from pointsman.query.outcomes import Ints

__all__ = ["KEYWORDS", "Automaton", "automaton", "num_words", "scanned"]

KEYWORDS = ("def", "return", "import", "class", "function", "var", "const", "SELECT", "FROM", "void", "int")
"""Of programming languages; marks of code where they are whole words."""

_LONG = 7
_SLOTS: Final = 8_192  # a power of two; of words at most half of it, so that a free slot is near
_MOST_BYTES: Final = _SLOTS  # words and the spaces between them take two bytes at least


@dataclass(frozen=True, slots=True)
class Automaton:
    """Attributes: `moves` (S, 128) the next state; `ends` (S,) the phrase that ends there, or -1; `sizes` (P,)."""

    moves: NDArray[np.uint8]
    ends: NDArray[np.int16]
    sizes: NDArray[np.int64]


def automaton(phrases: Sequence[str], *, ignores_case: bool) -> Automaton:
    """Of P phrases of ASCII, in lower case where case is ignored; of up to 256 states, about as many as letters.

    No phrase may be the end of another one: a state tells one phrase.
    """
    children: list[dict[int, int]] = [{}]
    ends = [-1]
    for number, phrase in enumerate(phrases):
        state = 0
        for byte in phrase.encode("ascii"):
            if byte not in children[state]:
                children[state][byte] = len(children)
                children.append({})
                ends.append(-1)
            state = children[state][byte]
        ends[state] = number
    moves = np.zeros((len(children), 128), dtype=np.uint8)
    queue = [(0, 0)]  # states by rising depth, and the state of their longest end that begins a phrase
    for state, shorter in queue:
        assert ends[state] < 0 or ends[shorter] < 0, f"two phrases end where {phrases[ends[state]]!r} does"
        ends[state] = max(ends[state], ends[shorter])
        moves[state] = moves[shorter]
        queue += [(child, int(moves[shorter, byte])) for byte, child in children[state].items()]
        for byte, child in children[state].items():
            moves[state, byte] = child
    if ignores_case:
        moves[:, ord("A") : ord("Z") + 1] = moves[:, ord("a") : ord("z") + 1]
    return Automaton(moves, np.array(ends, dtype=np.int16), np.array([len(each) for each in phrases]))


_KEYWORDS: Final = automaton(KEYWORDS, ignores_case=False)


def _is_one_of(letters: bytes) -> NDArray[np.bool_]:
    found = np.zeros(256, dtype=bool)
    found[list(letters)] = True
    return found


_IS_SPACE: Final = _is_one_of(bytes([*range(9, 14), *range(28, 33)]))  # as `str.isspace` says
_IS_DIGIT: Final = _is_one_of(b"0123456789")
_IS_ALNUM: Final = _is_one_of(bytes(byte for byte in range(128) if chr(byte).isalnum()))
_IS_WORD: Final = _IS_ALNUM | _is_one_of(b"_")


def scanned(data: NDArray[np.uint8], finds: Automaton) -> Ints | None:
    """`surface.plain_counts` of up to `_MOST_BYTES` bytes of ASCII. `finds`: the phrases. None without numba."""
    assert len(data) <= _MOST_BYTES
    loops = [compiled(loop) for loop in (_words, _numbers, _marks, _phrases)]
    words, numbers, marks, phrases = loops
    if words is None or numbers is None or marks is None or phrases is None:
        return None
    options, ends = marks(data, _IS_SPACE, _IS_ALNUM)
    keywords = phrases(data, _KEYWORDS.moves, _KEYWORDS.ends, _KEYWORDS.sizes, _IS_WORD, True)
    said = phrases(data, finds.moves, finds.ends, finds.sizes, _IS_WORD, False)
    first = [*words(data, _IS_SPACE), *numbers(data, _IS_DIGIT), options, ends + int(keywords.sum())]
    return np.concatenate([np.array(first, dtype=np.int64), said])


def num_words(text: str) -> int:
    """`len(text.split())` of a long text: 0.04 ms for 100 kB of ASCII, where to split it takes 0.9."""
    loop = compiled(_num_words)
    if loop is None or not text.isascii():
        return len(text.split())
    return int(loop(np.frombuffer(text.encode("ascii"), dtype=np.uint8), _IS_SPACE))


def _num_words(data: Any, is_space: Any) -> Any:
    count, is_outside = 0, True
    for byte in data:
        count += is_outside and not is_space[byte]
        is_outside = is_space[byte]
    return count


def _words(data: Any, is_space: Any) -> Any:
    """How many, how many distinct, their bytes, how many long ones. Distinct: bytes are compared where hashes agree."""
    slots = np.zeros(_SLOTS, dtype=np.int32)  # 1 + number of a distinct word, 0 where free
    starts, ends = np.empty(len(data), dtype=np.int32), np.empty(len(data), dtype=np.int32)
    count, num_distinct, num_bytes, num_long, at = 0, 0, 0, 0, 0
    while at < len(data):
        if is_space[data[at]]:
            at += 1
            continue
        start, hashed = at, np.uint64(0)
        while at < len(data) and not is_space[data[at]]:
            hashed = (hashed ^ np.uint64(data[at])) * np.uint64(0x9E3779B97F4A7C15)
            at += 1
        count, num_bytes, num_long = count + 1, num_bytes + at - start, num_long + (at - start > _LONG)
        slot = np.int64(hashed >> np.uint64(51))  # 13 bits, of `_SLOTS`
        while slots[slot] > 0:
            first, end = starts[slots[slot] - 1], ends[slots[slot] - 1]
            same = end - first == at - start
            for i in range(at - start if same else 0):
                same = same and data[first + i] == data[start + i]
            if same:
                break
            slot = (slot + 1) % _SLOTS
        if slots[slot] == 0:
            starts[num_distinct], ends[num_distinct] = start, at
            num_distinct += 1
            slots[slot] = num_distinct
    return count, num_distinct, num_bytes, num_long


def _numbers(data: Any, is_digit: Any) -> Any:
    """How many, digits and points of the longest, and of all."""
    count, longest, total, at = 0, 0, 0, 0
    while at < len(data):
        start = at
        while at < len(data) and is_digit[data[at]]:
            at += 1
        if at == start:
            at += 1
            continue
        if at + 1 < len(data) and data[at] == ord(".") and is_digit[data[at + 1]]:
            at += 1
            while at < len(data) and is_digit[data[at]]:
                at += 1
        count, longest, total = count + 1, max(longest, at - start), total + at - start
    return count, longest, total


def _marks(data: Any, is_space: Any, is_alnum: Any) -> Any:
    """Lines that begin like an option, and marks of code: `;`, `{` and `}` at ends of lines, `==` and `=>`."""
    num_options, num_marks, is_first, at, size = 0, 0, True, 0, len(data)
    while at < size:
        byte = data[at]
        if is_first and not is_space[byte]:
            name = at + 1 if byte == ord("(") else at
            if name + 2 < size and is_alnum[data[name]] and data[name + 2] == ord(" "):
                num_options += data[name + 1] == ord(")") or data[name + 1] == ord(".")
        is_first = byte == ord("\n") or (is_first and is_space[byte])
        if byte == ord(";") or byte == ord("{") or byte == ord("}"):
            end = at + 1
            while end < size and is_space[data[end]] and data[end] != ord("\n"):
                end += 1
            num_marks += end == size or data[end] == ord("\n")
        elif byte == ord("=") and at + 1 < size and (data[at + 1] == ord("=") or data[at + 1] == ord(">")):
            num_marks += 1
            at += 1
        at += 1
    return num_options, num_marks


def _phrases(data: Any, moves: Any, ends: Any, sizes: Any, is_word: Any, is_whole: bool) -> Any:
    """(P,) how often each occurs, without overlap; `is_whole`: only between bytes that are of no word."""
    counts, free, state = np.zeros(len(sizes), dtype=np.int64), np.zeros(len(sizes), dtype=np.int64), 0
    for at in range(len(data)):
        state = moves[state, data[at]]
        phrase = ends[state]
        if phrase < 0:
            continue
        start = at + 1 - sizes[phrase]
        if start < free[phrase]:
            continue
        is_inside = (start > 0 and is_word[data[start - 1]]) or (at + 1 < len(data) and is_word[data[at + 1]])
        if not (is_whole and is_inside):
            counts[phrase] += 1
            free[phrase] = at + 1
    return counts
