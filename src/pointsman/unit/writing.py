"""Texts of one model, each with a budget of its own, written together.

    model = routed(load_model(source), router)
    batch = UnitBatch(model, num_rows=8, curve=card.curve)
    batch.submit(prompt, UnitSampling(budget=0.75))

In a batch all texts share a forward's weights, and so its choices: a unit is approximated where its price is worth the
harm to all of them, each at its own rate. A text that asks for all of the model gets it, and so do its neighbours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pointsman.engine import Batch, LoadedModel, Sampling, Session, Text, Writing
from pointsman.unit.dial import Curve
from pointsman.unit.execution import RoutedExecution, Routing
from pointsman.unit.prices import Prices
from pointsman.unit.router import Router

TOLD = 256
"""Tokens of a text of which it is kept what was taken for them. Chosen."""


@dataclass(frozen=True, slots=True)
class UnitSampling(Sampling):
    """`Sampling` with a dial.

    Attributes:
        budget: share of the model's bytes or milliseconds, as its curve has them, that decoding may take on average; 1
            for the model itself.
    """

    budget: float = 1.0


@dataclass(frozen=True, slots=True)
class UnitText(Text):
    """A finished text of a model with units.

    Attributes:
        taken: of its first `TOLD` tokens behind the one that its prompt gave, (units,) the option of each unit; None
            where the forward was not routed.
    """

    taken: tuple[NDArray[np.int64] | None, ...] = ()


class UnitWriting(Writing):
    """A text that is being written, and what was taken for its tokens."""

    def __init__(
        self,
        prompt: tuple[int, ...],
        sampling: Sampling,
        model: LoadedModel,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(prompt, sampling, model.tokenizer, model.config.eos_tokens, on_text)
        self.taken: list[NDArray[np.int64] | None] = []

    def result(self) -> UnitText:
        """The finished text."""
        text = super().result()
        return UnitText(**{item.name: getattr(text, item.name) for item in fields(text)}, taken=tuple(self.taken))


def routed(
    model: LoadedModel, router: Router, rate: float = 0.0, prices: Prices | None = None, prompt_rate: float = 0.0
) -> LoadedModel:
    """The same model, whose sessions leave out what is not worth its price at these rates; see `Routing`."""
    return replace(model, execution=Routing(router, rate, prices=prices, prompt_rate=prompt_rate))


class UnitBatch(Batch):
    """A `Batch` of a model that was `routed`, whose texts may bring budgets (`UnitSampling`).

    Args:
        model: see `routed`; its own rate is not used.
        num_rows: how many texts at once.
        curve: of its router, from which rates are read off.
        capacity_tokens: longest prompt and text together, or None for the model's context.
    """

    def __init__(self, model: LoadedModel, num_rows: int, curve: Curve, capacity_tokens: int | None = None) -> None:
        session = model.session(num_rows, capacity_tokens or model.config.context_tokens)
        super().__init__(model, num_rows, capacity_tokens, session)
        self.execution = _execution_of(session)
        self._curve = curve

    def submit(
        self, prompt: Sequence[int], sampling: Sampling, on_text: Callable[[str], None] | None = None
    ) -> Writing:
        """See `Batch.submit`; besides raises `BadRequest` (`invalid_budget`) as `Curve.rate_for_budget`."""
        self._rate(sampling)
        return super().submit(prompt, sampling, on_text)

    def new_writing(
        self, prompt: tuple[int, ...], sampling: Sampling, on_text: Callable[[str], None] | None
    ) -> UnitWriting:
        """See `Batch.new_writing`."""
        return UnitWriting(prompt, sampling, self._model, on_text)

    def before_forward(self, writings: Sequence[Writing]) -> None:
        """Tells the execution whose rates count."""
        self.execution.rates = [self._rate(writing.sampling) for writing in writings]

    def after_forward(self, writings: Sequence[Writing]) -> None:
        """Notes what was taken for all of them."""
        for writing in writings:
            assert isinstance(writing, UnitWriting)
            if writing.tokens and len(writing.taken) < TOLD:
                writing.taken.append(self.execution.taken)

    def renewed(self) -> Self:
        """See `Batch.renewed`."""
        return type(self)(self._model, self._num_rows, self._curve, self.capacity_tokens)

    def _rate(self, sampling: Sampling) -> float:
        return self._curve.rate_for_budget(sampling.budget) if isinstance(sampling, UnitSampling) else 0.0


def _execution_of(session: Session) -> RoutedExecution:
    execution = session.execution
    assert isinstance(execution, RoutedExecution), "the model is not routed"
    return execution
