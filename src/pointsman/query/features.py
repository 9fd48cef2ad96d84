"""What a request looks like, in a tenth of a millisecond and without a model.

Hashed counts of words, pairs of words and runs of three and four bytes of the request's UTF-8, and the few dozen
surface features of `surface.py`. A request of 2,000 characters takes 0.04 ms to hash; of a longer one the first `HEAD`
and the last `TAIL` bytes are hashed, since difficulty stands in the question and not in a long document.

Hashes are the same in every process and version: weights that were fitted elsewhere fit here. `slow_ngrams` is the
obvious twin of the hashing, for tests.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pointsman.query.compiling import compiled
from pointsman.query.forecasting import Features
from pointsman.query.surface import BYTE_KINDS, HEAD, OTHER, SPACE, SURFACE, TAIL, surface_of

__all__ = ["NUM_NGRAMS", "features_of", "hashed_ngrams", "plain_buckets", "slow_ngrams"]

NUM_NGRAMS = 2**15
"""Hash buckets, half for words and half for runs of bytes. 2**16 and 2**17 gave the same figures on outcome tables."""

_Hashes = NDArray[Any]
"""Of uint64, which numpy's annotations do not follow through arithmetic with Python integers."""

_HALF = NUM_NGRAMS // 2
_RUNS = (3, 4)
_PRIME = 0x9E3779B1  # 2**32 over the golden ratio, Knuth's multiplier
_MASK = 0xFFFFFFFF
_PAIR = 0x85EBCA6B

_WEIGHTS = np.append(0, 1 + np.log(np.arange(1, 2 * (HEAD + TAIL) + 1))).astype(np.float32)
"""Of a bucket by its count. Words and pairs of them share a half, as runs of three and four do."""

_POWERS = np.array([pow(_PRIME, i, 2**32) for i in range(HEAD + TAIL + 2)], dtype=np.uint64)


def features_of(texts: Sequence[str], extra: NDArray[np.float32] | None = None) -> Features:
    """The features of requests. `extra`: (N, X) of a model, see `Features`."""
    rows = [hashed_ngrams(text) for text in texts]
    indptr = np.cumsum([0, *(len(index) for index, _ in rows)])
    index = np.concatenate([index for index, _ in rows]) if rows else np.zeros(0, dtype=np.int64)
    counts = np.concatenate([count for _, count in rows]) if rows else np.zeros(0, dtype=np.float32)
    ngrams = csr_matrix((counts, index, indptr), shape=(len(rows), NUM_NGRAMS))
    surface = np.array([surface_of(text) for text in texts], dtype=np.float64).reshape(len(texts), len(SURFACE))
    return Features(ngrams, surface, np.zeros((len(texts), 0), dtype=np.float32) if extra is None else extra)


