"""How much each learner is believed, along each direction in which arms differ, for requests known and unknown.

Predictions are taken apart into directions: the first is how hard a request is for all arms, the others are who gains.
Along each direction the learners' deviations from the mean are weighted by how well held-out rows were predicted, and
shrunk: a direction that nobody predicts has weight 0, and all arms then differ by their means only.

Weights exist twice. `known`: from rows held out at random; learners are told apart. `unknown`: from whole tasks held
out; there are fewer tasks than rows to tell learners apart with, so they count more alike. Between both stands the
novelty of a request, see `novelty.py`. Without the second set, a router is worse than mixing arms at random
on tasks that it has not seen (query-numbers: -0.04; here -0.16 to 0.01 by learner, reasoning_gym).

Axes: N requests, A targets of one kind, E learners, J directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from pointsman.query.outcomes import Floats

__all__ = ["Stack", "fit_stack"]

_KNOWN_SPREAD, _UNKNOWN_SPREAD = 0.1, 0.05
"""How far weights are expected to lie from "all alike", as a standard deviation; against the noise of the targets this
says how many rows it takes to tell learners apart. Chosen on halves of four tables; half and double differ little."""

_UNKNOWN_DIRECTIONS = 2
"""How hard, and who gains most; there are too few tasks to learn more of. With 1 to 3 in place of all 7, reasoning_gym
with tasks left out gains 0.008 to 0.016 of the gap in 18 halves of it, and no other table loses."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Attributes: `mean` (A,); `directions` (A, J) orthonormal; `known` and `unknown` (J, E) weights."""

    mean: Floats
    directions: Floats
    known: Floats
    unknown: Floats

    def combine(self, predicted: Sequence[Floats], novelty: Floats) -> Floats:
        """(N, A) of E predictions (N, A) each and (N,) novelty from 0 to 1."""
        return self.at(self.along(predicted, novelty))

    def at(self, along: Floats) -> Floats:
        """(N, A) of (N, J) coordinates along the directions."""
        return np.asarray(self.mean + along @ self.directions.T)

    def along(self, predicted: Sequence[Floats], novelty: Floats) -> Floats:
        """(N, J) coordinates of `combine` along the directions, from the same."""
        along = np.stack([(found - self.mean) @ self.directions for found in predicted], axis=2)  # (N, J, E)
        known, unknown = ((along * weights).sum(2) for weights in (self.known, self.unknown))
        return np.asarray(known + novelty[:, None] * (unknown - known))


def fit_stack(by_row: Sequence[Floats], by_task: Sequence[Floats], targets: Floats, max_directions: int) -> Stack:
    """From held-out predictions of E learners, (N, A) each.

    Directions are the main ones of what is predicted of held-out rows; beyond `max_directions` arms keep their means.
    """
    mean = targets.mean(0)
    average = np.mean([found - mean for found in by_row], axis=0)
    directions = np.ascontiguousarray(np.linalg.svd(average, full_matrices=False)[2].T[:, :max_directions])
    along = (targets - mean) @ directions
    known = [[(found - mean) @ direction for found in by_row] for direction in directions.T]
    unknown = [[(found - mean) @ direction for found in by_task] for direction in directions.T[:_UNKNOWN_DIRECTIONS]]
    known_weights = [_weights(np.stack(found, 1), along[:, j], _KNOWN_SPREAD) for j, found in enumerate(known)]
    unknown_weights = np.zeros((len(known), len(by_task)))
    for j, found in enumerate(unknown):
        unknown_weights[j] = _weights(np.stack(found, 1), along[:, j], _UNKNOWN_SPREAD)
    return Stack(mean, directions, np.array(known_weights), unknown_weights)


def _weights(found: Floats, target: Floats, spread: float) -> Floats:
    """(E,) not negative: least squares, drawn to equal shares of what shrinks the learners' average best."""
    average, num_learners = found.mean(1), found.shape[1]
    power = float(average @ average)
    shrink = min(max(float(average @ target) / power, 0.0), 1.0) if power > 0 else 0.0
    equal = np.full(num_learners, shrink / num_learners)
    noise = float(np.std(target - shrink * average))
    strength = noise / spread
    left = np.vstack([found, strength * np.eye(num_learners)])
    return np.asarray(nnls(left, np.concatenate([target, strength * equal]))[0])
