"""A model of the engine as the gateway uses it. The only module here that imports torch, so it is itself imported late.

Texts of all requests share the batch of one `ModelService`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from pointsman.core import BadRequest, Cost
from pointsman.engine import Batch, LoadedModel, ModelService, Sampling, Text, TokenReport, load_model
from pointsman.engine.service import TextBatch
from pointsman.engine.tokenizer import TextTokenizer
from pointsman.gateway import wire
from pointsman.gateway.chat import TextRequest
from pointsman.gateway.config import ModelConfig
from pointsman.gateway.errors import UnsupportedParameter
from pointsman.gateway.models import Cancel, OnEnd, OnText, Start, Written

_LEAST_LOGPROB = -9999.0
"""What OpenAI writes for a token that cannot occur, since JSON has no infinity."""

_PARAMS = {"prompt": "messages", "choices": "guided_choice", "budget": "pointsman.budget", "risk": "pointsman.risk"}
"""The engine's names for what a chat request calls otherwise."""


class LocalModel:
    """A `TextModel` of the engine.

    Args:
        model: whose tokenizer and chat template are used.
        batch: what writes.
    """

    def __init__(self, model: LoadedModel, batch: TextBatch) -> None:
        self.model = model
        self._service = ModelService(batch)

    def prepare(self, request: TextRequest) -> Start:
        """See `TextModel.prepare`; the model's chat template makes one text of the messages."""
        self.require_answerable(request)
        try:
            sampling = self.sampling(request)
        except BadRequest as error:
            raise _renamed(error) from error.__cause__
        return partial(self._start, self._tokens(request), sampling, request)

    def count(self, request: TextRequest) -> int:
        """See `Counts.count`."""
        return len(self._tokens(request))

    def close(self) -> None:
        """See `TextModel.close`."""
        self._service.close()

    def sampling(self, request: TextRequest) -> Sampling:
        """How the request's text is drawn. Raises `BadRequest` as `Sampling`."""
        return Sampling(**request.sampling)

    def require_answerable(self, request: TextRequest) -> None:
        """Raises `UnsupportedParameter` for what this kind of model cannot do or tell."""
        require_no_budget(request)
        require_one_model(request)

    def _tokens(self, request: TextRequest) -> Sequence[int]:
        tokenizer = self.model.tokenizer
        return tokenizer.encode(tokenizer.render_chat(request.messages, **request.variables), special=False)

    def _start(
        self,
        tokens: Sequence[int],
        sampling: Sampling,
        request: TextRequest,
        on_text: OnText | None,
        on_end: OnEnd,
    ) -> Cancel:
        def end(result: Text | BaseException) -> None:
            on_end(_renamed(result) if isinstance(result, BaseException) else self.written(result, tokens, request))

        try:
            ticket = self._service.submit(tokens, sampling, on_text, end)
        except BadRequest as error:
            raise _renamed(error) from error.__cause__
        return partial(self._service.cancel, ticket)

    def written(self, text: Text, prompt: Sequence[int], request: TextRequest) -> Written:
        """What is told of a finished text."""
        return Written(text.text, text.finish_reason, cost_of(text), logprobs_of(text, self.model))


def require_no_budget(request: TextRequest) -> None:
    """Raises `UnsupportedParameter` where the request has a budget, for a model that has no such dial."""
    if request.budget is not None:
        problem = "pointsman.budget is for models with fitted units, such as embedded/large; leave it out here"
        raise UnsupportedParameter(problem, param="pointsman.budget")


def require_one_model(request: TextRequest) -> None:
    """Raises `UnsupportedParameter` where the request is for two models that write together."""
    for name, given in (("writers", request.wants_writers), ("risk", request.risk is not None)):
        if given:
            problem = f"pointsman.{name} is for models of two, such as embedded/pair; leave it out here"
            raise UnsupportedParameter(problem, param=f"pointsman.{name}")


def load_local(config: ModelConfig) -> LocalModel:
    """The model that `config` describes, ready to write. Raises as `engine.load_model` and `unit.load_router`."""
    model = load_model(config.source, dtype=config.dtype, device=config.device)
    named = replace(model, name=config.name)
    if config.unit is None:
        return local_model(named, config.num_rows, config.context_tokens)
    from pointsman.gateway.local_units import LocalUnits

    return LocalUnits(named, config)


def local_model(model: LoadedModel, num_rows: int, context_tokens: int) -> LocalModel:
    """Writes `num_rows` texts together, each at most `context_tokens` or the model's own context with its prompt."""
    return LocalModel(model, Batch(model, num_rows, min(context_tokens, model.config.context_tokens)))


def _renamed(error: BaseException) -> BaseException:
    if isinstance(error, BadRequest) and error.param is not None:
        error.param = _PARAMS.get(error.param, error.param)
    return error


def cost_of(text: Text) -> Cost:
    """What a text took."""
    return Cost(
        prompt_tokens=text.prompt_tokens,
        completion_tokens=len(text.tokens),
        nano_usd=0,
        moved_bytes=text.traffic.moved_bytes,
        seconds=text.seconds,
    )


def logprobs_of(text: Text, model: LoadedModel) -> wire.Logprobs | None:
    """The reports on a text's tokens in OpenAI's shape, without the end token; None where there are none."""
    if text.logprobs is None:
        return None
    reports = (report for report in text.logprobs if report.token not in model.config.eos_tokens)
    return wire.Logprobs(tuple(_token_logprob(report, model.tokenizer) for report in reports))


def _token_logprob(report: TokenReport, tokenizer: TextTokenizer) -> wire.TokenLogprob:
    alternatives = tuple(wire.TopLogprob(*_told(token, value, tokenizer)) for token, value in report.alternatives)
    return wire.TokenLogprob(*_told(report.token, report.logprob, tokenizer), alternatives)


def _told(token: int, logprob: float, tokenizer: TextTokenizer) -> tuple[str, float, tuple[int, ...]]:
    """A token's text, in which a part of a character is U+FFFD; its logprob; its bytes."""
    raw = tokenizer.token_bytes(token)
    return raw.decode(errors="replace"), max(logprob, _LEAST_LOGPROB), tuple(raw)
