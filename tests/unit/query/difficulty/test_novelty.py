"""Rows of a task that was not learned from are more novel than those of tasks that were."""

import numpy as np
import pytest

from pointsman.query.difficulty.joint import Joint
from pointsman.query.difficulty.novelty import Novelty
from pointsman.query.features import features_of


@pytest.mark.parametrize("unseen", [0, 3])
def test_rows_of_an_unseen_task_score_above_rows_of_seen_ones(unseen: int, tables) -> None:
    train, test = tables.tasks_sample(240, seed=0), tables.tasks_sample(120, seed=1)
    name = f"task {unseen}"
    known = train.rows([row for row, task in enumerate(train.outcomes.tasks) if task != name])
    novelty = Joint(learners=("text",)).fit(known, 0).forecast(test.features, test.outcomes.prompt_tokens).novelty
    is_new = np.array(test.outcomes.tasks) == name
    assert (novelty[is_new][:, None] > novelty[~is_new]).mean() > 0.99
    assert novelty[is_new].mean() > 0.5 > novelty[~is_new].mean()


def test_novelty_falls_with_similarity_and_stays_within_its_range(learned) -> None:
    _, fitted, _ = learned
    near, far = fitted.novelty.of(np.array([[1.0, 0.95], [0.1, 0.0]]))
    assert 0 <= near < 0.2
    assert 0.8 < far <= 1
    assert Novelty(np.array([1e9, 1e9]), 0.0).of(np.array([[1.0, 1.0], [-1.0, -1.0]])).tolist() == pytest.approx([1, 0])


def test_texts_of_another_language_are_novel(learned) -> None:
    train, fitted, _ = learned
    strange = features_of(["Сколько будет два плюс два?", "123 456 789"])
    novelty = fitted.forecast(strange, np.full((2, 2), 10.0)).novelty
    known = fitted.forecast(train.features, train.outcomes.prompt_tokens).novelty
    assert novelty.min() > np.quantile(known, 0.99)
