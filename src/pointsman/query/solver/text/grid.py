"""Reads logic grids: houses in a row, lists of people and things of which each house has one, clues and a question."""

from __future__ import annotations

import re
from typing import Final

from pointsman.query.solver.text.clauses import Clause, Masker, clauses_of, guesses_of, references
from pointsman.query.solver.text.sentences import Candidate, Candidates, Json, Unread, bare, items, number, numbered

__all__ = ["GridReader"]

_ROW = re.compile(
    r"(?:there are )?(\w+) houses (?:stand )?in a row(?:,| and are|,? which are) "
    r"numbered (?:from )?1 to (\d{1,3}),? from left to right"
)
_ONE_EACH = re.compile(r"(?:exactly )?one person lives in each house|each house has one person")
_LIST = re.compile(r"the ([a-z]+) are (.+)", re.IGNORECASE)
_DIFFERENT = re.compile(r"(?:everyone|everybody|each person|each of them) has (.+)")
_WHERE = re.compile(r"(?:where does|in which house does) ([#@]\d+)p? live|which house does ([#@]\d+)p? live in")
_WHO = re.compile(r"who (?:has|keeps|owns|drinks|plays|is|is in|lives in|works as) ([#@]\d+)")
_WHICH = re.compile(r"(?:which|what) (\w+) does ([#@]\d+)p? (?:have|keep|own|drink|play|live in)")
_EVERYONE = re.compile(r"where does (?:everyone|everybody|each person) live|who lives where|who lives in which house")
_ALL = re.compile(r"what is the (?:full|whole|complete) arrangement")
_PEOPLE = "people"

_TOLD: Final = {
    "equal": "same house: {0}, {1}",
    "not_equal": "different houses: {0}, {1}",
    "next": "neighbours: {0}, {1}",
    "not_next": "separate, not neighbours: {0}, {1}",
    "left": "anywhere left: {0}, of {1}",
    "directly_left": "directly left: {0}, of {1}",
    "between": "between, anywhere: {0}, of {1} and {2}",
    "amid": "amid, next to both: {0}, of {1} and {2}",
    "either": "inclusive, one or both",
    "one_of": "exclusive, one and not both",
    "if": "if one then the other",
}
_MIRRORED: Final = {"left": "somewhere right: {1}, of {0}", "directly_left": "just right: {1}, of {0}"}


