"""`pointsman bench engine`: the parts that decide what it claims."""

from pathlib import Path

import pytest
import torch

from pointsman.bench import engine
from pointsman.bench.engine import Side, token_bytes
from pointsman.core import InternalError, Unverified
from pointsman.embedded.vocabulary import save_tokenizer
from pointsman.engine import Decoder, ModelConfig, Session, save_weights

CONFIG = ModelConfig("LlamaForCausalLM", 600, 32, 48, 2, 4, 2, 8, 128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    decoder = Decoder(CONFIG)
    decoder.initialise(torch.Generator().manual_seed(0))
    folder = tmp_path_factory.mktemp("random")
    save_weights(decoder, folder)
    save_tokenizer(folder, "large")
    return folder


def test_both_engines_obey_and_agree(folder: Path) -> None:
    sides = [Side(name, folder, "float32") for name in engine.ENGINES]
    try:
        engine._check_texts(sides, [[7, 8, 9]], 12)
        engine._check_logits(sides, [7, 8, 9], "float32")
        seconds, written = sides[0].ask(generate=[[7, 8], [9, 10]], max_tokens=5)
        assert seconds > 0
        assert [len(text) for text in written] == [5, 5]
        assert all(side.ask(peak=True)[1] > 2**20 for side in sides)
    finally:
        for side in sides:
            side.close()


def test_engines_that_disagree_are_not_compared() -> None:
    class Scripted:
        def __init__(self, answer: list[float]) -> None:
            self.answer = answer

        def ask(self, **_: object) -> tuple[float, list[float]]:
            return 1.0, self.answer

    with pytest.raises(Unverified, match="different greedy texts"):
        engine._check_texts([Scripted([1]), Scripted([2])], [[1]], 1)  # type: ignore[list-item]
    with pytest.raises(Unverified, match=r"logits differ by 0\.5"):
        engine._check_logits([Scripted([1.0, 2.0]), Scripted([2.0, 2.0])], [1], "bfloat16")  # type: ignore[list-item]


def test_a_side_that_cannot_load_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="process of pointsman ended"):
        Side("pointsman", tmp_path, "float32")


def test_the_ceiling_counts_the_bytes_that_a_session_counts() -> None:
    decoder = Decoder(CONFIG)
    decoder.initialise(torch.Generator().manual_seed(0))
    session = Session(decoder.to(torch.bfloat16), 1, 64)
    session.extend([0], [[5] * 20])
    moved = session.extend([0], [[6]]).traffic.moved_bytes
    assert moved - token_bytes(CONFIG, 20) == CONFIG.hidden_size * 2  # the token's row of the embedding


def test_a_copy_has_a_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_COPY_BYTES", 1 << 20)
    assert engine.copy_bandwidth(2) > 1e6
