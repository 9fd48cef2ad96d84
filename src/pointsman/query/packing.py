"""A fitted forecaster as plain records and named arrays, and back, bit for bit.

Axes: A arms, T = 2 A targets (outcomes, then lengths), V n-grams, K text directions, X extra and S surface features,
R waves, M training rows, E learners, J directions. What is small is JSON, since JSON keeps every bit of a float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pointsman.core import BadRequest
from pointsman.query.difficulty.budgets import Budgets
from pointsman.query.difficulty.curves import Curves
from pointsman.query.difficulty.joint import JointForecaster
from pointsman.query.difficulty.learners import (
    CurveView,
    Fitted,
    Neighbours,
    Ridge,
    TreeView,
    View,
    directions_view,
    even_view,
    mixed_view,
    text_directions_view,
    text_view,
    tree_view,
)
from pointsman.query.difficulty.novelty import Novelty
from pointsman.query.difficulty.prices import Prices
from pointsman.query.difficulty.recalibrating import Recalibration, unchanged
from pointsman.query.difficulty.space import Points, Space
from pointsman.query.difficulty.stacking import Stack
from pointsman.query.difficulty.trees import Trees
from pointsman.query.features import NUM_NGRAMS
from pointsman.query.folders import Arrays, bad_policy
from pointsman.query.outcomes import Floats
from pointsman.query.surface import SURFACE

__all__ = ["Packed", "pack", "unpack"]

_View = Literal["text", "even", "mixed", "directions", "text_directions"]
_VIEWS: dict[_View, View] = {
    "text": text_view,
    "even": even_view,
    "mixed": mixed_view,
    "directions": directions_view,
    "text_directions": text_directions_view,
}


class LearnerPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What kind a learner is, and what it looks at; `novelty` is the one whose neighbours tell novelty."""

    kind: Literal["ridge", "trees", "curves", "neighbours", "novelty"]
    view: _View = "mixed"
    num_nearest: Annotated[int, msgspec.Meta(ge=1)] = 1


class NoveltyPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See `Novelty`."""

    weights: list[float]
    intercept: float
    most_known: float


class StackPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See `Stack`."""

    mean: list[float]
    directions: list[list[float]]
    known: list[list[float]]
    unknown: list[list[float]]


class PricesPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See `Prices`."""

    per_prompt_token: list[float]
    per_completion_token: list[float]
    per_request: list[float]
    is_by_token: bool
    correction: list[float]


class RecalibrationPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See `Recalibration`."""

    curves: list[list[float]]
    shares: list[float]


