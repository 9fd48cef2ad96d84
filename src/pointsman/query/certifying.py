"""The cheapest setting of the policy that may be promised to lose little against the reference arm.

Two dials: the price of a nano-dollar in right answers, and the caution with which the policy leaves the reference arm.
And a switch, for policies that have sequences: whether looks are taken where they are worth their price.
A request is answered by the arm of most `right - price * cost - caution * disagreement`, where the disagreement is the
forecast chance that exactly one of the arm and the reference is right. It is what makes a loss hard to bound: settings
that save the same differ most in it.

Learn then test (Angelopoulos et al., arXiv 2110.01052), Pareto testing (Laufer-Goldshtein et al., arXiv 2210.07913):
on forecasts of held-out training rows the settings are ordered by how surely they would pass; on the calibration rows
they are tested in that order by the betting bound on paired losses, until one fails. The cheapest that passed is taken.

Requests that something ahead of the arms takes (`Outcomes.taken`) count with its answer and its cost. What it gets
right and the reference arm does not is no credit: else arms could lose as much elsewhere.

Covered: requests drawn like the calibration rows, all settings that were looked at. Not covered: other traffic. Under a
shift of tasks the promise is worth nothing by itself (query-numbers: broken in 43 to 93 % of resplits); see `fallback`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pointsman.core import BadRequest
from pointsman.core.risk import mean_is_below, shuffled
from pointsman.query.adopting import learned_on_others
from pointsman.query.forecasting import Forecasts
from pointsman.query.frontier import best_of, cautious, prices_of
from pointsman.query.outcomes import Floats, Ints, Outcomes
from pointsman.query.promise import Promise, Tried, surest_first
from pointsman.query.sequences import Courses, Sequences

__all__ = [
    "Certified",
    "Setting",
    "certify",
    "choose",
    "courses_of",
    "disagreement",
    "losses_of",
    "settled",
]

_CAUTIONS = (0.0, 0.03, 0.1, 0.2, 0.4)
_PRICES = 40


@dataclass(frozen=True, slots=True)
class Setting:
    """Both dials, and the switch. `price` infinite and `caution` 0 is the cheapest arm always."""

    price: float
    caution: float
    looks: bool = False


@dataclass(frozen=True, slots=True)
class Certified:
    """A setting that passed, or none: then everything goes to the reference arm.

    Attributes:
        setting: None where nothing that saves passed.
        num_tested: settings, in the order that was fixed before.
        num_passed: of them.
        nano_usd: mean of the calibration rows under the setting; `reference_nano_usd` under the reference arm.
        loss: mean of the calibration rows, against what is kept; what is promised is the bound, not this.
    """

    setting: Setting | None
    num_tested: int
    num_passed: int
    nano_usd: float
    reference_nano_usd: float
    loss: float

    @property
    def saving(self) -> float:
        """Share of the reference arm's cost, on the calibration rows."""
        return 1 - self.nano_usd / self.reference_nano_usd


def choose(forecasts: Forecasts, reference: int, setting: Setting | None, most_novel: float = 1.0) -> Ints:
    """(N,) arms. Requests above `most_novel` go to the reference arm, as all do without a setting."""
    if setting is None:
        return np.full(len(forecasts.right), reference, dtype=np.int64)
    value = cautious(forecasts.right, reference, setting.caution)
    if math.isinf(setting.price):
        chosen = forecasts.nano_usd.argmin(axis=1)
    else:
        chosen = best_of(value - setting.price * forecasts.nano_usd, forecasts.nano_usd)
    return np.where(forecasts.novelty > most_novel, reference, chosen).astype(np.int64)


def courses_of(
    forecasts: Forecasts,
    reference: int,
    setting: Setting | None,
    most_novel: float = 1.0,
    sequences: Sequences | None = None,
    runs: NDArray[np.bool_] | None = None,
) -> Courses:
    """What is done about N requests under a setting: `choose`, or where it takes looks, all that sequences know.

    `runs`: (A,) arms that may be called after and for a look; all where None.
    """
    if sequences is None or setting is None or not setting.looks or math.isinf(setting.price):
        return Courses.alone(choose(forecasts, reference, setting, most_novel))
    found = sequences.courses(forecasts, setting.price, reference, setting.caution, runs=runs)
    return found.without(forecasts.novelty > most_novel, reference)


def losses_of(outcomes: Outcomes, reference: int, arms: Ints, kept: float = 1.0) -> Floats:
    """(N,) from -1 to `kept`: how much more right that share of the reference arm was than what answered."""
    rows = np.arange(len(arms))
    right, _ = settled(outcomes, reference, outcomes.right[rows, arms], outcomes.nano_usd[rows, arms])
    return np.asarray(kept * outcomes.right[:, reference] - right)


def settled(outcomes: Outcomes, reference: int, right: Floats, nano_usd: Floats) -> tuple[Floats, Floats]:
    """(N,) what counts as right, and what everything costs, where arms would answer like that: see `Outcomes.taken`."""
    taken = outcomes.taken
    if taken is None:
        return right, nano_usd
    kept = np.where(taken.is_taken, taken.sure_right * outcomes.right[:, reference], right)
    return kept, np.asarray(taken.nano_usd + np.where(taken.is_taken, 0.0, nano_usd))


