"""A cheap arm first, a look at what came back, then stop or go on.

A *look* calls one arm or two and sees one thing: whether the samples of the one agree, or whether the two answers are
equal. What is seen moves the forecast of every arm; then the answer in hand stands, or the one arm is called that is
worth its price most. With two things to see and one more call the optimal rule is found by comparing all of them: the
value of a look is the mean over what may be seen, of the best that can be done then (cascade routing, Dekoninck et al.,
arXiv 2410.10347; the index of Weitzman 1979 is the case where arms tell nothing of one another). Routing is the case
without a look, a cascade the case without a choice.

Axes: N requests, A arms, L looks; what is seen is 0 (differ) or 1 (agree).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pointsman.query.forecasting import Forecasts
from pointsman.query.frontier import Curve, best_of, cautious, prices_of
from pointsman.query.outcomes import Floats, Ints, Outcomes

__all__ = ["Courses", "Look", "Sequences", "fit_sequences"]

_MAX_LOOKS = 8
_CANDIDATE_ARMS = 12
_PRIOR_ROWS = 20.0
"""Rows that the forecast itself counts as, against what was seen. Chosen."""

_MIN_SEEN = 20
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Look:
    """Arms that are called first, the cheaper one in front; one of them alone shows the agreement of its samples."""

    arms: tuple[int, ...]

    def seen(self, outcomes: Outcomes) -> Ints:
        """(N,) 1 where they agree, 0 where they do not, -1 where the table does not tell."""
        if len(self.arms) == 1:
            agreement = outcomes.agreement[:, self.arms[0]]
            return np.where(np.isnan(agreement), -1, agreement >= 1.0).astype(np.int64)
        first, second = (outcomes.answers[:, arm] for arm in self.arms)
        return np.where((first < 0) | (second < 0), -1, first == second).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Courses:
    """What is done about N requests, settled before anything is called.

    Attributes:
        arm: (N,) that answers where nothing is looked at.
        look: (N,) number of the look that comes first, -1 for none.
        after: (N, 2) arm that answers when answers differ, and when they agree.
        agree: (N,) chance that they agree; 0 without a look.
    """

    arm: Ints
    look: Ints
    after: Ints
    agree: Floats

    @classmethod
    def alone(cls, arm: Ints) -> Courses:
        """Without looks: routing."""
        return cls(arm, np.full(len(arm), -1), np.stack([arm, arm], 1), np.zeros(len(arm)))

    def without(self, rows: NDArray[np.bool_], arm: int) -> Courses:
        """With some requests (N,) answered by one arm, without a look."""
        return Courses(
            np.where(rows, arm, self.arm),
            np.where(rows, -1, self.look),
            np.where(rows[:, None], arm, self.after),
            np.where(rows, 0.0, self.agree),
        )


@dataclass(frozen=True, slots=True)
class Sequences:
    """Looks, and what each teaches.

    Attributes:
        looks: L of them.
        agreeing: (L, 2) of P(agree) = a + b * mean forecast of the look's arms.
        moved: (L, 2, A, 2) of P(arm right | what is seen) = a + b * forecast.
    """

    looks: tuple[Look, ...]
    agreeing: Floats
    moved: Floats

    def seen(self, outcomes: Outcomes) -> Ints:
        """(N, L) what each look sees: 1 where answers agree, 0 where they do not, -1 where the table does not tell."""
        columns = [look.seen(outcomes) for look in self.looks]
        return np.stack(columns, 1) if columns else np.zeros((len(outcomes), 0), dtype=np.int64)

    def courses(
        self,
        forecasts: Forecasts,
        price: float,
        reference: int = 0,
        caution: float = 0.0,
        *,
        runs: NDArray[np.bool_] | None = None,
        most: float = np.inf,
        told: NDArray[np.bool_] | None = None,
    ) -> Courses:
        """The best course for each request: of all looks with all that may follow, and of all arms alone.

        Args:
            forecasts: of N requests.
            price: what a nano-dollar is worth in right answers, finite.
            reference: arm that `caution` is about, see `frontier.cautious`.
            caution: with which the reference arm is left.
            runs: (A,) arms that may be called; all where None.
            most: nano-dollars that everything which is called may be forecast to cost at worst; an arm that costs less
                there has to be.
            told: (N, L) looks that may be taken; all where None.
        """
        cost = forecasts.nano_usd
        may = np.ones(len(forecasts.right[0]), dtype=bool) if runs is None else runs
        rows = np.arange(len(cost))
        value = cautious(forecasts.right, reference, caution) - price * cost
        value = np.where(may & (cost <= most), value, -np.inf)
        best = Courses.alone(best_of(value, cost))
        most_worth = value[rows, best.arm]
        for number, look in enumerate(self.looks):
            if not may[list(look.arms)].all():
                continue
            left = most - cost[:, list(look.arms)].sum(1)
            steps = [self._next(number, what, forecasts, (price, reference, caution), may, left) for what in (0, 1)]
            agree = np.clip(self._agree(number, look, forecasts), 0.01, 0.99)
            first = price * cost[:, list(look.arms)].sum(1)
            worth = (1 - agree) * steps[0][1] + agree * steps[1][1] - first
            taken = worth > most_worth
            if told is not None:
                taken &= told[:, number]
            most_worth = np.where(taken, worth, most_worth)
            best = Courses(
                best.arm,
                np.where(taken, number, best.look),
                np.where(taken[:, None], np.stack([steps[0][0], steps[1][0]], 1), best.after),
                np.where(taken, agree, best.agree),
            )
        return best

    def played(self, courses: Courses, outcomes: Outcomes, seen: Ints) -> tuple[Floats, Floats]:
        """(N,) right and (N,) nano-dollars of what came of courses; every arm that was called is paid.

        `seen`: (N, L); what the table does not tell counts as different answers, like what cannot be compared.
        """
        rows = np.arange(len(outcomes))
        arm, is_called = courses.arm.copy(), np.zeros(outcomes.right.shape, dtype=bool)
        for number, look in enumerate(self.looks):
            at = np.flatnonzero(courses.look == number)
            arm[at] = courses.after[at, np.maximum(seen[at, number], 0)]
            is_called[at[:, None], list(look.arms)] = True
        is_called[rows, arm] = True
        return outcomes.right[rows, arm], np.where(is_called, outcomes.nano_usd, 0.0).sum(1)

    def play(self, forecasts: Forecasts, outcomes: Outcomes, prices: Floats | None = None) -> Curve:
        """Mean billed cost and mean right at each price; what a table does not tell is not looked at."""
        found = prices_of(forecasts) if prices is None else prices
        scale = 1 / max(float(forecasts.nano_usd.min()), 1e-9)
        seen = self.seen(outcomes)
        points = []
        for price in found:
            courses = self.courses(forecasts, min(price, 1e6 * scale), told=seen >= 0)
            points.append([each.mean() for each in self.played(courses, outcomes, seen)])
        return Curve(np.array([cost for _, cost in points]), np.array([right for right, _ in points]))

    def expected(self, courses: Courses, forecasts: Forecasts, row: int = 0) -> tuple[float, float]:
        """Chance to be right and mean cost of one request's course, which begins with a look."""
        number = int(courses.look[row])
        shares = np.array([1 - courses.agree[row], courses.agree[row]])
        level, slope = self.moved[number, (0, 1), courses.after[row]].T
        chances = np.clip(level + slope * forecasts.right[row, courses.after[row]], 0, 1)
        called = [list({*self.looks[number].arms, int(arm)}) for arm in courses.after[row]]
        costs = np.array([forecasts.nano_usd[row, arms].sum() for arms in called])
        return float(shares @ chances), float(shares @ costs)

    def _agree(self, number: int, look: Look, forecasts: Forecasts) -> Floats:
        level, slope = self.agreeing[number]
        return np.asarray(level + slope * forecasts.right[:, list(look.arms)].mean(1))

    def _next(
        self,
        number: int,
        what: int,
        forecasts: Forecasts,
        setting: tuple[float, int, float],
        may: NDArray[np.bool_],
        left: Floats,
    ) -> tuple[Ints, Floats]:
        """The arm that is best after the look, and its value; what is in hand costs nothing more.

        `setting`: price, reference arm, caution. `left`: (N,) nano-dollars that may still be forecast.
        """
        price, reference, caution = setting
        in_hand = np.isin(np.arange(len(may)), self.looks[number].arms)
        level, slope = self.moved[number, what].T
        cost = np.where(in_hand, 0.0, forecasts.nano_usd)
        value = cautious(level + slope * forecasts.right, reference, caution) - price * cost
        value = np.where(may & (cost <= left[:, None]), value, -np.inf)
        arm = value.argmax(1)
        return arm.astype(np.int64), value[np.arange(len(value)), arm]


