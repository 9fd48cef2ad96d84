"""Requests like those of the certificate raise no alarm; others do, soon, and a few in a row do not."""

import math

import numpy as np
import pytest

from pointsman.core import BadRequest
from pointsman.query.shift import Shift, ShiftLimits, ShiftWatch, usual_novelty

CONFIDENCE = 0.9


def watched(novelty: np.ndarray, limits: ShiftLimits) -> Shift | None:
    watch = ShiftWatch(limits)
    return next((found for time, each in enumerate(novelty) if (found := watch.observe(float(each), time))), None)


@pytest.mark.parametrize("shape", [(0.1, 2.0), (0.5, 0.5), (5.0, 5.0)])
def test_false_alarms_are_as_rare_as_stated_without_any_tolerance(shape: tuple[float, float]) -> None:
    """The bound comes from other rows each time; 120 streams of 600."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(120):
        usual = usual_novelty(rng.beta(*shape, 400), confidence=CONFIDENCE)
        alarms += watched(rng.beta(*shape, 600), ShiftLimits(usual, 0.0, CONFIDENCE)) is not None
    assert alarms / 120 <= 1 - CONFIDENCE


def test_a_shift_is_seen_after_a_dozen_requests_and_soon() -> None:
    found = watched(np.ones(100), ShiftLimits(0.05))
    assert found is not None
    assert 12 <= found.num_requests <= 20
    assert (found.time_us, found.mean, found.allowed) == (found.num_requests - 1, 1.0, pytest.approx(0.1))
    assert found.evidence >= 40
    mixed = watched(np.tile([0.05, 0.05, 0.9], 100), ShiftLimits(0.05))
    assert mixed is not None
    assert 30 < mixed.num_requests < 150


def test_the_alarm_goes_on() -> None:
    watch = ShiftWatch(ShiftLimits(0.0))
    found = [watch.observe(1.0, time) for time in range(40)]
    first = next(number for number, each in enumerate(found) if each is not None)
    assert all(each is not None for each in found[first:])


def test_any_shift_is_tolerated_by_a_tolerance_of_one() -> None:
    limits = ShiftLimits(0.3, 1.0)
    assert limits.allowed == 1.0
    assert watched(np.ones(1_000), limits) is None


def test_what_is_usual_is_above_the_mean_and_of_what_the_certificate_decides() -> None:
    novelty = np.repeat([0.1, 0.9], 300)  # sorted, as a table may be
    assert 0.5 < usual_novelty(novelty) < 0.6
    assert 0.1 < usual_novelty(novelty, most_novel=0.5) < 0.15
    assert usual_novelty(novelty, most_novel=0.05) == 1.0, "what is unknown is no ground for an alarm"
    assert usual_novelty(novelty, confidence=0.99) > usual_novelty(novelty)


def test_what_cannot_be_watched_is_refused() -> None:
    for usual, tolerance, confidence in ((-0.1, 0, 0.9), (0.1, 1.1, 0.9), (0.1, 0.1, 1), (math.nan, 0.1, 0.9)):
        with pytest.raises(BadRequest, match="cannot be watched") as caught:
            ShiftLimits(usual, tolerance, confidence)
        assert caught.value.code == "invalid_shift"
    with pytest.raises(BadRequest) as caught:
        ShiftWatch(ShiftLimits(0.1)).observe(math.nan, 0)
    assert caught.value.code == "invalid_evidence"
