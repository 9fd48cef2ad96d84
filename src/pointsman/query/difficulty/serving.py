"""Forecasts of one request at a time, in a third of a millisecond. Twin of `JointForecaster`, tested for equality.

What differs is only how: loops over one request are compiled (`walking.py`), what is linear is folded (`folding.py`),
and rows are read once for both kinds of similarity. A learner of a kind that is not known here is asked as it is, and
without numba the forecaster itself is.

Forecasts are the twin's to 1e-6, but where two rows are as near to within a rounding at the rank where counting ends:
there either counts. Of BBH and reasoning_gym that was up to 0.2 % of the requests, by up to 0.006 and 1.2 % of a cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.query.compiling import compiled
from pointsman.query.difficulty.folding import LINEAR_VIEWS, Fold, Forest, Near, Rows, Shares, folded_ridges
from pointsman.query.difficulty.joint import JointForecaster
from pointsman.query.difficulty.learners import WARMTH, Fitted, Neighbours, Ridge, TreeView, text_directions_view
from pointsman.query.difficulty.walking import Layout, nearest, place, project, walk
from pointsman.query.features import NUM_NGRAMS, features_of, hashed_ngrams
from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Floats
from pointsman.query.surface import SURFACE, surface_of

__all__ = ["Server"]


@dataclass(frozen=True, slots=True)
class Server:
    """A fitted forecaster behind requests.

    Attributes:
        column: (NUM_NGRAMS,) of an n-gram in the space, -1 where it has none.
        ridges: matrix and offset, see `folded_ridges`.
        forests: with their shares.
        rows: of the neighbours that tell novelty.
        near: learners that look at those rows; the first one tells novelty, and may count for nothing else.
        others: learners that are asked as they are, with their shares.
    """

    fitted: JointForecaster
    column: NDArray[np.int64]
    layout: Layout
    fold: Fold
    ridges: tuple[Floats, Floats]
    forests: tuple[tuple[Forest, Shares], ...]
    rows: Rows
    near: tuple[Near, ...]
    others: tuple[tuple[Fitted, Shares], ...]

    @classmethod
    def of(cls, fitted: JointForecaster) -> Server:
        """Prepares what does not change from request to request."""
        space, nearby = fitted.space, fitted.neighbours
        column = np.full(NUM_NGRAMS, -1, dtype=np.int64)
        column[space.buckets] = np.arange(len(space.buckets))
        num_text = space.projection.shape[1] + space.num_extra
        layout, fold = Layout(num_text, len(SURFACE), len(space.phases)), Fold.of(fitted)
        rows = Rows.of(nearby.directions, num_text)
        near = [Near(False, nearby.num_nearest, fold.along(nearby.targets), np.zeros((2, fold.directions.shape[1])))]
        ridges, forests, others = [], [], []
        for learner, shares in zip(fitted.learners, _shares(fitted), strict=True):
            if isinstance(learner, Ridge) and learner.view in LINEAR_VIEWS:
                ridges.append((learner, shares))
            elif isinstance(learner, TreeView):
                forests.append((Forest.of(learner.trees, fold, layout), shares))
            elif learner is nearby:
                near[0] = replace(near[0], shares=shares)
            elif isinstance(learner, Neighbours) and learner.view is text_directions_view and rows.are_of(learner):
                near.append(Near(True, learner.num_nearest, fold.along(learner.targets), shares))
            else:
                others.append((learner, shares))
        matrix = folded_ridges(ridges, fold, layout)
        return cls(fitted, column, layout, fold, matrix, tuple(forests), rows, tuple(near), tuple(others))

    def warm(self) -> None:
        """Compiles the loops, which would take the first request half a second, and five where no cache is kept."""
        num_extra = self.fitted.space.num_extra
        extra = np.zeros(num_extra, dtype=np.float32) if num_extra else None
        self.forecast("What is 2 + 2?", np.ones(len(self.fitted.right.mean)), extra)

    def forecast(self, text: str, prompt_tokens: Floats, extra: NDArray[np.float32] | None = None) -> Forecasts:
        """Of one request. `prompt_tokens`: (A,); `extra`: (X,) where the forecaster has learned with such features."""
        if compiled(place) is None:
            features = features_of([text], None if extra is None else extra[None, :])
            return self.fitted.forecast(features, prompt_tokens[None, :])
        both, ranks = self._learned(self._place(text, extra))
        novelty = self.fitted.novelty.of(ranks[None, :])
        along, num_right = both[:1] + novelty * (both[1:] - both[:1]), self.fitted.right.directions.shape[1]
        return self.fitted.priced(along[:, :num_right], along[:, num_right:], novelty, prompt_tokens[None, :])

    def _place(self, text: str, extra: NDArray[np.float32] | None) -> Floats:
        """(D,) see `Layout`."""
        space, plain = self.fitted.space, surface_of(text)
        directions = _loop(project)(*hashed_ngrams(text), self.column, space.rarity, space.projection)
        if extra is None:
            surface, _ = space.standardised(plain, len(plain))
        else:
            surface, more = space.standardised(np.concatenate([plain, extra]), len(plain))
            directions = np.concatenate([directions, more])
        found: Floats = _loop(place)(directions, surface, space.frequencies, space.phases)
        return found

    def _learned(self, row: Floats) -> tuple[Floats, Floats]:
        """(2, C) coordinates, as of a known and as of an unknown request; (2,) similarities that tell novelty."""
        matrix, offset = self.ridges
        both = (row[: self.layout.num_linear] @ matrix + offset).reshape(2, -1)
        singles = row.astype(np.float32)
        for forest, shares in self.forests:
            both += shares * _loop(walk)(forest.roots, forest.nodes, forest.thresholds, forest.leaves, singles)
        similar, similar_texts = self.rows.similar(singles[self.layout.num_linear :])
        tops = []
        for near in self.near:
            asked = similar_texts if near.by_texts else similar
            found, top = _loop(nearest)(asked, near.num_nearest, near.targets, WARMTH)
            both += near.shares * found
            tops.append(top)
        for learner, shares in self.others:
            both += shares * self.fold.along(learner.predict(self.layout.points(row)))
        return both, tops[0][[0, min(9, len(tops[0]) - 1)]]


def _loop(loop: Callable[..., Any]) -> Callable[..., Any]:
    found = compiled(loop)
    assert found is not None
    return found


def _shares(fitted: JointForecaster) -> list[Shares]:
    """Of each learner."""
    known, unknown = (np.vstack([getattr(fitted.right, n), getattr(fitted.lengths, n)]) for n in ("known", "unknown"))
    return [np.stack([known[:, number], unknown[:, number]]) for number in range(len(fitted.learners))]
