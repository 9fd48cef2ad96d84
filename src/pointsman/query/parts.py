r"""The parts arm: a request that is several questions becomes parts that can each be routed alone.

    split("1) What is 2 + 2? 2) Who wrote Emma?").texts     # ("What is 2 + 2?", "Who wrote Emma?")
    join(split(...), ["4", "Jane Austen"])                  # "1) 4\n2) Jane Austen"
    may_ask_several("What is 2 + 2? Then double it.")       # True, though it is not split

Rules and no model: the same text is always split in the same way, in about 0.1 ms. A text that stands before the first
question is carried into every part, unless it only greets or announces questions, or is what only the first question
is about. Every character of the request is in exactly one piece: lead, marker or part.

Covered:
- Lists that count. Where every marker begins a line, all have one form, and nothing but a greeting stands before them,
  every item is a request, whatever its verb; else every item has to ask plainly.
- Sentences that each ask, and what begins with "also", "second" or "finally" behind a question: with it goes what it
  states before it asks. Thanks belong to the part before them.

It does not split, and gives the reason, where a part may need another: `refers_back` (then, that, it, the result, the
former, what about ...; a pronoun that an earlier part may explain; "the" with a noun that the part does not explain;
"you"; nothing that it is about; the number of another; a name of which another part states something), `too_short` (a
part of fewer than three words), `trailing_text` (a sentence that asks nothing, behind a question), `code_or_quotes`,
`abbreviation` (a full stop that may end no sentence), `too_many`, `one_question` (also: a list that belongs to a
question before it, such as options; premises, steps).
Not covered: questions joined within one sentence ("Who wrote Emma and when?" stays one); references that none of these
words shows ("Is glass a liquid? Do most experts agree?" is split, and wrongly); languages other than English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pointsman.core import BadRequest
from pointsman.query.part_words import (
    LINKING,
    Request,
    asking,
    asks,
    asks_plainly,
    is_courtesy,
    may_need,
    named,
    needs_person,
    refers_back,
    request_of,
    sentences,
    shares_words,
    states,
)

__all__ = ["Piece", "Split", "SplitReason", "join", "may_ask_several", "split"]

SplitReason: TypeAlias = Literal[
    "split", "one_question", "refers_back", "too_short", "trailing_text", "code_or_quotes", "too_many", "abbreviation"
]

_MOST_PARTS: Final = 12
_LEAST_WORDS: Final = 3
_MARKER: Final = re.compile(
    r"(?:(?<=^)|(?<=\n)|(?<=[.?!:;] ))[ \t]*"
    r"(?:\(?(?P<number>\d{1,2})[.)]|\(?(?P<letter>[a-h])\)|(?P<bullet>[-*•]))[ \t]+"
)
_NUMBERS: Final = tuple(str(n) for n in range(1, 100))
_LETTERS: Final = tuple("abcdefgh")
_NUMBER_ONLY: Final = re.compile(r"(?:please )?\w+ (\d+)\b(?!\s*[-+*/^%=!.,]\s*\d|\D*\d)", re.IGNORECASE)
_LINE_MARKER: Final = re.compile(r"^[ \t]*(?:\(?(?:\d{1,2}|[A-Za-z])[.):]|[-*•])[ \t]", re.MULTILINE)
_OF_THE_LIST: Final = re.compile(r":\s*$|\b(?:these|following|below)\b", re.IGNORECASE)
_QUESTION_MARKS: Final = re.compile(r"\?+")
_ABBREVIATED: Final = re.compile(r"\b(?:Mrs?|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|No|Inc|Ltd|[ap]\.m|[A-Z])\.\s")
_QUOTED_END: Final = re.compile(r"`|\"[^\"]*[.?!\n][^\"]*\"")


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `start` to `end` of the request, and what they are."""

    kind: Literal["lead", "marker", "part"]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Split:
    """What became of a request.

    Attributes:
        reason: `split`, or why the request stays whole.
        pieces: in order; together they are the request, character by character.
        texts: what to ask, one text a part; the request itself where it stays whole.
        labels: what stands before each answer when they are joined, such as "1)"; empty for sentences.
    """

    reason: SplitReason
    pieces: tuple[Piece, ...]
    texts: tuple[str, ...]
    labels: tuple[str, ...]