def certify(
    held_out: tuple[Forecasts, Outcomes],
    calibration: tuple[Forecasts, Outcomes],
    reference: int,
    promise: Promise,
    most_novel: float = 1.0,
    sequences: Sequences | None = None,
) -> Certified:
    """The cheapest setting that passes. `held_out`: training rows and forecasts of them by what had not seen them.

    With `sequences` settings that take looks are among them, played as a server plays them: what is lost is lost by the
    arm that answered, and every arm that was called is paid. `calibration` has to tell what looks see in every row.

    Raises:
        BadRequest: `too_few_rows` where no setting could pass, however good; says how many are needed.
    """
    forecasts, outcomes = calibration
    if len(outcomes) < promise.fewest_rows:
        problem = f"{len(outcomes)} calibration rows cannot promise to lose at most {promise.slack:g} with confidence"
        needed = f"{promise.confidence:g}; expected {promise.fewest_rows} or more, and some times that to save much"
        raise BadRequest(f"{problem} {needed}", code="too_few_rows")
    ordered = _ordered(_seen(held_out, reference, most_novel, sequences), promise, len(outcomes))
    parts = [] if sequences is None else [(np.arange(len(outcomes)), sequences)]
    played = _Played(forecasts, outcomes, reference, most_novel, parts)
    billed = float(outcomes.nano_usd[:, reference].mean())
    best: tuple[float, Setting, float] | None = None
    num_passed = 0
    for setting in ordered:
        losses, costs = played.under(setting, promise.kept)
        if not mean_is_below(promise.loss, shuffled(losses.tolist()), (-1.0, promise.kept), promise.confidence):
            break
        num_passed += 1
        cost = float(costs.mean())
        if cost < (best[0] if best else billed):
            best = cost, setting, float(losses.mean())
    cost, chosen, loss = best if best else (billed, None, 0.0)
    return Certified(chosen, min(num_passed + 1, len(ordered)), num_passed, cost, billed, loss)


@dataclass(frozen=True, slots=True)
class _Played:
    """Rows on which settings are tried. `parts`: some of the rows each, with the looks that they are played with."""

    forecasts: Forecasts
    outcomes: Outcomes
    reference: int
    most_novel: float
    parts: Sequence[tuple[Ints, Sequences]]

    def under(self, setting: Setting, kept: float) -> tuple[Floats, Floats]:
        """(N,) losses, as `losses_of`, and (N,) costs."""
        outcomes, rows = self.outcomes, np.arange(len(self.outcomes))
        if setting.looks:
            right, cost = self._with_looks(setting)
        else:
            arm = choose(self.forecasts, self.reference, setting, self.most_novel)
            right, cost = outcomes.right[rows, arm], outcomes.nano_usd[rows, arm]
        right, cost = settled(outcomes, self.reference, right, cost)
        return kept * outcomes.right[:, self.reference] - right, cost

    def tried(self, setting: Setting, kept: float) -> Tried[Setting]:
        """For the order of tests. Of looks the arm counts that answers without one."""
        losses, costs = self.under(setting, kept)
        arm = choose(self.forecasts, self.reference, setting, self.most_novel)
        doubt = float(disagreement(self.forecasts, self.reference, arm).mean())
        return Tried(setting, losses, doubt, float(costs.mean()))

    def _with_looks(self, setting: Setting) -> tuple[Floats, Floats]:
        right, cost = np.empty((2, len(self.outcomes)))
        for rows, sequences in self.parts:
            forecasts, outcomes = self.forecasts.rows(rows), self.outcomes.rows(rows)
            courses = courses_of(forecasts, self.reference, setting, self.most_novel, sequences)
            right[rows], cost[rows] = sequences.played(courses, outcomes, sequences.seen(outcomes))
        return right, cost


def disagreement(forecasts: Forecasts, reference: int, arms: Ints) -> Floats:
    """(N,) forecast chances that exactly one of the arm and the reference arm is right; 0 where they are the same."""
    right = np.clip(forecasts.right, 0, 1)
    mine, theirs = right[np.arange(len(arms)), arms], right[:, reference]
    return np.where(arms == reference, 0.0, mine * (1 - theirs) + theirs * (1 - mine))


def _seen(
    held_out: tuple[Forecasts, Outcomes], reference: int, most_novel: float, sequences: Sequences | None
) -> _Played:
    """The training rows, with looks that were learned on others: by their own rows looks seem surer than they are."""
    parts = [] if sequences is None else learned_on_others(sequences, *held_out)
    return _Played(*held_out, reference, most_novel, parts)


def _ordered(played: _Played, promise: Promise, num_rows: int) -> list[Setting]:
    grid = _grid(played.forecasts, with_looks=bool(played.parts))
    return surest_first((played.tried(setting, promise.kept) for setting in grid), promise, num_rows)


def _grid(forecasts: Forecasts, *, with_looks: bool) -> list[Setting]:
    prices: NDArray[np.float64] = prices_of(forecasts, _PRICES)
    plain = [Setting(float(price), caution) for caution in _CAUTIONS for price in prices if not math.isinf(price)]
    return plain + [replace(setting, looks=True) for setting in plain] if with_looks else plain
