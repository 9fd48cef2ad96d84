"""Lessons of tables whose structure is known."""

from collections.abc import Callable

import numpy as np
import pytest

from pointsman.query.difficulty.learners import Lesson
from pointsman.query.difficulty.space import fit_space
from pointsman.query.forecasting import Sample


@pytest.fixture(scope="session")
def lesson_of() -> Callable[[Sample], Lesson]:
    """To learn outcomes and logarithms of cost; folds of rows at random, those of tasks by task."""

    def make(sample: Sample) -> Lesson:
        outcomes = sample.outcomes
        points = fit_space(sample.features, 0).points(sample.features)
        _, number = np.unique(outcomes.tasks, return_inverse=True)
        rows = np.random.default_rng(0).integers(0, 5, len(sample))
        return Lesson(points, np.hstack([outcomes.right, np.log(outcomes.nano_usd)]), rows, number % 5, 0)

    return make
