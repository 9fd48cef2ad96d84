"""Packed rows teach what the same texts teach alone."""

import itertools
from collections.abc import Callable

import pytest
import torch
from tokenizers import Tokenizer

from pointsman.embedded.families import FAMILIES, draw
from pointsman.embedded.packing import IGNORED, Example, encode, pack, visibility
from pointsman.embedded.vocabulary import build_tokenizer
from pointsman.engine.model import Decoder
from pointsman.engine.session import causal_attend


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build_tokenizer()


def examples(tokenizer: Tokenizer) -> Callable[[], Example]:
    counter = itertools.count()

    def next_example() -> Example:
        index = next(counter)
        family = list(FAMILIES)[index % len(FAMILIES)]
        return encode(tokenizer, draw(family, 1 + index % 3, "train", index))

    return next_example


def test_a_response_is_learned_as_if_it_stood_alone(tokenizer: Tokenizer, make_decoder: Callable[..., Decoder]) -> None:
    decoder = make_decoder(vocab_size=tokenizer.get_vocab_size(), context_tokens=256)
    packed = pack(examples(tokenizer), 3, 200)
    visible = visibility(packed)

    def attend(_: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        group = q.shape[2] // k.shape[2]
        k, v = k.repeat_interleave(group, 2).transpose(1, 2), v.repeat_interleave(group, 2).transpose(1, 2)
        y = torch.nn.functional.scaled_dot_product_attention(q.transpose(1, 2), k, v, attn_mask=visible)
        return y.transpose(1, 2)

    with torch.no_grad():
        together = decoder.logits(decoder(packed.tokens, packed.positions, attend))
        for number, example in enumerate(packed.examples):
            for branch, response in enumerate(example.responses, 1):
                text = torch.tensor([[*example.prompt, *response]])
                alone = decoder.logits(decoder(text, torch.arange(text.shape[1])[None], causal_attend))[0]
                place = (packed.documents == number) & (packed.branches == branch)
                torch.testing.assert_close(together[place], alone[len(example.prompt) :], atol=1e-4, rtol=1e-4)
                assert packed.targets[place].tolist() == [*response[1:], IGNORED]


def test_prompts_and_padding_are_not_learned(tokenizer: Tokenizer) -> None:
    packed = pack(examples(tokenizer), 3, 200)
    assert (packed.targets[packed.branches == 0] == IGNORED).all()
    assert (packed.documents == -1).any()
    learned = sum(len(response) - 1 for example in packed.examples for response in example.responses)
    assert (packed.targets != IGNORED).sum() == learned


def test_no_token_sees_another_problem_the_other_response_or_what_follows(tokenizer: Tokenizer) -> None:
    packed = pack(examples(tokenizer), 2, 200)
    visible = visibility(packed)[:, 0]
    for row in range(2):
        for query in range(200):
            for key in range(200):
                same = packed.documents[row, query] == packed.documents[row, key]
                shared = packed.branches[row, key] in (0, packed.branches[row, query])
                assert visible[row, query, key] == (key <= query and same and shared)


def test_rows_are_nearly_full_and_examples_whole(tokenizer: Tokenizer) -> None:
    packed = pack(examples(tokenizer), 8, 200)
    assert (packed.documents >= 0).float().mean() > 0.75
    for number, example in enumerate(packed.examples):
        assert (packed.documents == number).sum() == example.num_tokens


def test_an_example_longer_than_a_row_is_an_error(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="a row has 20"):
        pack(examples(tokenizer), 2, 20)
