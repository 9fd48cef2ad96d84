"""Chat completions that Pointsman itself asks of an OpenAI-compatible server, whole and not as a stream."""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from pointsman.core import UpstreamError
from pointsman.gateway.config import UpstreamConfig
from pointsman.gateway.upstream import translated

__all__ = ["completion_of", "post_chat"]


async def post_chat(
    session: aiohttp.ClientSession, config: UpstreamConfig, body: Mapping[str, Any]
) -> tuple[int, bytes]:
    """The status and the body of the answer. Raises UpstreamError where the server cannot be reached."""
    headers = {} if config.api_key is None else {"Authorization": f"Bearer {config.api_key}"}
    url = f"{config.base_url.rstrip('/')}/chat/completions"
    limits = aiohttp.ClientTimeout(total=None, sock_connect=config.timeout_s, sock_read=config.timeout_s)
    sending = session.post(url, json=body, headers=headers, timeout=limits, allow_redirects=False)
    with translated(config.name):
        async with sending as response:
            return response.status, await response.read()


def completion_of(status: int, data: bytes, upstream: str) -> dict[str, Any]:
    """The completion in an answer, which has a message. Raises UpstreamError for any other answer."""
    if status != 200:
        problem = f"the upstream {upstream!r} answered with status {status}"
        raise UpstreamError(problem, retryable=status >= 500 or status == 429, code="upstream_failed")
    try:
        answer = json.loads(data)
        answer["choices"][0]["message"]
    except (ValueError, KeyError, IndexError, TypeError) as exc:
        problem = f"the upstream {upstream!r} sent no chat completion"
        raise UpstreamError(problem, retryable=False, code="upstream_bad_answer") from exc
    return dict(answer)
