"""A fit from texts to an artefact: what it learns, what an interruption costs, what it refuses."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pointsman.core import BadRequest, NotFound
from pointsman.engine.model import Decoder
from pointsman.unit import (
    Clock,
    Dial,
    Fit,
    Lessons,
    Prices,
    Router,
    Settings,
    Shape,
    Texts,
    load_router,
    measure,
    of_stream,
    routed_at,
    tariff,
)
from pointsman.unit.artefact import CARD_FILE, WEIGHTS_FILE, Card
from pointsman.unit.dial import RATES
from pointsman.unit.distilling import Distilling
from pointsman.unit.evaluation import Measured
from pointsman.unit.fitting import useful_rates
from pointsman.unit.whole import divergence, logits_of

MakeDecoder = Callable[..., Decoder]
LESSONS = Lessons(steps=24, num_rows=4)
SETTINGS = Settings("random tokens", Shape(4, (0, 12)), LESSONS)


class Heard:
    """Remembers what it is told; raises at a part of a stage, as Ctrl-C would."""

    def __init__(self, stop_at: tuple[str, int] | None = None) -> None:
        self.stages: list[str] = []
        self.done = 0
        self._stop_at = stop_at

    def begin(self, what: str, total: int) -> None:
        self.stages.append(what)
        self.done, self.total = 0, total

    def advance(self, done: int, told: str) -> None:
        self.done += done
        if self._stop_at is not None and self.stages[-1] == self._stop_at[0] and self.done >= self._stop_at[1]:
            raise KeyboardInterrupt


def stream(count: int, seed: int, width: int = 16) -> Texts:
    generator = torch.Generator().manual_seed(seed)
    return of_stream(torch.randint(2, 60, (count * width + 1,), generator=generator).tolist(), width)


@pytest.fixture
def decoder(make_decoder: MakeDecoder) -> Decoder:
    return make_decoder().requires_grad_(False)


def fit(decoder: Decoder, folder: Path, settings: Settings = SETTINGS, heard: Heard | None = None) -> Card:
    return Fit(decoder, stream(40, 0), stream(6, 1), settings, folder, heard or Heard()).run()


def test_a_fit_saves_bytes_at_little_harm_and_lessons_help(decoder: Decoder, tmp_path: Path) -> None:
    heard = Heard()
    card = fit(decoder, tmp_path / "taught", heard=heard)
    untaught = fit(decoder, tmp_path / "untaught", replace(SETTINGS, lessons=replace(LESSONS, steps=0)))
    assert heard.stages == ["closed forms", "lessons", "curve in bytes", "curve in multiplications"]
    assert heard.done == heard.total == 6 * len(RATES)
    moved = [point.share for point in card.curve.points]
    assert moved[-1] < 0.9 < moved[0]
    assert card.curve.points[0].divergence < 0.05
    assert all(point.bound >= point.divergence - 1e-6 for point in card.curve.points if point.divergence < 1)

    def paid(curve: Any) -> float:
        return sum(point.divergence / point.rate + point.share for point in curve.points)

    assert paid(card.curve) < paid(untaught.curve)


@pytest.mark.parametrize("stop_at", [("closed forms", 42), ("lessons", 21), ("lessons", 23), ("curve in bytes", 7)])
def test_an_interrupted_fit_goes_on_and_ends_the_same(
    decoder: Decoder, tmp_path: Path, stop_at: tuple[str, int]
) -> None:
    expected = fit(decoder, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(decoder, tmp_path / "cut", heard=Heard(stop_at))
    heard = Heard()
    found = fit(decoder, tmp_path / "cut", heard=heard)
    assert found.curve == expected.curve
    assert ("closed forms" in heard.stages) == (stop_at[0] == "closed forms")
    weights = [(tmp_path / name / WEIGHTS_FILE).read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]


def test_a_finished_fit_gets_milliseconds_without_being_fitted_again(decoder: Decoder, tmp_path: Path) -> None:
    card = fit(decoder, tmp_path)
    with pytest.raises(NotFound) as caught:
        card.dial("ms")
    assert caught.value.code == "no_clock"
    prices = Prices("ms", 3e-3, 1e-3, 9e-3, 1e-6, 1e-4, 1e-5, 0.0, 1e-2, decoder.config.num_layers)
    heard = Heard()
    timed = Fit(decoder, stream(40, 0), stream(6, 1), SETTINGS, tmp_path, heard, Clock("this one", prices)).run()
    assert heard.stages == ["lessons", "curve in ms"]
    assert (timed.curve, timed.prompts) == (card.curve, card.prompts)
    assert timed.dial("bytes") == Dial(card.curve, None)
    dial = timed.dial("ms")
    assert (dial.prices, dial.curve.currency) == (prices, "ms")
    router, again = load_router(tmp_path, decoder)
    assert again == timed
    point = dial.curve.points[6]
    setting = routed_at(router, tariff(prices, router), point.rate)
    (found,) = measure(decoder, stream(6, 1), [setting], prices=prices)
    assert found.spent_share == pytest.approx(point.share, rel=1e-6)


def test_other_texts_are_another_fit(decoder: Decoder, tmp_path: Path) -> None:
    """However alike: of the same data by name, and of the same shape."""
    card = fit(decoder, tmp_path)
    heard = Heard()
    other = Fit(decoder, stream(40, 7), stream(6, 1), SETTINGS, tmp_path, heard).run()
    assert heard.stages[0] == "closed forms"
    assert other.curve != card.curve


def test_what_is_loaded_is_what_was_measured(decoder: Decoder, tmp_path: Path) -> None:
    card = fit(decoder, tmp_path)
    router, again = load_router(tmp_path, decoder)
    assert again == card
    point = card.curve.points[5]
    (found,) = measure(decoder, stream(6, 1), [routed_at(router, tariff(Prices.of(decoder), router), point.rate)])
    assert found.moved_share == pytest.approx(point.share, rel=1e-6)
    assert found.mean_divergence == pytest.approx(point.divergence, rel=1e-4, abs=1e-6)


def test_measures_are_what_a_plain_loop_finds(decoder: Decoder, tmp_path: Path) -> None:
    fit(decoder, tmp_path)
    router, _ = load_router(tmp_path, decoder)
    texts, setting = stream(3, 2), routed_at(router, tariff(Prices.of(decoder), router), 2.0)
    (found,) = measure(decoder, texts, [setting], num_rows=2)
    for row in range(3):
        one = texts.chosen(slice(row, row + 1))
        execute = setting.make(one)
        p = logits_of(decoder, one.tokens).log_softmax(-1)[0]
        q = logits_of(decoder, one.tokens, execute, execute.attend).log_softmax(-1)[0]
        followed = [(p - q)[place, token].item() for place, token in enumerate(one.targets[0].tolist())]
        assert found.divergence[row].item() == pytest.approx(divergence(p, q).sum().item(), rel=1e-4)
        assert found.excess[row].item() == pytest.approx(sum(followed), rel=1e-3, abs=1e-4)
        assert found.agreed[row].item() == (p.argmax(-1) == q.argmax(-1)).sum().item()
        assert found.moved[row].item() == pytest.approx(execute.taken.spent.sum().item(), rel=1e-6)
    assert found.perplexity_ratio == pytest.approx(math.exp(found.excess.sum().item() / 48), rel=1e-6)


def test_a_state_of_lessons_is_restored_to_the_bit(decoder: Decoder) -> None:
    def work() -> Distilling:
        generator = torch.Generator().manual_seed(0)
        router = Router(decoder.config, SETTINGS.shape)
        with torch.no_grad():
            for parameter in router.parameters():
                parameter.normal_(0.0, 0.1, generator=generator)
        return Distilling(decoder, router, tariff(Prices.of(decoder), router), stream(20, 0), LESSONS)

    whole, first, second = work(), work(), work()
    losses = [whole.step() for _ in range(6)]
    assert [first.step() for _ in range(3)] == losses[:3]
    second.load_state(first.state())
    assert [second.step() for _ in range(3)] == losses[3:]


def test_too_little_data_is_refused_before_anything_is_done(decoder: Decoder, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="expected at least") as caught:
        Fit(decoder, stream(2, 0), stream(2, 1), SETTINGS, tmp_path / "new", Heard())
    assert caught.value.code == "too_little_data"
    assert not (tmp_path / "new").exists()


def test_artefacts_of_another_model_are_refused(decoder: Decoder, make_decoder: MakeDecoder, tmp_path: Path) -> None:
    fit(decoder, tmp_path)
    with pytest.raises(BadRequest, match="another model") as caught:
        load_router(tmp_path, make_decoder(seed=1))
    assert caught.value.code == "router_of_another_model"
    rounded = make_decoder(dtype=torch.bfloat16)
    assert load_router(tmp_path, rounded)[1].model


@pytest.mark.parametrize(
    ("name", "content"),
    [(CARD_FILE, b"{"), (CARD_FILE, b"\xff"), (CARD_FILE, b"{}"), (WEIGHTS_FILE, b"nothing"), (WEIGHTS_FILE, None)],
)
def test_broken_artefacts_are_refused(decoder: Decoder, tmp_path: Path, name: str, content: bytes | None) -> None:
    fit(decoder, tmp_path, replace(SETTINGS, lessons=replace(LESSONS, steps=0)))
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadRequest) as caught:
        load_router(tmp_path, decoder)
    assert caught.value.code == "invalid_router"


def test_a_newer_format_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    fit(decoder, tmp_path, replace(SETTINGS, lessons=replace(LESSONS, steps=0)))
    card = (tmp_path / CARD_FILE).read_text()
    (tmp_path / CARD_FILE).write_text(card.replace('"format": 2', '"format": 3'))
    with pytest.raises(BadRequest, match="format 3; expected 2"):
        load_router(tmp_path, decoder)


def test_an_empty_folder_holds_no_router(decoder: Decoder, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        load_router(tmp_path, decoder)
    assert caught.value.code == "router_not_found"


def test_useful_rates_reach_from_what_saves_a_tenth_to_what_loses_half_a_nat() -> None:
    def at(dial: float, moved: float, lost: float) -> Measured:
        one = torch.ones(1, dtype=torch.float64)
        return Measured("ours", dial, lost * one, one, one, one, one, one, moved * one, one, one, one)

    measured = [at(0.1, 1.0, 0.0), at(0.2, 0.95, 0.0), at(0.4, 0.8, 0.1), at(0.8, 0.6, 0.6), at(1.6, 0.4, 3.0)]
    assert useful_rates(measured) == (0.2, 0.8)
    assert useful_rates(measured[2:3]) == (0.2, 0.8), "where all are useful or none, around what there is"
    assert useful_rates([at(0.4, 0.95, 1.0)]) == (0.2, 0.8)
