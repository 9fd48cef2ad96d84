"""Every method by name, over the grid of its dials: what is evaluated, and what a user may ask for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from pointsman.core import BadRequest
from pointsman.token import method
from pointsman.token.gate import Gate
from pointsman.token.method import Method
from pointsman.token.scores import Entropy, Margin, MaxProbability, Scorer

Dials = Mapping[str, float]
Gates = Mapping[str, Gate]

_THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.998)
_LENGTHS = (1, 2, 3, 4, 6, 8)
_RISKS = (
    *(0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.045, 0.05, 0.055, 0.06, 0.065),
    *(0.07, 0.08, 0.09, 0.1, 0.12, 0.14, 0.17, 0.2, 0.25, 0.3, 0.5, 1.0),
)
_TOLERANCES = (0.5, 0.9, 0.99)

ROUTED = ("citer", "citer-1", "citer-s", "co-llm", "r2r")
"""Methods whose gate alone decides; each needs the gate of its name."""


def _thresholds() -> list[Dials]:
    return [{"threshold": threshold} for threshold in _THRESHOLDS]


def _grid(**dials: Sequence[float]) -> list[Dials]:
    rows: list[dict[str, float]] = [{}]
    for name, values in dials.items():
        rows = [{**row, name: value} for row in rows for value in values]
    return list(rows)


def _named(name: str, make: Callable[..., Method]) -> Callable[..., Method]:
    return lambda scorer, **dials: replace(make(scorer, **dials), name=name)


_PLAIN: dict[str, Callable[..., Method]] = {
    "random": method.at_random,
    "speculative": method.speculative,
    "cascade": method.cascade,
    "kl": method.by_divergence,
}

_CONFIDENT: dict[str, tuple[type[Scorer], Callable[..., Method]]] = {
    "confidence": (MaxProbability, partial(method.routed, "confidence")),
    "margin": (Margin, partial(method.routed, "margin")),
    "entropy": (Entropy, partial(method.routed, "entropy")),
    "bild": (MaxProbability, method.bild),
    "pointsman by confidence": (MaxProbability, _named("pointsman by confidence", method.ours)),
}
"""Those whose scorer has no weights."""

_GATED: dict[str, tuple[str, Callable[..., Method]]] = {
    **{name: (name, partial(method.routed, name)) for name in ROUTED},
    "query": ("outlook", method.by_query),
    "specdec++": ("specdec++", method.adaptive_speculative),
    "pointsman": ("pointsman", method.ours),
    "pointsman without judge": ("pointsman", partial(method.routed, "pointsman without judge")),
}
"""Those that need a gate, and which."""

METHODS = (*_PLAIN, *_CONFIDENT, *_GATED)
"""Names that `make` takes."""


def make(name: str, gates: Gates, dials: Dials) -> Method:
    """The method of that name with these dials.

    Raises:
        BadRequest: `unknown_method`, `gate_missing`, or `invalid_dial` for dials that it does not have or that are out
            of range.
    """
    if name not in METHODS:
        problem = f"there is no method {name!r}; there is {', '.join(METHODS)}"
        raise BadRequest(problem, code="unknown_method", param="method")
    if set(dials) != set(dials_of(name)):
        problem = f"the dials of {name} are {', '.join(dials_of(name))}; found {', '.join(sorted(dials)) or 'none'}"
        raise BadRequest(problem, code="invalid_dial", param="dials")
    given = {dial: int(value) if dial == "num_tokens" else value for dial, value in dials.items()}
    if name in _PLAIN:
        return _PLAIN[name](**given)
    more = {"outlook": gates.get("outlook")} if name in ("pointsman", "pointsman by confidence") else {}
    if name in _CONFIDENT:
        kind, maker = _CONFIDENT[name]
        return maker(kind(), **given, **more)
    require_gate(name, gates)
    needed, maker = _GATED[name]
    return maker(gates[needed], **given, **more)


def is_usable(name: str, gates: Gates) -> bool:
    """Whether the gate that a method needs is there."""
    return name not in _GATED or _GATED[name][0] in gates


def require_gate(name: str, gates: Gates) -> None:
    """Raises `BadRequest` (`gate_missing`) unless the gate that a method needs is there."""
    if not is_usable(name, gates):
        problem = f"the method {name} needs the gate {_GATED[name][0]}; there is {', '.join(sorted(gates)) or 'none'}"
        raise BadRequest(problem, code="gate_missing", param="method")


def path(least_survival: float, tolerance: float, lookup: float = 1.0) -> list[Dials]:
    """Settings of ours from the safest on: strict, tolerant, at ever more risk for a call that is saved.

    Args:
        least_survival: the threshold that prices gave.
        tolerance: with which the gate was taught.
        lookup: chance from which what was looked up is taken.
    """
    strict = {"least_survival": least_survival, "tolerance": 0.0, "risk": 0.0, "lookup": lookup}
    return [strict, *({**strict, "tolerance": tolerance, "risk": risk} for risk in (0.0, *_RISKS))]


def dials_of(name: str) -> tuple[str, ...]:
    """What a method's dials are called."""
    return tuple(grid(name)[0])


DERIVED: Dials = {"least_survival": 0.3, "taught_tolerance": 0.1, "best_lookup": 1.0}
"""What `fit` derives for ours, and what is taken where it did not."""


def derived(figures: Mapping[str, float]) -> tuple[float, ...]:
    """The arguments of `path` from the figures of a gate's description."""
    return tuple(figures.get(name, usual) for name, usual in DERIVED.items())


def grid(name: str, *known: float) -> list[Dials]:
    """The settings at which a method is evaluated.

    Args:
        name: of the method.
        known: ours: see `derived`.
    """
    match name:
        case "random":
            return _grid(rate=(0.05, 0.1, 0.2, 0.4, 0.6, 0.8))
        case "bild":
            return _grid(fallback=(0.2, 0.4, 0.6, 0.8, 0.9, 0.97), rollback_nats=(2.0, 5.0))
        case "speculative":
            return _grid(num_tokens=_LENGTHS)
        case "query":
            return _grid(threshold=(0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98))
        case "specdec++":
            return _grid(most_hazard=(0.1, 0.3, 0.5, 0.7, 0.9))
        case "cascade":
            return _grid(num_tokens=(2, 4, 8), tolerance=(0.1, 0.5, 0.9, 0.99, 0.999))
        case "kl":
            return _grid(num_tokens=(2, 4, 8), most_nats=(0.5, 2.0, 8.0))
        case "pointsman" | "pointsman by confidence":
            settings = path(*(known or DERIVED.values()))
            tolerant = settings[1]
            loose = [{**tolerant, "tolerance": tolerance} for tolerance in _TOLERANCES]
            return settings + [dials for dials in loose if dials["tolerance"] > tolerant["tolerance"]]
        case _:
            return _thresholds()
