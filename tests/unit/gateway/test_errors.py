import json

import pytest

from pointsman import core
from pointsman.core import BadRequest, InternalError, PointsmanError, Unverified, UpstreamError
from pointsman.gateway import errors

STATUSES = {
    "BadRequest": 400,
    "NotFound": 404,
    "Unsupported": 501,
    "OverBudget": 429,
    "UpstreamError": 502,
    "Unverified": 409,
    "InternalError": 500,
    "PointsmanError": 500,
}


def test_every_error_of_core_has_a_row_of_its_own() -> None:
    in_core = {name for name in core.__all__ if issubclass(getattr(core, name), PointsmanError)}
    assert in_core == set(STATUSES)
    assert in_core <= {kind.__name__ for kind in errors._KINDS}


@pytest.mark.parametrize("name", STATUSES)
def test_a_class_has_its_status(name: str) -> None:
    kind = getattr(core, name)
    error = UpstreamError("no", retryable=True) if kind is UpstreamError else kind("no")
    assert errors.status_of(error) == STATUSES[name]


def test_the_gateway_s_own_classes_are_finer() -> None:
    assert errors.status_of(errors.BodyTooLarge("no")) == 413
    assert errors.status_of(errors.MethodNotAllowed(("GET",))) == 405
    assert errors.status_of(errors.UpstreamTimeout("no", retryable=True)) == 504
    assert errors.status_of(errors.ModelUnavailable("no", retryable=False)) == 503
    assert errors.status_of(errors.ServerStopping()) == 503
    assert errors.status_of(errors.UnsupportedParameter("no", param="n")) == 400


def test_a_class_without_a_row_has_that_of_its_base() -> None:
    class Stale(Unverified):
        pass

    assert errors.status_of(Stale("no")) == 409


def test_the_body_has_openai_s_shape() -> None:
    body = json.loads(errors.error_body(BadRequest("no", code="c", param="p")))
    assert body == {"error": {"message": "no", "type": "invalid_request_error", "param": "p", "code": "c"}}
    assert json.loads(errors.error_body(InternalError("no")))["error"]["param"] is None
    refused = errors.UnsupportedParameter("no", param="n")
    assert json.loads(errors.error_body(refused))["error"]["param"] == "n"
