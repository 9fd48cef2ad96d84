r"""The parts arm: a request that is several questions becomes parts that can each be routed alone.

    split("1) What is 2 + 2? 2) Who wrote Emma?").texts     # ("What is 2 + 2?", "Who wrote Emma?")
    join(split(...), ["4", "Jane Austen"])                  # "1) 4\n2) Jane Austen"

Rules and no model: the same text is always split in the same way, in microseconds. A text that stands before the first
question is carried into every part, unless it only greets or announces questions. Every character of the request is in
exactly one piece: lead, marker or part.

Covered: numbered and lettered lists, bullets, and several asking sentences with or without "also", "second", "finally".
It does not split, and gives the reason, where a part may need another: `refers_back` (then, that, it, the result, the
former, what about ...; a pronoun that an earlier part may explain; "the" with a noun that the part does not explain;
"you"; nothing that it is about), `too_short` (a part of fewer than three words), `trailing_text` (a sentence that asks
nothing, behind a question), `code_or_quotes`, `abbreviation` (a full stop that may end no sentence), `too_many`,
`one_question`.
Not covered: questions joined within one sentence ("Who wrote Emma and when?" stays one); references that none of these
words shows ("Is glass a liquid? Do most experts agree?" is split, and wrongly); languages other than English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pointsman.core import BadRequest

__all__ = ["Piece", "Split", "SplitReason", "join", "split"]

SplitReason: TypeAlias = Literal[
    "split", "one_question", "refers_back", "too_short", "trailing_text", "code_or_quotes", "too_many", "abbreviation"
]

_MOST_PARTS: Final = 12
_LEAST_WORDS: Final = 3
_MARKER: Final = re.compile(
    r"(?:(?<=^)|(?<=\n)|(?<=[.?!:;] ))[ \t]*"
    r"(?:\(?(?P<number>\d{1,2})[.)]|\(?(?P<letter>[a-h])\)|(?P<bullet>[-*•]))[ \t]+"
)
_SENTENCE: Final = re.compile(r"[^.?!\n]*(?:[.?!](?!\s|$)[^.?!\n]*)*(?:[.?!]+|\n|$)\s*")
_LINKING: Final = re.compile(
    r"\s*(?:(?:also|first|firstly|second|secondly|third|thirdly|finally|lastly|and|next question|"
    r"in addition|another question|one more thing|another thing)\b[,:]?\s+)+",
    re.IGNORECASE,
)
_ASKING: Final = re.compile(
    r"(?:please\s+|(?:could|can|would|will) you (?:please )?)?"
    r"(?:what|who|whom|whose|which|where|when|why|how|is|are|was|were|do|does|did|can|could|should|would|will|has|have|"
    r"had|tell|give|find|compute|calculate|name|list|write|explain|describe|show|translate|summari[sz]e|convert|count|"
    r"reverse|sort|define|add|multiply|divide|subtract|solve|suggest|recommend)\b",
    re.IGNORECASE,
)
_BACK: Final = re.compile(
    r"\b(?:then|that|this|these|those|it|its|itself|previous|former|latter|above|same|both|again|too|as well|instead|"
    r"otherwise|other|another|if so|if not|why not|them|there|one|ones|earlier|you (?:just )?(?:said|found|gave)|"
    r"(?:question|part|step|item|answer)s? (?:\d+|[a-h]|one|two|three)\b|"
    r"the (?:first|second|third|last) (?:one|answer|question)|"
    r"(?:the|your) (?:result|answer|total|sum|difference|average|product|remainder|rest|outcome)s?\b(?! of| between)|"
    r"(?:what|how) about|which is|which are|compare|your|reason(?:s|ing)?|steps?|details?|examples?|briefly|"
    r"in a (?:word|sentence)|only|repl(?:y|ies)|responses?|sources?|sure|certain|else|me why|in general)\b",
    re.IGNORECASE,
)
_CONTENT: Final = re.compile(r"[^\W\d_]{3,}|\d+")
_GENERIC: Final = frozenset(
    "the and for with from into what who whom whose which where when why how are was were does did can could should "
    "would will has have had may might must tell give find compute calculate name list write explain describe show "
    "please many much all any some each every you know think say said mean people person thing things way ways time "
    "times find found out get got come came make made use used like about more most less least good best well long "
    "far two three four five words word short also there not really always ever never still yet".split()
)
_DEFINITE: Final = re.compile(
    r"\b[Tt]he (?!(?:\w+ )?\w+ (?:of|in|at|between|for|from|on)\b)(?!(?:\w+ )?[A-Z\d])\w+|"
    r"\b(?:do|did|are|were|have) you\b|\bwhat you\b"
)
_PERSON: Final = re.compile(r"\b(?:he|she|him|her|his|hers|they|their|theirs)\b", re.IGNORECASE)
_NAME: Final = re.compile(r"(?<=[\w,] )[A-Z]\w+")
_COURTESY: Final = re.compile(
    r"\s*(?:(?:hi|hello|hey|dear \w+|good (?:morning|day|evening)|thanks?(?: you)?|please|questions?|"
    r"(?:i|we) have (?:a few|some|several|two|three|four|\d+) (?:short |quick )?questions?(?: for you)?|"
    r"(?:please )?answer (?:the following|these|my|all)(?: \w+)?(?: questions?)?)[\s,.!:;]*)+",
    re.IGNORECASE,
)
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
    parts = [text[piece.start : piece.end] for piece in pieces if piece.kind == "part"]
    if len(parts) < 2:
        return _whole(text, "one_question")
    lead = text[pieces[0].start : pieces[0].end] if pieces[0].kind == "lead" else ""
    reason = _obstacle(lead, parts)
    if reason is not None:
        return _whole(text, reason)
    carried = "" if _COURTESY.fullmatch(lead) else lead.strip()
    texts = tuple(f"{carried}\n{part.strip()}" if carried else part.strip() for part in parts)
    return Split("split", tuple(pieces), texts, _labels(text, pieces))


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


def _listed(text: str) -> list[Piece] | None:
    """The pieces of a list that counts from its beginning, or of bullets; None where there is none."""
    marks = list(_MARKER.finditer(text))
    for kind, names in (("number", "123456789"), ("letter", "abcdefgh"), ("bullet", "")):
        found = [mark for mark in marks if mark[kind] and mark.lastgroup == kind]
        expected = [str(n) for n in range(1, len(found) + 1)] if kind == "number" else list(names[: len(found)])
        if len(found) < 2 or (names and [mark[kind] for mark in found] != expected):
            continue
        ends = [mark.start() for mark in found[1:]] + [len(text)]
        pieces = [Piece("lead", 0, found[0].start())] if found[0].start() else []
        for mark, end in zip(found, ends, strict=True):
            pieces += [Piece("marker", mark.start(), mark.end()), Piece("part", mark.end(), end)]
        return pieces
    return None


def _sentences(text: str) -> list[Piece] | SplitReason:
    """The pieces of a text whose sentences ask, behind a lead that does not."""
    pieces: list[Piece] = []
    lead_end = 0
    for sentence in _SENTENCE.finditer(text):
        if not sentence[0]:
            continue
        link = _LINKING.match(sentence[0])
        start = sentence.start() + (link.end() if link else 0)
        asks = sentence[0].rstrip().endswith("?") or _ASKING.match(text[start : sentence.end()].lstrip())
        if not asks and pieces:
            if sentence[0].strip():
                return "trailing_text"
            pieces[-1] = Piece("part", pieces[-1].start, sentence.end())
        elif not asks:
            lead_end = sentence.end()
        else:
            pieces += [Piece("marker", sentence.start(), start)] if link else []
            pieces.append(Piece("part", start, sentence.end()))
    return [Piece("lead", 0, lead_end), *pieces] if lead_end else pieces


def _obstacle(lead: str, parts: Sequence[str]) -> SplitReason | None:
    """Why these parts cannot be asked apart."""
    if len(parts) > _MOST_PARTS:
        return "too_many"
    if any(_after_question(part) for part in parts):
        return "trailing_text"
    if any(len(part.split()) < _LEAST_WORDS for part in parts):
        return "too_short"
    has_names = False
    for number, part in enumerate(parts):
        needs_person = _PERSON.search(part) is not None and (has_names or (number > 0 and not lead.strip()))
        if (number and (_BACK.search(part) or _DEFINITE.search(part) or not _stands_alone(part))) or needs_person:
            return "refers_back"
        has_names = has_names or any(name not in lead for name in _NAME.findall(part))
    asking = [part.strip().endswith("?") or _ASKING.match(part.strip()) for part in parts]
    return None if all(asking) else "one_question"


def _stands_alone(part: str) -> bool:
    """Whether a part names something to ask about: a name or a number, or two words that are not in every question."""
    words = {word.lower() for word in _CONTENT.findall(part)} - _GENERIC
    return len(words) >= 2 or _NAME.search(part) is not None or any(word.isdigit() for word in words)


def _after_question(part: str) -> bool:
    """Whether something follows the first question mark of a part."""
    return bool(part.partition("?")[2].strip("?! \n\t"))


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
