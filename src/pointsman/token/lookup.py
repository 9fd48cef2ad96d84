"""Lookup as a third writer: what followed when these tokens stood somewhere before, in this text or in past ones.

A suffix automaton finds the longest end of a text that occurred before, in constant time a token on the average (as in
SAM decoding, arXiv 2411.10666). What followed there is proposed, with the chance that a token stands after a match of
that length as its score: the same currency as a gate's. The chances are counted as texts go on, also where nothing is
taken, so lookup sets in where it has been right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Source = Literal["text", "past"]
SOURCES: tuple[Source, ...] = ("text", "past")

LONGEST = 8
"""Matches are told apart up to this length."""

MOST_TOKENS = 16
"""Proposed at once. Chosen."""

PAST_TOKENS = 20_000
"""Of past texts, after which a new generation begins; two are kept. An automaton takes about a kilobyte a token."""

_SEPARATOR = -1
_DOUBT = 1.0
"""Tokens that did not stand, added to every count."""


class Match(NamedTuple):
    """Where the longest known end of a text stood before.

    Attributes:
        length: tokens of it.
        end: place behind its first occurrence.
    """

    length: int
    end: int


class SuffixAutomaton:
    """All substrings of a sequence that grows, each with where it first ended."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self._next: list[dict[int, int]] = [{}]
        self._link, self._length, self._end = [-1], [0], [0]
        self._last = 0

    def append(self, token: int) -> None:
        """Adds a token behind all."""
        self.tokens.append(token)
        last = self._state({}, self._length[self._last] + 1, len(self.tokens))
        state = self._last
        while state >= 0 and token not in self._next[state]:
            self._next[state][token] = last
            state = self._link[state]
        self._link[last] = 0 if state < 0 else self._suffix(state, token)
        self._last = last

    def _suffix(self, state: int, token: int) -> int:
        """The state of all that ends with `token` behind `state`, cut out of a longer one where need be."""
        target, length = self._next[state][token], self._length[state] + 1
        if self._length[target] == length:
            return target
        clone = self._state(dict(self._next[target]), length, self._end[target])
        self._link[clone] = self._link[target]
        self._link[target] = clone
        while state >= 0 and self._next[state].get(token) == target:
            self._next[state][token] = clone
            state = self._link[state]
        return clone

    def _state(self, following: dict[int, int], length: int, end: int) -> int:
        self._next.append(following)
        self._link.append(0)
        self._length.append(length)
        self._end.append(end)
        return len(self._next) - 1

    def step(self, state: int, length: int, token: int) -> tuple[int, int]:
        """The longest match after one token more, from the one before: its state and its length."""
        while state > 0 and token not in self._next[state]:
            state = self._link[state]
            length = self._length[state]
        if token not in self._next[state]:
            return 0, 0
        return self._next[state][token], length + 1

    def match(self, state: int, length: int) -> Match:
        """Where that match stood first."""
        return Match(length, self._end[state])


class Past:
    """Texts that were finished before, the latest."""

    def __init__(self, most_tokens: int = PAST_TOKENS) -> None:
        self._most_tokens = most_tokens
        self._young, self._old = SuffixAutomaton(), SuffixAutomaton()

    @property
    def generations(self) -> tuple[SuffixAutomaton, SuffixAutomaton]:
        """The one that grows, and the one before."""
        return self._young, self._old

    def add(self, tokens: Iterable[int]) -> None:
        """Remembers a text."""
        if len(self._young.tokens) >= self._most_tokens:
            self._young, self._old = SuffixAutomaton(), self._young
        for token in (*tokens, _SEPARATOR):
            self._young.append(token)


class Proposed(NamedTuple):
    """What lookup says of the tokens that come next.

    Attributes:
        tokens: as they followed before.
        source: where.
        length: of the match.
    """

    tokens: Sequence[int]
    source: Source
    length: int


class TextIndex:
    """One text that is being written, and where its end stood before, in itself and in `past`."""

    def __init__(self, past: Past) -> None:
        self._own, self._past = SuffixAutomaton(), past
        self._places: dict[int, tuple[SuffixAutomaton, int, int]] = {}
        self._state, self._length = 0, 0

    def __len__(self) -> int:
        return len(self._own.tokens)

    def append(self, token: int) -> None:
        """The text's next token."""
        self._state, self._length = self._own.step(self._state, self._length, token)
        self._own.append(token)
        known = self._places
        self._places = {}
        for automaton in self._past.generations:
            _, state, length = known.get(id(automaton), (automaton, 0, 0))
            self._places[id(automaton)] = (automaton, *automaton.step(state, length, token))

    def propose(self, most_tokens: int = MOST_TOKENS) -> Proposed | None:
        """What followed the longest match; of equally long ones this text's own."""
        best: tuple[Match, Source, SuffixAutomaton] = (self._own.match(self._state, self._length), "text", self._own)
        for automaton, state, length in self._places.values():
            if length > best[0].length:
                best = automaton.match(state, length), "past", automaton
        match, source, automaton = best
        following = automaton.tokens[match.end : match.end + most_tokens]
        if _SEPARATOR in following:
            following = following[: following.index(_SEPARATOR)]
        return Proposed(following, source, match.length) if match.length and following else None


class Rates:
    """How often what was looked up came true, by source and by length of the match up to `LONGEST`."""

    def __init__(self) -> None:
        self._stood = {source: [0] * LONGEST for source in SOURCES}
        self._tried = {source: [0] * LONGEST for source in SOURCES}

    def of(self, source: Source, length: int) -> float:
        """The chance that the token after a match of that length stands; below 1, and 0 where none ever did."""
        bucket = min(length, LONGEST) - 1
        return self._stood[source][bucket] / (self._tried[source][bucket] + _DOUBT)

    def count(self, found: Proposed, written: Sequence[int]) -> None:
        """Compares what was looked up with what was written there in the end, up to the first difference."""
        for at, (proposed, token) in enumerate(zip(found.tokens, written, strict=False)):
            bucket = min(found.length + at, LONGEST) - 1
            self._tried[found.source][bucket] += 1
            if proposed != token:
                return
            self._stood[found.source][bucket] += 1


@dataclass(slots=True)
class Memory:
    """What lookup learned from texts: they themselves, and how often it was right."""

    past: Past = field(default_factory=Past)
    rates: Rates = field(default_factory=Rates)


class Lookup:
    """Looks up for one text. It learns at every question, whether or not what it finds is taken.

    Args:
        memory: shared with other texts.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory, self._index = memory, TextIndex(memory.past)
        self._asked: tuple[Proposed, int] | None = None

    def likely(self, known: Sequence[int], least: float) -> list[tuple[int, float]]:
        """The next tokens from the front that stand with that chance or more, each with its chance.

        Args:
            known: prompt and text so far, of which nothing is taken back.
            least: chance.
        """
        self._learn(known)
        for token in known[len(self._index) :]:
            self._index.append(token)
        proposed = self._index.propose()
        if proposed is not None:
            self._asked = proposed, len(known)
        taken: list[tuple[int, float]] = []
        for at, token in enumerate(proposed.tokens if proposed else ()):
            assert proposed is not None
            chance = self._memory.rates.of(proposed.source, proposed.length + at)
            if chance < least:
                break
            taken.append((token, chance))
        return taken

    def finish(self, prompt: Sequence[int], text: Sequence[int]) -> None:
        """Remembers the whole text."""
        self._learn([*prompt, *text])
        self._memory.past.add(text)

    def _learn(self, known: Sequence[int]) -> None:
        if self._asked is not None:
            found, at = self._asked
            self._memory.rates.count(found, known[at:])
            self._asked = None
