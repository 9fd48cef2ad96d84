"""A model whose units are executed or forecast, as the gateway uses it: each request may bring a budget."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pointsman.engine import LoadedModel, Sampling, Text
from pointsman.gateway.chat import TextRequest
from pointsman.gateway.config import ModelConfig
from pointsman.gateway.heat import Rows, places
from pointsman.gateway.local import LocalModel, require_one_model
from pointsman.gateway.models import Written
from pointsman.unit import UnitBatch, UnitSampling, UnitText, load_router, routed


class LocalUnits(LocalModel):
    """A `TextModel` with a budget.

    Args:
        model: the model.
        config: with the folder of its router, and the budget of requests that bring none.

    Raises:
        BadRequest, NotFound: as `load_router`, `Card.dial` and `Card.prompt_rate`, and `invalid_budget` for a default
            that the router cannot reach.
    """

    def __init__(self, model: LoadedModel, config: ModelConfig) -> None:
        assert config.unit is not None
        router, card = load_router(config.unit, model.decoder)
        dial = card.dial(config.prices)
        dial.curve.rate_for_budget(config.budget)
        self._curve, self._budget = dial.curve, config.budget
        context_tokens = min(config.context_tokens, model.config.context_tokens)
        writes = routed(model, router, prices=dial.prices, prompt_rate=card.prompt_rate(config.prompt_budget))
        batch = UnitBatch(writes, config.num_rows, dial.curve, context_tokens)
        self._shares = batch.execution.shares
        super().__init__(model, batch)

    def sampling(self, request: TextRequest) -> Sampling:
        """See `LocalModel.sampling`; besides raises `BadRequest` (`invalid_budget`)."""
        budget = self._budget_of(request)
        self._curve.rate_for_budget(budget)
        return UnitSampling(**request.sampling, budget=budget)

    def require_answerable(self, request: TextRequest) -> None:
        """See `LocalModel.require_answerable`."""
        require_one_model(request)

    def written(self, text: Text, prompt: Sequence[int], request: TextRequest) -> Written:
        """See `LocalModel.written`."""
        assert isinstance(text, UnitText)
        budget = self._budget_of(request)
        heat = partial(unit_rows, text.taken, self._shares) if budget < 1 else None
        return replace(super().written(text, prompt, request), budget=budget, heat=heat)

    def _budget_of(self, request: TextRequest) -> float:
        return self._budget if request.budget is None else request.budget


def unit_rows(taken: Sequence[NDArray[np.int64] | None], shares: Sequence[NDArray[np.float64]]) -> Rows | None:
    """Of each unit, by token, the share of its weights that was read; None for a text of one token."""
    if not taken:
        return None
    whole = [len(its) - 1 for its in shares]
    options = np.array([whole if its is None else its for its in taken])  # (T, units)
    return places([its[options[:, unit]].tolist() for unit, its in enumerate(shares)])