class GridReader:
    """Implements `sentences.SentenceReader`."""

    def __init__(self) -> None:
        self._size = 0
        self._is_one_each = False
        self._lists: dict[str, list[str]] = {}
        self._names: list[str] = []  # as the text spells them
        self._different: set[str] = set()
        self._clues: list[tuple[Json, str]] = []
        self._asks: list[str] = []
        self._ties: list[Json] = []
        self._answers: list[str] = []
        self._masker = Masker({})

    # -- sentences -----------------------------------------------------------------------------------------------------

    def candidates(self, sentence: str) -> Candidates:
        """See `SentenceReader`."""
        stated = self._stated(sentence)
        if stated is not None:
            return Candidates((Candidate("stated", stated),), is_by_pattern=True)
        told = self._masker.mask(sentence, self._size)
        refs = references(told)
        clauses = clauses_of(told, self._masker, self._size)
        is_by_pattern = bool(clauses)
        if not clauses:
            guessed = guesses_of(told, refs)
            clauses = [clause for clause in guessed if self._masker.is_possible(clause, self._size)]
        found = tuple(Candidate(self._told(clause, refs), ("clue", clause)) for clause in clauses)
        return Candidates(found, is_by_pattern)

    def _stated(self, sentence: str) -> tuple[object, ...] | None:
        """What a sentence of the description says, None for any other sentence."""
        told = bare(sentence)
        if fits := _ROW.fullmatch(told):
            same_number = number(fits[1]) == number(fits[2])
            return ("row", int(fits[2])) if same_number and not self._size else None
        if _ONE_EACH.fullmatch(told):
            return ("one each",)
        if fits := _DIFFERENT.fullmatch(told):
            things = items(fits[1])
            if all(thing.startswith("a different ") for thing in things):
                return ("different", [thing.removeprefix("a different ") for thing in things])
        if fits := _LIST.fullmatch(sentence.rstrip(". ")):
            values = items(fits[2])
            is_new = not {value.casefold() for value in values} & set(self._masker.values)
            is_whole = len({value.casefold() for value in values}) == self._size == len(values)
            if is_new and is_whole and fits[1].casefold() not in self._lists and all(values):
                return ("list", fits[1].casefold(), values)
        return None

    def _told(self, clause: Clause, refs: list[str]) -> str:
        is_mirrored = clause.kind in _MIRRORED and clause.refs[0] != refs[0]
        words = [self._word(ref) for ref in clause.refs]
        return (_MIRRORED if is_mirrored else _TOLD)[clause.kind].format(*words)

    def _word(self, ref: str) -> str:
        return f"house {ref[1:]}" if ref[0] == "@" else self._names[int(ref[1:])]

    def take(self, candidate: Candidate, sentence: str) -> None:
        """See `SentenceReader`."""
        match candidate.rule:
            case ("row", int(size)):
                self._size = size
            case ("one each",):
                self._is_one_each = True
            case ("different", list(things)):
                self._different |= set(things)
            case ("list", str(category), list(values)):
                self._lists[category] = values
                self._names += values
                by_value = {value.casefold(): one for one, listed in self._lists.items() for value in listed}
                self._masker = Masker(by_value)
            case ("clue", Clause() as clause):
                self._clues.append((self._json(clause), sentence))

    # -- the question --------------------------------------------------------------------------------------------------

    def ask(self, question: str) -> None:
        """See `SentenceReader`."""
        told = self._masker.mask(question, self._size)
        if _ALL.fullmatch(told):
            self._asks = list(self._names)
        elif _EVERYONE.fullmatch(told):
            self._asks = self._lists.get(_PEOPLE, [])
        elif fits := _WHERE.fullmatch(told):
            self._asks = [self._word(self._value(fits[1] or fits[2], question))]
        elif fits := _WHO.fullmatch(told):
            self._tie(_PEOPLE, fits[1], question)
        elif fits := _WHICH.fullmatch(told):
            self._tie(fits[1] + "s", self._value(fits[2], question), question)
        else:
            raise Unread("question_not_read", question)

    def _value(self, ref: str, question: str) -> str:
        if ref[0] == "@":
            raise Unread("question_not_read", question)
        return ref

    def _tie(self, category: str, ref: str, question: str) -> None:
        """Asks for the value of a category that is in the house of a reference."""
        is_house = ref[0] == "@" and 1 <= int(ref[1:]) <= self._size
        if category not in self._lists or not (is_house or self._masker.category(ref) not in (category, "@")):
            raise Unread("question_not_read", question)
        self._asks, self._answers = ["answer"], self._lists[category]
        for value in self._answers:
            here = {"type": "equal", "left": value, **self._right(ref)}
            then = {"type": "equal", "left": "answer", "value": value}
            self._ties.append({"type": "if", "if": here, "then": then})

    # -- the problem ---------------------------------------------------------------------------------------------------

    def problem(self) -> Json:
        """See `SentenceReader`."""
        things = {category.removesuffix("s") for category in self._lists if category != _PEOPLE}
        if _PEOPLE not in self._lists or not self._is_one_each or things != self._different:
            raise Unread("incomplete")
        variables: list[Json] = [{"type": "int", "name": one, "low": 1, "high": self._size} for one in self._names]
        if self._answers:
            variables.append({"type": "named", "name": "answer", "values": self._answers})
        rules: list[Json] = [
            {"type": "all_different", "variables": values, "name": category} for category, values in self._lists.items()
        ]
        return {
            "variables": variables,
            "constraints": [*rules, *numbered(self._clues), *self._ties],
            "asks": self._asks,
        }

    def _right(self, ref: str) -> Json:
        return {"value": int(ref[1:])} if ref[0] == "@" else {"right": self._word(ref)}

    def _json(self, clause: Clause) -> Json:
        if clause.parts:
            first, second = map(self._json, clause.parts)
            if clause.kind == "if":
                return {"type": "if", "if": first, "then": second}
            either: Json = {"type": "or", "any": [first, second]}
            if clause.kind == "either":
                return either
            return {"type": "and", "all": [either, _negated({"type": "and", "all": [first, second]})]}
        if clause.kind in ("equal", "not_equal"):
            left, right = sorted(clause.refs, key=lambda ref: ref[0] == "@")
            kind = "equal" if clause.kind == "equal" else "different"
            return {"type": kind, "left": self._word(left), **self._right(right)}
        return _placed(clause.kind, [self._word(ref) for ref in clause.refs])


def _placed(kind: str, names: list[str]) -> Json:
    """Where houses are to one another."""
    a, b, *rest = names
    match kind:
        case "next":
            return {"type": "or", "any": [_apart(a, b, "==", 1), _apart(b, a, "==", 1)]}
        case "not_next":
            return _negated(_placed("next", names))
        case "left":
            return _apart(a, b, ">=", 1)
        case "directly_left":
            return _apart(a, b, "==", 1)
        case "amid":
            middle: Json = {"type": "linear", "terms": [[1, b], [1, rest[0]], [-2, a]], "op": "==", "value": 0}
            return {"type": "and", "all": [_placed("next", [a, b]), middle]}
    orders = [[_apart(x, a, ">=", 1), _apart(a, y, ">=", 1)] for x, y in ((b, rest[0]), (rest[0], b))]
    return {"type": "or", "any": [{"type": "and", "all": order} for order in orders]}


def _apart(first: str, second: str, op: str, by: int) -> Json:
    """How far the second is to the right of the first."""
    return {"type": "linear", "terms": [[1, second], [-1, first]], "op": op, "value": by}


def _negated(formula: Json) -> Json:
    return {"type": "not", "this": formula}