def split(text: str) -> Split:
    """Splits a request's text, or says why not."""
    if _QUOTED_END.search(text):
        return _whole(text, "code_or_quotes")
    pieces: list[Piece] | SplitReason | None = _listed(text)
    if pieces is None:
        if _ABBREVIATED.search(text):
            return _whole(text, "abbreviation")
        pieces = _sentences(text)
    if isinstance(pieces, str):
        return _whole(text, pieces)
    pieces = _with_own_lead(text, pieces)
    lead, parts = _read(text, pieces)
    if len(parts) < 2:
        return _whole(text, "one_question")
    reason = _obstacle(lead, parts)
    if reason is not None:
        return _whole(text, reason)
    carried = lead.strip() if _told(lead) else ""
    texts = tuple(f"{carried}\n{part.strip()}" if carried else part.strip() for part in parts)
    return Split("split", tuple(pieces), texts, _labels(text, pieces))


def may_ask_several(text: str) -> bool:
    """Whether the request is split, or may hold several questions though it stays whole.

    True for two markers of a list that begin lines, whatever they mark; for a linking word that begins a sentence; and
    for two sentences that may ask. One who answers one question should not answer such a request.
    """
    told = _told(text)
    num_markers, num_marks = len(_LINE_MARKER.findall(text)), len(_QUESTION_MARKS.findall("".join(told)))
    is_linked = any(LINKING.match(one) for one in told)
    return is_linked or max(num_markers, num_marks, sum(map(asks, told))) > 1 or split(text).reason == "split"


def join(found: Split, answers: Sequence[str]) -> str:
    """The answers in order, labelled as the questions were.

    Raises:
        BadRequest: `wrong_number_of_answers` for another number of answers than of texts.
    """
    if len(answers) != len(found.texts):
        problem = f"{len(answers)} answers for {len(found.texts)} parts"
        raise BadRequest(problem, code="wrong_number_of_answers")
    if not any(found.labels):
        return "\n\n".join(answers)
    return "\n".join(f"{label} {answer}".strip() for label, answer in zip(found.labels, answers, strict=True))


def _whole(text: str, reason: SplitReason) -> Split:
    return Split(reason, (Piece("part", 0, len(text)),), (text,), ("",))


def _read(text: str, pieces: Sequence[Piece]) -> tuple[str, list[str]]:
    """The lead, empty if there is none, and the parts."""
    lead = "".join(text[one.start : one.end] for one in pieces if one.kind == "lead")
    return lead, [text[one.start : one.end] for one in pieces if one.kind == "part"]


def _cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def _told(text: str) -> list[str]:
    """Its sentences that do more than greet or announce."""
    return [one for one in _cut(text) if not is_courtesy(one)]


# -- lists ------------------------------------------------------------------------------------------------------------


def _listed(text: str) -> list[Piece] | SplitReason | None:
    """The pieces of a list that counts from its beginning, or of bullets; None where there is none."""
    marks = list(_MARKER.finditer(text))
    for kind, labels in (("number", _NUMBERS), ("letter", _LETTERS), ("bullet", ())):
        found = [mark for mark in marks if mark[kind] and mark.lastgroup == kind]
        if len(found) < 2 or (labels and tuple(mark[kind] for mark in found) != labels[: len(found)]):
            continue
        ends = [mark.start() for mark in found[1:]] + [len(text)]
        pieces = [Piece("lead", 0, found[0].start())] if found[0].start() else []
        for mark, end in zip(found, ends, strict=True):
            pieces += [Piece("marker", mark.start(), mark.end()), Piece("part", mark.end(), end)]
        lead, items = _read(text, pieces)
        forms = {mark[0].strip().replace(mark[kind], "") for mark in found}
        is_at_lines = all(_LINE_MARKER.match(text, mark.start()) for mark in found)
        is_plain = kind != "bullet" and len(forms) == 1 and is_at_lines and not _told(lead)
        if not _are_requests(lead, items, is_plain=is_plain):
            return "one_question"
        if _is_followed(items):
            return "trailing_text"
        return "refers_back" if kind == "number" and _any_names_a_label(items) else pieces
    return None


def _are_requests(lead: str, items: Sequence[str], *, is_plain: bool) -> bool:
    """Whether the items of a list are requests, and not options, premises or steps.

    In a plain list, which has nothing before it, any verb will do if half of the items ask and none only states.
    """
    if any(asks(one) or _OF_THE_LIST.search(one) for one in _told(lead)):
        return False
    if not is_plain:
        return all(any(map(asks_plainly, _cut(item))) for item in items)
    silent = [item for item in items if not asking(_cut(item))]
    return len(silent) * 2 <= len(items) and not any(len(_told(one)) != 1 or states(one) for one in silent)


def _is_followed(items: Sequence[str]) -> bool:
    """Whether text stands behind the list: after an empty line, or on a line more than the other items have."""
    *others, last = (item.strip() for item in items)
    paragraph, line = last.partition("\n\n")[2], last.partition("\n")[2]
    return bool(_told(paragraph)) or (bool(_told(line)) and not any("\n" in item for item in others))


