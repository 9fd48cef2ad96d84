"""Training learns, repeats itself, and goes on where it was interrupted."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from pointsman.core import BadRequest
from pointsman.embedded import run
from pointsman.embedded.checkpoint import FILE, Identity, resume, save_checkpoint
from pointsman.embedded.curriculum import Curriculum
from pointsman.embedded.families import FAMILIES
from pointsman.embedded.recipes import recipe_for
from pointsman.embedded.training import Recipe, Trainer
from pointsman.embedded.vocabulary import build_tokenizer
from pointsman.engine import load_model
from pointsman.engine.config import ModelConfig

IDENTITY = Identity("small", 0, 60.0, "tiny")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build_tokenizer("large")


def tiny(tokenizer: Tokenizer) -> Recipe:
    vocab_size = tokenizer.get_vocab_size()
    config = ModelConfig(
        "Qwen2ForCausalLM", vocab_size, 16, 32, 1, 2, 2, 8, 512, ties_embedding=True, has_qkv_bias=True
    )
    return Recipe(config, num_rows=2, row_tokens=360, peak_lr=1e-2, families=tuple(FAMILIES))


def trainer(tokenizer: Tokenizer, seed: int = 0) -> Trainer:
    return Trainer(tiny(tokenizer), tokenizer, seed, torch.device("cpu"), compiles=False)


def weights(trained: Trainer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trained.model.parameters()])


def test_the_loss_falls(tokenizer: Tokenizer) -> None:
    trained = trainer(tokenizer)
    losses = [trained.step(0.1).loss for _ in range(40)]
    assert losses[0] == pytest.approx(torch.tensor(tokenizer.get_vocab_size()).log().item(), rel=0.1)
    assert sum(losses[-5:]) / 5 < 0.75 * losses[0]


def test_the_same_seed_trains_the_same_model(tokenizer: Tokenizer) -> None:
    def trained(seed: int) -> torch.Tensor:
        one = trainer(tokenizer, seed)
        for _ in range(3):
            one.step(0.5)
        return weights(one)

    first = trained(0)
    assert torch.equal(first, trained(0))
    assert not torch.equal(first, trained(1))


def test_a_resumed_run_is_the_uninterrupted_one(tokenizer: Tokenizer, tmp_path: Path) -> None:
    whole, first = trainer(tokenizer), trainer(tokenizer)
    for step in range(6):
        whole.step(step / 6)
    for step in range(3):
        first.step(step / 6)
    save_checkpoint(tmp_path, first, IDENTITY, 12.5)
    second = trainer(tokenizer, seed=0)
    assert resume(tmp_path, second, IDENTITY) == 12.5
    for step in range(3, 6):
        second.step(step / 6)
    assert torch.equal(weights(whole), weights(second))
    assert whole.curriculum.scores == second.curriculum.scores
    assert whole.curriculum.num_open == second.curriculum.num_open


def test_without_a_checkpoint_a_run_begins(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert resume(tmp_path, trainer(tokenizer), IDENTITY) == 0.0


def test_a_checkpoint_of_another_run_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, trainer(tokenizer), IDENTITY, 1.0)
    with pytest.raises(BadRequest, match="name another folder") as caught:
        resume(tmp_path, trainer(tokenizer), Identity("small", 1, 60.0, "tiny"))
    assert caught.value.code == "other_checkpoint"


@pytest.mark.parametrize("keep", [0, 7, 400])
def test_a_broken_checkpoint_is_named(tokenizer: Tokenizer, tmp_path: Path, keep: int) -> None:
    save_checkpoint(tmp_path, trainer(tokenizer), IDENTITY, 1.0)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadRequest, match="delete it to start anew") as caught:
        resume(tmp_path, trainer(tokenizer), IDENTITY)
    assert caught.value.code == "invalid_checkpoint"


def run_briefly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_progress: Callable[[run.Progress], None] | None = None
) -> None:
    monkeypatch.setattr(run, "recipe_for", lambda size, vocab_size: tiny(build_tokenizer("large")))
    monkeypatch.setattr(run, "LOG_S", 0.2)
    run.train("small", 1.2, tmp_path, compiles=False, on_progress=on_progress)


def test_a_run_leaves_a_model_a_log_and_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[run.Progress] = []
    run_briefly(tmp_path, monkeypatch, seen.append)
    log = [json.loads(line) for line in (tmp_path / run.LOG_FILE).read_text().splitlines()]
    assert [entry["step"] for entry in log] == [progress.step for progress in seen]
    assert all(entry["loss"] > 0 and entry["tokens_per_s"] > 0 for entry in log)
    model = load_model(str(tmp_path))
    assert model.config.hidden_size == 16
    assert (tmp_path / FILE).exists()


def test_an_interruption_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(progress: run.Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_briefly(tmp_path, monkeypatch, interrupt)
    assert not (tmp_path / "model.safetensors").exists()
    seen: list[run.Progress] = []
    run_briefly(tmp_path, monkeypatch, seen.append)
    assert seen[0].step > 1
    assert seen[0].elapsed_s > 0.2
    assert (tmp_path / "model.safetensors").exists()


def test_the_small_model_is_a_twentieth_of_the_large() -> None:
    sizes = {
        size: recipe_for(size, build_tokenizer("large").get_vocab_size()).config.num_parameters
        for size in ("large", "small")
    }
    assert sizes["small"] * 20 <= sizes["large"]
    assert 2 * sum(sizes.values()) < 20_000_000


def test_the_curriculum_opens_what_comes_next_and_prefers_what_is_wrong() -> None:
    import random

    curriculum, rng = Curriculum(tuple(FAMILIES)), random.Random(0)
    drawn = [curriculum.draw(rng) for _ in range(2000)]
    assert {difficulty for family, difficulty in drawn if family != "facts"} == {1, 2}
    assert {difficulty for family, difficulty in drawn if family == "facts"} == set(range(1, 9))
    for _ in range(300):
        for difficulty in (1, 2):
            curriculum.record("tracking", difficulty, is_right=True)
    assert curriculum.num_open["tracking"] == 3
    drawn = [difficulty for family, difficulty in (curriculum.draw(rng) for _ in range(4000)) if family == "tracking"]
    assert drawn.count(3) > 5 * drawn.count(1)
