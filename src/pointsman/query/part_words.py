"""The words that `parts` goes by: which sentences ask, which only greet, and which phrases need an earlier question.

Closed lists and forms of English, no model. Where a form is in doubt it counts as a statement, or as a reference: the
request then stays whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

__all__ = [
    "LINKING",
    "Request",
    "asking",
    "asks",
    "asks_plainly",
    "is_courtesy",
    "may_need",
    "named",
    "needs_person",
    "refers_back",
    "request_of",
    "sentences",
    "shares_words",
    "states",
]

# -- sentences --------------------------------------------------------------------------------------------------------

_SENTENCE: Final = re.compile(r"[^.?!\n]*(?:[.?!](?!\s|$)[^.?!\n]*)*(?:[.?!]+|\n|$)\s*")
_LINKS: Final = (
    r"also|first|firstly|second|secondly|third|thirdly|finally|lastly|and|next question|"
    r"in addition|another question|one more thing|another thing"
)
LINKING: Final = re.compile(rf"\s*(?:(?:{_LINKS})\b[,:]?\s+)+", re.IGNORECASE)
"""What may stand before another question."""
_UNSTOPPED: Final = re.compile(r"(?<=[^\s.?!:;,]\s)(?=(?:Also|Secondly|Thirdly|Finally|Lastly|In addition)[,:]\s)")
"""A capital and a comma begin a sentence, though the full stop before them is left out."""
_COURTESY: Final = re.compile(
    r"\s*(?:(?:(?:hi|hello|hey)(?: there| all| everyone)?|dear \w+|good (?:morning|day|afternoon|evening)|cheers|"
    r"(?:many )?thanks?(?: you)?(?: (?:so|very) much| a lot| in advance| for (?:your|the) help)?|(?:for me )?please|"
    r"(?:(?:can|could|would|will) you (?:please )?|please )?help me(?: out)?|i need (?:some |your )?help|"
    r"(?:(?:here|these) are |(?:i|we) have (?:got )?)?(?:my |a |a few |some |several |two |three |four |\d+ )?"
    r"(?:short |quick |more )?(?:questions?|requests?)(?: for you| below)?|"
    r"(?:please )?(?:answer|solve|do) (?:the following|these|my|all)(?: \w+)?(?: (?:questions?|tasks?|problems?))?)"
    r"[\s,.!?:;]*)+",
    re.IGNORECASE,
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Where each sentence begins and ends, white space behind it included; together they are the text."""
    cuts = {found.end() for found in _SENTENCE.finditer(text)} | {found.start() for found in _UNSTOPPED.finditer(text)}
    return list(pairwise(sorted({0, len(text)} | cuts)))


def is_courtesy(sentence: str) -> bool:
    """Whether it only greets, thanks or announces questions."""
    return not sentence.strip() or _COURTESY.fullmatch(sentence) is not None


# -- what asks --------------------------------------------------------------------------------------------------------

