"""Which shapes a function's parameters have, when annotations do not say: from examples, use, and trying."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from pointsman.program.check.behaviour import Row, observe
from pointsman.program.check.shapes import ANY, Shape, shape_of_annotation, shape_of_values, shapes_of_use
from pointsman.program.ir import Param, Record

__all__ = ["choose", "sample"]

_MAX_TRIED = 60
_MAX_KEPT = 6
_TRIAL_SECONDS = 0.01
_TYPE_FAULTS = (TypeError, AttributeError)
_SAMPLES: Final[dict[str, tuple[Any, Any]]] = {
    "int": (3, 7), "float": (1.5, 4.0), "str": ("ab c", "7"), "bool": (True, False), "None": (None, None),
    "bytes": (b"ab", b""), "complex": (1j, 2 + 0j),
}  # fmt: skip


def choose(
    function: ast.AST, params: Sequence[Param], records: Mapping[str, Record], examples: Sequence[Row],
    original: Callable[..., Any], max_depth: int,
) -> list[tuple[Shape, ...]]:  # fmt: skip
    """One or more combinations of shapes, one shape for each parameter that is not starred. Calls the original."""
    plain = [param for param in params if param.kind not in {"star", "double_star"}]
    annotated = [shape_of_annotation(param.annotation, records) for param in plain]
    seen = [_values_of(position, param, examples) for position, param in enumerate(plain)]
    known = [
        shape if shape != ANY else shape_of_values(values) if values else ANY
        for shape, values in zip(annotated, seen, strict=True)
    ]
    shown = [shape_of_values(values) if values else shape for shape, values in zip(known, seen, strict=True)]
    combinations = [tuple(known)] if known == shown else [tuple(known), tuple(shown)]
    if ANY not in known:
        return combinations
    candidates = [shapes_of_use(function, p.name) if k == ANY else (k,) for p, k in zip(plain, known, strict=True)]
    return _that_work(candidates, plain, original, max_depth)


def _values_of(position: int, param: Param, examples: Sequence[Row]) -> list[Any]:
    values = []
    for args, kwargs in examples:
        if param.name in kwargs:
            values.append(kwargs[param.name])
        elif param.kind != "keyword_only" and position < len(args):
            values.append(args[position])
    return values


def _that_work(
    candidates: Sequence[Sequence[Shape]], params: Sequence[Param], original: Callable[..., Any], max_depth: int
) -> list[tuple[Shape, ...]]:
    """The combinations on which the original returns, else those on which it does not complain of types."""
    scored = [
        (sum(_score(combination, which, params, original, max_depth) for which in (0, 1)), combination)
        for combination in _likeliest_first(candidates)
    ]
    scored.sort(key=lambda pair: -pair[0])  # stable: likelier ones stay first
    return _diverse([combination for score, combination in scored if score == scored[0][0]])


def _diverse(combinations: Sequence[tuple[Shape, ...]]) -> list[tuple[Shape, ...]]:
    """The first ones that give some parameter a shape it has not had."""
    kept: list[tuple[Shape, ...]] = []
    had: set[tuple[int, Shape]] = set()
    for combination in combinations:
        if not had.issuperset(enumerate(combination)) and len(kept) < _MAX_KEPT:
            kept.append(combination)
            had.update(enumerate(combination))
    return kept


def _likeliest_first(candidates: Sequence[Sequence[Shape]]) -> Iterator[tuple[Shape, ...]]:
    narrowed = [list(shapes)[: 9 if len(candidates) < 3 else 4 if len(candidates) < 5 else 1] for shapes in candidates]
    ranked = sorted(product(*(range(len(shapes)) for shapes in narrowed)), key=sum)
    for ranks in ranked[:_MAX_TRIED]:
        yield tuple(shapes[rank] for shapes, rank in zip(narrowed, ranks, strict=True))


def _score(
    shapes: Sequence[Shape], which: int, params: Sequence[Param], original: Callable[..., Any], max_depth: int
) -> int:
    """2: it returned; 1: it raised something that is not about types; 0 otherwise."""
    args = []
    kwargs = {}
    for param, shape in zip(params, shapes, strict=True):
        value = copy.deepcopy(sample(shape, which))
        if param.kind == "keyword_only":
            kwargs[param.name] = value
        else:
            args.append(value)
    behaviour = observe(original, (tuple(args), kwargs), _TRIAL_SECONDS, max_depth)
    if behaviour.kind == "returned":
        return 2
    return 1 if behaviour.kind == "raised" and not isinstance(behaviour.value, _TYPE_FAULTS) else 0


def sample(shape: Shape, which: int) -> Any:
    """One of two typical values of a shape."""
    if shape.seen:
        return shape.seen[which % len(shape.seen)]
    if shape.kind in _SAMPLES:
        return _SAMPLES[shape.kind][which]
    parts = [sample(part, which) for part in shape.parts]
    match shape.kind:
        case "tuple":
            return tuple(parts)
        case "union":
            return parts[which % len(parts)]
        case "dict":
            return {parts[0]: parts[1]}
        case "set" | "frozenset":
            return {parts[0]}
        case "tuple*":
            return tuple(parts * 3)
    return [sample(shape.parts[0], (which + i) % 2) for i in range(3)] if parts else which
