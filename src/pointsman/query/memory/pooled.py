"""Our policy: each entry has a threshold of its own, and starts from what is known of all.

The chance that a candidate's answer is wrong is one logistic model (`belief.py`) of what differs between two texts
(`pairs.py`). Its weights are shared by all entries of an API key; beside them every entry has an offset and a slope in
similarity, with a prior around 0. So an entry that was never tried is judged by what was learned from all others, and
one that proved to be an exception has its own threshold. Of the nearest texts the one that is least likely to be wrong
is taken, and `certificate.py` decides whether such a lookup may be answered.

vCache (arXiv 2502.03771) fits each entry alone, on similarity alone: an entry's first lookups are all asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pointsman.query.memory.belief import Belief
from pointsman.query.memory.certificate import Certificate
from pointsman.query.memory.pairs import ENTRY_FEATURES, NUM_SHARED, Features, features
from pointsman.query.memory.policies import Choice, Near

__all__ = ["Pooled"]

_BIAS, _BIAS_MEAN = 0, 1.0  # before anything is known, a near text's answer is more likely wrong than right
_SHARED_PRECISION: Final = 0.4
_ENTRY_PRECISION: Final = 2.0  # entries differ less than kinds of differences do
_NUM_LEARNED: Final = 3  # of the candidates, the least likely wrong; from all of them it learned worse
_WIDTH: Final = 1.0  # standard deviations; the certificate answers for what the band misses


class Pooled:
    """The hierarchical policy under a certificate."""

    num_candidates, adds_known = 8, True

    def __init__(self, certificate: Certificate) -> None:
        self.certificate, self.belief = certificate, Belief(_prior, _WIDTH)

    def choose(self, asked: str, found: Sequence[Near]) -> Choice:
        scored = [(self.belief.upper(_features(asked, near)), index) for index, near in enumerate(found)]
        upper, index = min(scored)
        return Choice(found[index], upper, self.certificate.covers(upper))

    def learn(self, asked: str, choice: Choice, wrong: Sequence[tuple[Near, bool]]) -> None:
        for near, is_wrong in wrong:
            if near.entry == choice.near.entry:
                self.certificate.learn(choice.score, is_wrong)
        likely = sorted(wrong, key=lambda one: self.belief.upper(_features(asked, one[0])))[:_NUM_LEARNED]
        for near, is_wrong in likely:
            self.belief.learn(_features(asked, near), is_wrong)

    def forget(self, entry: int) -> None:
        self.belief.forget(range(-ENTRY_FEATURES * entry - 2, -ENTRY_FEATURES * entry))


def _prior(index: int) -> tuple[float, float]:
    if index == _BIAS:
        return _BIAS_MEAN, _SHARED_PRECISION
    return 0.0, _SHARED_PRECISION if 0 <= index < NUM_SHARED else _ENTRY_PRECISION


def _features(asked: str, near: Near) -> Features:
    return features(asked, near.text, near.similarity, near.entry)
