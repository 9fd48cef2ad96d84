"""`bench token`: what is read off the curves, and the loop's own cost."""

import csv
from pathlib import Path

import pytest

from pointsman.bench import token_bench, token_loop
from pointsman.bench.report import Report
from pointsman.bench.token import describe
from pointsman.bench.token_curves import cheapest, dominated_share, points, settings_of, write_csv
from pointsman.engine import ModelConfig
from pointsman.token.evaluation import Measured


def measured(num_right: int, moved: int, **dials: float) -> Measured:
    """Ten tasks, the first of them right, and so many bytes each."""
    right = tuple(index < num_right for index in range(10))
    return Measured("m", dials, right, (moved,) * 10, (2 * moved,) * 10, 1.0 + moved, 50, 0.2, 0.0, 0.1, 0.05)


def test_a_point_is_dominated_by_one_that_is_no_worse_in_both_respects() -> None:
    ours = [measured(5, 10), measured(9, 50)]
    rival = [measured(5, 10), measured(4, 9), measured(9, 51), measured(10, 99), measured(3, 11)]
    assert dominated_share(rival, ours) == 3 / 5


def test_the_cheapest_point_is_accurate_enough() -> None:
    curve = [measured(9, 50), measured(8, 20), measured(9, 40), measured(5, 1)]
    assert cheapest(curve, 0.85, lambda point: point.total_bytes) == 2
    assert cheapest(curve, 0.95, lambda point: point.total_bytes) is None


def test_a_gain_is_accuracy_at_equal_bytes() -> None:
    large, everyone = measured(10, 100), range(10)
    base, better = [measured(5, 10), measured(8, 50)], [measured(5, 10), measured(9, 50)]
    # Within a tenth of the bytes 0.5, from half of them on 0.8 or 0.9: 8 and 10 of 18 steps.
    found = token_bench._mean_accuracy(better, large, everyone) - token_bench._mean_accuracy(base, large, everyone)
    assert found == pytest.approx(0.1 * 10 / 18)
    assert token_bench._mean_accuracy([measured(9, 99)], large, everyone) == 0


def test_a_ratio_is_one_of_totals() -> None:
    figure = token_bench._ratio([1, 2, 3] * 20, [2, 4, 6] * 20, seed=0, at_most=0.6)
    assert (figure.value, figure.low, figure.high) == (0.5, 0.5, 0.5)
    assert figure.verdict() == "met"


def test_curves_are_published_with_their_costs(tmp_path: Path) -> None:
    curves = {"large": [measured(10, 100)], "small": [measured(5, 10)], "citer": [measured(7, 50, threshold=0.5)]}
    (point,) = points(curves, 0)["citer"]
    assert point["bytes_share"] == 0.5
    assert point["threshold"] == 0.5
    assert point["low"] <= point["accuracy"] == 0.7 <= point["high"]
    write_csv(curves, tmp_path / "points.csv", 0)
    rows = list(csv.DictReader((tmp_path / "points.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["large", "small", "citer"]
    assert rows[2]["threshold"] == "0.5"
    assert any("threshold 0.5" in line for line in describe(curves, 10, 1))


def test_methods_without_their_gate_are_left_out() -> None:
    assert set(settings_of(("citer", "bild"), {}, {})) == {"bild"}


def test_the_loop_is_measured_beside_its_forwards(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = ModelConfig("LlamaForCausalLM", 1200, 32, 48, 1, 2, 2, 16, 512)
    monkeypatch.setattr(token_loop, "_SMALL", tiny)
    monkeypatch.setattr(token_loop, "HALF_BILLION", tiny)
    report = Report("token", 0, quick=True)
    token_loop.measure_loop(report, True, 0)
    figures = report.figures
    assert figures["scripted_seconds_over_forwards"].value > 1
    assert figures["scripted_rate_over_reencoding"].value > 0
    assert 0 < figures["gate_share_of_small_bytes"].value < 1


def test_both_loops_write_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from pointsman.engine import Sampling, Session
    from pointsman.token import PairBatch
    from pointsman.token.method import at_random

    tiny = ModelConfig("LlamaForCausalLM", 1200, 32, 48, 1, 2, 2, 16, 512)
    monkeypatch.setattr(token_loop, "_SMALL", tiny)
    monkeypatch.setattr(token_loop, "HALF_BILLION", tiny)
    pair, texts = token_loop._random_pair(0), []
    for large in (Session(pair.large.decoder, 1, 64), token_loop._Reencoding(pair.large.decoder, 64)):
        batch = PairBatch(pair, at_random(0.4), 1, 64, sessions=(Session(pair.small.decoder, 1, 64), large))
        text = batch.submit([5, 6, 7], Sampling(max_tokens=20))
        while not batch.is_idle:
            batch.step()
        texts.append((text.tokens, text.result().writers))
    assert texts[0] == texts[1]
    assert "large" in texts[0][1]
