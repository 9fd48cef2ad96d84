"""Learners are believed as far as held-out rows bear them out."""

import numpy as np
import pytest

from pointsman.query.difficulty.stacking import Stack, fit_stack

RNG = np.random.default_rng(0)
HARD = RNG.normal(size=(300, 1)) * [0.2, 0.3, 0.1] + [0.5, 0.6, 0.7]
TARGETS = HARD + RNG.normal(size=(300, 3)) * 0.1
NOISE = TARGETS.mean(0) + np.random.default_rng(1).normal(size=(300, 3)) * 0.2
KNOWN, NOVEL = np.zeros(300), np.ones(300)


def error(found: np.ndarray) -> float:
    return float(((found - TARGETS) ** 2).mean())


def test_what_predicts_nothing_has_no_weight_and_arms_keep_their_means() -> None:
    against = 2 * TARGETS.mean(0) - TARGETS  # as wrong as can be
    stack = fit_stack([against], [against], TARGETS, 3)
    assert (stack.known == 0).all()
    np.testing.assert_allclose(stack.combine([against], KNOWN), np.tile(TARGETS.mean(0), (300, 1)))


def test_the_better_learner_counts_more_and_less_so_for_unknown_requests() -> None:
    stack = fit_stack([HARD, NOISE], [HARD, NOISE], TARGETS, 3)
    good, bad = stack.known[0]
    assert good > 2 * bad
    assert good - bad > stack.unknown[0, 0] - stack.unknown[0, 1] > 0
    assert (stack.known >= 0).all()
    assert error(stack.combine([HARD, NOISE], KNOWN)) < error(TARGETS.mean(0))


def test_unknown_requests_are_shrunk_by_what_carries_over_to_tasks() -> None:
    stack = fit_stack([HARD], [NOISE], TARGETS, 3)
    known, novel = (stack.combine([HARD], each) for each in (KNOWN, NOVEL))
    assert error(known) < 0.5 * error(np.tile(TARGETS.mean(0), (300, 1)))
    assert novel.std(0).max() < 0.35 * known.std(0).max()
    half = stack.combine([HARD], np.full(300, 0.5))
    np.testing.assert_allclose(half, (known + novel) / 2)


def test_directions_are_orthonormal_and_at_most_so_many() -> None:
    for most in (1, 2, 3, 8):
        stack = fit_stack([HARD, NOISE], [HARD, NOISE], TARGETS, most)
        count = min(most, 3)
        assert stack.directions.shape == (3, count)
        np.testing.assert_allclose(stack.directions.T @ stack.directions, np.eye(count), atol=1e-12)
        assert stack.known.shape == stack.unknown.shape == (count, 2)


def test_combining_by_hand() -> None:
    stack = Stack(np.array([0.5, 0.5]), np.eye(2), np.array([[0.5, 0.5], [0.0, 1.0]]), np.zeros((2, 2)))
    first, second = np.array([[0.7, 0.1]]), np.array([[0.9, 0.3]])
    np.testing.assert_allclose(stack.combine([first, second], np.zeros(1)), [[0.8, 0.3]])
    np.testing.assert_allclose(stack.combine([first, second], np.ones(1)), [[0.5, 0.5]])


@pytest.mark.parametrize("max_directions", [1, 3])
def test_learners_that_say_nothing_break_nothing(max_directions: int) -> None:
    silent = np.tile(TARGETS.mean(0), (300, 1))
    stack = fit_stack([silent, silent], [silent, silent], TARGETS, max_directions)
    np.testing.assert_allclose(stack.combine([silent, silent], KNOWN), silent)
