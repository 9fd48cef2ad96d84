"""Errors as clients see them: the one table from error class to HTTP status, and OpenAI's error shape.

The gateway's own classes refine those of `pointsman.core` where HTTP draws a finer line than the library does.
"""

from http import HTTPStatus

from pointsman.core import (
    BadRequest,
    InternalError,
    NotFound,
    OverBudget,
    PointsmanError,
    Unsupported,
    Unverified,
    UpstreamError,
)
from pointsman.gateway import wire


class BodyTooLarge(BadRequest):
    """The request's body has more bytes than the server accepts."""

    code = "body_too_large"


class MethodNotAllowed(BadRequest):
    """The path exists, but not for this method; `allowed` holds those that it has."""

    code = "method_not_allowed"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(f"this path takes {', '.join(allowed)} only")
        self.allowed = allowed


class UnsupportedParameter(Unsupported):
    """The request's parameter `param` asks for something that is not done here.

    Told as a fault of the request, as OpenAI does: clients try again after a status of 500 and above.
    """

    code = "unsupported_parameter"

    def __init__(self, message: str, *, param: str) -> None:
        super().__init__(message)
        self.param = param


class UpstreamTimeout(UpstreamError):
    """The upstream was silent for longer than its `timeout_s`."""

    code = "upstream_timeout"


class ModelUnavailable(UpstreamError):
    """A model of this machine cannot be loaded; `code` is that of the cause."""


class ServerStopping(UpstreamError):
    """The answer was not complete when the time ran out that a stopping server leaves to it."""

    code = "server_stopping"

    def __init__(self) -> None:
        super().__init__("the server is stopping, and this answer was not complete in time", retryable=True)


class ClientGone(Exception):
    """The client closed the connection before its answer was complete: nobody is left to be told."""


_KINDS: dict[type[PointsmanError], tuple[HTTPStatus, str]] = {
    BadRequest: (HTTPStatus.BAD_REQUEST, "invalid_request_error"),
    BodyTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "invalid_request_error"),
    MethodNotAllowed: (HTTPStatus.METHOD_NOT_ALLOWED, "invalid_request_error"),
    NotFound: (HTTPStatus.NOT_FOUND, "invalid_request_error"),
    Unsupported: (HTTPStatus.NOT_IMPLEMENTED, "invalid_request_error"),
    UnsupportedParameter: (HTTPStatus.BAD_REQUEST, "invalid_request_error"),
    OverBudget: (HTTPStatus.TOO_MANY_REQUESTS, "insufficient_quota"),
    UpstreamError: (HTTPStatus.BAD_GATEWAY, "upstream_error"),
    UpstreamTimeout: (HTTPStatus.GATEWAY_TIMEOUT, "upstream_error"),
    ModelUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "server_error"),
    ServerStopping: (HTTPStatus.SERVICE_UNAVAILABLE, "server_error"),
    Unverified: (HTTPStatus.CONFLICT, "unverified_error"),
    InternalError: (HTTPStatus.INTERNAL_SERVER_ERROR, "server_error"),
    PointsmanError: (HTTPStatus.INTERNAL_SERVER_ERROR, "server_error"),
}


def status_of(error: PointsmanError) -> HTTPStatus:
    """The HTTP status for `error`: its class's row, or the row of the nearest base class."""
    return _kind_of(error)[0]


def error_body(error: PointsmanError) -> bytes:
    """`error` as JSON in OpenAI's shape, `{"error": {"message", "type", "param", "code"}}`."""
    param = error.param if isinstance(error, BadRequest | UnsupportedParameter) else None
    detail = wire.ErrorDetail(message=error.message, type=_kind_of(error)[1], param=param, code=error.code)
    return wire.encode(wire.ErrorEnvelope(error=detail))


def unexpected(request_id: str) -> InternalError:
    """What a client is told of an exception that nobody foresaw: where to find it in the log, and nothing else."""
    return InternalError(f"an unexpected error stopped this request; the server's log has it as {request_id}")


def _kind_of(error: PointsmanError) -> tuple[HTTPStatus, str]:
    return next(_KINDS[base] for base in type(error).__mro__ if base in _KINDS)