def hashed_ngrams(text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Buckets in rising order, and 1 + log of how often each occurs. By compiled loops, or by numpy without numba."""
    data = _kept(text)
    if not len(data):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    loop, tally = compiled(_buckets_of), compiled(_tallied)
    if loop is None or tally is None:
        index, counts = np.unique(plain_buckets(data), return_counts=True)
    else:
        index, counts = tally(loop(data, BYTE_KINDS))
    return index, _WEIGHTS[counts]


def plain_buckets(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The bucket of each n-gram of some bytes, by numpy."""
    words = _word_hashes(data)
    pairs = ((words[:-1] * _PAIR) & _MASK) ^ words[1:]
    hashes = [_bucket(words), _bucket((pairs * _PRIME) & _MASK), *(_HALF + _bucket(_runs(data, n)) for n in _RUNS)]
    return np.concatenate(hashes)


def _buckets_of(data: Any, kinds: Any) -> Any:
    """`plain_buckets` in one pass over the bytes, for numba; in another order."""
    found = np.empty(4 * len(data), dtype=np.int64)
    count, word, before = 0, np.uint64(0), np.uint64(0)
    is_first, kind_before, in_word = True, SPACE, False
    mask, prime, pair = np.uint64(_MASK), np.uint64(_PRIME), np.uint64(_PAIR)
    half, shift = np.uint64(_HALF), np.uint64(15)
    for i in range(len(data) + 1):
        kind = kinds[data[i]] if i < len(data) else SPACE
        if in_word and (kind != kind_before or kind == OTHER):
            found[count] = np.int64((((word * prime) & mask) ^ (word >> shift)) % half)
            count += 1
            if not is_first:
                both = ((((before * pair) & mask) ^ word) * prime) & mask
                found[count] = np.int64((((both * prime) & mask) ^ (both >> shift)) % half)
                count += 1
            before, is_first, in_word = word, False, False
        if kind != SPACE:
            if not in_word:
                word, in_word = np.uint64(0), True
            word = (word * prime + np.uint64(data[i]) + np.uint64(1)) & mask
        kind_before = kind
    for n in range(_RUNS[0], _RUNS[1] + 1):
        for i in range(len(data) - n + 1):
            run = np.uint64(0)
            for k in range(n):
                run = (run * prime + np.uint64(data[i + k]) + np.uint64(1)) & mask
            found[count] = _HALF + np.int64((((run * prime) & mask) ^ (run >> shift)) % half)
            count += 1
    return found[:count]


def _tallied(buckets: Any) -> Any:
    """What occurs, rising, and how often; for numba. 0.01 ms whatever the text, where sorting takes 0.1."""
    counts = np.zeros(NUM_NGRAMS, dtype=np.int16)
    for bucket in buckets:
        counts[bucket] += 1
    index, often = np.empty(len(buckets), dtype=np.int64), np.empty(len(buckets), dtype=np.int64)
    num_found = 0
    fours = counts.view(np.int64)  # most are 0, so four counts are looked at at once
    for four in range(len(fours)):
        if fours[four] != 0:
            for bucket in range(4 * four, 4 * four + 4):
                if counts[bucket] > 0:
                    index[num_found], often[num_found] = bucket, counts[bucket]
                    num_found += 1
    return index[:num_found], often[:num_found]


def slow_ngrams(text: str) -> dict[int, float]:
    """`hashed_ngrams` one n-gram at a time."""
    data = bytes(_kept(text).tolist())
    found: list[int] = []
    words = [_slow_hash(word) for word in _slow_words(data)]
    found += [_slow_bucket(word) for word in words]
    for first, second in pairwise(words):
        found.append(_slow_bucket((((first * _PAIR) & _MASK) ^ second) * _PRIME & _MASK))
    for n in _RUNS:
        found += [_HALF + _slow_bucket(_slow_hash(data[i : i + n])) for i in range(len(data) - n + 1)]
    return {bucket: 1 + math.log(count) for bucket, count in Counter(found).items()}


def _kept(text: str) -> NDArray[np.uint8]:
    if text.isascii() and len(text) > HEAD + TAIL:  # then as long in lower case: the middle is not looked at
        text = text[:HEAD] + text[-TAIL:]
    data = np.frombuffer(text.lower().encode("utf-8", "surrogatepass"), dtype=np.uint8)
    return data if len(data) <= HEAD + TAIL else np.concatenate([data[:HEAD], data[-TAIL:]])


def _word_hashes(data: NDArray[np.uint8]) -> _Hashes:
    """Of runs of letters, of runs of digits, and of each other byte that is not a space."""
    kinds = BYTE_KINDS[data]
    is_start = np.ones(len(data), dtype=bool)
    is_start[1:] = (kinds[1:] != kinds[:-1]) | (kinds[1:] == OTHER)
    starts = np.flatnonzero(is_start)
    ends = np.append(starts[1:], len(data))
    left = np.repeat(ends, ends - starts) - 1 - np.arange(len(data))  # bytes behind this one in its word
    values = ((data.astype(np.uint64) + 1) * _POWERS[left]) & _MASK
    hashes = np.add.reduceat(values, starts) & _MASK
    kept: _Hashes = hashes[kinds[starts] != SPACE]
    return kept


def _runs(data: NDArray[np.uint8], n: int) -> _Hashes:
    if len(data) < n:
        return np.zeros(0, dtype=np.uint64)
    padded = data.astype(np.uint64) + 1
    total = np.zeros(len(data) - n + 1, dtype=np.uint64)
    for i in range(n):
        total += padded[i : len(data) - n + 1 + i] * _POWERS[n - 1 - i]
    return total & _MASK


def _bucket(hashes: _Hashes) -> NDArray[np.int64]:
    """The high bits of one more multiplication: the low ones of a polynomial hash depend on its last byte only."""
    return ((((hashes * _PRIME) & _MASK) ^ (hashes >> 15)) % _HALF).astype(np.int64)


def _slow_words(data: bytes) -> list[bytes]:
    words: list[bytes] = []
    before = SPACE
    for value in data:
        kind = int(BYTE_KINDS[value])
        if kind != SPACE:
            if kind == before and kind != OTHER:
                words[-1] += bytes([value])
            else:
                words.append(bytes([value]))
        before = kind
    return words


def _slow_hash(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value * _PRIME + byte + 1) & _MASK
    return value


def _slow_bucket(value: int) -> int:
    return (((value * _PRIME) & _MASK) ^ (value >> 15)) % _HALF