_AUXILIARY: Final = r"is|are|was|were|do|does|did|can|could|should|would|will|has|have|had|may|might|must|shall"
_PLAIN: Final = re.compile(
    rf"(?:please\s+|(?:could|can|would|will) you (?:please )?)?(?:(?:when|where)(?= (?:{_AUXILIARY})\b)|"
    r"(?:(?:at|in|on|for|to|from|by|with|of) )?(?:what|who|whom|whose|which|why|how)(?! (?:he|she|it|they|we|i|you)\b)|"
    r"tell|give|find|compute|calculate|name|list|write|explain|describe|show|translate|summari[sz]e|convert|count|"
    r"reverse|sort|define|add|multiply|divide|subtract|solve|suggest|recommend)\b",
    re.IGNORECASE,
)
"""Asks without a question mark too. `When she left, ...` and `What she spent ...` do not, `When did she leave` does."""
_POLITE: Final = r"(?:(?:now|please|kindly|and|then|next),? )"
_FREE: Final = re.compile(
    rf"{_POLITE}*(?:(?:{_AUXILIARY})\b|(?:you should|i (?:want|need|would like|'d like) you to|let's) \w|"
    r"i (?:need|want|would like)(?! (?:it|them|to (?!know|see|understand))\b) )|.*\b(?:for me|please)\W*$",
    re.IGNORECASE,
)
"""Asks where a question or request is expected: in a list of them, or before and behind a linking word."""
_FUNCTION: Final = (
    rf"{_AUXILIARY}|the|an?|this|that|these|those|all|any|some|no|not|every|each|both|half|many|"
    r"most|more|few|much|such|twice|double|i|you|he|she|it|we|they|his|her|their|our|my|your|who|what|which|whose|when|"
    r"where|why|how|if|while|because|since|though|although|unless|until|till|whether|as|so|or|but|and|nor|yet|than|then|"
    r"there|here|now|today|tonight|tomorrow|yesterday|later|soon|once|again|only|just|even|maybe|perhaps|about|above|"
    r"across|after|against|along|among|around|at|before|behind|below|beneath|beside|between|beyond|by|despite|down|"
    r"except|for|from|in|inside|into|like|near|of|off|on|onto|out|outside|over|per|through|to|toward|under|unlike|up|"
    r"upon|via|with|within|without|given"
)
_IMPERATIVE: Final = re.compile(
    rf"{_POLITE}*(?!(?:{_FUNCTION}|\w+(?:ed|ing|ly|[^s]s))\b)[^\W\d_]+ "
    r"(?:(?:the|an?|this|these|my|me|how|what|which|who|whose|whether|if|where|when|why)\b|[\[\"“]|[-+]?\d(?!\d* ?:))",
    re.IGNORECASE,
)
"""A verb before an article, a number or a clause. A verb of another kind is not told from a name."""
_HOW: Final = r"(?:be|keep|use|answer|reply|respond|avoid|include|ensure|make sure|format|limit|round|cite)"
_MANNER: Final = re.compile(
    rf"{_POLITE}*(?:{_HOW}|remember|note|do not|don't|never|always|output|return|print|assume|suppose|imagine|let|"
    r"think|consider)\b",
    re.IGNORECASE,
)
"""How to answer, or what to suppose; that may be meant for every part."""
_ASKED_MANNER: Final = re.compile(rf"(?:can|could|will|would) you (?:please )?{_HOW}\b", re.IGNORECASE)
_STATES: Final = re.compile(
    rf"(?:the|an?|this|that|these|those|all|some|no|every|each|most|many|few|he|she|it|we|they|his|her|their|our|my|i|"
    rf"there|here|if|when|while|because|since|so|therefore|thus|hence)\b|(?:\w+ ){{1,4}}(?:{_AUXILIARY})\b|"
    r"\w+ \w+[^s]s (?:\d|an?\b|the\b)",
    re.IGNORECASE,
)


def asks_plainly(sentence: str) -> bool:
    """Whether it asks wherever it stands: a question mark, a question word, or a well-known imperative."""
    told = sentence.strip()
    return _ASKED_MANNER.match(told) is None and (told.endswith("?") or _PLAIN.match(told) is not None)


def asks(sentence: str) -> bool:
    """Whether it asks where a request is expected; without a question mark, polite words and any imperative do too."""
    told = sentence.strip()
    if asks_plainly(told):
        return True
    is_manner = _MANNER.match(told) or _ASKED_MANNER.match(told)
    return is_manner is None and (_FREE.match(told) is not None or _IMPERATIVE.match(told) is not None)


def states(sentence: str) -> bool:
    """Whether it says something, or how to answer, and asks nothing."""
    told = sentence.strip()
    return not asks(told) and (_MANNER.match(told) or _STATES.match(told)) is not None


def asking(told: Sequence[str]) -> list[int]:
    """Which of these sentences ask: those that do so plainly; where none does, the last, courtesy apart, if it asks."""
    found = [place for place, one in enumerate(told) if asks_plainly(one) and not is_courtesy(one)]
    said = [place for place, one in enumerate(told) if not is_courtesy(one)]
    return found or [place for place in said[-1:] if asks(told[place])]


