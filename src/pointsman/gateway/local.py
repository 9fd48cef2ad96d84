"""A model of the engine as the gateway uses it. The only module here that imports torch, so it is itself imported late.

Texts of all requests share the batch of one `ModelService`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from pointsman.core import BadRequest, Cost
from pointsman.engine import Batch, LoadedModel, ModelService, Sampling, Text, TokenReport, load_model
from pointsman.engine.tokenizer import TextTokenizer
from pointsman.gateway import wire
from pointsman.gateway.chat import TextRequest
from pointsman.gateway.config import ModelConfig
from pointsman.gateway.models import Cancel, OnEnd, OnText, Start, Written

_LEAST_LOGPROB = -9999.0
"""What OpenAI writes for a token that cannot occur, since JSON has no infinity."""

_PARAMS = {"prompt": "messages", "choices": "guided_choice"}
"""The engine's names for what a chat request calls otherwise."""


class LocalModel:
    """A `TextModel` of the engine.

    Args:
        model: what writes.
        num_rows: texts computed together.
        context_tokens: longest prompt and text together; the model's own context where that is shorter.
    """

    def __init__(self, model: LoadedModel, num_rows: int, context_tokens: int) -> None:
        self._model = model
        self._service = ModelService(Batch(model, num_rows, min(context_tokens, model.config.context_tokens)))

    def prepare(self, request: TextRequest) -> Start:
        """See `TextModel.prepare`; the model's chat template makes one text of the messages."""
        sampling = Sampling(**request.sampling)
        tokenizer = self._model.tokenizer
        tokens = tokenizer.encode(tokenizer.render_chat(request.messages, **request.variables), special=False)
        return partial(self._start, tokens, sampling)

    def close(self) -> None:
        """See `TextModel.close`."""
        self._service.close()

    def _start(self, tokens: Sequence[int], sampling: Sampling, on_text: OnText | None, on_end: OnEnd) -> Cancel:
        def end(result: Text | BaseException) -> None:
            on_end(_renamed(result) if isinstance(result, BaseException) else self._written(result))

        try:
            ticket = self._service.submit(tokens, sampling, on_text, end)
        except BadRequest as error:
            raise _renamed(error) from error.__cause__
        return partial(self._service.cancel, ticket)

    def _written(self, text: Text) -> Written:
        return Written(text.text, text.finish_reason, cost_of(text), logprobs_of(text, self._model))


def load_local(config: ModelConfig) -> LocalModel:
    """The model that `config` describes, ready to write. Raises as `pointsman.engine.load_model`."""
    model = load_model(config.source, dtype=config.dtype, device=config.device)
    return LocalModel(replace(model, name=config.name), config.num_rows, config.context_tokens)


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
