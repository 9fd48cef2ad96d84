"""Chat templates render as `transformers` renders them, and fail as errors of ours."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from pointsman.core import BadRequest
from pointsman.engine.chat import ChatTemplate, read_chat_template

MESSAGES = [
    {"role": "system", "content": "Be <brief>."},
    {"role": "user", "content": "Café & crème?"},
    {"role": "assistant", "content": "Oui."},
    {"role": "user", "content": "Why?"},
]
TEMPLATES = {
    "loop": "{{ bos_token }}{% for m in messages %}\n  {% if m.role != 'system' %}\n[{{ m.role }}] {{ m.content }}\n"
    "  {% endif %}\n{% endfor %}\n{% if add_generation_prompt %}[assistant]{% endif %}\n",
    "json": "{{ messages | tojson }} {{ messages[0] | tojson(indent=2) }}",
    "controls": "{% for m in messages %}{% if loop.index0 == 1 %}{% continue %}{% endif %}{{ m.content }}{% endfor %}",
    "tools": "{{ tools is none }}{{ documents is none }}{{ nothing is defined }}",
    "date": "{{ strftime_now('%Y') }}",
    "space": "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
}


@pytest.mark.parametrize("adds_prompt", [False, True])
@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
def test_text_is_that_of_transformers(source: str, adds_prompt: bool) -> None:
    ours = ChatTemplate(source, {"bos_token": "<s>"}).render(MESSAGES, add_generation_prompt=adds_prompt)
    theirs, _ = render_jinja_template(
        [MESSAGES], chat_template=source, bos_token="<s>", add_generation_prompt=adds_prompt
    )
    assert ours == theirs[0]


def test_the_date_is_today() -> None:
    assert ChatTemplate("{{ strftime_now('%Y') }}").render([]) in {str(datetime.now().year + n) for n in (-1, 0)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ raise_exception('roles must alternate') }}", "refuses the messages: roles must alternate"),
        ("{{ messages[0].content.nothing.more }}", "refuses the messages: 'str object' has no attribute 'nothing'"),
        ("{{ messages.append(1) }}", "refuses the messages: "),
        ("{{ messages.__class__.__mro__ }}", "refuses the messages: "),
        ("{{ messages[0].content + 1 }}", "fails on the messages: TypeError"),
        ("{{ 1 / 0 }}", "fails on the messages: ZeroDivisionError"),
        ("{{ range(99999999) }}", "fails on the messages: OverflowError"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "fails on the messages: RecursionError"),
    ],
)
def test_a_template_that_fails(source: str, expected: str) -> None:
    with pytest.raises(BadRequest, match=expected) as caught:
        ChatTemplate(source).render(MESSAGES)
    assert (caught.value.code, caught.value.param) == ("invalid_chat", "messages")


def test_a_template_that_is_no_jinja() -> None:
    with pytest.raises(BadRequest, match="no Jinja: line 2: ") as caught:
        ChatTemplate("\n{% for %}").render(MESSAGES)
    assert caught.value.code == "invalid_chat_template"


def test_messages_stay_as_they_were() -> None:
    messages = [{"role": "user", "content": "hello"}]
    with pytest.raises(BadRequest):
        ChatTemplate("{{ messages[0].update({'role': 'system'}) }}").render(messages)
    assert messages == [{"role": "user", "content": "hello"}]


def rendered(folder: Path, settings: dict[str, Any]) -> str | None:
    template = read_chat_template(folder, settings)
    return None if template is None else template.render(MESSAGES)


def test_where_a_template_is_found(tmp_path: Path) -> None:
    assert rendered(tmp_path, {}) is None
    assert rendered(tmp_path, {"chat_template": "one"}) == "one"
    named = [{"name": "tool_use", "template": "two"}, {"name": "default", "template": "three"}]
    assert rendered(tmp_path, {"chat_template": named}) == "three"
    assert rendered(tmp_path, {"chat_template": named[:1]}) is None
    (tmp_path / "chat_template.jinja").write_text("four")
    assert rendered(tmp_path, {"chat_template": "one"}) == "four"


def test_special_tokens_are_variables(tmp_path: Path) -> None:
    settings = {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": None}
    assert (
        rendered(tmp_path, settings | {"chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}"}) == "<s></s>"
    )


def test_a_template_of_the_wrong_kind(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="chat_template is int; expected a string or a list") as caught:
        read_chat_template(tmp_path, json.loads('{"chat_template": 3}'))
    assert caught.value.code == "invalid_tokenizer"


def test_a_template_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(BadRequest, match="cannot read "):
        read_chat_template(tmp_path, {})
