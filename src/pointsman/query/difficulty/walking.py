"""Loops over one request, compiled by numba: to its place in the space, through a forest, over its nearest rows.

Each takes 0.01 ms or so, where numpy makes a hundred small calls. Twins: `Space.points`, `Trees.predict` and
`Neighbours.predict_with`.

A request's place is one vector, whose parts `Layout` names: what learners ask for is linear in it or some of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pointsman.query.difficulty.space import SURFACE_SHARE, Points

__all__ = ["Layout", "nearest", "place", "project", "walk"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a place stand: text, text of length 1, surface, waves, directions; see `Points`."""

    num_text: int
    num_surface: int
    num_waves: int

    @property
    def num_linear(self) -> int:
        """Of the parts before the directions."""
        return 2 * self.num_text + self.num_surface + self.num_waves

    def points(self, row: Any) -> Points:
        """Of one place, for learners that are asked as they are."""
        surface, waves = 2 * self.num_text, 2 * self.num_text + self.num_surface
        parts = row[: self.num_text], row[surface:waves], row[waves : self.num_linear]
        return Points(*(part[None, :] for part in parts))


def project(index: Any, counts: Any, column: Any, rarity: Any, projection: Any) -> Any:
    """(K,) directions of a text with n-grams `index` (n,) and counts. `column`: of each bucket in the space, or -1."""
    total, power = np.zeros(projection.shape[1], dtype=np.float32), 0.0
    for i in range(len(index)):
        row = column[index[i]]
        if row < 0:
            continue
        weight = counts[i] * rarity[row]
        power += weight * weight
        for k in range(projection.shape[1]):
            total[k] += weight * projection[row, k]
    return total / max(np.sqrt(power), 1e-9)


def place(text: Any, surface: Any, frequencies: Any, phases: Any) -> Any:
    """(D,) as `Layout` says, of a text's directions (K + X,) and its surface (S,).

    In loops alone: an expression over arrays takes numba half a second to compile.
    """
    num_text, num_surface, num_waves = len(text), len(surface), len(phases)
    waves = 2 * num_text + num_surface  # where these start
    directions = waves + num_waves
    row = np.zeros(directions + num_text + num_surface)
    text_power, surface_power, power = 0.0, 0.0, 0.0
    for i in range(num_text):
        text_power += text[i] * text[i]
    for i in range(num_surface):
        surface_power += surface[i] * surface[i]
    for i in range(num_text):
        row[i] = text[i]
        row[num_text + i] = row[directions + i] = text[i] / max(np.sqrt(text_power), 1e-9)
    for i in range(num_surface):
        row[2 * num_text + i] = surface[i]
        row[directions + num_text + i] = SURFACE_SHARE * surface[i] / max(np.sqrt(surface_power), 1e-9)
        for k in range(num_waves):
            row[waves + k] += surface[i] * frequencies[i, k]
    for k in range(num_waves):
        row[waves + k] = np.sqrt(2 / num_waves) * np.cos(row[waves + k] + phases[k])
    for i in range(directions, len(row)):
        power += row[i] * row[i]
    for i in range(directions, len(row)):
        row[i] /= max(np.sqrt(power), 1e-9)
    return row


def walk(roots: Any, nodes: Any, thresholds: Any, leaves: Any, row: Any) -> Any:
    """(C,) mean of the leaves that `row` (D,) float32 comes to.

    `nodes`: (M, 3) what a node asks for or -1, and its children. All trees go down a level at a time, so that the
    memory is asked for many nodes at once.
    """
    at, is_moving = roots.copy(), True
    while is_moving:
        is_moving = False
        for tree in range(len(at)):
            node = at[tree]
            asked = nodes[node, 0]
            if asked >= 0:
                at[tree] = nodes[node, 1] if row[asked] <= thresholds[node] else nodes[node, 2]
                is_moving = True
    total = np.zeros(leaves.shape[1])
    for tree in range(len(at)):
        for k in range(leaves.shape[1]):
            total[k] += leaves[at[tree], k]
    return total / len(at)


def nearest(similar: Any, num_nearest: int, targets: Any, warmth: float) -> Any:
    """(C,) mean of the `targets` (M, C) of the most similar rows, weighed; and (n,) how similar those are, falling.

    They are kept in order while rows go by, which takes half as long as partitioning all.
    """
    count, num_found = min(num_nearest, len(similar)), 0
    near, values = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.float64)
    for row in range(len(similar)):
        value = similar[row]
        if num_found == count and value <= values[count - 1]:
            continue
        at = min(num_found, count - 1)
        while at > 0 and values[at - 1] < value:
            values[at], near[at] = values[at - 1], near[at - 1]
            at -= 1
        values[at], near[at] = value, row
        num_found = min(num_found + 1, count)
    weights = np.exp((values - values[0]) / warmth)
    total = np.zeros(targets.shape[1])
    for i in range(count):
        for k in range(targets.shape[1]):
            total[k] += weights[i] * targets[near[i], k]
    return total / weights.sum(), values
