"""Forecasters and gates are taught together, end to end, what the closed forms cannot know: how errors meet.

The loss is what a user pays: divergence from the model's own predictions, plus rate times bytes, at a rate drawn anew
for every text. So one router learns all budgets at once; published ones are trained for each sparsity. The model
itself is frozen, and teaches.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pointsman.engine import Decoder
from pointsman.unit.router import Router, Tariff
from pointsman.unit.routing import Routed
from pointsman.unit.texts import Texts
from pointsman.unit.whole import divergence, logits_of

DEFAULT_RATES = (0.05, 10.0)
"""Where nothing is known of a model. Chosen."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """How long and how fast. Chosen on validation texts; docs/log.md.

    Attributes:
        steps: batches.
        num_rows: texts of a batch.
        peak_lr: of Adam, after a rise over a tenth of the steps, before a cosine to 0.
        rates: nats for the bytes of a whole token, from and to which rates are drawn, evenly in the logarithm; None for
            those that the closed forms make useful, see `fitting.useful_rates`.
        temperature: of the straight-through choice.
        seed: of batches and rates.
        forecasts: whether units that are not executed are forecast; else they are left out.
    """

    steps: int = 200
    num_rows: int = 32
    peak_lr: float = 3e-3
    rates: tuple[float, float] | None = None
    temperature: float = 0.5
    seed: int = 0
    forecasts: bool = True


class Distilling:
    """The optimizer over a router's parameters. `step` is one batch; state can be saved and restored.

    Args:
        decoder: the model, frozen.
        router: what is taught.
        tariff: its prices.
        texts: what is read.
        lessons: how.
        rates: from and to which rates are drawn where the lessons do not say.
    """

    def __init__(
        self,
        decoder: Decoder,
        router: Router,
        tariff: Tariff,
        texts: Texts,
        lessons: Lessons,
        rates: tuple[float, float] = DEFAULT_RATES,
    ) -> None:
        self._decoder, self._router, self._tariff, self._texts = decoder, router, tariff, texts.by_length()
        self.lessons, self.rates = lessons, lessons.rates or rates
        self.optimizer = torch.optim.Adam(router.parameters(), lessons.peak_lr)
        self.num_steps = 0

    def step(self) -> float:
        """One batch, drawn by its number alone. Returns its loss, in which texts count alike whatever their rates."""
        lessons = self.lessons
        generator = torch.Generator().manual_seed(lessons.seed * 1_000_003 + self.num_steps)
        batch = self._texts.drawn(lessons.num_rows, generator)
        log_low, log_high = map(math.log, self.rates)
        rate = (log_low + (log_high - log_low) * torch.rand(lessons.num_rows, generator=generator)).exp()
        loss = self._loss(batch, rate)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._router.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = lessons.peak_lr * warmed_cosine(self.num_steps / lessons.steps)
        self.optimizer.step()
        self.num_steps += 1
        return float(loss.detach())

    def state(self) -> dict[str, Tensor]:
        """Parameters, moments of the optimizer and the number of steps, as plain tensors."""
        found = {"num_steps": torch.tensor(self.num_steps)}
        for name, parameter in self._router.named_parameters():
            found[f"value.{name}"] = parameter.detach()
            for moment, tensor in self.optimizer.state.get(parameter, {}).items():
                found[f"{moment}.{name}"] = tensor
        return found

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Goes on where `state` was."""
        self.num_steps = int(state["num_steps"])
        with torch.no_grad():
            for name, parameter in self._router.named_parameters():
                parameter.copy_(state[f"value.{name}"])
                for moment in ("step", "exp_avg", "exp_avg_sq"):
                    if f"{moment}.{name}" in state:
                        self.optimizer.state[parameter][moment] = state[f"{moment}.{name}"].clone()

    def _loss(self, batch: Texts, rate: Tensor) -> Tensor:
        rate = rate.to(batch.tokens.device)
        at = batch.is_routed
        with torch.no_grad():
            p = logits_of(self._decoder, batch.tokens, at=at).log_softmax(-1)
        lessons = self.lessons
        routed = Routed(self._router, self._tariff, at, rate, lessons.temperature, forecasts=lessons.forecasts)
        q = logits_of(self._decoder, batch.tokens, routed, routed.attend, at).log_softmax(-1)
        by_token = rate.expand(at.mT.shape).mT[at]
        paid = divergence(p, q) + by_token * routed.taken.spent / routed.taken.dense.to(q)
        # A dear rate makes a large sum; divided so, each text pulls about as much.
        return (paid / (by_token + self.rates[0])).mean()


def warmed_cosine(progress: float) -> float:
    """Share of the peak rate: a rise over a tenth of the steps, and a cosine to 0 over all of them."""
    return min(1.0, progress / 0.1 + 0.02) * 0.5 * (1 + math.cos(math.pi * progress))
