import pytest

from pointsman import core
from pointsman.core import BadRequest, PointsmanError, UpstreamError

CODES = {
    "BadRequest": "bad_request",
    "InternalError": "internal_error",
    "NotFound": "not_found",
    "OverBudget": "over_budget",
    "Unsupported": "unsupported",
    "Unverified": "unverified",
    "UpstreamError": "upstream_error",
}


def make(name: str, code: str | None = None) -> PointsmanError:
    kind = getattr(core, name)
    if kind is UpstreamError:
        return UpstreamError("what happened", retryable=True, code=code)
    error = kind("what happened", code=code)
    assert isinstance(error, PointsmanError)
    return error


@pytest.mark.parametrize("name", CODES)
def test_an_error_has_its_class_code_until_it_is_given_one(name: str) -> None:
    assert make(name).code == CODES[name]
    assert make(name, "finer").code == "finer"
    assert make(name).code == CODES[name], "a code given to one error must not stick to its class"


@pytest.mark.parametrize("name", CODES)
def test_the_message_is_the_text_of_the_exception(name: str) -> None:
    error = make(name)
    assert (error.message, str(error)) == ("what happened", "what happened")


def test_every_error_of_core_is_a_direct_branch_of_the_base() -> None:
    exported = {name for name in core.__all__ if issubclass(getattr(core, name), PointsmanError)}
    assert exported == {"PointsmanError", *CODES}
    assert all(getattr(core, name).__base__ is PointsmanError for name in CODES)


def test_branches_carry_what_the_caller_acts_on() -> None:
    assert BadRequest("no", param="messages").param == "messages"
    assert BadRequest("no").param is None
    assert UpstreamError("no", retryable=False).retryable is False
