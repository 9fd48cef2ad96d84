"""Splits as they are measured: on small tables, without workers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.bench.query_entrants import OURS, UNCALIBRATED
from pointsman.bench.query_jobs import GRID, Job, Table, _calibration_error, _on_grid, certified, measured, read_sample
from pointsman.bench.query_latency import synthetic_sample
from pointsman.bench.query_splits import halves, thirds
from pointsman.query.forecasting import Forecasts, Sample
from pointsman.query.frontier import Curve
from pointsman.query.outcomes import Outcomes
from pointsman.query.promise import Promise


@pytest.fixture(scope="module")
def sample() -> Sample:
    return synthetic_sample(360, 2, 0)


@pytest.fixture(scope="module")
def split(sample: Sample):
    return measured(sample, Job("iid", 0, with_rivals=False))


def test_a_split_measures_ours_and_the_oracle(sample: Sample, split) -> None:
    assert list(split.numbers) == [OURS, f"{OURS} without sequences", UNCALIBRATED, "oracle"]
    assert split.numbers["oracle"]["gap"] == pytest.approx(1.0)
    assert 0.1 < split.numbers[OURS]["gap"] < 1
    assert 0.5 < split.numbers[OURS]["apgr"] <= 1
    assert 0 < split.numbers[OURS]["cpt50"] <= split.numbers[OURS]["cpt80"] <= 1
    assert all(0 <= split.numbers[name]["ece"] < 0.15 for name in (OURS, UNCALIBRATED))
    test = sample.rows(halves(360, 0)[1]).outcomes
    assert split.best_single == pytest.approx(test.right.mean(0).max())
    assert split.oracle == pytest.approx(test.right.max(1).mean())
    assert all(len(curve) == GRID for curve in split.curves.values())


def test_a_split_by_tasks_has_other_rows(sample: Sample, split) -> None:
    by_task = measured(sample, Job("tasks", 0, with_rivals=False))
    assert by_task.numbers[OURS] != split.numbers[OURS]
    assert by_task.numbers["oracle"]["gap"] == pytest.approx(1.0)


def test_what_is_certified_on_others_is_judged_on_the_test_rows() -> None:
    """Both arms are right in the same rows but for one that is learned from: nothing is lost, and much is saved."""
    num_rows = 3 * 420
    assert Promise().fewest_rows < 420
    sample, (learned, _, tested) = synthetic_sample(num_rows, 2, 1), thirds(num_rows, 3)
    right = np.repeat(sample.outcomes.right[:, [1]], 2, axis=1)
    right[learned[0]] = [0.0, 1.0]
    outcomes = replace(sample.outcomes, right=right)
    job = Job("certified", 3)
    found = certified(Sample(outcomes, sample.features), job)
    cost = outcomes.rows(tested).nano_usd.mean(0)
    played = found.played
    assert (found.job, played.loss, played.noise, found.is_certified) == (job, 0.0, 0.0, True)
    assert 0.5 < played.saving <= 1 - cost[0] / cost[1] + 1e-9


def outcomes_of(right: np.ndarray, cost: list[float]) -> Outcomes:
    unknown = np.full(right.shape, np.nan)
    whole = synthetic_sample(len(right), right.shape[1], 0).outcomes
    return replace(
        whole, right=right, nano_usd=np.tile(cost, (len(right), 1)), prompt_tokens=unknown, completion_tokens=unknown
    )


def test_the_calibration_error_by_hand() -> None:
    right = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    forecasts = Forecasts(np.array([[0.75, 0.1]] * 4), np.ones((4, 2)), np.zeros(4))
    assert _calibration_error(forecasts, outcomes_of(right, [1.0, 2.0])) == pytest.approx((0.0 + 0.15) / 2)
    beyond = Forecasts(np.array([[1.5, -0.5]] * 4), np.ones((4, 2)), np.zeros(4))
    assert _calibration_error(beyond, outcomes_of(right, [1.0, 2.0])) == pytest.approx(0.25)


def test_curves_are_read_between_the_cheapest_and_the_most_accurate_arm() -> None:
    right = np.array([[1.0, 1.0], [0.0, 1.0]])
    found = _on_grid(Curve(np.array([3.0, 1.0]), np.array([1.0, 0.5])), outcomes_of(right, [1.0, 3.0]))
    np.testing.assert_allclose(found, np.linspace(0.5, 1.0, GRID))


def test_a_table_is_read_with_an_embedding(tmp_path: Path, write_embedding: Any) -> None:
    outcomes = {name: {"correct": 1, "cost_usd": 0.1} for name in ("small", "large")}
    rows = [{"id": str(i), "prompt": "red" if i % 2 else "blue", "outcomes": outcomes} for i in range(40)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = write_embedding(tmp_path / "e", {"red": [0.0, 2.0], "blue": [3.0, 0.0]})
    plain, _ = read_sample(Table((tmp_path / "t.jsonl",)))
    sample, notes = read_sample(Table((tmp_path / "t.jsonl",), embedding=folder))
    assert plain.features.extra.shape == (40, 0)
    assert sample.features.extra.tolist() == [[1.0, 0.0], [0.0, 1.0]] * 20
    assert notes[-1] == f"embedding: {folder}, 2 dimensions, for all entrants"
