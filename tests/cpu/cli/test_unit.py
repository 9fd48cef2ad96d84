"""`fit unit`, `evaluate unit` and `generate --budget` on a tiny model."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pointsman.engine import Sampling, generate, load_model
from pointsman.unit import load_router, routed

PROMPT = "u:hello;steps:"


@pytest.fixture(scope="module")
def fitted() -> dict[str, Path]:
    """What one test fitted, for all: the model is random, but the same in every test."""
    return {}


@pytest.fixture
def model(chat_folder: Callable[..., Path]) -> Path:
    return chat_folder(context_tokens=40)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text("".join(f"{number * number} is the square of {number}. " for number in range(400)))
    return path


@pytest.fixture
def folder(pm: Any, model: Path, book: Path, fitted: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "units" not in fitted:
        output = tmp_path_factory.mktemp("units")
        options = ["--data", book, "--lessons", 5, "-o", output]
        found = pm("fit", "unit", "--model", model, *options, "--prices", "ms")
        assert found.code == 0, found.err
        assert f"--unit {output}" in found.out
        for rival in ("informed", "d-llm"):
            found = pm("fit", "unit", "--model", model, *options, "--method", rival, "--budget", 0.8)
            assert found.code == 0, found.err
            assert f"{rival} fitted, which moves 0." in found.out
        fitted["units"] = output
    return fitted["units"]


def test_a_fit_is_seen_by_evaluate(pm: Any, model: Path, book: Path, folder: Path, tmp_path: Path) -> None:
    points, picture = tmp_path / "points.csv", tmp_path / "unit.svg"
    options = ["--data", book, "--texts", 40, "--csv", points, "--plot", picture]
    found = pm("evaluate", "unit", "--model", model, "--unit", folder, *options)
    assert found.code == 0, found.err
    report = json.loads(found.out.splitlines()[-1])
    assert report["bench"] == "evaluate-unit"
    assert set(report["curves"]) == {
        "pointsman",
        "pointsman, by ms",
        "static",
        "random",
        "shortgpt",
        "informed",
        "d-llm",
    }
    for curve in report["curves"].values():
        assert all(point["perplexity_ratio"] > 0 for point in curve)
    with points.open() as file:
        lines = list(csv.DictReader(file))
    assert {line["method"] for line in lines} == set(report["curves"])
    assert len(lines) == sum(map(len, report["curves"].values()))
    assert "<svg" in picture.read_text()


@pytest.mark.parametrize("lossless", [[], ["--lossless"]])
def test_a_text_at_a_budget(pm: Any, model: Path, folder: Path, lossless: list[str]) -> None:
    options = ["--unit", folder, "--budget", 0.8, "--device", "cpu", "--max-tokens", 12, *lossless]
    found = pm("generate", "--model", model, *options, "hello")
    assert found.code == 0, found.err
    loaded = load_model(str(model), device="cpu")
    router, card = load_router(folder, loaded.decoder)
    writer = loaded if lossless else routed(loaded, router, card.curve.rate_for_budget(0.8))
    (expected,) = generate(writer, [loaded.tokenizer.encode(PROMPT, special=False)], Sampling(max_tokens=12))
    assert found.out == expected.text + "\n"
    assert ("drafts itself" in found.err) == bool(lossless)


def test_a_budget_of_milliseconds(pm: Any, model: Path, folder: Path) -> None:
    loaded = load_model(str(model), device="cpu")
    router, card = load_router(folder, loaded.decoder)
    dial = card.dial("ms")
    assert card.timed is not None
    assert "core" in card.timed.machine or torch.cuda.is_available()
    budget = round(dial.curve.points[8].share, 2)
    options = ["--unit", folder, "--budget", budget, "--prices", "ms", "--device", "cpu", "--max-tokens", 12]
    found = pm("generate", "--model", model, *options, "hello")
    if budget > 1:  # so small a model is never faster in parts
        assert "[invalid_budget]" in found.err
        return
    assert found.code == 0, found.err
    writer = routed(loaded, router, dial.curve.rate_for_budget(budget), dial.prices)
    (expected,) = generate(writer, [loaded.tokenizer.encode(PROMPT, special=False)], Sampling(max_tokens=12))
    assert found.out == expected.text + "\n"


def test_the_embedded_model_has_no_budget_for_prompts(pm: Any) -> None:
    found = pm("generate", "--prompt-budget", 0.5, "What is the pet of Suna?")
    assert found.code == 2
    assert "[no_prompts]" in found.err


def test_the_embedded_model_brings_its_own(pm: Any) -> None:
    question = "What is the pet of Suna?"
    whole = pm("generate", question)
    part = pm("generate", "--budget", 0.8, question)
    assert (part.code, part.out) == (0, whole.out)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--budget", 0.75], "missing_option"),
        (["--lossless"], "missing_option"),
        (["--unit", "/nowhere"], "router_not_found"),
        (["--unit", "{folder}", "--budget", 0.001], "invalid_budget"),
        (["--unit", "{folder}", "--budget", 2], "invalid_budget"),
        (["--unit", "{folder}", "--compile"], "conflicting_options"),
        (["--prices", "ms"], "missing_option"),
        (["--prompt-budget", 0.5], "missing_option"),
        (["--unit", "{folder}", "--prompt-budget", 0.001], "invalid_budget"),
        (["--unit", "{folder}", "--prompt-budget", 0.9, "--lossless"], "conflicting_options"),
        (["--unit", "{folder}", "--small", "a"], "conflicting_options"),
    ],
)
def test_what_cannot_be_generated_is_said(pm: Any, model: Path, folder: Path, options: list[Any], code: str) -> None:
    given = [str(option).replace("{folder}", str(folder)) for option in options]
    found = pm("generate", "--model", model, *given, "hello")
    assert found.code == 2
    assert f"[{code}]" in found.err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--data", "/nowhere/book.txt"], "invalid_text"),
        (["--data", "{binary}"], "invalid_text"),
        (["--data", "{short}"], "too_little_data"),
        (["--data", "embedded"], "invalid_model"),
        (["--data", "generated"], "no_first_token"),
        (["--data", "{book}", "--method", "skipgpt", "--budget", 1.5], "invalid_budget"),
        (["--data", "{book}", "--lora"], "conflicting_options"),
    ],
)
def test_what_cannot_be_fitted_is_said(
    pm: Any, model: Path, book: Path, tmp_path: Path, options: list[Any], code: str
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "short").write_text("short")
    places = {"{book}": book, "{binary}": tmp_path / "binary", "{short}": tmp_path / "short"}
    given = [str(places.get(str(option), option)) for option in options]
    found = pm("fit", "unit", "--model", model, "-o", tmp_path / "units", *given)
    assert found.code == 2
    assert f"[{code}]" in found.err
    assert not (tmp_path / "units" / "router.json").exists()


def test_evaluate_needs_a_folder_of_the_model(pm: Any, model: Path, chat_folder: Any, folder: Path, book: Path) -> None:
    found = pm("evaluate", "unit", "--model", model, "--data", book)
    assert "[missing_option]" in found.err
    other = chat_folder("other", context_tokens=40, num_layers=3)
    found = pm("evaluate", "unit", "--model", other, "--unit", folder, "--data", book)
    assert "[router_of_another_model]" in found.err
