"""Fits a router to a model: closed forms first, then lessons, then the curve that its dial is read off.

Everything that is done is kept in `FOLDER/work`, so that an interrupted fit goes on where it was.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from pointsman.engine import Decoder
from pointsman.engine.store import Store
from pointsman.engine.weights import weights_hash
from pointsman.unit.artefact import Card, rounded, save_router
from pointsman.unit.closed_form import fit_unit, require_enough
from pointsman.unit.dial import RATES, Curve, Point, Timed
from pointsman.unit.distilling import Distilling, Lessons
from pointsman.unit.evaluation import Measured, measure, measure_curve, routed_at
from pointsman.unit.observing import observe, softening
from pointsman.unit.prices import Prices
from pointsman.unit.router import Router, Shape, Tariff, prompt_tariff, tariff
from pointsman.unit.texts import Texts
from pointsman.unit.timing import Clock

CLOSED_TOKENS = 16_000
"""Routed tokens that closed forms are fitted to; more gain nothing. Measured on the embedded large model."""

MEMORY_BYTES = 4 << 30
"""For what is observed of units at a time; units that do not fit are observed in a further pass. Chosen."""

RATED_TEXTS = 32
"""On which useful rates are found."""

LEAST_SAVED, MOST_LOST = 0.1, 0.5
"""Share of bytes, and nats, between which rates are useful. Chosen."""

CHECKPOINT_STEPS = 20
"""Lessons between two checkpoints."""


class Shown(Protocol):
    """Is told how far a fit is."""

    def begin(self, what: str, total: int) -> None:
        """A stage of so many parts."""

    def advance(self, done: int, told: str) -> None:
        """More of the stage is done."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a fit depends on besides the model and the texts.

    Attributes:
        data: what the texts are, in words; a fit goes on only with the same.
        shape: of forecasters.
        lessons: after the closed forms; none where their steps are 0.
        seed: of labels.
    """

    data: str
    shape: Shape
    lessons: Lessons
    seed: int = 0


class Fit:
    """One fit. `run` does what is not done yet.

    Args:
        decoder: float32, whose weights ask for no gradient.
        learned: what is learned from.
        kept: what the curve is measured on.
        settings: see `Settings`.
        folder: for the router, and for `work`.
        shown: is told how far it is.
        clock: prices of this machine in milliseconds, to measure a curve by as well; see `timing.py`.

    Raises:
        BadRequest: `too_little_data`.
    """

    def __init__(
        self,
        decoder: Decoder,
        learned: Texts,
        kept: Texts,
        settings: Settings,
        folder: Path,
        shown: Shown,
        clock: Clock | None = None,
    ) -> None:
        self.router = Router(decoder.config, settings.shape)
        require_enough(self.router, learned.num_routed)
        self._decoder, self._learned, self._kept = decoder, learned, kept
        self._settings, self._folder, self._shown, self._clock = settings, folder, shown, clock
        self._model = weights_hash(decoder)
        begun_from = (self._model, settings.data, settings.shape, settings.seed, settings.lessons.forecasts)
        self._closed_store = _store(folder, begun_from, learned)
        self._store = _store(folder, (self._model, settings), learned, kept)
        self._tariff = tariff(Prices.of(decoder), self.router, forecasts=settings.lessons.forecasts)

    def run(self) -> Card:
        """Fits what is not fitted yet, and writes the artefact."""
        closed = self._closed_store.chunk("closed", self._closed)
        self.router.load_state_dict(_without_seconds(closed))
        seconds = float(closed["seconds"]) + self._distil()
        rounded(self.router.requires_grad_(False))
        curve, clock = self._kept_curve(self._tariff), self._clock
        timed = Timed(clock.machine, clock.prices, self._curve(self._tariff.priced(clock.prices))) if clock else None
        has_prompts = not bool(self._learned.is_routed[:, 0].all())
        prompts = None if has_prompts else self._kept_curve(prompt_tariff(self._decoder, self.router))
        card = Card(self._model, self._settings.shape, self._settings.data, seconds, curve, timed, prompts)
        save_router(self._folder, self.router, card)
        return card

    def _kept_curve(self, tariff: Tariff) -> Curve:
        """Measured once; one of milliseconds is measured anew, since the clock may be another."""

        def points() -> Mapping[str, Tensor]:
            found = self._curve(tariff)
            return {"points": torch.tensor([astuple(point) for point in found.points], dtype=torch.float64)}

        currency = tariff.prices.currency
        kept = self._store.chunk(f"curve-{currency}", points)["points"].tolist()
        return Curve(tuple(Point(*row) for row in kept), len(self._kept), self._settings.data, currency)

    def _curve(self, tariff: Tariff) -> Curve:
        self._shown.begin(f"curve in {tariff.prices.currency}", len(RATES) * len(self._kept))
        return measure_curve(
            self._decoder,
            self.router,
            tariff,
            self._kept.by_length(),
            self._settings.data,
            lambda done: self._shown.advance(done, "what each rate costs and saves"),
            forecasts=self._settings.lessons.forecasts,
        )

    def _closed(self) -> Mapping[str, Tensor]:
        """The router's tensors after the closed forms."""
        begun = time.perf_counter()
        texts = self._enough()
        temperature = softening(self._decoder, self._learned.chosen(slice(0, 64)))
        hidden, num_units = self._decoder.config.hidden_size, len(self.router.gates)
        at_once = max(1, MEMORY_BYTES // (5 * 4 * hidden * texts.num_routed))
        self._shown.begin("closed forms", len(texts) * -(-num_units // at_once) + num_units)
        for first in range(0, num_units, at_once):
            units = range(first, min(first + at_once, num_units))
            seen = observe(
                self._decoder,
                texts,
                units,
                temperature,
                seed=self._settings.seed,
                on_texts=lambda done: self._shown.advance(done, f"softened {temperature:g} times"),
            )
            for unit in units:
                forecasts = self._settings.lessons.forecasts
                harm = fit_unit(self.router, self._decoder, unit, seen.pop(unit), forecasts=forecasts)
                self._shown.advance(1, f"unit {unit}: mean harm {', '.join(f'{value:.3g}' for value in harm.tolist())}")
        return {**self.router.state_dict(), "seconds": torch.tensor(time.perf_counter() - begun)}

    def _enough(self) -> Texts:
        """The first texts, until they have `CLOSED_TOKENS`."""
        counts = self._learned.is_routed.sum(1).cumsum(0)
        return self._learned.chosen(slice(0, int((counts < CLOSED_TOKENS).sum()) + 1)).by_length()

    def _rates(self) -> Mapping[str, Tensor]:
        forecasts = self._settings.lessons.forecasts
        some = self._learned.chosen(slice(-RATED_TEXTS, None)).by_length()
        settings = [routed_at(self.router, self._tariff, rate, forecasts=forecasts) for rate in RATES[::2]]
        return {"rates": torch.tensor(useful_rates(measure(self._decoder, some, settings)), dtype=torch.float64)}

    def _distil(self) -> float:
        """The lessons. Returns the seconds that they took, those before an interruption included."""
        lessons = self._settings.lessons
        rates = self._store.chunk("rates", self._rates)["rates"].tolist()
        work = Distilling(self._decoder, self.router, self._tariff, self._learned, lessons, (rates[0], rates[1]))
        seconds = 0.0
        if (found := self._store.latest("lessons")) is not None:
            work.load_state(found)
            seconds = float(found["seconds"])
        self._shown.begin("lessons", lessons.steps)
        self._shown.advance(work.num_steps, "from the checkpoint")
        begun = time.perf_counter() - seconds
        while work.num_steps < lessons.steps:
            loss = work.step()
            self._shown.advance(1, f"loss {loss:.3f}")
            if work.num_steps % CHECKPOINT_STEPS == 0 or work.num_steps == lessons.steps:
                seconds = time.perf_counter() - begun
                self._store.put("lessons", {**work.state(), "seconds": torch.tensor(seconds)})
        return seconds


def useful_rates(measured: Sequence[Measured]) -> tuple[float, float]:
    """From where a tenth of the bytes is saved to where half a nat is lost, as measured by rising rate.

    Lessons at other rates would be spent on budgets that nobody asks for: where nearly all is executed, and where the
    texts are ruined.
    """
    lowest = [one.dial for one in measured if one.moved_share > 1 - LEAST_SAVED]
    highest = [one.dial for one in measured if one.mean_divergence > MOST_LOST]
    low = max(lowest, default=measured[0].dial)
    high = min(highest, default=measured[-1].dial)
    return (low, high) if low < high else (low / 2, low * 2)


def _store(folder: Path, *told: Any) -> Store:
    """Of what depends on all that is told, texts by what they hold."""
    parts = [one.fingerprint if isinstance(one, Texts) else one for one in told]
    return Store(folder / "work", sha256(repr(parts).encode()).hexdigest())


def _without_seconds(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name != "seconds"}
