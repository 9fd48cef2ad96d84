import json
from typing import Any

import pytest

from pointsman.core import BadRequest, PointsmanError
from pointsman.gateway.chat import _NEUTRAL, TextRequest, read_text_request

HELLO = [{"role": "user", "content": "hello"}]


def read(messages: object = HELLO, **fields: object) -> TextRequest:
    return read_text_request(json.dumps({"model": "m", "messages": messages, **fields}).encode())


def refused(messages: object = HELLO, **fields: object) -> Any:
    with pytest.raises(PointsmanError) as caught:
        read(messages, **fields)
    return caught.value


def test_nothing_given_is_left_to_the_defaults_of_sampling() -> None:
    request = read()
    assert request.messages == ({"role": "user", "content": "hello"},)
    assert request.sampling == {}
    assert request.variables == {"add_generation_prompt": True, "mode": "steps", "enable_thinking": True}


@pytest.mark.parametrize(
    ("given", "sampling"),
    [
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 7, "max_tokens": 7}, {"max_tokens": 7}),
        ({"temperature": 0, "top_p": 0.5, "top_k": 3, "min_p": 0.1, "seed": -1}, None),
        ({"temperature": 1}, {"temperature": 1.0}),
        ({"stop": "a"}, {"stop": ("a",)}),
        ({"stop": ["a", "b"]}, {"stop": ("a", "b")}),
        ({"stop": []}, {"stop": ()}),
        ({"logprobs": True}, {"logprobs": 0}),
        ({"logprobs": True, "top_logprobs": 20}, {"logprobs": 20}),
        ({"logprobs": False}, {}),
        ({"guided_choice": ["yes", "no"]}, {"choices": ("yes", "no")}),
        (dict.fromkeys(("max_tokens", "temperature", "seed", "stop", "logprobs", "top_logprobs", "n", "tools")), {}),
    ],
)
def test_parameters_become_those_of_sampling(given: dict[str, Any], sampling: dict[str, Any] | None) -> None:
    assert read(**given).sampling == (given if sampling is None else sampling)


@pytest.mark.parametrize(
    "name", ["user", "metadata", "store", "service_tier", "parallel_tool_calls", "safety_identifier"]
)
def test_what_changes_nothing_is_skipped(name: str) -> None:
    assert read(**{name: "anything"}) == read()


@pytest.mark.parametrize(
    ("effort", "mode"),
    [("none", "direct"), ("minimal", "direct"), ("low", "steps"), ("medium", "steps"), ("high", "steps")],
)
def test_the_effort_chooses_the_mode_of_the_template(effort: str, mode: str) -> None:
    variables = read(reasoning_effort=effort).variables
    assert (variables["mode"], variables["reasoning_effort"]) == (mode, effort)
    assert variables["enable_thinking"] == (mode == "steps")


def test_variables_of_the_template_come_last() -> None:
    given = {"mode": "direct", "add_generation_prompt": False, "a": 1.5, "b": None}
    assert read(chat_template_kwargs=given).variables == {**given, "enable_thinking": True}


def test_messages_have_text_and_words_that_templates_know() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": parts, "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": []},
    ]
    assert read(messages).messages == (
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "ab", "name": "Ann"},
        {"role": "assistant", "content": ""},
    )


@pytest.mark.parametrize("name", _NEUTRAL)
def test_what_would_change_the_answer_is_refused_by_name_unless_it_asks_for_nothing(name: str) -> None:
    assert read(**{name: _NEUTRAL[name]}) == read(**{name: None}) == read()
    error = refused(**{name: [{"my": "secret"}]})
    assert (error.code, error.param) == ("unsupported_parameter", name)
    assert error.message.startswith(f"{name} is not supported here; leave it out, or send ")
    assert "secret" not in error.message


@pytest.mark.parametrize(
    ("name", "value"),
    [("n", 2), ("frequency_penalty", 0.5), ("logit_bias", {"1": 5}), ("response_format", {"type": "json_object"})],
)
def test_usual_values_of_what_is_refused(name: str, value: object) -> None:
    assert refused(**{name: value}).param == name


def test_a_message_with_tool_calls_is_refused() -> None:
    error = refused([*HELLO, {"role": "assistant", "tool_calls": [{"id": "1"}]}])
    assert (error.code, error.param) == ("unsupported_parameter", "messages[1].tool_calls")


@pytest.mark.parametrize(
    ("fields", "code", "param", "says"),
    [
        ({"messages": []}, "invalid_type", "messages", "length >= 1"),
        ({"messages": [{"content": "x"}]}, "missing_field", "messages[0].role", "'role'"),
        ({"messages": [{"role": 1, "content": "x"}]}, "invalid_type", "messages[0].role", "Expected `str`"),
        ({"messages": [{"role": "user", "content": 1}]}, "invalid_type", "messages[0].content", "got `int`"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "unsupported_content", "messages", ""),
        ({"max_tokens": 0}, "invalid_type", "max_tokens", ">= 1"),
        ({"max_tokens": 1.5}, "invalid_type", "max_tokens", "Expected `int | null`"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "invalid_parameter", "max_completion_tokens", "equal values"),
        ({"temperature": "hot"}, "invalid_type", "temperature", "Expected `float | null`, got `str`"),
        ({"seed": "x"}, "invalid_type", "seed", "Expected `int | null`"),
        ({"top_k": 0.5}, "invalid_type", "top_k", "Expected `int | null`"),
        ({"stop": 5}, "invalid_type", "stop", "Expected `str | array | null`, got `int`"),
        ({"stop": ["a", 5]}, "invalid_type", "stop[1]", "Expected `str`"),
        ({"stop": ["a"] * 5}, "invalid_type", "stop", "length <= 4"),
        ({"logprobs": 3}, "invalid_type", "logprobs", "Expected `bool | null`"),
        ({"logprobs": True, "top_logprobs": 21}, "invalid_type", "top_logprobs", "<= 20"),
        ({"logprobs": True, "top_logprobs": -1}, "invalid_type", "top_logprobs", ">= 0"),
        ({"top_logprobs": 1}, "invalid_parameter", "top_logprobs", "expected logprobs to be true"),
        ({"guided_choice": []}, "invalid_type", "guided_choice", "length >= 1"),
        ({"guided_choice": ["a", ""]}, "invalid_type", "guided_choice[1]", "length >= 1"),
        ({"reasoning_effort": 1}, "invalid_type", "reasoning_effort", "Expected `str | null`"),
        ({"chat_template_kwargs": {"a": [1]}}, "invalid_type", "chat_template_kwargs[...]", "got `array`"),
        ({"chat_template_kwargs": {"messages": "x"}}, "invalid_parameter", "chat_template_kwargs", "'messages'"),
        ({"chat_template_kwargs": {"self": "x"}}, "invalid_parameter", "chat_template_kwargs", "'self'"),
    ],
)
def test_bad_values_are_named_with_what_was_expected(fields: dict[str, Any], code: str, param: str, says: str) -> None:
    error = refused(**fields)
    assert isinstance(error, BadRequest)
    assert (error.code, error.param) == (code, param)
    assert says in error.message


@pytest.mark.parametrize("fields", [b'"temperature": 1e999', b'"stop": "\\ud800"'])
def test_numbers_and_strings_that_are_none(fields: bytes) -> None:
    with pytest.raises(BadRequest):
        read_text_request(b'{"messages": [{"role": "user", "content": "x"}], ' + fields + b"}")


def test_messages_are_needed() -> None:
    with pytest.raises(BadRequest, match="lacks the field 'messages'") as caught:
        read_text_request(b'{"model": "m"}')
    assert caught.value.param == "messages"
