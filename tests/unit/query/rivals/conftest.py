"""Tables whose structure is known."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pointsman.query.features import features_of
from pointsman.query.forecasting import Sample
from pointsman.query.outcomes import Outcomes, TableArm

Made = Callable[..., Sample]

_WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll larch maple noble ocean pearl".split()
_PRICES = np.array([[10.0, 20.0], [20.0, 60.0], [100.0, 400.0]])  # nano-dollars a token read, and written


def _text(rng: np.random.Generator, is_sum: bool) -> str:
    if is_sum:
        return f"What is {rng.integers(1000)} + {rng.integers(1000)} + {rng.integers(1000)} ?"
    return "Put these in another order: " + ", ".join(rng.choice(_WORDS, 6))


def sample_of(texts: Sequence[str], right: np.ndarray, nano_usd: np.ndarray, **changes: object) -> Sample:
    num_rows, num_arms = right.shape
    unknown = np.full(right.shape, np.nan)
    columns: dict[str, object] = {
        "ids": tuple(f"q{i:04d}" for i in range(num_rows)),
        "texts": tuple(texts),
        "tasks": ("",) * num_rows,
        "arms": tuple(TableArm(f"arm{a}", f"arm{a}") for a in range(num_arms)),
        "prompt_tokens": unknown,
        "completion_tokens": unknown,
        "answers": np.full(right.shape, -1),
        "agreement": unknown,
    }
    outcomes = Outcomes(**(columns | {"right": right, "nano_usd": nano_usd} | changes))  # type: ignore[arg-type]
    return Sample(outcomes, features_of(texts))


@pytest.fixture(scope="session")
def made() -> Made:
    """Sums and words. Arm 0 is cheap and good at sums, arm 1 at words, arm 2 is dear and good at both."""

    def make(num_rows: int = 400, seed: int = 0) -> Sample:
        rng = np.random.default_rng(seed)
        is_sum = rng.random(num_rows) < 0.5
        texts = [_text(rng, bool(each)) for each in is_sum]
        chance = np.column_stack([np.where(is_sum, 0.9, 0.1), np.where(is_sum, 0.1, 0.9), np.full(num_rows, 0.95)])
        right = (rng.random(chance.shape) < chance).astype(np.float64)
        read = np.repeat(np.array([[len(text) / 4] for text in texts]), 3, axis=1)
        written = rng.integers(5, 15, chance.shape) * np.where(is_sum, 1.0, 3.0)[:, None]
        cost = read * _PRICES[:, 0] + written * _PRICES[:, 1]
        answers = np.where(right > 0, 0, rng.integers(1, 50, right.shape))
        return sample_of(texts, right, cost, prompt_tokens=read, completion_tokens=written, answers=answers)

    return make


@pytest.fixture(scope="session")
def budgeted() -> Sample:
    """Two models of three and of two budgets and one of one; text says what helps."""
    rng = np.random.default_rng(3)
    names = (("a", "low"), ("a", "mid"), ("a", "high"), ("b", "low"), ("b", "high"), ("c", ""))
    chance = np.array([[0.3, 0.6, 0.9, 0.2, 0.4, 0.5], [0.2, 0.3, 0.4, 0.5, 0.9, 0.6]])
    kind = rng.integers(0, 2, 300)
    right = (rng.random((300, 6)) < chance[kind]).astype(np.float64)
    cost = np.array([1e3, 2e3, 4e3, 1e3, 5e3, 1.5e3]) * rng.uniform(0.8, 1.2, (300, 6))
    arms = tuple(TableArm(f"{model}/{budget}".strip("/"), model, budget) for model, budget in names)
    return sample_of([_text(rng, bool(each)) for each in kind], right, cost, arms=arms)


@pytest.fixture(scope="session")
def plain() -> Callable[..., Sample]:
    """`sample_of`: a table of texts, outcomes and costs, where the rest is unknown unless it is given."""
    return sample_of
