"""The engine on a GPU gives what it gives on a CPU, and its decode step can be captured."""

import random
from dataclasses import replace

import pytest
import torch

from pointsman.engine import Decoder, ModelConfig, NaiveSession, Sampling, Session, generate, load_model, save_weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]

CONFIG = ModelConfig(
    architecture="Qwen3ForCausalLM",
    vocab_size=96,
    hidden_size=64,
    intermediate_size=96,
    num_layers=3,
    num_heads=4,
    num_kv_heads=2,
    head_dim=16,
    context_tokens=64,
    has_qk_norm=True,
)
TOLERANCE = {torch.float32: 2e-3, torch.bfloat16: 0.3}
"""Logits are about 5. Float32 products may use TF32-free kernels in another order; bf16 has 8 bits."""


def make(dtype: torch.dtype, device: str) -> Decoder:
    decoder = Decoder(CONFIG)
    decoder.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            if not name.endswith("norm.weight"):
                parameter.mul_(5)
    return decoder.to(dtype).to(device)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("compiles", [False, True])
def test_a_session_on_the_gpu_is_the_naive_one_on_the_cpu(dtype: torch.dtype, compiles: bool) -> None:
    rng = random.Random(0)
    fast = Session(make(dtype, "cuda"), 3, 48, compiles=compiles)
    slow = NaiveSession(make(dtype, "cpu"), 3, 48)
    for step in range(24):
        if step % 5 == 4:
            row = rng.randrange(3)
            keep = rng.randint(1, fast.lengths[row])
            fast.truncate(row, keep)
            slow.truncate(row, keep)
        longest = 4 if step % 3 == 0 else 1
        tokens = [[rng.randrange(96) for _ in range(rng.randint(1, longest))] for _ in range(3)]
        if any(length + 4 > 48 for length in fast.lengths):
            break
        ours, theirs = fast.extend([0, 1, 2], tokens), slow.extend([0, 1, 2], tokens)
        torch.testing.assert_close(ours.logits.cpu(), theirs.logits, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def test_the_decode_step_can_be_captured_and_replayed() -> None:
    session = Session(make(torch.float32, "cuda"), 2, 48)
    eager = Session(make(torch.float32, "cuda"), 2, 48)
    for each in (session, eager):
        each.extend([0, 1], [[3, 4, 5], [6]])
    tokens = torch.tensor([[7], [8]], device="cuda")
    positions = torch.tensor([[3], [1]], device="cuda")
    stream = torch.cuda.Stream()
    with torch.inference_mode():
        with torch.cuda.stream(stream):
            session.decode_all(tokens, positions)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            hidden = session.decode_all(tokens, positions)
        for step in range(4):
            tokens.copy_(torch.tensor([[9 + step], [20 + step]]))
            positions.copy_(torch.tensor([[3 + step], [1 + step]]))
            graph.replay()
            expected = eager.extend([0, 1], [[9 + step], [20 + step]]).hidden
            torch.testing.assert_close(hidden, expected, atol=2e-3, rtol=2e-3)


def test_generation_on_the_gpu_repeats_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    from pointsman.embedded.vocabulary import build_tokenizer, save_tokenizer

    folder = tmp_path_factory.mktemp("model")
    config = replace(CONFIG, vocab_size=build_tokenizer("large").get_vocab_size())
    decoder = Decoder(config)
    decoder.initialise(torch.Generator().manual_seed(1))
    save_weights(decoder, folder)
    save_tokenizer(folder, "large")
    model = load_model(str(folder), device="cuda")
    sampling = Sampling(max_tokens=12, temperature=1.0, seed=5)
    first, second = (generate(model, [[7, 8], [9]], sampling) for _ in range(2))
    assert [text.tokens for text in first] == [text.tokens for text in second]
