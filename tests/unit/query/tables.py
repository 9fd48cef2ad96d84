"""Tables whose structure is known, for the tests of the query level; `conftest.py` gives them as a fixture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pointsman.query.features import features_of
from pointsman.query.forecasting import Forecasts, Sample
from pointsman.query.outcomes import Outcomes, TableArm

WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll larch maple noble ocean pearl".split()
TASK_WORDS = (
    *("river bridge water stone flood", "violin chord tempo sonata melody", "pepper garlic butter oven sauce"),
    *("rocket orbit planet comet lunar", "goal striker referee pitch league", "verdict judge appeal statute court"),
)
"""Of six tasks that share no word."""


def outcomes_of(right: Any, nano_usd: Any, **changes: Any) -> Outcomes:
    """What is not given is unknown. `nano_usd` of one row stands for all rows."""
    right = np.asarray(right, dtype=np.float64)
    num_rows, num_arms = right.shape
    columns: dict[str, Any] = {
        "ids": tuple(f"q{row}" for row in range(num_rows)),
        "texts": ("",) * num_rows,
        "tasks": ("",) * num_rows,
        "arms": tuple(TableArm(f"arm{arm}", f"arm{arm}") for arm in range(num_arms)),
        "right": right,
        "nano_usd": np.broadcast_to(np.asarray(nano_usd, dtype=np.float64), right.shape).copy(),
        "prompt_tokens": np.full(right.shape, np.nan),
        "completion_tokens": np.full(right.shape, np.nan),
        "answers": np.full(right.shape, -1, dtype=np.int64),
        "agreement": np.full(right.shape, np.nan),
    }
    return Outcomes(**(columns | changes))


def sample_of(texts: Sequence[str], right: Any, nano_usd: Any, **changes: Any) -> Sample:
    """With the features of its texts."""
    return Sample(outcomes_of(right, nano_usd, texts=tuple(texts), **changes), features_of(texts))


def forecasts_of(right: Any, nano_usd: Any, novelty: Any = None) -> Forecasts:
    """Forecasts that nobody has learned. `nano_usd` of one row stands for all rows."""
    right = np.asarray(right, dtype=np.float64)
    cost = np.broadcast_to(np.asarray(nano_usd, dtype=np.float64), right.shape).copy()
    return Forecasts(right, cost, np.zeros(len(right)) if novelty is None else np.asarray(novelty, dtype=np.float64))


def tasks_sample(num_rows: int, seed: int, num_tasks: int = 6) -> Sample:
    """Tasks without a word in common, two arms. Arm 0 is good at even tasks only; arm 1, five times as dear, at all.

    Bills are tokens times prices: 10 and 20 nano-dollars of arm 0, 50 and 100 of arm 1.
    """
    rng = np.random.default_rng(seed)
    task = rng.integers(0, num_tasks, num_rows)
    texts = [" ".join(rng.choice(TASK_WORDS[each].split(), int(rng.integers(6, 14)))) for each in task]
    chance = np.column_stack([np.where(task % 2 == 0, 0.95, 0.1), np.full(num_rows, 0.95)])
    right = (rng.random(chance.shape) < chance).astype(np.float64)
    read = np.repeat([[float(len(text) // 4)] for text in texts], 2, axis=1)
    written = rng.integers(5, 15, chance.shape) * np.where(task % 3 == 0, 8.0, 1.0)[:, None]
    cost = read * [10.0, 50.0] + written * [20.0, 100.0]
    tasks = tuple(f"task {each}" for each in task)
    return sample_of(texts, right, cost, tasks=tasks, prompt_tokens=read, completion_tokens=written)


def noise_sample(num_rows: int, seed: int, num_arms: int = 3) -> Sample:
    """Texts that say nothing of the outcomes."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, int(rng.integers(5, 30)))) for _ in range(num_rows)]
    right = (rng.random((num_rows, num_arms)) < 0.5).astype(np.float64)
    cost = np.geomspace(100, 10_000, num_arms) * np.exp(rng.normal(0, 0.2, right.shape))
    return sample_of(texts, right, cost, tasks=tuple(f"task {each}" for each in rng.integers(0, 8, num_rows)))
