"""Judges keep what their rules say, from the front."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointsman.token.judges import Bounded, CrossEntropy, Divergence, Exact, Judge, verified

P = torch.tensor([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.98, 0.01, 0.01], [0.5, 0.3, 0.2]]).log()
"""The large model's probabilities at four places."""

Q = torch.tensor([[0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.2, 0.7, 0.1], [0.3, 0.4, 0.3]]).log()


@pytest.mark.parametrize(
    ("judge", "tokens", "kept"),
    [
        (Exact(), [0, 0, 0, 0], 4),
        (Exact(), [0, 1, 0, 0], 1),
        (Exact(), [1, 0, 0, 0], 0),
        (Bounded(0.0), [0, 1, 0, 0], 1),
        (Bounded(0.2), [0, 1, 0, 0], 4),  # 0.35 is at least 0.8 of 0.4
        (Bounded(0.1), [0, 1, 0, 0], 1),
        (Bounded(0.9), [1, 2, 1, 0], 2),  # 0.01 is not even a tenth of 0.98
        (Bounded(1.0), [2, 2, 2, 2], 4),
        (CrossEntropy(2.0), [1, 2, 0, 2], 4),
        (CrossEntropy(2.0), [2, 0, 0, 0], 0),  # -log 0.1 is 2.3
        (CrossEntropy(2.0), [0, 0, 1, 0], 2),
        (CrossEntropy(0.5), [0, 0, 1, 0], 4),  # the earliest above the limit is the large model's own: released so
        (Divergence(0.1), [0, 1, 0, 1], 4),
        (Divergence(0.1), [0, 1, 1, 0], 2),  # it is sure there
        (Divergence(0.0), [0, 1, 0, 0], 1),
    ],
)
def test_rules(judge: Judge, tokens: list[int], kept: int) -> None:
    assert judge.num_kept(P, tokens, Q) == kept
    shifted = P + torch.tensor([[3.0], [-5.0], [0.0], [7.0]])
    assert judge.num_kept(shifted, tokens, Q) == kept  # logits need not be normalised


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_more_tolerance_never_keeps_less(tokens: list[int], one: float, other: float, seed: int) -> None:
    p = torch.randn(len(tokens), 10, generator=torch.Generator().manual_seed(seed))
    low, high = sorted((one, other))
    assert Bounded(low).num_kept(p, tokens, None) <= Bounded(high).num_kept(p, tokens, None)
    assert Exact().num_kept(p, tokens, None) <= Bounded(low).num_kept(p, tokens, None)


def test_a_token_that_the_small_model_cannot_write_is_no_nan() -> None:
    q = torch.tensor([[0.5, 0.5, 0.0]]).log()
    assert Divergence(1.0).num_kept(P[:1], [1], q) == 1


def test_verified_tokens_have_the_large_models_distribution() -> None:
    generator = torch.Generator().manual_seed(1)
    p, q = P[:2].exp(), Q[:1].exp()
    counts, followed = torch.zeros(3), torch.zeros(3)
    for _ in range(6000):
        token = torch.multinomial(q[0], 1, generator=generator)
        kept, follower = verified(p, q, token, generator)
        counts[int(token) if kept else follower] += 1
        if kept:
            followed[follower] += 1
    assert torch.allclose(counts / counts.sum(), p[0], atol=0.025)  # four deviations of a share of 6,000
    assert torch.allclose(followed / followed.sum(), p[1], atol=0.03)
    assert math.isclose(float(followed.sum()) / 6000, float(torch.minimum(p[0], q[0]).sum()), abs_tol=0.025)
