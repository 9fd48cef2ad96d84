"""What is read off curves of the unit level, and its bench over a tiny model."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pointsman.bench import books, unit_bench, unit_controls, unit_loop
from pointsman.bench.report import Figure, Report
from pointsman.bench.unit_cases import Case
from pointsman.bench.unit_curves import by_name, ratio_at
from pointsman.engine import LoadedModel, ModelConfig
from pointsman.engine.model import Decoder
from pointsman.engine.tokenizer import TextTokenizer
from pointsman.unit import Lessons, Measured, Prices, Router, default_shape, of_stream, tariff
from pointsman.unit.rivals.training import Recipe


def point(moved: float, log_ratio: float, spread: float = 0.0) -> Measured:
    """One of 20 texts of 10 tokens each, whose losses lie `spread` around the mean."""
    ten = torch.full((20,), 10.0, dtype=torch.float64)
    around = torch.linspace(-spread, spread, 20, dtype=torch.float64)
    return Measured(
        "ours", 0.0, ten, ten, ten, 10 * (log_ratio + around), ten, ten, 1000 * moved * ten, 1000 * ten, ten, ten
    )


def test_between_two_points_the_logarithm_is_interpolated() -> None:
    curve = [point(0.9, 0.0), point(0.5, 0.4)]
    assert ratio_at(curve, 0.3) == pytest.approx((math.exp(0.2),) * 3)
    assert ratio_at(curve, 0.6) is None
    assert ratio_at(curve, 0.05) is None
    assert ratio_at(curve, 0.502) == pytest.approx((math.exp(0.4),) * 3), "near enough is taken as it is"


def test_the_interval_is_that_of_the_texts() -> None:
    found = ratio_at([point(0.9, 0.0, 0.1), point(0.5, 0.4, 0.1)], 0.3)
    assert found is not None
    value, low, high = found
    assert low < value < high
    assert math.log(high / low) == pytest.approx(2 * 1.96 * 0.1 * math.sqrt(1 / 3 / 20), rel=0.3)


def test_curves_go_from_dear_to_cheap() -> None:
    curve = by_name([point(0.5, 0.4), point(0.9, 0.0), point(0.7, 0.1)])["ours"]
    assert [one.moved_share for one in curve] == pytest.approx([0.9, 0.7, 0.5])


def test_an_excess_is_that_of_the_perplexities() -> None:
    mine, theirs = [point(0.9, 0.0, 0.1), point(0.5, 0.4, 0.1)], [point(0.9, 0.1), point(0.5, 0.3)]
    found = unit_controls._excess(mine, theirs, 0.3, 0)
    assert found is not None
    assert found.value == pytest.approx(0.0)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert unit_controls._excess(mine, [point(0.9, 0.1)], 0.3, 0) is None


@pytest.mark.parametrize("saved", [0.25, 0.5])
def test_a_script_saves_what_it_is_asked_for(make_decoder: Callable[..., Decoder], saved: float) -> None:
    decoder = make_decoder(num_layers=12, hidden_size=64, intermediate_size=192)
    prices = tariff(Prices.of(decoder), Router(decoder.config, default_shape(decoder.config)))
    script = unit_loop.script_for(prices, saved, 10)
    moved = prices.prices.rest + sum(
        float(prices.of_unit(unit, torch.tensor(10.0))[option]) for unit, option in enumerate(script)
    )
    found = 1 - moved / float(prices.dense(torch.tensor(10.0)))
    assert saved <= found <= saved + prices.prices.mlp / prices.prices.dense(10)


def test_a_case_is_fitted_measured_and_not_fitted_again(
    make_decoder: Callable[..., Decoder], letters: TextTokenizer, tmp_path: Path
) -> None:
    decoder = make_decoder(num_layers=3)
    model = LoadedModel("tiny", decoder, letters, decoder.config)
    generator = torch.Generator().manual_seed(0)
    learned, kept, texts = (
        of_stream(torch.randint(2, 60, (count * 16 + 1,), generator=generator).tolist(), 16) for count in (50, 8, 12)
    )
    recipe = Recipe(steps=3, forecaster_steps=3, num_rows=4)
    case = Case("embedded", model, learned, kept, texts, Lessons(steps=3, num_rows=4), recipe)
    said: list[str] = []
    reports = []
    for _ in range(2):
        report = Report("unit", 0, quick=True)
        unit_bench._measure_case(report, case, tmp_path, True, said.append)
        reports.append(report)
        trained = [what for what in said if "step 1" in what]
    assert len([what for what in said if what == "embedded: informed for 0.75, step 1"]) == 1
    assert trained
    names = {
        "ppl_over_dense_25.embedded",
        "ppl_over_dense_40.embedded",
        "embedded_fit_s",
        "fit_seconds_over_skipgpt",
        "fit_seconds_over_informed",
        "one_model_worst_excess",
        "informed_gain_25",
        "informed_gain_40",
        "informed_gain_70",
    }
    assert set(reports[0].figures) == names
    assert reports[0].curves == reports[1].curves
    record = json.loads(reports[0].text().splitlines()[-1])
    assert record["curves"]["embedded/pointsman"][0]["moved_share"] <= 1.1
    assert {"embedded/informed", "embedded/static", "embedded/no forecasts"} <= set(record["curves"])


def test_a_case_that_a_commit_measured_is_not_measured_again(
    make_decoder: Callable[..., Decoder],
    letters: TextTokenizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoder = make_decoder()
    model = LoadedModel("tiny", decoder, letters, decoder.config)
    texts = of_stream(list(range(2, 51)), 16)
    case = Case("embedded", model, texts, texts, texts, Lessons(steps=3), Recipe(steps=3))
    measured: list[str] = []

    def measure(report: Report, *_: Any) -> None:
        measured.append(str(report.commit))
        report.figures["ratio"] = Figure(1.5, "ratio", 3, 1.4, 1.6, at_most=2.0)
        report.curves["ours"] = [{"dial": 0.5, "ms_share": None}]
        report.details.append("a line")

    monkeypatch.setattr(unit_bench, "_measure_case", measure)
    reports = []
    for commit in ("a", "a", "b", "b-dirty", "b-dirty", None):
        reports.append(Report("unit", 0, quick=True, commit=commit))
        unit_bench._add_case(reports[-1], case, tmp_path, True, measured.append)
    (tmp_path / "measured.json").write_bytes(b"{")
    reports.append(Report("unit", 0, quick=True, commit="a"))
    unit_bench._add_case(reports[-1], case, tmp_path, True, measured.append)
    assert measured.pop() == "a", "what was cut off is measured anew"
    assert measured == ["a", "b", "b-dirty", "b-dirty", "None"]
    for report in reports:
        assert (report.figures, report.curves, report.details) == (
            reports[0].figures,
            reports[0].curves,
            reports[0].details,
        )


def test_chapters_are_held_out_as_wholes(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    text = "CHAPTER I. -- contents\n" + "".join(
        f"CHAPTER {'X' * (number // 10)}{'I' * (number % 10 or 1)}\n" + f"word{number} " * 500 + "\n"
        for number in range(20)
    )
    book.write_text(text)
    found = books.chapters([book])
    assert len(found) == 20
    held_out, learned = books._part(found, books._HELD_OUT), books._part(found, books._LEARNED)
    assert len(held_out) == 2
    assert "word9 " in held_out[0]
    assert not any("word9 " in part or "word4 " in part for part in learned)


def test_a_model_of_books_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: function)
    monkeypatch.setattr(books, "_VOCAB", 300)
    monkeypatch.setattr(books, "_ROWS", 2)
    monkeypatch.setattr(books, "WIDTH", 16)
    monkeypatch.setattr(books, "CONFIG", small_config())
    book = tmp_path / "book.txt"
    book.write_text("".join(f"CHAPTER I\n{'a line of a book. ' * 150}{number}\n" for number in range(30)))
    shares: list[float] = []
    model = books.trained([book], tmp_path / "model", 1.0, lambda share, _: shares.append(share))
    assert shares[-1] == 1.0
    again = books.trained([book], tmp_path / "model", 1.0, lambda *_: pytest.fail("it is there"))
    assert torch.equal(model.decoder.embedding, again.decoder.embedding)
    learned, kept, texts = books.book_texts(model, [book])
    assert len(learned) > len(kept) > 0 < len(texts)


def small_config() -> ModelConfig:
    return ModelConfig("LlamaForCausalLM", 300, 16, 24, 1, 2, 2, 8, 16, ties_embedding=True)
