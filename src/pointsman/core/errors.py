"""Every error that Pointsman raises on purpose.

The tree branches by what the caller can do about it:

    PointsmanError
    ├── BadRequest       change the request
    ├── NotFound         name something that exists
    ├── Unsupported      ask for something that Pointsman does
    ├── OverBudget       allow more, or ask for less
    ├── UpstreamError    try again if `retryable`, else repair the upstream or its settings
    ├── Unverified       take the safe path: a proof or a certificate is missing
    └── InternalError    report it: an invariant of ours is broken

An error's `code` is stable and meant for programs; its `message` is for people and never holds a prompt, an output or
a key. HTTP statuses are the gateway's business.
"""


class PointsmanError(Exception):
    """Base of all errors here.

    Attributes:
        code: stable, snake_case name of what went wrong.
        message: what went wrong and what was expected, for a person.
    """

    code: str = "pointsman_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class BadRequest(PointsmanError):
    """The request cannot be understood; `param` names the part at fault, where one is known."""

    code = "bad_request"

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message, code=code)
        self.param = param


class NotFound(PointsmanError):
    """Nothing has the name that was asked for."""

    code = "not_found"


class Unsupported(PointsmanError):
    """The request is understood, but Pointsman does not do this."""

    code = "unsupported"


class OverBudget(PointsmanError):
    """A limit on money, tokens, time or memory would be passed."""

    code = "over_budget"


class UpstreamError(PointsmanError):
    """A server that answers for us failed; `retryable` says whether the same request may succeed later."""

    code = "upstream_error"

    def __init__(self, message: str, *, retryable: bool, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retryable = retryable


class Unverified(PointsmanError):
    """A proof or certificate that this operation depends on is missing or does not hold."""

    code = "unverified"


class InternalError(PointsmanError):
    """An invariant of Pointsman's own does not hold."""

    code = "internal_error"
