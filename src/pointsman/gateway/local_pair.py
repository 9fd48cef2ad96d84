"""Two models of the engine that write one text, as the gateway uses them. Imports torch, so it is imported late."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from pointsman.engine import Sampling, Text, load_model
from pointsman.gateway import wire
from pointsman.gateway.chat import TextRequest
from pointsman.gateway.config import PairConfig
from pointsman.gateway.errors import UnsupportedParameter
from pointsman.gateway.heat import Rows, lines
from pointsman.gateway.local import LocalModel, cost_of, require_no_budget
from pointsman.gateway.models import Written
from pointsman.token import Method, Pair, PairBatch, PairSampling, PairText, at_risks, chosen_method
from pointsman.token.calibration import NAME as OURS
from pointsman.token.writing import Writer

_SHARES: Final[Mapping[Writer, float]] = {"lookup": 0.0, "small": 0.5, "large": 1.0}
"""As `ledger.Grid` has them."""


class LocalPair(LocalModel):
    """A `TextModel` of two models.

    Args:
        pair: the models.
        method: how they share the work.
        num_rows: texts computed together.
        context_tokens: longest prompt and text together; what both models can read where that is shorter.
        at_risk: the method at the risk that a request brings; None where the method has none.
    """

    def __init__(
        self,
        pair: Pair,
        method: Method,
        num_rows: int,
        context_tokens: int,
        at_risk: Callable[[float], Method] | None = None,
    ) -> None:
        capacity_tokens = min(context_tokens, pair.context_tokens)
        self._has_risk = at_risk is not None
        super().__init__(pair.large, PairBatch(pair, method, num_rows, capacity_tokens, at_risk=at_risk))

    def sampling(self, request: TextRequest) -> Sampling:
        """See `LocalModel.sampling`."""
        return PairSampling(**request.sampling, risk=request.risk)

    def require_answerable(self, request: TextRequest) -> None:
        """Raises `UnsupportedParameter` for what is defined for one model only."""
        require_no_budget(request)
        if request.risk is not None and not self._has_risk:
            problem = f"pointsman.risk is for pairs that write by the method {OURS}; leave it out here"
            raise UnsupportedParameter(problem, param="pointsman.risk")
        for name, param in (("logprobs", "logprobs"), ("choices", "guided_choice")):
            if name in request.sampling:
                problem = f"{param} is not supported where two models write; ask one of them alone"
                raise UnsupportedParameter(problem, param=param)

    def written(self, text: Text, prompt: Sequence[int], request: TextRequest) -> Written:
        """See `LocalModel.written`."""
        assert isinstance(text, PairText)
        shared, heat = self._shared(text, prompt, request), partial(_heat, text.writers)
        return Written(text.text, text.finish_reason, cost_of(text), shared=shared, heat=heat)

    def _shared(self, text: PairText, prompt: Sequence[int], request: TextRequest) -> Mapping[str, Any]:
        facts: dict[str, Any] = {
            "method": text.method,
            "large_tokens": text.num_large_tokens,
            "small_tokens": text.num_small_tokens,
            "lookup_tokens": text.num_lookup_tokens,
            "rolled_back": text.num_rolled_back,
            "calls": text.num_calls,
            "bytes": text.traffic.moved_bytes,
            "flops": text.traffic.flops,
        }
        if request.wants_writers:
            stream = self.model.tokenizer.stream(after=prompt[-1])
            written = zip(text.tokens, text.writers, strict=True)
            facts["writers"] = tuple(wire.WrittenToken(stream.push(token), writer) for token, writer in written)
        return facts


def _heat(writers: Sequence[Writer]) -> Rows:
    return lines([_SHARES[writer] for writer in writers])


def load_local_pair(config: PairConfig) -> LocalPair:
    """The pair that `config` describes, ready to write. Raises as `load_model`, `Pair` and `chosen_method`."""
    pair = Pair(*(load_model(name, dtype=config.dtype, device=config.device) for name in (config.small, config.large)))
    if config.method == OURS:
        method, at_risk = at_risks(pair, config.router, config.dials)
        return LocalPair(pair, method, config.num_rows, config.context_tokens, at_risk)
    method = chosen_method(pair, config.router, config.method, config.dials)
    return LocalPair(pair, method, config.num_rows, config.context_tokens)
