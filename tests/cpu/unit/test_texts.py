"""Which tokens are routed, and what follows each."""

from collections.abc import Callable

import pytest
import torch

from pointsman.core import BadRequest
from pointsman.engine import LoadedModel
from pointsman.engine.model import Decoder
from pointsman.engine.tokenizer import TextTokenizer
from pointsman.unit.texts import NONE, generated, of_answers, of_stream


def test_a_stream_is_cut_into_windows() -> None:
    texts = of_stream(list(range(10)), 3)
    assert texts.tokens.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert texts.targets.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert texts.is_routed.all()


def test_answers_are_routed_and_prompts_are_not() -> None:
    texts = of_answers([[1, 2, 3], [4]], [[5, 6], [7, 8, 9]], 10)
    assert texts.tokens.tolist() == [[1, 2, 3, 5], [4, 7, 8, 0]]
    assert texts.targets.tolist() == [[NONE, NONE, 5, 6], [7, 8, 9, NONE]]
    assert texts.is_routed.tolist() == [[False, False, False, True], [False, True, True, False]]
    assert texts.num_routed == 3
    assert texts.lengths.tolist() == [4, 3]


def test_batches_are_trimmed_and_can_be_in_order_of_length() -> None:
    texts = of_answers([[1, 2, 3], [4], [4, 5]], [[5, 6], [7, 8, 9], [1, 2]], 10)
    assert texts.by_length().lengths.tolist() == [3, 3, 4]
    widths = [batch.tokens.shape[1] for batch in texts.by_length().batches(2)]
    assert widths == [3, 4]


@pytest.mark.parametrize("make", [lambda: of_stream([1, 2, 3], 3), lambda: of_answers([[1] * 9], [[2, 3]], 5)])
def test_too_little_is_said(make: Callable[[], object]) -> None:
    with pytest.raises(BadRequest) as caught:
        make()
    assert caught.value.code == "too_little_data"


def test_a_model_can_write_its_own_texts(make_decoder: Callable[..., Decoder], letters: TextTokenizer) -> None:
    decoder = make_decoder(eos_tokens=(1,))
    model = LoadedModel("tiny", decoder, letters, decoder.config)
    texts, again = (generated(model, 5, 20, seed=3, num_rows=4) for _ in range(2))
    assert texts.tokens.shape == (5, 20)
    assert torch.equal(texts.tokens, again.tokens)
    assert torch.equal(texts.tokens.flatten()[1:], texts.targets.flatten()[:-1])
    assert not torch.equal(texts.tokens, generated(model, 5, 20, seed=4, num_rows=4).tokens)
