"""Who takes part in `evaluate query`: ours, ours without one thing, single axes, and the published routers.

All learn from the same rows and features and are played on the same others. Ours is fitted once a split; what differs
from it only in how its forecasts are used is played from the same fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pointsman.query.adopting import fit_sequences
from pointsman.query.difficulty.budgets import Budgets
from pointsman.query.difficulty.joint import Joint, JointForecaster
from pointsman.query.difficulty.recalibrating import unchanged
from pointsman.query.forecasting import Features, Forecaster, Forecasts, Method, Sample
from pointsman.query.frontier import Curve, curve_of, oracle
from pointsman.query.outcomes import Floats
from pointsman.query.rivals import cascades, rivals, single_axes

__all__ = ["OURS", "UNCALIBRATED", "Entry", "entries", "is_rival"]

OURS = "pointsman"
_LEFT_OUT = "pointsman without "
UNCALIBRATED = f"{_LEFT_OUT}recalibration"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one entrant gave on the test rows. `forecasts` is None for those that have none."""

    name: str
    curve: Curve
    forecasts: Forecasts | None = None


def is_rival(name: str) -> bool:
    """Whether ours has to be ahead of it: published routers and single axes, not the oracle or ours without a part."""
    return not name.startswith(OURS) and name != "oracle"


def entries(train: Sample, test: Sample, seed: int, *, with_rivals: bool = True) -> Iterator[Entry]:
    """Ours first."""
    fitted, held_out = Joint().fit_held_out(train, seed)
    ours = fitted.forecast(test.features, test.outcomes.prompt_tokens)
    sequences = fit_sequences(held_out, train.outcomes, seed)
    yield Entry(OURS, sequences.play(ours, test.outcomes), ours)
    yield Entry(f"{_LEFT_OUT}sequences", curve_of(ours, test.outcomes), ours)
    plain = replace(fitted, recalibration=unchanged(len(train.outcomes.arms)))
    before = plain.forecast(test.features, test.outcomes.prompt_tokens)
    yield Entry(UNCALIBRATED, curve_of(before, test.outcomes), before)
    yield Entry("oracle", oracle(test.outcomes))
    if not with_rivals:
        return
    yield from _ablations(train, test, seed, fitted, ours)
    for method in rivals().values():
        yield _played(method, train, test, seed)
    for cascade in cascades().values():
        played = cascade.fit(train, seed).play(test)
        yield Entry(cascade.name, Curve(played.nano_usd, played.right))


def _ablations(train: Sample, test: Sample, seed: int, fitted: JointForecaster, ours: Forecasts) -> Iterator[Entry]:
    """Without the shared difficulty; and where models have budgets, without the gate and along single axes."""
    alone = replace(Joint(), shares_difficulty=False)
    yield replace(_played(alone, train, test, seed), name=f"{_LEFT_OUT}shared difficulty")
    if not train.outcomes.budgets():
        return
    ungated = replace(fitted, budgets=Budgets(())).forecast(test.features, test.outcomes.prompt_tokens)
    yield Entry(f"{_LEFT_OUT}gate", curve_of(ungated, test.outcomes), ungated)
    for method in single_axes(_Already(ours, train.outcomes.names)).values():
        yield _played(method, train, test, seed)


@dataclass(frozen=True, slots=True)
class _Already:
    """A method that has forecast the test rows before, of all arms; fitted to some of them it gives those."""

    forecasts: Forecasts
    names: tuple[str, ...]
    name: str = OURS

    def fit(self, train: Sample, seed: int) -> Forecaster:
        return _Given(self.forecasts.columns([self.names.index(name) for name in train.outcomes.names]))


@dataclass(frozen=True, slots=True)
class _Given:
    forecasts: Forecasts

    def forecast(self, features: Features, prompt_tokens: Floats) -> Forecasts:
        return self.forecasts


def _played(method: Method, train: Sample, test: Sample, seed: int) -> Entry:
    found = method.fit(train, seed).forecast(test.features, test.outcomes.prompt_tokens)
    return Entry(method.name, curve_of(found, test.outcomes), found)