def fit_sequences(forecasts: Forecasts, outcomes: Outcomes, seed: int = 0) -> Sequences:
    """From forecasts of training rows by what had not seen them. No looks where they do not pay.

    They pay if looks that were learned and picked without a fifth of the rows add to the curve of single arms on that
    fifth, in the mean of the fifths and in most of them.
    """
    looks = [look for look in _candidates(outcomes) if _tells(look, outcomes)]
    fold = np.random.default_rng(seed).permutation(len(outcomes)) % _FOLDS
    gains = []
    for part in range(_FOLDS if looks else 0):
        at, other = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        picked = _picked(looks, forecasts.rows(at), outcomes.rows(at))
        gains.append(_gain(picked, forecasts.rows(other), outcomes.rows(other)))
    pays = bool(gains) and float(np.mean(gains)) > 0 and float(np.median(gains)) > 0
    return _picked(looks, forecasts, outcomes) if pays else _fitted([], forecasts, outcomes)


def _picked(looks: Sequence[Look], forecasts: Forecasts, outcomes: Outcomes) -> Sequences:
    """Those that add most, each alone."""
    learned = _fitted(looks, forecasts, outcomes)
    worth = np.array([_gain(_only(learned, [number]), forecasts, outcomes) for number in range(len(looks))])
    kept = [int(number) for number in np.argsort(-worth) if worth[number] > 0][:_MAX_LOOKS]
    return _only(learned, kept)


