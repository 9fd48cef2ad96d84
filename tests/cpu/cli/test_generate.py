"""`pointsman generate` on tiny models."""

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli import models
from pointsman.engine import Sampling, batch, generate, load_model


def alone(folder: Path, prompt: str, **sampling: Any) -> str:
    """What the engine writes after exactly this text."""
    model = load_model(str(folder), device="cpu")
    return generate(model, [model.tokenizer.encode(prompt, special=False)], Sampling(**sampling))[0].text


@pytest.mark.parametrize(
    ("options", "prompt"),
    [
        ([], "u:hello;steps:"),
        (["--mode", "direct"], "u:hello;direct:"),
        (["--mode", "steps"], "u:hello;steps:"),
        (["--raw"], "hello"),
    ],
)
def test_the_text_goes_to_stdout_and_a_summary_to_stderr(
    pm: Any, chat_folder: Any, options: list[str], prompt: str
) -> None:
    folder = chat_folder()
    found = pm("generate", "--model", folder, "--device", "cpu", "--max-tokens", 9, *options, "hello")
    assert (found.code, found.out) == (0, alone(folder, prompt, max_tokens=9) + "\n")
    (line,) = found.err.splitlines()
    assert line.startswith("9 tokens in ")
    for part in ("tokens/s", "kB moved", f"prompt of {len(prompt)} tokens", "ended by length"):
        assert part in line


def test_every_option_reaches_the_sampling(pm: Any, chat_folder: Any) -> None:
    folder = chat_folder()
    numbers = {"max_tokens": 30, "temperature": 1.2, "top_k": 20, "top_p": 0.9, "min_p": 0.001, "seed": 7}
    options = [word for name, value in numbers.items() for word in (f"--{name.replace('_', '-')}", value)]
    text = alone(folder, "hello", **numbers)
    found = pm("generate", "--model", folder, "--raw", *options, "hello")
    assert found.out.removesuffix("\n") == text
    stopped = pm("generate", "--model", folder, "--raw", *options, "--stop", "not there", "--stop", text[9:11], "hello")
    assert stopped.out.removesuffix("\n") == text[: text.index(text[9:11])]
    assert "ended by stop" in stopped.err


def test_json_is_one_object_with_the_cost(pm: Any, chat_folder: Any) -> None:
    folder = chat_folder()
    found = pm("generate", "--model", folder, "--max-tokens", 5, "--json", "--logprobs", 2, "hello")
    assert (found.code, found.err) == (0, "")
    answer = json.loads(found.out)
    assert answer["text"] == alone(folder, "u:hello;steps:", max_tokens=5)
    assert (answer["model"], answer["finish_reason"], len(answer["tokens"])) == (str(folder), "length", 5)
    cost = answer["cost"]
    assert (cost["prompt_tokens"], cost["completion_tokens"], cost["nano_usd"]) == (14, 5, 0)
    assert cost["moved_bytes"] > 5 * 10_000
    assert cost["seconds"] > 0
    told = answer["logprobs"]["content"]
    assert "".join(token["token"] for token in told) == answer["text"]
    assert all(len(token["top_logprobs"]) == 2 for token in told)
    plain = json.loads(pm("generate", "--model", folder, "--max-tokens", 5, "--json", "hello").out)
    assert set(plain) == {"model", "text", "finish_reason", "tokens", "cost"}


def test_the_prompt_may_come_from_stdin(pm: Any, chat_folder: Any) -> None:
    folder = chat_folder()
    found = pm("generate", "--model", folder, "--raw", "--max-tokens", 5, "-", stdin=b"hello\nyou")
    assert found.out == alone(folder, "hello\nyou", max_tokens=5) + "\n"


def test_a_model_without_a_template_continues_the_text(pm: Any, chat_folder: Any) -> None:
    folder = chat_folder(template=None)
    command = ["generate", "--model", folder, "--max-tokens", 5, "hello"]
    assert pm(*command).out == alone(folder, "hello", max_tokens=5) + "\n"
    refused = pm(*command, "--mode", "direct")
    assert (refused.code, refused.out) == (2, "")
    assert "no_chat_template" in refused.err


