"""A pair speaks one vocabulary."""

from dataclasses import replace

import pytest

from pointsman.core import BadRequest
from pointsman.token.pair import Pair


class Other:
    """A tokenizer with another vocabulary."""

    vocabulary_hash = "0" * 64


def test_models_with_different_tokenizers_are_no_pair(pair: Pair) -> None:
    with pytest.raises(BadRequest, match="tiny/small and tiny/large have different vocabularies") as caught:
        Pair(pair.small, replace(pair.large, tokenizer=Other()))  # type: ignore[arg-type]
    assert caught.value.code == "different_tokenizers"


def test_a_pair_can_what_both_can(pair: Pair) -> None:
    shorter = replace(pair.small.config, context_tokens=20, vocab_size=70)
    mixed = Pair(replace(pair.small, config=shorter), pair.large)
    assert (mixed.context_tokens, mixed.vocab_size) == (20, 60)
