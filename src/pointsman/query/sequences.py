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

import numpy as np
from numpy.typing import NDArray

from pointsman.query.forecasting import Forecasts
from pointsman.query.frontier import Curve, best_of, cautious, prices_of
from pointsman.query.outcomes import Floats, Ints, Outcomes

__all__ = ["Courses", "Look", "Sequences"]

_MOST_NOVEL = 0.6
"""Chosen. With whole tasks left out and votes, looks at all lose 0.04 of the gap (two halves), 0.004 to 0.02 with this.
With 0.3 a third of the requests of tables without tasks are not looked at, which loses most of what looks bring.
Where texts tell nothing of what is known, novelty is 0.5."""


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

    @classmethod
    def none(cls, num_arms: int) -> Sequences:
        """Without looks: routing."""
        return cls((), np.zeros((0, 2)), np.zeros((0, 2, num_arms, 2)))

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

        Requests that are rather unknown than known are not looked at: what looks teach was learned of others.

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
        is_known = forecasts.novelty <= _MOST_NOVEL
        for number, look in enumerate(self.looks):
            if not may[list(look.arms)].all():
                continue
            left = most - cost[:, list(look.arms)].sum(1)
            steps = [self._next(number, what, forecasts, (price, reference, caution), may, left) for what in (0, 1)]
            agree = np.clip(self._agree(number, look, forecasts), 0.01, 0.99)
            first = price * cost[:, list(look.arms)].sum(1)
            worth = (1 - agree) * steps[0][1] + agree * steps[1][1] - first
            taken = is_known & (worth > most_worth)
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
        """(N,) right and (N,) nano-dollars of what came of courses; every arm that was called is paid."""
        arm, is_called = self.called(courses, seen)
        return outcomes.right[np.arange(len(arm)), arm], np.where(is_called, outcomes.nano_usd, 0.0).sum(1)

    def called(self, courses: Courses, seen: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """(N,) arm that answers, and (N, A) which arms are called.

        `seen`: (N, L); what the table does not tell counts as different answers, like what cannot be compared.
        """
        rows = np.arange(len(courses.arm))
        arm, is_called = courses.arm.copy(), np.zeros((len(rows), self.moved.shape[2]), dtype=bool)
        for number, look in enumerate(self.looks):
            at = np.flatnonzero(courses.look == number)
            arm[at] = courses.after[at, np.maximum(seen[at, number], 0)]
            is_called[at[:, None], list(look.arms)] = True
        is_called[rows, arm] = True
        return arm, is_called

    def play(self, forecasts: Forecasts, outcomes: Outcomes, prices: Floats | None = None) -> Curve:
        """Mean billed cost and mean right at each price; what a table does not tell is not looked at."""
        right, cost = self.play_rows(forecasts, outcomes, prices_of(forecasts) if prices is None else prices)
        return Curve(cost.mean(1), right.mean(1))

    def play_rows(self, forecasts: Forecasts, outcomes: Outcomes, prices: Floats) -> tuple[Floats, Floats]:
        """(D, N) right and nano-dollars of each row at each of D prices, as `play`."""
        most = 1e6 / max(float(forecasts.nano_usd.min()), 1e-9)
        seen = self.seen(outcomes)
        courses = [self.courses(forecasts, min(price, most), told=seen >= 0) for price in prices]
        right, cost = zip(*(self.played(each, outcomes, seen) for each in courses), strict=True)
        return np.stack(right), np.stack(cost)

    def only(self, numbers: Ints | Sequence[int]) -> Sequences:
        """Some of the looks."""
        at = np.asarray(numbers, dtype=np.int64)
        return Sequences(tuple(self.looks[n] for n in at), self.agreeing[at], self.moved[at])

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
