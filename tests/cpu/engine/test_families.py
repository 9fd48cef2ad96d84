"""Every family gives the logits that `transformers` gives from the same files."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from transformers.utils import logging

from pointsman.engine.config import RopeConfig, read_config
from pointsman.engine.model import Decoder
from pointsman.engine.session import Session
from pointsman.engine.weights import load_weights, save_weights

FullLogits = Callable[[Decoder, Tensor], Tensor]

SIZES = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama2": ("Llama", {"num_key_value_heads": 4}),
    "llama3": ("Llama", {"rope_parameters": LLAMA3_ROPE}),
    "llama-linear": ("Llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 100.0, "factor": 3.0}}),
    "mistral": ("Mistral", {"sliding_window": None, "head_dim": 12}),
    "mistral-window": ("Mistral", {"sliding_window": 40}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
}
FLOAT_TOLERANCE = 1e-4
"""Logits are about 3. The same sums in another order differ by some 1e-6; a wrong layout or switch by 0.1 and more."""

TOKENS = torch.randint(0, 96, (2, 40), generator=torch.Generator().manual_seed(5))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable_progress_bar()
    yield
    logging.enable_progress_bar()


def make_reference(family: str, **changes: Any) -> Any:
    """A random model of `transformers`, in which every parameter matters: norms are not 1 and biases not 0."""
    name, switches = FAMILIES[family]
    config = getattr(transformers, f"{name}Config")(**(SIZES | switches | changes))
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.2, generator=generator)
    return model


@torch.no_grad()
def their_logits(model: Any) -> Tensor:
    return model(TOKENS).logits


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Decoder:
    return load_weights(read_config(folder / "config.json"), folder, dtype=dtype, device=torch.device("cpu"))


@pytest.mark.parametrize("ties", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_transformers(family: str, ties: bool, tmp_path: Path, full_logits: FullLogits) -> None:
    model = make_reference(family, tie_word_embeddings=ties)
    model.save_pretrained(tmp_path)
    decoder = load(tmp_path)
    theirs = their_logits(model)
    assert theirs.std() > 0.5
    assert (decoder.head is None) == ties
    torch.testing.assert_close(full_logits(decoder, TOKENS), theirs, atol=FLOAT_TOLERANCE, rtol=FLOAT_TOLERANCE)
    assert decoder.config.num_parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_bf16_is_as_close_to_the_truth_as_transformers(family: str, tmp_path: Path, full_logits: FullLogits) -> None:
    """bf16 keeps 8 bits, so two right computations differ widely; each is measured against float32 instead.

    Where one rounds and the other does not is chance: half as much error again is allowed on the average.
    """
    model = make_reference(family).bfloat16()
    model.save_pretrained(tmp_path)
    ours, theirs = full_logits(load(tmp_path, torch.bfloat16), TOKENS), their_logits(model)
    assert ours.dtype is torch.bfloat16
    truth = their_logits(model.float())
    assert (ours - truth).abs().mean() < 1.5 * (theirs - truth).abs().mean()
    assert (ours - truth).abs().max() < 0.1 * truth.abs().max()


@torch.no_grad()
def decoded_logits(decoder: Decoder) -> Tensor:
    """Logits of the last ten tokens of `TOKENS`, read behind the others: four singly, three at once, three singly."""
    session = Session(decoder, 2, TOKENS.shape[1])
    session.extend([0, 1], TOKENS[:, :-10].tolist())
    seen, at = [], TOKENS.shape[1] - 10
    for count in (1, 1, 1, 1, 3, 1, 1, 1):
        seen.append(session.extend([0, 1], TOKENS[:, at : at + count].tolist(), "all").logits)
        at += count
    return torch.cat(seen, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_decoding_gives_the_logits_of_transformers(family: str, tmp_path: Path) -> None:
    model = make_reference(family)
    model.save_pretrained(tmp_path)
    theirs = their_logits(model)[:, -10:]
    torch.testing.assert_close(decoded_logits(load(tmp_path)), theirs, atol=FLOAT_TOLERANCE, rtol=FLOAT_TOLERANCE)


@pytest.mark.parametrize("family", FAMILIES)
def test_decoding_in_bf16_is_as_close_to_the_truth_as_transformers(family: str, tmp_path: Path) -> None:
    model = make_reference(family).bfloat16()
    model.save_pretrained(tmp_path)
    ours, theirs = decoded_logits(load(tmp_path, torch.bfloat16)), their_logits(model)[:, -10:]
    assert ours.dtype is torch.bfloat16
    truth = their_logits(model.float())[:, -10:]
    assert (ours - truth).abs().mean() < 1.5 * (theirs - truth).abs().mean()


def test_shards_are_one_model(tmp_path: Path, full_logits: FullLogits) -> None:
    model = make_reference("qwen2")
    model.save_pretrained(tmp_path, max_shard_size="10KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 3
    torch.testing.assert_close(
        full_logits(load(tmp_path), TOKENS), their_logits(model), atol=FLOAT_TOLERANCE, rtol=FLOAT_TOLERANCE
    )


def test_the_scaling_of_llama3_is_seen_by_these_tests(tmp_path: Path, full_logits: FullLogits) -> None:
    model = make_reference("llama3")
    model.save_pretrained(tmp_path)
    config = read_config(tmp_path / "config.json")
    unscaled = replace(config, rope=RopeConfig(config.rope.theta))
    decoder = load_weights(unscaled, tmp_path, dtype=torch.float32, device=torch.device("cpu"))
    assert (full_logits(decoder, TOKENS) - their_logits(model)).abs().max() > 100 * FLOAT_TOLERANCE


def test_a_window_limits_the_context(tmp_path: Path) -> None:
    make_reference("mistral-window").save_pretrained(tmp_path)
    assert read_config(tmp_path / "config.json").context_tokens == 40


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_opens_what_is_saved(
    family: str, dtype: torch.dtype, tmp_path: Path, full_logits: FullLogits
) -> None:
    make_reference(family).save_pretrained(tmp_path / "theirs")
    decoder = load(tmp_path / "theirs", dtype)
    save_weights(decoder, tmp_path / "ours")
    again = load(tmp_path / "ours", dtype)
    assert again.config == decoder.config
    assert all(torch.equal(again.state_dict()[name], value) for name, value in decoder.state_dict().items())
    opened = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours")
    assert opened.dtype is dtype
    torch.testing.assert_close(
        full_logits(decoder.float(), TOKENS), their_logits(opened.float()), atol=FLOAT_TOLERANCE, rtol=FLOAT_TOLERANCE
    )


def test_a_product_in_float_is_the_exact_one_rounded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from pointsman.engine import model

    monkeypatch.setattr(model, "CHUNK_BYTES", 4 * 40 * 7)  # chunks of 7 rows, the last one shorter
    monkeypatch.setattr(model, "cpu_has_bf16", lambda: False)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(30, 40, generator=generator).bfloat16()
    bias = torch.randn(30, generator=generator).bfloat16()
    x = torch.randn(2, 5, 40, generator=generator).bfloat16()
    with torch.inference_mode():
        for added in (None, bias):
            exact = torch.nn.functional.linear(x.double(), weight.double(), None if added is None else added.double())
            assert torch.equal(model.linear(x, weight, added), exact.bfloat16())
            few = model.linear(x[:1, :2], weight, added)
            torch.testing.assert_close(few.double(), exact[:1, :2], atol=0.1, rtol=0.02)
