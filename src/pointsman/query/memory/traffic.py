"""Generated traffic: repetitions, paraphrases, near duplicates and questions about now, with true answers.

Requests are drawn from a pool of meanings by Zipf's law; the pool drifts, and a part of it are near duplicates of
others. A meaning has a wording in which it is mostly asked. Nothing here was written by people who ask a model:
paraphrases come from a few templates a family, so that hit rates say how policies compare, and not what traffic of
people gives.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pointsman.core import Cost
from pointsman.query.memory.questions import Meaning, draw_meaning, near_meaning

__all__ = ["Asked", "Traffic", "adversarial", "asked", "mixed"]

_ROOTS: Final = 200  # meanings that all others may be near duplicates of; chosen
_TIMELY: Final = (
    "What does a ticket to {place} cost today?",
    "Who is the current mayor of {place}?",
    "What is the weather in {place}?",
    "What is the latest news from {place}?",
)
_FILLING: Final = "It follows from what is known of the matter, step by step, and can be checked. "


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests are drawn. Shares are from 0 to 1.

    Attributes:
        num_requests: how many.
        num_meanings: in the pool at a time.
        zipf: exponent of popularity by rank.
        drift: chance, a request, that one meaning of the pool gives way to a new one.
        near: share of meanings that are near duplicates of another one of the pool.
        paraphrased: share of requests in a random wording, in place of the meaning's own.
        fresh: share of requests that are near duplicates of the request before, in the same wording, asked once.
        timely: share of questions about now, whose answer changes with every request.
    """

    num_requests: int
    num_meanings: int = 5_000
    zipf: float = 0.8
    drift: float = 0.1
    near: float = 0.4
    paraphrased: float = 0.5
    fresh: float = 0.0
    timely: float = 0.03


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the traffic, its true answer, what a model takes to give it, and a name of what is meant."""

    text: str
    answer: str
    cost: Cost
    meaning: str
    is_timely: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """As a chat completion."""
        return {"model": "large", "messages": [{"role": "user", "content": self.text}], "temperature": 0}


def mixed(num_requests: int) -> Traffic:
    """Usual traffic: many repetitions, some paraphrases, some near duplicates."""
    return Traffic(num_requests)


def adversarial(num_requests: int) -> Traffic:
    """Near-duplicate traffic made to fool a cache: most requests have the words of one before, and another answer."""
    return Traffic(num_requests, num_meanings=600, near=0.95, fresh=0.5, drift=0.1, timely=0.0)


def asked(traffic: Traffic, seed: int) -> Iterator[Asked]:
    """The requests, in order."""
    rng = random.Random(f"memory traffic/{seed}")  # noqa: S311  reproducible, no secrets
    pool = [draw_meaning(rng) for _ in range(min(_ROOTS, traffic.num_meanings))]
    while len(pool) < traffic.num_meanings:
        pool.append(_new(traffic, pool, rng))
    totals = _cumulated(traffic)
    last: tuple[Meaning, int] = pool[0], 0
    for number in range(traffic.num_requests):
        if rng.random() < traffic.drift:
            pool[rng.randrange(len(pool))] = _new(traffic, pool, rng)
        if rng.random() < traffic.timely:
            yield _timely(number, rng)
            continue
        if rng.random() < traffic.fresh:
            last = near_meaning(last[0], rng), last[1]
        else:
            meaning = rng.choices(pool, cum_weights=totals)[0]
            last = meaning, _wording(meaning, traffic, rng)
        yield _asked(*last)


def _new(traffic: Traffic, pool: list[Meaning], rng: random.Random) -> Meaning:
    return near_meaning(rng.choice(pool), rng) if rng.random() < traffic.near else draw_meaning(rng)


def _cumulated(traffic: Traffic) -> list[float]:
    total, totals = 0.0, []
    for rank in range(1, traffic.num_meanings + 1):
        total += rank**-traffic.zipf
        totals.append(total)
    return totals


def _wording(meaning: Meaning, traffic: Traffic, rng: random.Random) -> int:
    count = len(meaning.family.wordings)
    if rng.random() < traffic.paraphrased:
        return rng.randrange(count)
    return zlib.crc32(repr(meaning.slots).encode()) % count


def _asked(meaning: Meaning, wording: int) -> Asked:
    text, value = meaning.worded(wording), meaning.answer
    drawn = zlib.crc32(f"{meaning.family.name}/{value}".encode())
    answer = f"{value}. {_FILLING * (drawn % 12)}".strip()  # 2 to 900 bytes, the same for the same value
    tokens = 20 + len(answer) // 4 + drawn // 7 % 400  # of which some are thought and not seen
    return Asked(
        text,
        answer,
        Cost(len(text) // 4, tokens, 1_000 * tokens, 0, tokens / 100),
        f"{meaning.family.name} {meaning.slots}",
    )


def _timely(number: int, rng: random.Random) -> Asked:
    text = rng.choice(_TIMELY).format(place=rng.choice(("Belmark", "Karton", "Zanville")))
    return Asked(text, f"as of {number}", Cost(len(text) // 4, 50, 50_000, 0, 0.5), f"timely {number}", is_timely=True)