def _fitted(looks: Sequence[Look], forecasts: Forecasts, outcomes: Outcomes) -> Sequences:
    return Sequences(
        tuple(looks),
        np.array([_agreeing(look, forecasts, outcomes) for look in looks]).reshape(-1, 2),
        np.array([_moved(look, forecasts, outcomes) for look in looks]).reshape(-1, 2, len(outcomes.arms), 2),
    )


def _candidates(outcomes: Outcomes) -> list[Look]:
    cost, right = outcomes.nano_usd.mean(0), outcomes.right.mean(0)
    by_cost = [int(arm) for arm in np.argsort(cost)]
    worth = sorted(by_cost, key=lambda arm: -right[arm] / np.log1p(cost[arm]))[:_CANDIDATE_ARMS]
    pool = [arm for arm in by_cost if arm in worth]
    return [*(Look((arm,)) for arm in by_cost), *(Look(pair) for pair in combinations(pool, 2))]


def _tells(look: Look, outcomes: Outcomes) -> bool:
    seen = look.seen(outcomes)
    return all(int((seen == what).sum()) >= _MIN_SEEN for what in (0, 1))


def _agreeing(look: Look, forecasts: Forecasts, outcomes: Outcomes) -> Floats:
    seen = look.seen(outcomes)
    known = seen >= 0
    return _line(forecasts.right[known][:, list(look.arms)].mean(1), seen[known].astype(np.float64), (0.5, 0.0))


def _moved(look: Look, forecasts: Forecasts, outcomes: Outcomes) -> list[list[Floats]]:
    seen = look.seen(outcomes)
    arms = range(len(outcomes.arms))
    return [
        [_line(forecasts.right[seen == what, arm], outcomes.right[seen == what, arm], (0.0, 1.0)) for arm in arms]
        for what in (0, 1)
    ]


def _line(given: Floats, wanted: Floats, prior: tuple[float, float]) -> Floats:
    """(level, slope) by least squares, drawn to a prior line that counts as `_PRIOR_ROWS` rows."""
    design = np.stack([np.ones(len(given)), given], 1)
    start = np.array(prior)
    pull = np.diag([_PRIOR_ROWS, _PRIOR_ROWS * max(float(given.var()), 1e-3)])
    return np.asarray(start + np.linalg.solve(design.T @ design + pull, design.T @ (wanted - design @ start)))


def _only(sequences: Sequences, numbers: Sequence[int]) -> Sequences:
    at = np.array(numbers, dtype=np.int64)
    return Sequences(tuple(sequences.looks[n] for n in at), sequences.agreeing[at], sequences.moved[at])


def _gain(sequences: Sequences, forecasts: Forecasts, outcomes: Outcomes) -> float:
    """What looks add to the area under the curve of single arms, as a share of the area; 0 where there is none."""
    prices = prices_of(forecasts, 24)
    cost = outcomes.nano_usd.mean(0)
    low, high = float(cost.min()), float(cost[outcomes.strongest])
    if high <= low:
        return 0.0
    alone = _only(sequences, []).play(forecasts, outcomes, prices).area(low, high)
    return sequences.play(forecasts, outcomes, prices).area(low, high) / alone - 1 if alone > 0 else 0.0