# -- what needs something else ----------------------------------------------------------------------------------------

_BACK: Final = re.compile(
    r"\b(?:this|these|those|previous|former|latter|above|same|both|again|too|as well|instead|otherwise|other|another|"
    r"earlier|if so|if not|why not|you (?:just )?(?:said|found|gave)|"
    r"(?:question|part|step|item|answer)s? (?:\d+|[a-h]|one|two|three)\b|"
    r"the (?:first|second|third|last) (?:one|answer|question)|"
    r"(?:the|your) (?:result|answer|total|sum|difference|average|product|remainder|rest|outcome)s?\b(?! of| between)|"
    r"(?:what|how) about|which is|which are|compare|your|reason(?:s|ing)?|steps?|details?|examples?|briefly|in full|"
    r"in a (?:word|sentence)|only|repl(?:y|ies)|responses?|sources?|sure|certain|else|me why|in general)\b",
    re.IGNORECASE,
)
_LOCAL: Final = re.compile(
    r"\b(?:then|that|it|its|itself|them|one|ones|there|(?:are|is|be|were|was) left|remain\w*|"
    r"(?:in|per|for) each)\b",
    re.IGNORECASE,
)
"""Behind a part's first statement they may mean what the part itself has told."""
_OFTEN: Final = r"times?|places?|positions?|steps?|more"
_DEFINITE: Final = re.compile(
    r"\b[Tt]he (?!(?:\w+ )?\w+ (?:of|in|at|between|for|from|on)\b|(?:\w+ ){3}of\b)"
    rf"(?!(?:\w+ )?(?:[A-Z]|\d+\b(?! (?:{_OFTEN})\b)))(?P<noun>\w+)|"
    r"\b(?:do|did|are|were|have) you\b|\bwhat you\b"
)
_GIVEN: Final = r"[Tt]he|[Tt]hese|[Tt]his|[Tt]hose|[Ff]ollowing"
_SPELLED: Final = r"(?:word|name|text|string|phrase|term|letter)"
_EXPLAINED: Final = re.compile(
    rf"\b(?:{_GIVEN})(?: \w+)?? (?:list|array|number|value|integer|digit|sequence|set|word|name|text|string|phrase|"
    r"letter|sentence|term|expression|equation)s?[:,]? "
    rf"(?=[\[\"'“]|[-+]?\d(?!\d* (?:{_OFTEN})\b))|"
    rf"\b(?:(?:[Dd]oes|[Dd]id|[Ww]ill|[Cc]an|[Cc]ould|[Ww]ould) (?:the|this) {_SPELLED} "
    r"(?=[^\W\d_]+ (?!(?:the|an?|in|from|with|of|to|as|on|at|for)\b)\w)|"
    rf"(?<!oes )(?<!id )(?<!ill )(?<!an )(?<!ould )[Tt]he {_SPELLED} (?=[^\W\d_]+))"
    rf"(?!(?:{_AUXILIARY}|in|on|of|at|to|for|from|with|by|and|or|but|as|that|which|used|back|up|out|first|mean|means|"
    r"meant|come|comes|came|appear|appears|occur|occurs|read|reads|start|starts|begin|begins|end|ends)\b)|"
    r"\bthe same (?=backwards?\b|forwards?\b|in reverse\b)|"
    r"\b[Tt]he(?: \w+){1,3} that (?=(?!is\b|was\b|has\b)\w+s\b[^.?!]*(?:\d|[A-Z]))|"
    r"\b(?:is|are|was|were) there\b|\b[Tt]here (?:is|are|was|were)\b|\binto one\b"
)
"""What looks like a reference and is none, since it is told on the spot: `the sorted list 1 56 63`, `the word eme`."""
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_GENERIC: Final = frozenset(
    "the and for with from into what who whom whose which where when why how are was were does did can could should "
    "would will has have had may might must tell give find compute calculate name list write explain describe show "
    "please many much all any some each every you know think say said mean people person thing things way ways time "
    "times find found out get got come came make made use used like about more most less least good best well long "
    "far two three four five words word short also there not really always ever never still yet now than today".split()
)
_NAME: Final = re.compile(r"(?<=[\w,] )[A-Z]\w+")
_CAPITAL: Final = re.compile(r"(?<=[\w,] )[A-Z]\w+|\b[A-Z]\w{2,}")
_COUNTED: Final = re.compile(
    r"\b(?:how (?:many|much)|(?:number|amount) of)(?: (?:more|fewer|less|extra|total|other))* (\w+)", re.IGNORECASE
)
_PERSON: Final = re.compile(r"\b(?:he|she|him|her|his|hers|they|their|theirs)\b", re.IGNORECASE)
_FUNCTION_WORD: Final = re.compile(_FUNCTION, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """A part: what it states first, and the sentence that asks with what is behind it."""

    told: str
    asked: str

    @property
    def text(self) -> str:
        """All of it."""
        return self.told + self.asked


def request_of(part: str) -> Request:
    """A part, cut before the first sentence that asks."""
    told = [part[start:end] for start, end in sentences(part)]
    place = next(iter(asking(told)), 0)
    return Request("".join(told[:place]), "".join(told[place:]))


def refers_back(part: Request) -> bool:
    """Whether a part points to another by a word, or is about nothing of its own."""
    told = _EXPLAINED.sub(" ", part.text)
    first = told[: sentences(told)[0][1]] if part.told else told
    definite = (found for found in _DEFINITE.finditer(told) if not _is_introduced(found, told))
    is_vague = not (len(_words(told)) >= 2 or _NAME.search(told) or any(map(str.isdigit, told)))
    return bool(is_vague or _BACK.search(told) or _LOCAL.search(first) or next(definite, None))


def needs_person(part: Request) -> bool:
    """Whether a pronoun stands for a person that the part has not named before."""
    for start, end in sentences(part.text):
        one = part.text[start:end]
        found = list(_PERSON.finditer(one))
        is_him = any(pronoun[0].lower() == "him" for pronoun in found)  # hardly who is named in the same sentence
        if is_him or (found and not _capitals(one[: found[0].start()])):
            return True
        if _capitals(one):
            return False
    return False


def named(part: str) -> list[str]:
    """The names within its sentences."""
    return _NAME.findall(part)


def may_need(part: Request, other: Request) -> bool:
    """Whether a part may need what another one states.

    A part without statements may need all that it has a word in common with; all, if it counts something of no name.
    One with statements of its own may need those on the same names, unless it counts something of which the other does
    not speak; and those on what it counts, unless it names whose.
    """
    if not other.told:
        return False
    counted = _COUNTED.search(part.asked)
    is_anchored = bool(_capitals(part.asked))
    if not part.told:
        is_anchored = is_anchored or any(map(str.isdigit, part.asked))
        return (counted is not None and not is_anchored) or shares_words(part.asked, other.told)
    common = _capitals(part.text) & _capitals(other.text)
    if counted is None:
        return bool(common) or (not is_anchored and shares_words(part.asked, other.text))
    is_thing = re.compile(rf"\b{counted[1].rstrip('s')}", re.IGNORECASE).search
    if common:
        spoken = (part.text[start:end] for start, end in sentences(part.text))
        return bool(is_thing(other.text)) or any(not is_thing(one) for one in spoken if common & _capitals(one))
    return not is_anchored and is_thing(other.text) is not None


def shares_words(text: str, other: str) -> bool:
    """Whether they have a word in common that is not in every question."""
    return not _words(text).isdisjoint(_words(other))


def _is_introduced(found: re.Match[str], told: str) -> bool:
    """Whether the part itself has spoken of it before."""
    noun = found["noun"]
    return noun is not None and re.search(rf"\b{noun}s?\b", told[: found.start()], re.IGNORECASE) is not None


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)} - _GENERIC


def _capitals(text: str) -> set[str]:
    return {name for name in _CAPITAL.findall(text) if not (name.lower() in _GENERIC or _FUNCTION_WORD.fullmatch(name))}
