"""Figures, intervals and the published record."""

import json
import math
import random
import statistics
from pathlib import Path

import pytest

from pointsman.bench.report import (
    Figure,
    Report,
    absent,
    commit,
    interval,
    median_figure,
    quantile,
    quantile_figure,
    sha256_of,
)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([3.0], 0.95, 3.0), ([1.0, 2.0, 3.0], 0.5, 2.0), ([4.0, 1.0], 0.5, 2.5), (range(101), 0.95, 95.0), ([1, 2], 1, 2)],
)
def test_a_quantile_lies_between_the_nearest_ranks(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == expected


def test_the_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    rng = random.Random(1)
    covered = 0
    for trial in range(100):
        low, high = interval([rng.gauss(5.0, 1.0) for _ in range(30)], seed=trial)
        assert low is not None
        assert high is not None
        covered += low <= 5.0 <= high
    assert 86 <= covered <= 100


def test_the_interval_is_a_function_of_values_and_seed() -> None:
    values = [1.0, 5.0, 2.0, 9.0, 4.0]
    assert interval(values, seed=3) == interval(values, seed=3)
    low, high = interval(values)
    assert (low, high) != (None, None)
    assert min(values) <= low <= statistics.median(values) <= high <= max(values)  # type: ignore[operator]


def test_the_interval_of_equal_values_is_that_value_and_of_one_value_is_none() -> None:
    assert interval([2.0] * 5) == (2.0, 2.0)
    assert interval([2.0]) == (None, None)


def test_the_interval_of_a_quantile_is_that_of_the_quantile() -> None:
    figure = quantile_figure(list(map(float, range(1_001))), 0.95, "s")
    assert figure.value == 950.0
    assert figure.low is not None
    assert figure.high is not None
    assert 930 < figure.low < 950 < figure.high < 970


def test_a_verdict_needs_a_target_and_a_value() -> None:
    assert median_figure([1.0, 2.0], "s", at_most=2.0).verdict() == "met"
    assert median_figure([3.0], "s", at_most=2.0).verdict() == "MISSED"
    assert median_figure([3.0], "s").verdict() == ""
    assert absent("s", "no clock", 2.0).verdict() == ""


def _report() -> Report:
    report = Report("program", 7, quick=True, data={"a.jsonl": "00ff"})
    report.figures["fast_s"] = median_figure([1.0, 2.0, 3.0], "s", at_most=5.0)
    report.figures["lost_us"] = absent("us", "the compiler gives up")
    report.curves["sizes"] = [{"rows": 10, "us": 0.3}]
    report.details.append("a line for people")
    return report


def test_the_last_line_is_the_whole_record_as_json() -> None:
    text = _report().text()
    record = json.loads(text.splitlines()[-1])
    assert text.endswith("}\n")
    assert list(record) == ["bench", "commit", "machine", "versions", "seed", "data", "figures", "curves", "quick"]
    assert record["figures"]["fast_s"] == {"value": 2.0, "low": 1.0, "high": 3.0, "unit": "s", "n": 3}
    lost = {"value": None, "low": None, "high": None, "unit": "us", "n": 0, "reason": "the compiler gives up"}
    assert record["figures"]["lost_us"] == lost
    assert (record["seed"], record["quick"], record["data"]) == (7, True, {"a.jsonl": "00ff"})
    assert {"python", "pointsman"} <= record["versions"].keys()


def test_the_table_shows_intervals_targets_reasons_and_details() -> None:
    text = _report().text()
    assert "a line for people" in text
    assert "1 to 3" in text
    assert "<= 5" in text
    assert "lost_us: the compiler gives up" in text
    assert "quick" in text


def test_a_value_that_is_no_number_is_refused() -> None:
    report = Report("program", 0, quick=False, figures={"bad": Figure(math.nan, "s", 1)})
    with pytest.raises(ValueError, match="JSON"):
        report.text()


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_commit_is_a_hash_or_unknown() -> None:
    found = commit()
    assert found is None or len(found.removesuffix("-dirty")) == 40
