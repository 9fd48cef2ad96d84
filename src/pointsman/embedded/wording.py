"""Sentences with many wordings, names of people and places, and numbers, each with a part that training never shows."""

import random
import re
from collections import Counter
from collections.abc import Sequence
from itertools import product

from pointsman.embedded.problems import Split, fixed_hash, is_held_out

ONSETS = "Le Mi Ka To Ra Su Pe Jo Da Vi No Ha Fe Ol Iv Be Cy Em Gu Lu Ze Wi Ta Ru".split()
ENDINGS = "na ra lo mi ko ta sha ren vin dy los bel".split()
TOWN_ENDINGS = "ville burg ford port".split()
"""A name is an onset and an ending, two tokens, so that a name never seen is made of parts that are known."""

HELD_OUT_NUMBERS: tuple[int, ...] = (*range(13, 15), *range(26, 29), *range(43, 47))
"""Numbers that no problem of training states. Their digits occur, and so do they as results."""

_WORD = re.compile(r"[^\s.,?]+")
_CHOICE = re.compile(r"\[([^\]]*)\]")
_HELD_OUT_SHARE = 0.5


class Wording:
    """All wordings of one kind of sentence.

    A structure such as `"{a} [has|owns] {n} [more|extra] {item}."` stands for every combination of its choices. One
    combination in five is held out: each of its words occurs in training, together they do not.

    Choices are synonyms of as many tokens where what binds a sentence's parts lies between them. A small model binds
    by distance, and each other distance is to be learned anew.
    """

    def __init__(self, *structures: str) -> None:
        forms = [form for structure in structures for form in _expand(structure)]
        if len(forms) < 4:
            raise ValueError(f"{structures[0]!r} has {len(forms)} wordings; too few to hold one out")
        self.held_out, self._trained = _divide(sorted(forms, key=fixed_hash))

    @property
    def forms(self) -> tuple[str, ...]:
        """Every wording, trained and held out."""
        return (*self._trained, *self.held_out)

    def write(self, rng: random.Random, split: Split, *, fresh: bool = False, **values: object) -> str:
        """A sentence. For `test` half of them are held-out wordings, and a `fresh` one always is."""
        is_fresh = split == "test" and (fresh or rng.random() < _HELD_OUT_SHARE)
        return rng.choice(self.held_out if is_fresh else self._trained).format(**values)


def _divide(forms: list[str]) -> tuple[list[str], list[str]]:
    """A fifth of `forms` to hold out, the first whose words all occur in the rest, and the rest."""
    held_out: dict[str, None] = {}
    words = {form: set(_WORD.findall(form)) for form in forms}
    num_left = Counter(word for found in words.values() for word in found)  # forms with a word that are not held out
    for form, found in words.items():
        if len(held_out) < max(1, len(forms) // 5) and all(num_left[word] > 1 for word in found):
            held_out[form] = None
            num_left.subtract(found)
    if not held_out:
        raise ValueError(f"{forms[0]!r} and its like: each has a word of its own, so none can be held out")
    return list(held_out), [form for form in forms if form not in held_out]


def _expand(structure: str) -> list[str]:
    parts = _CHOICE.split(structure)
    choices = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def draw_names(rng: random.Random, split: Split, count: int, endings: Sequence[str] = ENDINGS) -> list[str]:
    """`count` different names with different onsets; for `test` all are held-out combinations."""
    names = []
    for onset in rng.sample(ONSETS, count):
        pool = [
            onset + ending for ending in endings if is_held_out("name", onset, ending, one_in=4) == (split == "test")
        ]
        names.append(rng.choice(pool or [onset + endings[0]]))
    return names


def draw_number(rng: random.Random, split: Split, low: int, high: int) -> int:
    """A number in `low..high`; half of `test`'s are held out where the range holds such, and none of `train`'s."""
    held_out = [number for number in HELD_OUT_NUMBERS if low <= number <= high]
    if split == "test" and held_out and rng.random() < _HELD_OUT_SHARE:
        return rng.choice(held_out)
    number = rng.randint(low, high)
    while number in HELD_OUT_NUMBERS:
        number = rng.randint(low, high)
    return number
