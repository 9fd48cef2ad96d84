"""An OpenAI-compatible endpoint that drafts programs: what `program.writing` asks for."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pointsman.core import UpstreamError
from pointsman.gateway.completion import completion_of, post_chat
from pointsman.gateway.config import UpstreamConfig
from pointsman.gateway.upstream import new_session
from pointsman.program.writing import Message

__all__ = ["EndpointWriter"]

_REFUSED = (400, 422)


class EndpointWriter:
    """Implements `program.writing.Writer` with a model behind an OpenAI-compatible server.

    Replies are greedy where the endpoint lets them be; some models take no temperature.

    Args:
        config: the server. An answer is silent until it is whole, so `timeout_s` is the longest that one may take.
        model: the model's name there.
    """

    def __init__(self, config: UpstreamConfig, model: str) -> None:
        self._config, self._model = config, model

    def write(self, messages: Sequence[Message]) -> str:
        """The reply. Not to be called from within an event loop.

        Raises:
            UpstreamError: the endpoint cannot be reached, fails, or answers with something else than a text.
        """
        return asyncio.run(self._write({"model": self._model, "messages": list(messages)}))

    async def _write(self, body: dict[str, Any]) -> str:
        async with new_session() as session:
            status, data = await post_chat(session, self._config, {**body, "temperature": 0})
            if status in _REFUSED:
                status, data = await post_chat(session, self._config, body)
        message = completion_of(status, data, self._config.name)["choices"][0]["message"]
        text = (message.get("content") or "") if isinstance(message, dict) else None
        if not isinstance(text, str):
            problem = f"the upstream {self._config.name!r} answered with something else than a text"
            raise UpstreamError(problem, retryable=False, code="upstream_bad_answer")
        return text