def _any_names_a_label(items: Sequence[str]) -> bool:
    """Whether an item asks about nothing but a number that an earlier item has, such as `2. Say 1 in Danish`."""
    labels = [found and found[1] for found in map(_NUMBER_ONLY.match, items)]
    return any(label in _NUMBERS[:place] for place, label in enumerate(labels))


# -- sentences --------------------------------------------------------------------------------------------------------


def _sentences(text: str) -> list[Piece] | SplitReason:
    """The pieces of a text whose sentences ask, behind a lead that does not."""
    pieces: list[Piece] = []
    for block in _blocks(text):
        asked = frozenset(asking([text[_after_link(text, span) : span[1]] for span in block]))
        told_from: int | None = None
        for place, (start, end) in enumerate(block):
            opens = place in asked or (place == 0 and bool(pieces))
            begin = _after_link(text, (start, end)) if opens else start
            if place not in asked and is_courtesy(text[begin:end]) and pieces and told_from is None:
                pieces[-1] = Piece(pieces[-1].kind, pieces[-1].start, end)
            elif place in asked or opens:
                if told_from is None and begin > start:
                    pieces.append(Piece("marker", start, begin))
                told_from = begin if told_from is None else told_from
                if place in asked:
                    pieces.append(Piece("part", told_from, end))
                    told_from = None
            elif all(piece.kind == "lead" for piece in pieces):
                pieces = [Piece("lead", 0, end)]
            elif told_from is None:
                return "trailing_text"
        if told_from is not None:
            return "trailing_text"
    return pieces


def _blocks(text: str) -> list[list[tuple[int, int]]]:
    """Its sentences; behind one that asks, a linking word begins another block."""
    blocks: list[list[tuple[int, int]]] = [[]]
    is_asked = last_asks = False
    for start, end in sentences(text):
        begin = _after_link(text, (start, end))
        if begin > start and (is_asked or last_asks):
            blocks.append([])
            is_asked = last_asks = False
        blocks[-1].append((start, end))
        if not is_courtesy(text[begin:end]):
            is_asked, last_asks = is_asked or asks_plainly(text[begin:end]), asks(text[begin:end])
    return blocks


def _after_link(text: str, span: tuple[int, int]) -> int:
    link = LINKING.match(text, *span)
    return link.end() if link else span[0]


def _with_own_lead(text: str, pieces: list[Piece]) -> list[Piece]:
    """The lead as the first part's own, if that speaks of it, and linking words and other things are in all others."""
    kinds = [piece.kind for piece in pieces]
    if kinds[:2] != ["lead", "part"] or kinds[2:] != ["marker", "part"] * (len(kinds) // 2 - 1):
        return pieces
    lead, parts = _read(text, pieces)
    if not _told(lead) or not shares_words(lead, parts[0]):
        return pieces
    owned = [Piece("part", 0, pieces[1].end), *pieces[2:]]
    return pieces if _obstacle("", _read(text, owned)[1]) else owned


# -- what forbids it --------------------------------------------------------------------------------------------------


def _obstacle(lead: str, parts: Sequence[str]) -> SplitReason | None:
    """Why these parts cannot be asked apart."""
    if len(parts) > _MOST_PARTS:
        return "too_many"
    if any(len(part.split()) < _LEAST_WORDS for part in parts):
        return "too_short"
    requests = [request_of(part) for part in parts]
    if any(_told("".join(_cut(one.asked)[1:])) or any(map(asks, _told(one.told))) for one in requests):
        return "trailing_text"
    has_names = False
    for number, (part, request) in enumerate(zip(parts, requests, strict=True)):
        may_be_other = has_names or (number > 0 and (bool(request.told) or not lead.strip()))
        if (number and refers_back(request)) or (may_be_other and needs_person(request)):
            return "refers_back"
        has_names = has_names or any(name not in lead for name in named(part))
    return "refers_back" if _any_needs_another(lead, requests) else None


def _any_needs_another(lead: str, parts: Sequence[Request]) -> bool:
    """Whether a part may need what another states; or one with statements of its own the lead, which it may change."""
    others = [(part, other) for part in parts for other in parts if part is not other]
    return any(may_need(*pair) for pair in others) or any(
        may_need(part, Request(lead, "")) for part in parts if part.told
    )


def _labels(text: str, pieces: Sequence[Piece]) -> tuple[str, ...]:
    """The marker of each part, if it counts."""
    found, label = [], ""
    for piece in pieces:
        if piece.kind == "marker":
            label = text[piece.start : piece.end].strip()
            label = label if _MARKER.fullmatch(f"{label} ") else ""
        elif piece.kind == "part":
            found.append(label)
            label = ""
    return tuple(found)
