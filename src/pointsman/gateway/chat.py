"""A chat completion request as a model of this machine reads it: OpenAI's parameters, and a few that vLLM added.

Strict where the answer depends on it: a parameter that would change the answer is honoured or refused by name. What
changes nothing, such as `user`, `metadata` or `service_tier`, is skipped. The default of `temperature` is 0, the most
likely text, and not OpenAI's 1.

Not done here: ranges of numbers that `pointsman.engine.Sampling` checks itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from pointsman.core import BadRequest
from pointsman.gateway import wire
from pointsman.gateway.errors import UnsupportedParameter

_MAX_STOPS = 4
"""Stop strings of one request, as in OpenAI's API."""

_MAX_LOGPROBS = 20
"""Alternatives to a token, as in OpenAI's API."""

_RESERVED = ("messages", "self")
"""Names that a template's variables cannot have."""

_NEUTRAL: Mapping[str, object] = {
    "n": 1,
    "tools": [],
    "tool_choice": "none",
    "functions": [],
    "function_call": "none",
    "response_format": {"type": "text"},
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "repetition_penalty": 1,
    "logit_bias": {},
    "modalities": ["text"],
    "audio": None,
    "verbosity": "medium",
    "web_search_options": None,
    "best_of": 1,
    "use_beam_search": False,
    "min_tokens": 0,
    "ignore_eos": False,
    "stop_token_ids": [],
    "bad_words": [],
    "echo": False,
    "continue_final_message": False,
    "include_stop_str_in_output": False,
    "skip_special_tokens": True,
    "chat_template": None,
    "documents": [],
    "guided_json": None,
    "guided_regex": None,
    "guided_grammar": None,
    "structured_outputs": None,
}
"""Parameters that would change the answer and are not honoured, with the value besides null that asks for nothing."""

_Count = Annotated[int, Meta(ge=1)]
_Text = Annotated[str, Meta(min_length=1)]


class _ChatMessage(wire.Message, frozen=True):
    name: str | None = None
    tool_calls: list[Raw] | None = None


class _Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """Our own field of a request."""

    writers: bool = False
    budget: float | None = None
    risk: float | None = None


class _Body(Struct, frozen=True):
    """What is honoured. Null is as good as absent, as in OpenAI's API."""

    messages: Annotated[list[_ChatMessage], Meta(min_length=1)]
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: str | Annotated[list[str], Meta(max_length=_MAX_STOPS)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=_MAX_LOGPROBS)] | None = None
    reasoning_effort: str | None = None
    chat_template_kwargs: dict[str, str | int | float | bool | None] | None = None
    guided_choice: Annotated[list[_Text], Meta(min_length=1)] | None = None
    pointsman: _Asked | None = None


@dataclass(frozen=True, slots=True)
class TextRequest:
    """What a model is asked to write.

    Attributes:
        messages: `role`, `content` and perhaps `name` of each.
        variables: what the model's chat template may read besides.
        sampling: the arguments of `pointsman.engine.Sampling` that were given.
        wants_writers: whether to tell, where two models write, which of them wrote each token.
        budget: share of its bytes that a model may move, or None for the model's default.
        risk: chance of losing the answer at which two models save a call, or None for the certified one.
    """

    messages: tuple[Mapping[str, str], ...]
    variables: Mapping[str, object]
    sampling: Mapping[str, Any]
    wants_writers: bool = False
    budget: float | None = None
    risk: float | None = None


_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_decode_value = msgspec.json.Decoder().decode


def read_text_request(body: bytes) -> TextRequest:
    """The request in `body`, a JSON object.

    Raises:
        BadRequest: `missing_field`, `invalid_type` for a value of the wrong kind or out of range, `invalid_parameter`
            for parameters that contradict each other, `unsupported_content` for a message with more than text.
        UnsupportedParameter: for what would change the answer and is not honoured.
    """
    what, code = "the request body", "invalid_json"
    _refuse_others(wire.read(_decode_fields, body, what, code))
    parameters = wire.read(_decode_body, body, what, code)
    messages = tuple(_message(index, message) for index, message in enumerate(parameters.messages))
    asked = parameters.pointsman or _Asked()
    dials = asked.writers, asked.budget, asked.risk
    return TextRequest(messages, _variables(parameters), _sampling(parameters), *dials)


def _refuse_others(fields: Mapping[str, Raw]) -> None:
    for name, neutral in _NEUTRAL.items():
        if name not in fields:
            continue
        value = wire.read(_decode_value, fields[name], name, "invalid_json", name)
        if value is not None and value != neutral:
            problem = f"{name} is not supported here; leave it out, or send {json.dumps(neutral)}"
            raise UnsupportedParameter(problem, param=name)


def _message(index: int, message: _ChatMessage) -> Mapping[str, str]:
    if message.tool_calls:
        param = f"messages[{index}].tool_calls"
        raise UnsupportedParameter("tool calls are not supported here; leave such messages out", param=param)
    role = "system" if message.role == "developer" else message.role  # OpenAI's newer word, which few templates know
    named = {} if message.name is None else {"name": message.name}
    return {"role": role, "content": wire.text_of(message), **named}


def _variables(body: _Body) -> Mapping[str, object]:
    """What the template may read. Templates have several words for whether a model thinks first; `mode` is ours."""
    is_direct = body.reasoning_effort in ("none", "minimal")
    variables: dict[str, object] = {
        "add_generation_prompt": True,
        "mode": "direct" if is_direct else "steps",
        "enable_thinking": not is_direct,
    }
    if body.reasoning_effort is not None:
        variables["reasoning_effort"] = body.reasoning_effort
    given = body.chat_template_kwargs or {}
    for name in _RESERVED:
        if name in given:
            raise _contradiction(f"chat_template_kwargs cannot hold {name!r}", "chat_template_kwargs")
    return variables | given


def _sampling(body: _Body) -> Mapping[str, Any]:
    stop = (body.stop,) if isinstance(body.stop, str) else body.stop
    arguments = {
        "max_tokens": _max_tokens(body),
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "min_p": body.min_p,
        "seed": body.seed,
        "stop": None if stop is None else tuple(stop),
        "logprobs": _num_logprobs(body),
        "choices": None if body.guided_choice is None else tuple(body.guided_choice),
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _max_tokens(body: _Body) -> int | None:
    old, new = body.max_tokens, body.max_completion_tokens
    if old is not None and new is not None and old != new:
        problem = f"max_tokens is {old} and max_completion_tokens is {new}; expected one of them, or equal values"
        raise _contradiction(problem, "max_completion_tokens")
    return old if new is None else new


def _num_logprobs(body: _Body) -> int | None:
    if not body.logprobs:
        if body.top_logprobs is not None:
            raise _contradiction("top_logprobs is given without logprobs; expected logprobs to be true", "top_logprobs")
        return None
    return body.top_logprobs or 0


def _contradiction(problem: str, param: str) -> BadRequest:
    return BadRequest(problem, code="invalid_parameter", param=param)
