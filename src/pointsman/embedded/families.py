"""The task families by name, and how to draw from them: five of the pair, five of the reader."""

import random
from collections.abc import Mapping

from pointsman.core import NotFound
from pointsman.embedded import arithmetic, extraction, facts, selection, tracking
from pointsman.embedded.problems import Generate, Problem, Split
from pointsman.embedded.reading import coverage, messages, requests, routing, sentences

FAMILIES: Mapping[str, Generate] = {
    "arithmetic": arithmetic.generate,
    "tracking": tracking.generate,
    "facts": facts.generate,
    "selection": selection.generate,
    "extraction": extraction.generate,
}
"""Of `embedded/large` and `embedded/small`."""

READING_FAMILIES: Mapping[str, Generate] = {
    "routing": routing.generate,
    "sentences": sentences.generate,
    "requests": requests.generate,
    "messages": messages.generate,
    "coverage": coverage.generate,
}
"""Of `embedded/reader`; answered directly."""

_ALL = {**FAMILIES, **READING_FAMILIES}


def draw(family: str, difficulty: int, split: Split, seed: object) -> Problem:
    """The problem of `family` that `seed` names; the same one in every process. Raises as `draw_all`."""
    return draw_all(family, difficulty, split, seed)[0]


def draw_all(family: str, difficulty: int, split: Split, seed: object) -> tuple[Problem, ...]:
    """The problem that `draw` gives, then others about the same story, of whatever difficulty.

    Raises:
        NotFound: there is no such family.
    """
    if family not in _ALL:
        raise NotFound(f"there is no family {family!r}; there is {', '.join(_ALL)}", code="family_not_found")
    return _ALL[family](random.Random(f"{seed}/{family}/{difficulty}/{split}"), difficulty, split)  # noqa: S311
