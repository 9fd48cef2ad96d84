"""No row is in two parts, and no task is learned from and tested on."""

from itertools import combinations

import numpy as np
import pytest

from pointsman.bench.query_splits import halves, task_halves, task_thirds, thirds

TASKS = [f"t{row % 7}" for row in range(101)]
SPLITS = {
    "halves": lambda seed: halves(101, seed),
    "task_halves": lambda seed: task_halves(TASKS, seed),
    "thirds": lambda seed: thirds(101, seed),
    "task_thirds": lambda seed: task_thirds(TASKS, seed),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", SPLITS)
def test_every_row_is_in_exactly_one_part(name: str, seed: int) -> None:
    parts = SPLITS[name](seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(101))
    assert all(len(part) > 10 for part in parts)
    assert not any(set(one.tolist()) & set(other.tolist()) for one, other in combinations(parts, 2))


@pytest.mark.parametrize("name", SPLITS)
def test_a_seed_gives_one_split_and_another_another(name: str) -> None:
    first, again, other = (np.concatenate(SPLITS[name](seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(5))
def test_tasks_that_are_tested_were_never_seen(seed: int) -> None:
    for *known, test in (task_halves(TASKS, seed), task_thirds(TASKS, seed)):
        seen = {TASKS[row] for part in known for row in part}
        tested = {TASKS[row] for row in test}
        assert len(seen) == 3
        assert len(tested) == 4
        assert not seen & tested
    learned, calibrated, _ = task_thirds(TASKS, seed)
    assert {TASKS[row] for row in learned} == {TASKS[row] for row in calibrated}  # both of the same tasks


def test_sizes() -> None:
    assert [len(part) for part in halves(11, 0)] == [5, 6]
    assert [len(part) for part in thirds(11, 0)] == [3, 3, 5]


def test_one_task_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="two or more"):
        task_halves(["a"] * 9, 0)
