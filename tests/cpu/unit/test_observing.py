"""Labels of harm: their mean is the divergence that a small error causes, found by doing it."""

from collections.abc import Callable

import torch

from pointsman.engine import Branch
from pointsman.engine.model import Decoder
from pointsman.unit.observing import TEMPERATURES, observe, softening
from pointsman.unit.texts import of_stream
from pointsman.unit.whole import divergence, logits_of

MakeDecoder = Callable[..., Decoder]


def test_the_mean_label_is_the_divergence_that_an_error_causes(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder().requires_grad_(False)
    texts = of_stream([(7 * i * i + 3 * i) % 60 for i in range(33)], 16)
    unit, place = 1, 5
    error = 0.02 * torch.randn(32, generator=torch.Generator().manual_seed(0))

    def disturbed(number: int, u: torch.Tensor, branch: Branch) -> torch.Tensor:
        y = branch(u)
        if number == unit:
            y[:, place] += error
        return y

    p = logits_of(decoder, texts.tokens).log_softmax(-1)
    q = logits_of(decoder, texts.tokens, disturbed).log_softmax(-1)
    caused = divergence(p, q).sum(1)  # of the place and of all later tokens
    seen = observe(decoder, texts, [unit], 1.0, num_labels=3000, num_rows=2)[unit]
    harm = seen.harm(error.expand(32, -1)).view(2, 16)[:, place]
    torch.testing.assert_close(harm, caused, rtol=0.15, atol=1e-6)


def test_what_is_observed_is_what_units_do(make_decoder: MakeDecoder) -> None:
    decoder = make_decoder().requires_grad_(False)
    texts = of_stream(list(range(33)), 16)
    seen = observe(decoder, texts, [1, 2], 1.0)
    assert set(seen) == {1, 2}
    torch.testing.assert_close(decoder.block(0).mlp(seen[1].u), seen[1].y)
    assert seen[2].g.shape == (32, 2, 32)


def test_only_sure_predictions_are_softened(make_decoder: MakeDecoder) -> None:
    texts = of_stream(list(range(33)), 16)
    decoder = make_decoder().requires_grad_(False)
    with torch.no_grad():
        assert decoder.head is not None
        decoder.head.mul_(0.01)
        assert softening(decoder, texts) == 1.0
        decoder.head.mul_(1000)
    assert softening(decoder, texts) > 1.0
    with torch.no_grad():
        decoder.head.mul_(1e6)
    assert softening(decoder, texts) == TEMPERATURES[-1]
