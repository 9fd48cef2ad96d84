"""The grammar of a grid's clues. A sentence is masked first: `#3` for a value, `@2` for a house, `#3p` for its person.

    The owner of the cat lives directly to the left of the red house  ->  #4p lives directly to the left of #9

A thing is had, drunk or lived in; a person is not, so `has the owner of the cat` fits no pattern.
A pattern has to fit the whole masked sentence, so a word that is not known, such as `unless`, is never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pointsman.query.solver.text.sentences import NEGATION, bare, is_doubtful

__all__ = ["Clause", "Masker", "clauses_of", "guesses_of", "references"]

_ONE = r"[#@]\d+"
_REF = rf"({_ONE})p?"
_THING = rf"({_ONE})"
_OWNS = r"(?:has|keeps|owns|drinks|plays|lives in|lives at|works as)"
_IS = r"(?:is|is in)"
_OWNS_NOT = (
    r"(?:(?:does not|doesn't) (?:have|keep|own|drink|play|live in|live at|work as)|"
    r"never (?:has|keeps|owns|drinks|plays|lives in|works as))"
)
_IS_NOT = r"(?:is not|isn't)(?: in)?"
_STAYS = r"(?:lives|is|sits)"
_STAYS_NOT = r"(?:does not live|doesn't live|is not|isn't)"
_BESIDE = r"(?:right )?(?:next to|beside|adjacent to|next door to|a (?:direct )?neighbour of)"
_SIDE = r"(?:to the )?(left|right) of"

_PERSONS: Final = (
    re.compile(
        rf"\b(?:the (?:person|one|owner|keeper|resident|man|woman) (?:(?:who|that) (?:{_OWNS}|{_IS})|with|of|in)|"
        rf"whoever (?:{_OWNS}|{_IS})) (?:the |an? )?({_ONE})(?: house\b)?"
    ),
    re.compile(rf"\bthe ({_ONE}) (?:drinker|player|owner|keeper)\b"),
)
_THINGS: Final = re.compile(rf"\bthe ({_ONE})(?: house\b)?")
_ORDINALS: Final = "first second third fourth fifth sixth seventh eighth ninth".split()
_HOUSE = re.compile(r"\bhouse (?:number )?(\d{1,3})\b")
_ORDINAL_HOUSE = re.compile(rf"\bthe ({'|'.join(_ORDINALS)}) house\b")
_EDGE_HOUSE = re.compile(r"\bthe (leftmost|rightmost) house\b")

_SIMPLE: Final[tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]] = tuple(
    (re.compile(pattern), kinds)
    for pattern, kinds in (
        (rf"{_REF} {_IS} {_REF}", ("equal",)),
        (rf"{_REF} (?:belongs to|is owned by|is kept by) {_REF}", ("equal",)),
        (rf"{_REF} {_IS_NOT} {_REF}", ("not_equal",)),
        (rf"{_REF} (?:does not belong to|doesn't belong to|is not owned by|is not kept by) {_REF}", ("not_equal",)),
        (rf"{_REF} {_STAYS} {_BESIDE} {_REF}", ("next",)),
        (
            rf"{_REF} and {_REF} (?:are (?:direct )?neighbours|(?:live|are) (?:next to|beside) each other|"
            rf"(?:live|are) side by side)",
            ("next",),
        ),
        (rf"{_REF} {_STAYS_NOT} {_BESIDE} {_REF}", ("not_next",)),
        (rf"{_REF} (?:and) {_REF} are (?:not|n't) (?:direct )?neighbours", ("not_next",)),
        (rf"{_REF} {_STAYS} somewhere between {_REF} and {_REF}", ("between",)),
        (rf"{_REF} {_STAYS} between {_REF} and {_REF},? not necessarily next door", ("between",)),
        (rf"{_REF} {_STAYS} (?:directly|right) between {_REF} and {_REF}", ("amid",)),
        (rf"{_REF} {_STAYS} between {_REF} and {_REF}", ("between", "amid")),
    )
)
_SIDES: Final[tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]] = tuple(
    (re.compile(pattern), kinds)
    for pattern, kinds in (
        (rf"{_REF} {_STAYS} (?:somewhere|anywhere) {_SIDE} {_REF}", ("left",)),
        (rf"{_REF} {_STAYS} (?:directly|immediately|just) {_SIDE} {_REF}", ("directly_left",)),
        (rf"{_REF} {_STAYS} {_SIDE} {_REF}", ("left", "directly_left")),
    )
)
_SAID = (
    (re.compile(rf"{_REF} ({_OWNS}) {_THING}"), "equal"),
    (re.compile(rf"{_REF} ({_OWNS_NOT}) {_THING}"), "not_equal"),
)
_CHOICE = re.compile(rf"{_REF} ({_OWNS}|{_IS}) (?:either )?{_THING} or {_THING}")
_FITTING: Final[Mapping[str, str]] = {
    "people": r"is\b",
    "pets": r"is\b|has|have|keep|own",
    "drinks": r"drink|has|have",
    "colours": r"is\b|live|has|have",
    "jobs": r"is\b|work",
    "games": r"play",
    "@": r"is\b|live",
}
"""How verbs begin that go with a category; with any other category all of them do."""

_IF = (re.compile(r"if (.+?),? then (.+)"), re.compile(r"if (.+?), (.+)"))
_THEN_IF = re.compile(r"(.+?),? if (.+)")
_EITHER: Final[tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]] = (
    (re.compile(r"(?:either )?(.+?),? or (.+?),? or both"), ("either",)),
    (re.compile(r"(?:either )?(.+?),? or (.+?),? but not both"), ("one_of",)),
    (re.compile(r"(?:either )?(.+?),? or (.+)"), ("either", "one_of")),
)


@dataclass(frozen=True, slots=True)
class Clause:
    """What is said: of references (`#3`, `@2`), or of two clauses where the kind is `either`, `one_of` or `if`."""

    kind: str
    refs: tuple[str, ...] = ()
    parts: tuple[Clause, ...] = ()


class Masker:
    """Finds values and houses in sentences.

    Args:
        categories: the category of each value, in lower case, in the order of their numbers.
    """

    def __init__(self, categories: Mapping[str, str]) -> None:
        self.values, self._categories = tuple(categories), tuple(categories.values())
        longest_first = sorted(self.values, key=len, reverse=True)
        self._pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b") if self.values else None

    def category(self, ref: str) -> str:
        """Of a value; `@` for houses."""
        return "@" if ref[0] == "@" else self._categories[int(ref[1:])]

    def mask(self, sentence: str, num_houses: int) -> str:
        """In lower case, with phrases for values and houses replaced."""
        told = bare(sentence).replace("#", "").replace("@", "").replace("\u2019", "'")
        if self._pattern is not None:
            told = self._pattern.sub(lambda found: f"#{self.values.index(found[0])}", told)
        told = _HOUSE.sub(r"@\1", told)
        told = _ORDINAL_HOUSE.sub(lambda found: f"@{_ORDINALS.index(found[1]) + 1}", told)
        told = _EDGE_HOUSE.sub(lambda found: f"@{1 if found[1] == 'leftmost' else num_houses}", told)
        for pattern in _PERSONS:
            told = pattern.sub(r"\1p", told)
        return _THINGS.sub(r"\1", told)

    def is_possible(self, clause: Clause, num_houses: int) -> bool:
        """Whether a clause says something of the right things: of different values, of houses that there are."""
        if clause.parts:
            return all(self.is_possible(part, num_houses) for part in clause.parts)
        houses = [int(ref[1:]) for ref in clause.refs if ref[0] == "@"]
        if len(set(clause.refs)) < len(clause.refs) or not all(1 <= house <= num_houses for house in houses):
            return False
        if clause.kind in ("equal", "not_equal"):
            return self.category(clause.refs[0]) != self.category(clause.refs[1])
        return not houses


def clauses_of(told: str, masker: Masker, num_houses: int) -> list[Clause]:
    """Every reading of a masked sentence by a pattern that fits all of it."""
    found = list(_simple(told, masker))
    if not found:
        found = list(_joined(told, masker, num_houses))
    return [clause for clause in found if masker.is_possible(clause, num_houses)]


def _fits(verb: str, ref: str, masker: Masker) -> bool:
    """Whether one can say this of a value: nobody drinks a house."""
    stem = re.sub(r"^(?:does not|doesn't|never) ", "", verb)
    return re.match(_FITTING.get(masker.category(ref), ""), stem) is not None


def _simple(told: str, masker: Masker) -> Iterator[Clause]:
    for pattern, kind in _SAID:
        if fits := pattern.fullmatch(told):
            subject, verb, said = fits.groups()
            if _fits(verb, said, masker):
                yield Clause(kind, (subject, said))
            return
    for pattern, kinds in _SIMPLE:
        if fits := pattern.fullmatch(told):
            yield from (Clause(kind, fits.groups()) for kind in kinds)
            return
    for pattern, kinds in _SIDES:
        if fits := pattern.fullmatch(told):
            first, side, second = fits.groups()
            refs = (first, second) if side == "left" else (second, first)
            yield from (Clause(kind, refs) for kind in kinds)
            return


def _joined(told: str, masker: Masker, num_houses: int) -> Iterator[Clause]:
    if fits := _CHOICE.fullmatch(told):
        subject, verb, one, other = fits.groups()
        if not (_fits(verb, one, masker) and _fits(verb, other, masker)):
            return
        parts = (Clause("equal", (subject, one)), Clause("equal", (subject, other)))
        is_apart = masker.category(one) == masker.category(other)
        yield from (Clause(kind, (), parts) for kind in (("either",) if is_apart else ("either", "one_of")))
        return
    for pattern in _IF:
        if (fits := pattern.fullmatch(told)) and (pair := _pair(fits[1], fits[2], masker, num_houses)):
            yield Clause("if", (), pair)
            return
    if (fits := _THEN_IF.fullmatch(told)) and (pair := _pair(fits[2], fits[1], masker, num_houses)):
        yield Clause("if", (), pair)
        return
    for pattern, kinds in _EITHER:
        if (fits := pattern.fullmatch(told)) and (pair := _pair(fits[1], fits[2], masker, num_houses)):
            yield from (Clause(kind, (), pair) for kind in kinds)
            return


def _pair(first: str, second: str, masker: Masker, num_houses: int) -> tuple[Clause, Clause] | None:
    """Two simple clauses, each with one reading."""
    found = [[c for c in _simple(told, masker) if masker.is_possible(c, num_houses)] for told in (first, second)]
    return (found[0][0], found[1][0]) if len(found[0]) == len(found[1]) == 1 else None


def references(told: str) -> list[str]:
    """The values and houses of a masked sentence, in order."""
    return re.findall(_ONE, told)


def guesses_of(told: str, refs: Sequence[str]) -> list[Clause]:
    """What a sentence may say that no pattern fits, by what it mentions; nothing where a word of it is doubtful."""
    if is_doubtful(told):
        return []
    is_negative = NEGATION.search(told) is not None
    if len(refs) == 2:
        a, b = refs
        if is_negative:
            return [Clause("not_equal", (a, b)), Clause("not_next", (a, b))]
        sided = [Clause(kind, pair) for kind in ("left", "directly_left") for pair in ((a, b), (b, a))]
        return [Clause("equal", (a, b)), Clause("next", (a, b)), *sided]
    if len(refs) == 3 and not is_negative:
        a, b, c = refs
        return [Clause("between", trio) for trio in ((a, b, c), (b, a, c), (c, a, b))]
    return []
