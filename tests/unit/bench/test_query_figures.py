"""From splits to figures."""

import math

import pytest

from pointsman.bench.query_entrants import OURS, UNCALIBRATED, is_rival
from pointsman.bench.query_figures import (
    ahead_of,
    certified_figures,
    curves_of,
    gain_figures,
    ranking,
    split_figures,
)
from pointsman.bench.query_jobs import CertifiedSplit, Job, Measured
from pointsman.bench.query_traffic import Played

PLAIN, ALONE = f"{OURS} without sequences", f"{OURS} without shared difficulty"


def numbers(gap: float, **others: float) -> dict[str, float]:
    return {"gap": gap, "parity": 0.25, "minus_1": 0.5} | others


def split(seed: int, ours: float, *, apgr: bool = True) -> Measured:
    two = {"apgr": 0.75, "cpt50": 0.25, "cpt80": 0.5} if apgr else {}
    found = {
        OURS: numbers(ours, ece=0.03, **two),
        PLAIN: numbers(0.3, **two),
        UNCALIBRATED: numbers(0.25, ece=0.05, **two),
        "oracle": numbers(1.0),
        ALONE: numbers(0.2, **two),
        "knn": numbers(0.1, **two),
        "pointsman, routing only": numbers(0.15, **two),
        "cascade": numbers(0.35),
    }
    return Measured(Job("iid", seed), found, {name: [0.5, 0.5 + ours] for name in found}, 0.8, 0.95)


SPLITS = [split(0, 0.4), split(1, 0.6)]


def test_figures_of_ours_are_means_over_splits() -> None:
    found = split_figures(SPLITS, 0)
    assert found["gap_closed"].value == pytest.approx(0.5)
    assert found["gap_closed"].n == 2
    assert found["gap_closed"].low <= 0.5 <= found["gap_closed"].high
    rest = {name: figure.value for name, figure in found.items() if name != "gap_closed"}
    assert rest == pytest.approx(
        {
            "saving_at_parity": 0.25,
            "saving_at_minus_1": 0.5,
            "ece": 0.03,
            "ece_before": 0.05,
            "apgr": 0.75,
            "cpt50": 0.25,
            "cpt80": 0.5,
            "best_single": 0.8,
            "oracle": 0.95,
        }
    )
    assert "apgr" not in split_figures([split(0, 0.4, apgr=False)], 0)


def test_splits_with_nothing_to_route_are_left_out_of_the_mean() -> None:
    found = split_figures([*SPLITS, split(2, math.nan)], 0)["gap_closed"]
    assert (found.value, found.n) == (pytest.approx(0.5), 2)
    none = split_figures([split(2, math.nan)], 0)["gap_closed"]
    assert none.value is None
    assert "nothing to route" in none.reason


def test_gains_are_differences_within_splits() -> None:
    found = {name: figure.value for name, figure in gain_figures(SPLITS, 0).items()}
    assert found["joint_gain.sequences"] == pytest.approx(0.2)
    assert found["joint_gain.recalibration"] == pytest.approx(0.05)
    assert found["joint_gain.shared_difficulty"] == pytest.approx(0.1)
    assert found["joint_gain.over_routing_only"] == pytest.approx(0.15)
    gains = ("sequences", "recalibration", "shared_difficulty", "over_routing_only")
    assert set(found) == {f"joint_gain.{name}" for name in gains}


def test_certified_figures_count_what_was_broken() -> None:
    losses = [0.02, 0.011, 0.01, -0.05]
    offs = [None, 10, 20, None]
    splits = [
        CertifiedSplit(Job("certified", n), Played(0.1 * n, loss, 0.004, off, off and "shift"), n > 0)
        for n, (loss, off) in enumerate(zip(losses, offs, strict=True))
    ]
    found = certified_figures(splits, 0.01, 0)
    assert found["certified_saving"].value == pytest.approx(0.15)
    assert found["violation_rate_with_test_noise"].value == 0.5  # a loss of just what was promised breaks nothing
    assert found["violation_rate"].value == 0.25
    assert found["certified_share"].value == 0.75
    assert (found["switched_off"].value, found["requests_until_off"].value) == (0.5, 15.0)


def test_an_interval_of_nothing_broken_is_not_empty() -> None:
    """Wilson's of none in 100 ends at 3.7 %."""
    splits = [CertifiedSplit(Job("certified", n), Played(0.1, 0.0, 0.001, None, None), True) for n in range(100)]
    figures = certified_figures(splits, 0.01, 0)
    assert figures["requests_until_off"].value is None
    found = figures["violation_rate"]
    assert (found.value, found.low, found.n) == (0.0, 0.0, 100)
    assert found.high == pytest.approx(0.0370, abs=1e-4)


def test_ours_is_compared_with_the_best_rival_only() -> None:
    lead, best = ahead_of(SPLITS)
    assert (lead, best) == (pytest.approx(0.15), "cascade")
    assert [is_rival(name) for name in (OURS, PLAIN, UNCALIBRATED, "oracle", "knn")] == [False] * 4 + [True]


def test_the_ranking_has_the_best_first_and_everybody() -> None:
    head, *lines = ranking(SPLITS, "2 splits")
    assert head.endswith("APGR  CPT50  CPT80")
    names = [line.split("  ")[0] for line in lines]
    assert names[:4] == ["oracle", OURS, "cascade", PLAIN]
    assert len(lines) == 8
    assert "0.500" in lines[1]
    assert lines[1].endswith("0.750  0.250  0.500")
    assert "APGR" not in ranking([split(0, 0.4, apgr=False)], "1 split")[0]


def test_a_split_with_nothing_to_route_does_not_count() -> None:
    nothing = split(2, math.nan)
    assert ranking([*SPLITS, nothing], "")[2] == ranking(SPLITS, "")[2]
    assert ahead_of([*SPLITS, nothing])[0] == pytest.approx(ahead_of(SPLITS)[0])


def test_curves_are_means_point_by_point_without_nan() -> None:
    found = {row["name"]: row for row in curves_of(SPLITS)}
    assert found[OURS]["right"] == pytest.approx([0.5, 1.0])
    assert found[OURS]["gap_closed"] == pytest.approx(0.5)
    assert {row["name"]: row for row in curves_of([split(0, math.nan)])}[OURS]["gap_closed"] is None