class Packed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All of a forecaster but its arrays. A record of before there was a recalibration keeps its bytes and digest."""

    learners: list[LearnerPart]
    neighbours: LearnerPart
    novelty: NoveltyPart
    right: StackPart
    lengths: StackPart
    prices: PricesPart
    budgets: list[list[tuple[int, float]]]
    recalibration: RecalibrationPart | None = None


_STACK = ("mean", "directions", "known", "unknown")
_PRICES = ("per_prompt_token", "per_completion_token", "per_request", "correction")
_SPACE = ("buckets", "rarity", "projection", "center", "scale", "frequencies", "phases")
_CURVES = ("center", "weights", "slopes", "offsets")
_TREES = ("roots", "feature", "threshold", "left", "right", "values")


def pack(fitted: JointForecaster) -> tuple[Packed, dict[str, NDArray[Any]]]:
    """The record and the arrays. Raises BadRequest `not_storable` for learners that are not ours."""
    arrays: dict[str, NDArray[Any]] = {f"space.{name}": getattr(fitted.space, name) for name in _SPACE}
    near, own = _packed_learner(fitted.neighbours)
    arrays |= {f"neighbours.{name}": array for name, array in own.items()}
    parts = []
    for number, learner in enumerate(fitted.learners):
        if learner is fitted.neighbours:
            parts.append(LearnerPart("novelty"))
            continue
        part, own = _packed_learner(learner)
        parts.append(part)
        arrays |= {f"learner.{number}.{name}": array for name, array in own.items()}
    prices = {name: getattr(fitted.prices, name).tolist() for name in _PRICES}
    record = Packed(
        learners=parts,
        neighbours=near,
        novelty=NoveltyPart(fitted.novelty.weights.tolist(), fitted.novelty.intercept, fitted.novelty.most_known),
        right=_packed_stack(fitted.right),
        lengths=_packed_stack(fitted.lengths),
        prices=PricesPart(is_by_token=fitted.prices.is_by_token, **prices),
        budgets=[[(int(arm), float(share)) for arm, share in ladder] for ladder in fitted.budgets.ladders],
        recalibration=RecalibrationPart(fitted.recalibration.curves.tolist(), fitted.recalibration.shares.tolist()),
    )
    return record, arrays


def _packed_learner(learner: Fitted) -> tuple[LearnerPart, dict[str, NDArray[Any]]]:
    if isinstance(learner, Ridge) and (name := _view_name(learner.view)):
        own = {"center": learner.center, "weights": learner.weights, "intercept": learner.intercept}
        return LearnerPart("ridge", name), own
    if isinstance(learner, TreeView):
        return LearnerPart("trees"), {name: getattr(learner.trees, name) for name in _TREES}
    if isinstance(learner, CurveView):
        own = {name: getattr(learner.curves, name) for name in _CURVES}
        return LearnerPart("curves"), own | {name: getattr(learner, name) for name in ("length_slopes", "length_means")}
    if isinstance(learner, Neighbours) and (view := _view_name(learner.view)):
        near = {name: getattr(learner, name) for name in ("directions", "targets")}
        return LearnerPart("neighbours", view, learner.num_nearest), near
    problem = f"a {type(learner).__name__} of this make cannot be stored; expected the learners of `Joint`"
    raise BadRequest(problem, code="not_storable")


def _view_name(view: View) -> _View | None:
    return next((name for name, each in _VIEWS.items() if each is view), None)


def _packed_stack(stack: Stack) -> StackPart:
    return StackPart(**{name: getattr(stack, name).tolist() for name in _STACK})


def unpack(record: Packed, arrays: Arrays, num_arms: int, file: Any) -> JointForecaster:
    """The forecaster of `num_arms` arms. `file`: whose record it is, for errors. Raises BadRequest `bad_policy`."""
    space, width = _space(arrays), 2 * num_arms
    num_text = space.projection.shape[1] + space.num_extra
    nothing = Points(*(np.zeros((1, size)) for size in (num_text, len(SURFACE), len(space.phases))))
    if (record.neighbours.kind, record.neighbours.view) != ("neighbours", "directions"):
        raise bad_policy(file, "neighbours", "are not those that tell novelty, of the view 'directions'")
    neighbours = _neighbours(record.neighbours, arrays, "neighbours", nothing, width)
    learners = tuple(
        neighbours if part.kind == "novelty" else _learner(part, arrays, f"learner.{number}", nothing, width)
        for number, part in enumerate(record.learners)
    )
    read = _Record(file)
    num_learners = len(learners)
    prices = {name: read.floats(f"prices.{name}", getattr(record.prices, name), num_arms) for name in _PRICES}
    return JointForecaster(
        space=space,
        learners=learners,
        neighbours=neighbours,
        novelty=Novelty(
            read.floats("novelty.weights", record.novelty.weights, 2),
            record.novelty.intercept,
            record.novelty.most_known,
        ),
        right=read.stack("right", record.right, num_arms, num_learners),
        lengths=read.stack("lengths", record.lengths, num_arms, num_learners),
        recalibration=read.recalibration(record.recalibration, num_arms),
        prices=Prices(is_by_token=record.prices.is_by_token, **prices),
        budgets=read.budgets(record.budgets, num_arms),
    )


def _space(arrays: Arrays) -> Space:
    num_surface = len(SURFACE)
    buckets = arrays.take("space.buckets", "int64", None)
    if not len(buckets) or buckets[0] < 0 or buckets[-1] >= NUM_NGRAMS or (np.diff(buckets) <= 0).any():
        raise bad_policy(arrays.file, "space.buckets", f"must be one or more, rising, from 0 to {NUM_NGRAMS - 1}")
    center = arrays.take("space.center", "float64", None)
    scale = arrays.take("space.scale", "float64", len(center))
    if len(center) < num_surface or (scale <= 0).any():
        raise bad_policy(arrays.file, "space.scale", f"must be {num_surface} or more numbers above 0")
    phases = arrays.take("space.phases", "float64", None)
    return Space(
        buckets=buckets,
        rarity=arrays.take("space.rarity", "float32", len(buckets)),
        projection=arrays.take("space.projection", "float32", len(buckets), None),
        center=center,
        scale=scale,
        frequencies=arrays.take("space.frequencies", "float64", num_surface, len(phases)),
        phases=phases,
    )


def _learner(part: LearnerPart, arrays: Arrays, name: str, nothing: Points, width: int) -> Fitted:
    """`nothing`: one request in the space, for the widths of views."""
    if part.kind == "neighbours":
        return _neighbours(part, arrays, name, nothing, width)
    if part.kind == "trees":
        return TreeView(_trees(arrays, name, tree_view(nothing).shape[1], width))
    if part.kind == "curves":
        return _curves(arrays, name, tree_view(nothing).shape[1], width // 2)
    size = _VIEWS[part.view](nothing).shape[1]
    weights = arrays.take(f"{name}.weights", "float64", size, width)
    center = arrays.take(f"{name}.center", "float64", size)
    return Ridge(_VIEWS[part.view], center, weights, arrays.take(f"{name}.intercept", "float64", width))


def _neighbours(part: LearnerPart, arrays: Arrays, name: str, nothing: Points, width: int) -> Neighbours:
    directions = arrays.take(f"{name}.directions", "float32", None, _VIEWS[part.view](nothing).shape[1])
    if not len(directions):
        raise bad_policy(arrays.file, f"{name}.directions", "is empty")
    targets = arrays.take(f"{name}.targets", "float64", len(directions), width)
    return Neighbours(_VIEWS[part.view], part.num_nearest, directions, targets)


def _curves(arrays: Arrays, name: str, num_inputs: int, num_arms: int) -> CurveView:
    weights = arrays.take(f"{name}.weights", "float64", num_inputs, None)
    count = weights.shape[1]
    curves = Curves(
        center=arrays.take(f"{name}.center", "float64", num_inputs),
        weights=weights,
        slopes=arrays.take(f"{name}.slopes", "float64", num_arms, count),
        offsets=arrays.take(f"{name}.offsets", "float64", num_arms),
    )
    length_slopes = arrays.take(f"{name}.length_slopes", "float64", num_arms, count)
    return CurveView(curves, length_slopes, arrays.take(f"{name}.length_means", "float64", num_arms))


def _trees(arrays: Arrays, name: str, num_asked: int, width: int) -> Trees:
    """Checked so that a walk ends: children stand behind their parents."""
    feature = arrays.take(f"{name}.feature", "int32", None)
    size = len(feature)
    roots = arrays.take(f"{name}.roots", "int32", None)
    left, right = (arrays.take(f"{name}.{side}", "int32", size) for side in ("left", "right"))
    inner = feature >= 0
    at = np.arange(size)[inner]
    fine = [roots >= 0, roots < size, feature < num_asked]
    fine += [found for side in (left[inner], right[inner]) for found in (side > at, side < size)]
    if not len(roots) or not all(found.all() for found in fine):
        raise bad_policy(arrays.file, name, "is not a forest: a root, a child or a feature is out of range")
    values = arrays.take(f"{name}.values", "float32", size, width)
    return Trees(roots, feature, arrays.take(f"{name}.threshold", "float64", size), left, right, values)


class _Record:
    """Reads lists of numbers out of JSON, with shapes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def floats(self, field: str, values: Sequence[Any], *shape: int | None) -> Floats:
        try:
            found = np.array(values, dtype=np.float64)
        except ValueError as exc:
            raise bad_policy(self._file, field, "has rows of different lengths") from exc
        return Arrays(self._file, {field: found}).take(field, "float64", *shape)

    def stack(self, field: str, part: StackPart, num_arms: int, num_learners: int) -> Stack:
        directions = self.floats(f"{field}.directions", part.directions, num_arms, None)
        shape = directions.shape[1], num_learners
        known = self.floats(f"{field}.known", part.known, *shape)
        unknown = self.floats(f"{field}.unknown", part.unknown, *shape)
        return Stack(self.floats(f"{field}.mean", part.mean, num_arms), directions, known, unknown)

    def recalibration(self, part: RecalibrationPart | None, num_arms: int) -> Recalibration:
        if part is None:
            return unchanged(num_arms)
        curves = self.floats("recalibration.curves", part.curves, num_arms, 3)
        shares = self.floats("recalibration.shares", part.shares, num_arms)
        if (curves[:, :2] < 0).any():
            raise bad_policy(self._file, "recalibration.curves", "must rise: their first two numbers are 0 or more")
        if (shares < 0).any() or (shares > 1).any():
            raise bad_policy(self._file, "recalibration.shares", "must be from 0 to 1")
        return Recalibration(curves, shares)

    def budgets(self, ladders: Sequence[Sequence[tuple[int, float]]], num_arms: int) -> Budgets:
        if any(not 0 <= arm < num_arms for ladder in ladders for arm, _ in ladder):
            raise bad_policy(self._file, "budgets", f"names an arm outside 0 to {num_arms - 1}")
        if any(not 0 <= share <= 1 for ladder in ladders for _, share in ladder):
            raise bad_policy(self._file, "budgets", "must have shares from 0 to 1")
        return Budgets(tuple(tuple((arm, share) for arm, share in ladder) for ladder in ladders))
