"""What two texts must share exactly before one may stand for the other, without any learning.

    signature("Did Tom not win 3 games?")   # (("3",), ("not",), (), (), ("Tom",), ())

Covered, each in order and with repetitions: numbers, in digits and English words up to a million; negations and words
of direction (more, least, before, without ...); quoted strings; code between backticks, addresses and e-mail
addresses; capitalised words, apart from common openers of a sentence; operators and other symbols.

Not covered: a name in small letters, a verb or a unit that changes the answer ("in minutes" and "in seconds"), any
language but English. That is left to what is learned (`pooled.py`). And a paraphrase that names the same things in
another order, or 12 as "a dozen", is refused although its answer is the same.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

__all__ = ["POLARITY", "Signature", "signature"]

Signature: TypeAlias = tuple[tuple[str, ...], ...]
"""Numbers, polarity, quoted, code, names, symbols."""

_NUMBER_WORDS: Final = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million half quarter "
    "third double twice thrice triple dozen once second fourth fifth sixth seventh eighth ninth tenth".split()
)
POLARITY: Final = frozenset(
    "no not never none nobody nothing neither nor cannot without except unless but only false wrong incorrect "
    "more less fewer most least greater smaller larger bigger higher lower older younger longer shorter "
    "greatest smallest largest biggest highest lowest oldest youngest longest shortest maximum minimum max min "
    "before after above below over under first last up down increase decrease ascending descending all any "
    "best worst faster slower fastest slowest earlier later odd even".split()
)
_OPENERS: Final = frozenset(
    "a an the what who whom whose which where when why how is are was were do does did can could will would should may "
    "might must has have had if in on at of for from to by with as and or but not no yes please tell give find compute "
    "calculate work say name list write explain describe show let i my me we our you your he she it they this that "
    "these those there here put take add subtract multiply divide convert count check determine translate summarise "
    "summarize reverse sort answer question suppose imagine consider state one two three four five six seven eight "
    "nine ten how's what's who's i'd i'm could hi hello hey thanks also then so help need want reply return".split()
)
_QUOTED: Final = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<![\w])'[^'\n]*'(?!\w)|«[^»]*»")
_CODE: Final = re.compile(r"```.*?```|`[^`]*`|https?://\S+|\S+@\S+\.\w+", re.DOTALL)
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:[.,:]\d+)*|\S")  # noqa: RUF001  typographic quote
_PLAIN: Final = frozenset("?.!,;:()'\"-–—…“”‘’«»")  # noqa: RUF001  punctuation that says nothing
_ENDS: Final = frozenset("?.!:;\n")


def signature(text: str) -> Signature:
    """What must agree, for a text in normal form."""
    code = _CODE.findall(text)
    text = _CODE.sub(" ", text)
    quoted = [one[1:-1] for one in _QUOTED.findall(text)]
    text = _QUOTED.sub(" ", text)
    numbers, polarity, names, symbols = [], [], [], []
    is_start = True
    for token in _TOKEN.findall(text):
        small = token.lower()
        if token[0].isdigit():
            numbers.append(small.replace(",", ""))
        elif not token[0].isalpha():
            symbols += [] if token in _PLAIN else [token]
        else:
            if small in _NUMBER_WORDS:
                numbers.append(small)
            if _is_negation(small) or small in POLARITY:
                polarity.append("not" if _is_negation(small) else small)
            if token != small and not (is_start and small in _OPENERS) and token != "I":  # noqa: S105  the pronoun
                names.append(token)
        is_start = token in _ENDS
    return tuple(map(tuple, (numbers, polarity, quoted, code, names, symbols)))


def _is_negation(small: str) -> bool:
    return small in ("not", "cannot") or small.endswith(("n't", "n’t"))  # noqa: RUF001  typographic quote
