"""OpenAI-compatible servers behind the gateway, and the only place where aiohttp's exceptions are translated.

The request's body goes out as it came, byte for byte. An answer comes back as it arrives: an event stream chunk by
chunk, anything else whole, so that a connection lost half-way becomes a clean error. Answers with a status of 2xx or
4xx are relayed; a redirect or a failure of the upstream becomes ours to explain. The client's own credentials go
nowhere: an upstream gets the key that its configuration names.

Not done here: retries, hedging, and any reading of prompts or answers. So an answer with status 200 that is no JSON, or
cut off by the upstream itself, reaches the client as it is.
"""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from starlette.types import Receive, Send

import pointsman
from pointsman.core import UpstreamError
from pointsman.gateway.arms import Call
from pointsman.gateway.config import UpstreamConfig
from pointsman.gateway.errors import UpstreamTimeout, error_body
from pointsman.gateway.http import decision_headers, event, send_whole, while_connected

_LOG = logging.getLogger("pointsman.gateway")

_RELAYED = ("cache-control", "content-encoding", "content-type", "retry-after")

_FOREIGN: tuple[tuple[type[Exception], str, bool, str], ...] = (
    # first match wins: class, code, retryable, what happened
    (TimeoutError, "upstream_timeout", True, "did not answer in time"),
    (aiohttp.InvalidURL, "upstream_misconfigured", False, "has a base_url that cannot be used"),
    (aiohttp.NonHttpUrlClientError, "upstream_misconfigured", False, "has a base_url that cannot be used"),
    (aiohttp.RedirectClientError, "upstream_bad_answer", False, "sent a redirect, which is not followed"),
    (aiohttp.ClientSSLError, "upstream_untrusted", False, "could not prove its identity over TLS"),
    (aiohttp.ServerFingerprintMismatch, "upstream_untrusted", False, "could not prove its identity over TLS"),
    (aiohttp.ClientConnectorError, "upstream_unreachable", True, "cannot be reached"),
    (aiohttp.ClientConnectionError, "upstream_disconnected", True, "closed the connection"),
    (aiohttp.ClientPayloadError, "upstream_disconnected", True, "broke off its answer"),
    (aiohttp.UploadAbortedError, "upstream_disconnected", True, "did not take the whole request"),
    (aiohttp.ClientResponseError, "upstream_bad_answer", False, "did not answer in HTTP as expected"),
    (aiohttp.ClientError, "upstream_failed", False, "failed"),
)


def translate(exc: Exception, upstream: str) -> UpstreamError:
    """The error to raise in place of `exc`, a `ClientError` or `TimeoutError` from asking `upstream`."""
    _, code, retryable, what = next(row for row in _FOREIGN if isinstance(exc, row[0]))
    kind = UpstreamTimeout if code == UpstreamTimeout.code else UpstreamError
    return kind(f"the upstream {upstream!r} {what}", retryable=retryable, code=code)


@contextmanager
def translated(upstream: str) -> Iterator[None]:
    """Raises `UpstreamError` for whatever aiohttp raises inside."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise translate(exc, upstream) from exc


def new_session() -> aiohttp.ClientSession:
    """A session for all upstreams: no cookies kept, nothing taken from the environment, answers left as they came."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": f"pointsman/{pointsman.__version__}", "Accept-Encoding": "identity"},
    )


class UpstreamArm:
    """Relays requests to one upstream."""

    def __init__(self, config: UpstreamConfig, session: aiohttp.ClientSession) -> None:
        self.owner = config.name
        self.description = f"Relayed to the upstream {config.name!r}"
        self._session = session
        self._url = f"{config.base_url.rstrip('/')}/chat/completions"
        self._headers = {"Content-Type": "application/json"}
        if config.api_key is not None:
            self._headers["Authorization"] = f"Bearer {config.api_key}"
        # `total` stays open: a stream may last, but not be silent
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=config.timeout_s, sock_read=config.timeout_s)
        self._arm = f"upstream/{config.name}"

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Relays one request and its answer; a client that leaves takes the upstream's request with it."""
        await while_connected(receive, self._relay(call, send))

    async def _relay(self, call: Call, send: Send) -> None:
        with translated(self.owner):
            body = io.BytesIO(call.body)  # sent in pieces; bytes would go out in one write that holds the event loop
            request = self._session.post(
                self._url, data=body, headers=self._headers, timeout=self._timeout, allow_redirects=False
            )
            async with request as response:
                self._accept(response)
                if response.content_type == "text/event-stream":
                    await self._stream(response, call, send)
                else:
                    await send_whole(send, response.status, await response.read(), self._relayed(response, call))

    def _accept(self, response: aiohttp.ClientResponse) -> None:
        if response.status < 300 or 400 <= response.status < 500:
            return
        message = f"the upstream {self.owner!r} answered with status {response.status}"
        raise UpstreamError(message, retryable=response.status >= 500, code="upstream_failed")

    def _relayed(self, response: aiohttp.ClientResponse, call: Call) -> list[tuple[bytes, bytes]]:
        try:
            kept = [(name.encode(), response.headers[name].encode()) for name in _RELAYED if name in response.headers]
        except UnicodeEncodeError as exc:  # aiohttp gives bytes that are not UTF-8 as lone surrogates
            message = f"the upstream {self.owner!r} sent a header that is not text"
            raise UpstreamError(message, retryable=False, code="upstream_bad_answer") from exc
        return [*kept, *decision_headers(call.decision(self._arm))]

    async def _stream(self, response: aiohttp.ClientResponse, call: Call, send: Send) -> None:
        """Relays events as they arrive; a failure half-way is told as a last event, without the end mark.

        Where the failure cuts an event, that event is ended first, so that the last one can be read.
        """
        headers = self._relayed(response, call)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        last, tail = b"", b"\n\n"
        try:
            with translated(self.owner):
                async for data in response.content.iter_any():
                    tail = (tail + data)[-4:]
                    await send({"type": "http.response.body", "body": data, "more_body": True})
        except UpstreamError as error:
            _LOG.warning("%s: %s (%s), half-way", call.request_id, error.message, error.code)
            last = (b"" if tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")) else b"\n\n") + event(error_body(error))
        await send({"type": "http.response.body", "body": last})
