"""Two tiny random models that share a tokenizer."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pointsman.engine import Decoder, LoadedModel
from pointsman.engine.session import causal_attend
from pointsman.engine.tokenizer import TextTokenizer
from pointsman.token.pair import Pair

MakePair = Callable[..., Pair]


@pytest.fixture(scope="session")
def make_pair(make_decoder: Callable[..., Decoder], letters: TextTokenizer) -> MakePair:
    """Makes a pair: `make_pair(likeness=0.9)`. The models agree the more, the nearer to 1 their likeness is."""

    def make(seed: int = 0, likeness: float = 0.8, **changes: object) -> Pair:
        large, small = make_decoder(seed, **changes), make_decoder(seed + 100, **changes)
        for mine, theirs in zip(small.parameters(), large.parameters(), strict=True):
            mine.data.lerp_(theirs.data, likeness)
        return Pair(
            LoadedModel("tiny/small", small, letters, small.config),
            LoadedModel("tiny/large", large, letters, large.config),
        )

    return make


@pytest.fixture(scope="session")
def pair(make_pair: MakePair) -> Pair:
    """A pair whose models agree on some tokens and differ on others, and that rarely end a text."""
    return make_pair()


@pytest.fixture(scope="session")
def plain_logits() -> Callable[[Decoder, Tensor], Tensor]:
    """Logits (B, T, V) of whole sequences (B, T), with no cache."""

    @torch.no_grad()
    def forward(decoder: Decoder, tokens: Tensor) -> Tensor:
        return decoder.logits(decoder(tokens, torch.arange(tokens.shape[1]).expand_as(tokens), causal_attend))

    return forward
