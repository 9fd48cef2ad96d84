"""What counts as the same request, and which requests memory leaves alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import BadRequest
from pointsman.query.memory import Request, refuses
from pointsman.query.memory.keys import context_key, request_key, tenant_key
from pointsman.query.memory.refusing import REFUSALS
from pointsman.query.memory.request import normal_text

SECRET = bytes(32)


def request(text: object = "What is 2 + 2?", **parameters: object) -> Request:
    return Request.of({"model": "m", "messages": [{"role": "user", "content": text}], **parameters})


@pytest.mark.parametrize(
    "same",
    [
        request("  What is  2 + 2?\r\n"),
        request([{"type": "text", "text": "What is "}, {"type": "text", "text": "2 + 2?"}]),
        request(stream=True, user="u", metadata={"a": 1}),
        request(stop=None),
    ],
)
def test_what_changes_nothing_does_not_count(same: Request) -> None:
    assert same.canonical() == request().canonical()
    assert same == request()
    assert hash(same) == hash(request())


@pytest.mark.parametrize(
    "other",
    [
        request("what is 2 + 2?"),
        request("What is 2 + 3?"),
        request("What is\n2 + 2?"),
        request(max_tokens=5),
        request(stop=["."]),
        request(response_format={"type": "json_object"}),
        request(a_field_that_nobody_knows=1),
        Request.of({"model": "m", "messages": [{"role": "system", "content": "What is 2 + 2?"}]}),
        Request.of({"model": "n", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}),
        Request.of({"model": "m", "messages": [{"role": "user", "content": "What is 2 + 2?", "name": "x"}]}),
        Request.of({"model": "m", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}, quality=0.9),
    ],
)
def test_what_can_change_the_answer_counts(other: Request) -> None:
    assert other.canonical() != request().canonical()


def test_composed_letters_are_one_and_code_keeps_its_spaces() -> None:
    assert normal_text("cafe\u0301") == normal_text("caf\u00e9")
    assert normal_text("Run:\n    x  = 1\n") == "Run:\n    x  = 1"
    assert normal_text("`a  b`") == "`a  b`"


@given(st.text())
def test_a_normal_form_is_its_own(text: str) -> None:
    assert normal_text(normal_text(text)) == normal_text(text)


def test_a_context_is_all_but_the_last_text() -> None:
    tenant = tenant_key("k", SECRET)
    assert context_key(request("a"), tenant) == context_key(request("b"), tenant)
    assert context_key(request("a"), tenant) != context_key(request("a", max_tokens=3), tenant)


def test_keys_of_two_tenants_are_unrelated() -> None:
    one, other = tenant_key("one", SECRET), tenant_key("other", SECRET)
    assert one != other
    assert request_key(request(), one) != request_key(request(), other)
    assert tenant_key("one", bytes([1]) * 32) != one


@pytest.mark.parametrize("messages", ["text", [1], [{"content": "no role"}]])
def test_messages_of_another_shape_are_refused(messages: object) -> None:
    with pytest.raises(BadRequest) as caught:
        Request.of({"messages": messages})
    assert caught.value.code == "invalid_type"


IMAGE = [{"type": "image_url", "image_url": {"url": "data:"}}]
CALL = [{"role": "assistant", "content": "", "tool_calls": []}, {"role": "user", "content": "go on"}]
REFUSED = [
    ("uses_tools", request(tools=[{"type": "function"}])),
    ("uses_tools", request(functions=[{"name": "f"}])),
    ("uses_tools", Request.of({"messages": CALL})),
    ("searches", request(web_search_options={})),
    ("searches", request(previous_response_id="r")),
    ("many_answers", request(n=2)),
    ("sampled", request(temperature=0.7, seed=1)),
    ("sampled_without_seed", request(temperature=0.7)),
    ("not_text", request(IMAGE)),
    ("not_text", request(modalities=["text", "audio"])),
    ("asks_details", request(logprobs=True)),
    ("no_question", Request.of({"messages": [{"role": "assistant", "content": "Hello"}]})),
    ("no_question", request("  ")),
    ("time_dependent", request("What is the price today?")),
    ("time_dependent", request("Who is the CURRENT mayor?")),
    ("time_dependent", request("the latest release")),
    ("time_dependent", request("What happened in the last three days?")),
    ("time_dependent", request("What day is it, and what time is it")),
]


@pytest.mark.parametrize(("reason", "refused"), REFUSED)
def test_each_reason_refuses_and_can_be_waived(reason: str, refused: Request) -> None:
    assert refuses(refused) == reason
    others = set(REFUSALS) - {reason, "no_question"}  # what is no text is no question either
    assert refuses(refused, allowed=[reason]) not in {reason, *others}


def test_every_reason_is_tried() -> None:
    assert {reason for reason, _ in REFUSED} == set(REFUSALS)


def test_others_are_taken() -> None:
    assert refuses(request("What is the capital of Belmark?")) is None
    assert refuses(request(n=1, temperature=0, tools=[])) is None
    assert refuses(request(temperature=0.0)) is None
    system = {"role": "system", "content": "Today is Monday."}
    assert refuses(Request.of({"messages": [system, {"role": "user", "content": "2 + 2?"}]})) is None


def test_a_server_that_samples_by_default_is_not_remembered() -> None:
    assert refuses(request(), default_temperature=1.0) == "sampled_without_seed"
