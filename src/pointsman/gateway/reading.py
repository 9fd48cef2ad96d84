"""An OpenAI-compatible endpoint that answers questions about texts: what `core.asking` asks for.

Options are lettered, and one token is asked for with the log-probabilities of the likeliest ones; where an endpoint
gives none, it may choose by structured output, without saying how sure it is. Values are asked for by structured
output: an object whose value has the type, or is null.

Requests go out on a loop of their own, on a thread, so that programs may ask from any thread but the server's loop.
"""

import asyncio
import json
import math
import threading
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from pointsman.core import Cost, Unsupported
from pointsman.core.asking import LETTERS, Question, Reply, Value, choice_prompt, extraction_prompt, options_of
from pointsman.gateway.completion import completion_of, post_chat
from pointsman.gateway.config import UpstreamConfig
from pointsman.gateway.upstream import new_session

__all__ = ["EndpointReader"]

_MOST_LIKELY = 20  # log-probabilities that the protocol gives at most
_MOST_TOKENS = 200  # of an extracted value
_JSON_TYPES: dict[str, dict[str, Any]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "span": {"type": "string"},
}


class EndpointReader:
    """Implements `core.asking.Answerer` with a model behind an OpenAI-compatible server.

    Args:
        config: the server.
        model: the model's name there.
        name: by which its replies and certificates are filed [default: both names].
    """

    def __init__(self, config: UpstreamConfig, model: str, name: str | None = None) -> None:
        self.name = name or f"{config.name}/{model}"
        self._config, self._model = config, model
        self._has_logprobs: bool | None = None  # not known before it was asked
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def knows(self, question: Question) -> bool:
        """Whether its options have a letter each."""
        return len(question.options) <= len(LETTERS)

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        """Replies in order, asked for all at once.

        Raises:
            UpstreamError: the endpoint cannot be reached or fails.
            Unsupported: `no_logprobs_or_schema` for an endpoint that gives neither log-probabilities nor structured
                output; `too_many_options`.
        """
        return asyncio.run_coroutine_threadsafe(self._answer(asked), self._loop).result()

    def close(self) -> None:
        """Ends its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        async with new_session() as session:
            return list(await asyncio.gather(*(self._one(session, *pair) for pair in asked)))

    async def _one(self, session: aiohttp.ClientSession, question: Question, text: str) -> Reply:
        if len(question.options) > len(LETTERS):
            problem = f"{question.wording!r} has {len(question.options)} options; expected {len(LETTERS)} at most"
            raise Unsupported(problem, code="too_many_options")
        begun = time.perf_counter()
        if question.kind == "extract":
            value, chance, usage = await self._value(session, question, text)
        else:
            value, chance, usage = await self._choice(session, question, text)
        read, written = (int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
        return Reply(value, chance, self.name, Cost(read, written, 0, 0, time.perf_counter() - begun))

    # -- choosing ------------------------------------------------------------------------------------------------------

    async def _choice(
        self, session: aiohttp.ClientSession, question: Question, text: str
    ) -> tuple[Value, float, dict[str, Any]]:
        options = options_of(question)
        if self._has_logprobs is not False:
            extra = {"max_tokens": 1, "logprobs": True, "top_logprobs": _MOST_LIKELY}
            answer = await self._ask(session, choice_prompt(question, options, text), extra)
            chances = _letter_chances(answer, len(options))
            self._has_logprobs = chances is not None
            if chances is not None:
                best = max(range(len(options)), key=chances.__getitem__)
                return _chosen(question, options[best]), chances[best], answer.get("usage") or {}
        schema = {"type": "string", "enum": list(options)}
        said, _, usage = await self._structured(session, choice_prompt(question, options, text), schema)
        if said not in options:
            raise self._unsupported(question)
        return _chosen(question, str(said)), 0.0, usage

    async def _value(
        self, session: aiohttp.ClientSession, question: Question, text: str
    ) -> tuple[Value, float, dict[str, Any]]:
        kind = _JSON_TYPES.get(question.type) or {"type": "string", "enum": list(question.options)}
        schema = {"anyOf": [kind, {"type": "null"}]}
        said, chance, usage = await self._structured(session, extraction_prompt(question, text), schema)
        value = float(said) if question.type == "float" and type(said) is int else said
        if not question.admits(value):
            raise self._unsupported(question)
        return value, chance, usage

    async def _structured(
        self, session: aiohttp.ClientSession, prompt: str, schema: dict[str, Any]
    ) -> tuple[Any, float, dict[str, Any]]:
        """A value under a schema, with the chance of its tokens where the endpoint says it, else 0."""
        properties = {"properties": {"value": schema}, "required": ["value"], "additionalProperties": False}
        whole = {"type": "object", **properties}
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": whole}}
        extra: dict[str, Any] = {"max_tokens": _MOST_TOKENS, "response_format": form}
        if self._has_logprobs is not False:
            extra["logprobs"] = True
        answer = await self._ask(session, prompt, extra)
        choice = answer["choices"][0]
        try:
            said = json.loads(choice["message"]["content"])["value"]
        except (ValueError, KeyError, TypeError) as exc:
            problem = f"{self.name} gives no structured output, and no log-probabilities to choose by"
            raise Unsupported(problem, code="no_logprobs_or_schema") from exc
        tokens = (choice.get("logprobs") or {}).get("content") or []
        chance = math.exp(sum(float(token["logprob"]) for token in tokens)) if tokens else 0.0
        return said, chance, answer.get("usage") or {}

    def _unsupported(self, question: Question) -> Unsupported:
        problem = f"{self.name} keeps to no schema: its answer to {question.wording!r} is not {question.expected}"
        return Unsupported(problem, code="no_logprobs_or_schema")

    # -- requests ------------------------------------------------------------------------------------------------------

    async def _ask(self, session: aiohttp.ClientSession, prompt: str, extra: dict[str, Any]) -> dict[str, Any]:
        """The endpoint's answer. Raises UpstreamError; of a request that it refuses, Unsupported."""
        body = {"model": self._model, "messages": [{"role": "user", "content": prompt}], "temperature": 0, **extra}
        status, data = await post_chat(session, self._config, body)
        if status in (400, 422) and "logprobs" in extra:  # refused, perhaps for them
            self._has_logprobs = False
            rest = {name: value for name, value in extra.items() if name not in ("logprobs", "top_logprobs")}
            return await self._ask(session, prompt, rest)
        if status in (400, 422) and "response_format" in extra:
            raise Unsupported(f"{self.name} refuses structured output", code="no_logprobs_or_schema")
        return completion_of(status, data, self._config.name)


def _letter_chances(answer: dict[str, Any], num_options: int) -> list[float] | None:
    """The chance of each letter among the letters; None where no log-probabilities came, or none of a letter."""
    content = (answer["choices"][0].get("logprobs") or {}).get("content") or []
    if not content:
        return None
    weights = [0.0] * num_options
    for token in content[0].get("top_logprobs") or []:
        place = LETTERS.find(str(token["token"]).strip() or "?")
        if 0 <= place < num_options and len(str(token["token"]).strip()) == 1:
            weights[place] += math.exp(float(token["logprob"]))
    total = sum(weights)
    return [weight / total for weight in weights] if total > 0 else None


def _chosen(question: Question, option: str) -> Value:
    return option == options_of(question)[0] if question.type == "bool" else option
