"""`pointsman write` with a model of the engine: a random one, which writes no function."""

from pathlib import Path
from typing import Any

import pytest

from pointsman.cli.drafters import ModelWriter
from pointsman.core import Unsupported
from pointsman.engine import Sampling, generate, load_model

TEMPLATE = (
    "{% for message in messages %}{{ message.role[0] }}:{{ message.content }};{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)


def test_a_chat_is_rendered_and_answered(chat_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.cli.drafters._MOST_TOKENS", 9)
    model = load_model(str(chat_folder(template=TEMPLATE)), device="cpu")
    chat = [{"role": role, "content": text} for role, text in [("user", "a"), ("assistant", "b"), ("user", "c")]]
    prompt = model.tokenizer.encode("u:a;a:b;u:c;a:", special=False)
    assert ModelWriter(model).write(chat) == generate(model, [prompt], Sampling(max_tokens=9))[0].text


def test_a_model_without_a_chat_template_cannot_be_asked(chat_folder: Any) -> None:
    model = load_model(str(chat_folder(template=None)), device="cpu")
    with pytest.raises(Unsupported) as caught:
        ModelWriter(model).write([{"role": "user", "content": "a"}])
    assert caught.value.code == "no_chat_template"


def test_the_rounds_of_a_model(pm: Any, chat_folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.cli.drafters._MOST_TOKENS", 9)
    folder = chat_folder(template=TEMPLATE, context_tokens=8192)
    (tmp_path / "examples.jsonl").write_text('{"inputs": [1], "output": 2}\n')
    found = pm("write", "Add one.", "--examples", "examples.jsonl", "--model", folder, "--rounds", 2)
    assert found.code == 1
    assert found.err.count("not compiled; the reply holds no Python function") == 2
    assert (
        "[prompt_too_long]"
        in pm(
            "write", "Add one.", "--examples", "examples.jsonl", "--model", chat_folder(name="short", template=TEMPLATE)
        ).err
    )
