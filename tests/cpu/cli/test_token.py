"""`fit token`, `evaluate token` and `generate` on two tiny models."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pointsman.engine import Sampling, generate, load_model

ESCAPES = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture(scope="module")
def fitted() -> dict[str, Path]:
    """A router that one test fitted, for all: the models are random, but the same in every test."""
    return {}


@pytest.fixture
def models(chat_folder: Callable[..., Path]) -> list[str]:
    """Options that name a Qwen and a Llama that share a tokenizer; texts end by the letter e."""
    sizes = {"eos_tokens": (14,), "context_tokens": 40, "has_qk_norm": False}
    small = chat_folder("small", architecture="Qwen2ForCausalLM", has_qkv_bias=True, **sizes)
    large = chat_folder("large", architecture="LlamaForCausalLM", num_layers=3, **sizes)
    return ["--small", str(small), "--large", str(large)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.jsonl"
    lines = [{"prompt": f"{index}", "answer": "abc", "reference": "ab=>abc"} for index in range(40)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.fixture
def router(
    pm: Any, models: list[str], data: Path, fitted: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    if "router" in fitted:
        return fitted["router"]
    router = tmp_path_factory.mktemp("router")
    found = pm("fit", "token", *models, "--data", data, "--gate", "citer-s", "--gate", "pointsman", "-o", router)
    assert found.code == 0, found.err
    assert f"pointsman evaluate token --router {router}" in found.out
    fitted["router"] = router
    return router


def test_a_fit_makes_gates_that_are_evaluated_and_write(
    pm: Any, models: list[str], data: Path, router: Path, tmp_path: Path
) -> None:
    names = {path.parent.name for path in router.glob("*/gate.json")}
    assert names == {"citer-s", "pointsman-1", "pointsman", "outlook"}
    card = json.loads((router / "pointsman/gate.json").read_text())
    assert card["figures"]["calibration_tasks"] == 10
    assert card["figures"]["certified"] == 0  # 10 tasks cannot show that one in a hundred is lost
    assert card["figures"]["tolerance"] == 0
    table, picture = tmp_path / "curves.csv", tmp_path / "curves.png"
    chosen = ["--method", "citer-s", "--method", "speculative", "--method", "pointsman"]
    options = ["--router", router, "--data", data, "--quick", "--csv", table, "--plot", picture, "--labels", 5]
    found = pm("evaluate", "token", *models, *chosen, *options)
    assert found.code == 0, found.err
    report = json.loads(found.out.splitlines()[-1])
    assert report["quick"] is True
    assert set(report["curves"]) == {"large", "small", "citer-s", "speculative", "pointsman"}
    assert {"accuracy", "bytes_share", "flops_share", "seconds_share"} <= set(report["curves"]["pointsman"][0])
    assert "no dials are certified" in found.out
    assert re.search(r"labels: the models differ at \d+ of 40 tokens of 5 right texts", found.out)
    assert re.search(r"r2r +\d+\.\d% wrong", found.out)
    rows = table.read_text().splitlines()
    assert len(rows) == 1 + sum(map(len, report["curves"].values()))
    assert picture.stat().st_size > 10_000

    asked = ["generate", *models, "--router", router, "--max-tokens", 12, "hello"]
    strict = pm(*asked)
    model = load_model(models[3], device="cpu")
    prompt = model.tokenizer.encode("u:hello;steps:", special=False)
    (alone,) = generate(model, [prompt], Sampling(max_tokens=12))
    assert strict.out == alone.text + "\n"
    assert "pointsman: " in strict.err
    assert "rolled back" in strict.err
    shown = pm(*asked, "--color", "--method", "speculative", "--dial", "num_tokens=3")
    kept = re.sub("\x1b\\[9;31m.*?\x1b\\[0m", "", shown.out, flags=re.DOTALL)
    assert ESCAPES.sub("", kept) == alone.text + "\n"
    assert "\x1b[1;36m" in shown.out
    told = json.loads(pm(*asked, "--json").out)
    assert told["method"] == "pointsman"
    told_tokens = told["large_tokens"] + told["small_tokens"] + told["lookup_tokens"]
    assert told_tokens == len(told["tokens"]) == len(told["writers"])
    eager = pm(*asked, "--dial", "risk=1", "--json")  # the other dials are the certified ones
    assert json.loads(eager.out)["large_tokens"] == 0
    assert told["traffic"]["large"]["flops"] > 0
    citer = pm(*asked, "--method", "citer-s", "--dial", "threshold=0.5")
    assert "citer-s: " in citer.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--method", "best"], "there is no method 'best'"),
        (["--method", "r2r", "--dial", "threshold=0.5"], "needs the gate r2r"),
        (["--method", "citer-s"], "the dials of citer-s are threshold; found none"),
        (["--method", "citer-s", "--dial", "threshold=2"], "threshold is 2.0; expected 0 to 1"),
        (["--method", "speculative", "--dial", "num_tokens=0"], "num_tokens is 0; expected 1 or more"),
        (["--dial", "threshold"], "expected NAME=NUMBER"),
        (["--dial", "threshold=much"], "expected NAME=NUMBER"),
        (["--color", "--json"], "--color does not go together with --json"),
        (["--json", "--logprobs", "1"], "logprobs is not supported where two models write"),
    ],
)
def test_what_a_pair_cannot_do_is_said(pm: Any, models: list[str], router: Path, options: list[str], told: str) -> None:
    found = pm("generate", *models, "--router", router, *options, "hello")
    assert found.code == 2
    assert told in found.err
    assert "Traceback" not in found.err


def test_a_method_that_is_named_is_not_left_out(pm: Any, models: list[str], data: Path, router: Path) -> None:
    asked = ["evaluate", "token", *models, "--router", router, "--data", data, "--quick"]
    found = pm(*asked, "--method", "speculative", "--method", "r2r")
    assert found.code == 2
    assert "the method r2r needs the gate r2r; there is citer-s, outlook, pointsman" in found.err


def test_one_model_has_no_colours(pm: Any, models: list[str]) -> None:
    assert "is for a text of two models" in pm("generate", "--model", models[1], "--color", "hello").err
    assert "go together" in pm("generate", *models, "hello").err


def test_a_gate_of_other_models_is_refused(pm: Any, models: list[str], router: Path) -> None:
    swapped = ["--small", models[3], "--large", models[1]]
    found = pm("generate", *swapped, "--router", router, "hello")
    assert found.code == 2
    assert "was made for another small model" in found.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--data", "none.jsonl"], "cannot read none.jsonl"),
        (["--gate", "best"], "there is no gate best"),
        (["--most-losses", "0"], "expected a number between 0 and 1"),
        (["--tolerance", "1.5"], "less than or equal to 1"),
    ],
)
def test_a_fit_that_cannot_be_is_refused(
    pm: Any, models: list[str], data: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    given = ["--data", data] if "--data" not in options else []
    found = pm("fit", "token", *models, *given, *options, "-o", tmp_path / "out")
    assert found.code == 2
    assert told in found.err


def test_different_tokenizers_are_no_pair(pm: Any, models: list[str], data: Path) -> None:
    found = pm("fit", "token", "--small", models[1], "--large", "embedded/large", "--data", data)
    assert found.code == 2
    assert "have different vocabularies" in found.err