def test_the_pair_of_the_package_has_names(
    pm: Any, chat_folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = chat_folder()
    monkeypatch.setattr("pointsman.embedded.pair.model_folder", {"large": folder, "small": tmp_path}.get)
    assert pm("generate", "--max-tokens", 5, "hello").code == 0, "embedded/large is the default"
    assert models.source_of("embedded/large") == str(folder)
    assert models.source_of("embedded/small") == str(tmp_path)
    shutil.copytree(folder, tmp_path / "embedded/large")
    assert models.source_of("embedded/large") == "embedded/large", "a folder here comes first"
    assert models.source_of("a/b") == "a/b"


def test_pieces_appear_as_they_are_written(pm: Any, chat_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    step = batch.Batch.step

    def watched(self: Any) -> Any:
        ended = step(self)
        sys.stdout.flush()
        shown.append(out.getvalue().decode())
        return ended

    out = io.BytesIO()
    monkeypatch.setattr(batch.Batch, "step", watched)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, write_through=False))
    folder = chat_folder()
    pm("generate", "--model", folder, "--raw", "--max-tokens", 4, "hello")
    text = alone(folder, "hello", max_tokens=4)
    assert shown[:4] == [text[: index + 1] for index in range(4)]


def test_ctrl_c_keeps_what_was_written(pm: Any, chat_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = chat_folder()
    text = alone(folder, "hello", max_tokens=3)
    step = batch.Batch.step
    steps: list[int] = []

    def interrupted(self: Any) -> Any:
        steps.append(1)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(batch.Batch, "step", interrupted)
    found = pm("generate", "--model", folder, "--raw", "hello")
    assert (found.code, found.out, found.err) == (130, text + "\n", "interrupted\n")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--temperature", "-1"], "temperature is -1.0; expected 0 to 100"),
        (["--temperature", "hot"], "--temperature"),
        (["--max-tokens", "0"], "max_tokens is 0; expected 1 or more"),
        (["--top-k", "0"], "top_k is 0"),
        (["--top-p", "2"], "top_p is 2.0"),
        (["--min-p", "-1"], "min_p is -1.0"),
        (["--stop", ""], "expected strings that are not empty"),
        (["--json", "--logprobs", "21"], "logprobs is 21; expected 0 to 20"),
        (["--dtype", "int8"], "--dtype"),
        (["--device", "tpu"], "--device"),
        (["--model", "none"], "there is no model 'none'; expected a folder"),
        (["--model", "file.txt"], "expected a folder or a llama2.c .bin file"),
        (["--model", "cut.bin"], "invalid_weights"),
        (["--model", "empty"], "config.json"),
    ],
)
def test_wrong_input_is_a_message(pm: Any, chat_folder: Any, tmp_path: Path, options: list[str], says: str) -> None:
    (tmp_path / "file.txt").touch()
    (tmp_path / "cut.bin").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    found = pm("generate", "--model", chat_folder(), *options, "hello")
    assert (found.code, found.out) == (2, "")
    assert says in found.err


def test_a_prompt_that_is_too_long_or_no_text_is_a_message(pm: Any, chat_folder: Any) -> None:
    folder = chat_folder(context_tokens=32)
    found = pm("generate", "--model", folder, "x" * 40)
    assert (found.code, found.out) == (2, "")
    assert "prompt_too_long" in found.err
    assert "49 tokens; at most 31" in found.err
    found = pm("generate", "--model", folder, "-", stdin=b"\xff")
    assert (found.code, found.out) == (2, "")
    assert "bad_inputs" in found.err
    found = pm("generate", "--model", folder, "--raw", "")
    assert (found.code, found.out) == (2, "")
    assert "the prompt is empty" in found.err
