"""The distribution that a token is drawn from, against plain definitions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import BadRequest
from pointsman.engine.sampling import Sampler, Sampling, distribution, restrict

LOGITS = st.lists(st.integers(-40, 40).map(lambda n: n / 8), min_size=2, max_size=12)


def plain(logits: list[float], sampling: Sampling, allowed: list[int] | None) -> list[float]:
    """The definition, a loop at a time."""
    ids = [i for i in range(len(logits)) if allowed is None or i in allowed]
    if sampling.temperature == 0:
        best = max(ids, key=lambda i: (logits[i], -i))
        return [float(i == best) for i in range(len(logits))]
    weights = {i: math.exp(logits[i] / sampling.temperature) for i in ids}
    ranked = sorted(weights, key=lambda i: (-weights[i], i))
    if sampling.top_k is not None:
        ranked = ranked[: sampling.top_k]
    if sampling.top_p < 1:
        total, kept, mass = sum(weights[i] for i in ranked), [], 0.0
        for i in ranked:
            if mass / total >= sampling.top_p:
                break
            kept.append(i)
            mass += weights[i]
        ranked = kept
    ranked = [i for i in ranked if weights[i] >= sampling.min_p * weights[ranked[0]]]
    total = sum(weights[i] for i in ranked)
    return [weights[i] / total if i in ranked else 0.0 for i in range(len(logits))]


@given(
    logits=LOGITS.filter(lambda values: len(set(values)) == len(values)),
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    top_k=st.one_of(st.none(), st.integers(1, 14)),
    top_p=st.sampled_from([1.0, 0.97, 0.613, 0.211]),
    min_p=st.sampled_from([0.0, 0.0517, 0.513]),
    narrow=st.booleans(),
)
def test_the_distribution_is_the_definition(
    logits: list[float], temperature: float, top_k: int | None, top_p: float, min_p: float, narrow: bool
) -> None:
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    allowed = list(range(0, len(logits), 2)) if narrow else None
    ours = distribution(torch.tensor(logits), sampling, allowed).tolist()
    assert ours == pytest.approx(plain(logits, sampling, allowed), abs=1e-5)
    assert sum(ours) == pytest.approx(1)


def test_equal_logits_at_temperature_zero_take_the_lowest_id() -> None:
    assert Sampler(Sampling()).draw(torch.tensor([1.0, 3.0, 3.0])) == 1
    assert Sampler(Sampling()).draw(torch.tensor([1.0, 3.0, 3.0]), [2, 0]) == 2


def test_a_seed_repeats_and_another_differs() -> None:
    def drawn(seed: int | None) -> list[int]:
        sampler = Sampler(Sampling(temperature=1.0, seed=seed))
        return [sampler.draw(torch.zeros(50)) for _ in range(20)]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert drawn(None) != drawn(None)


def test_draws_follow_the_distribution() -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9, seed=0)
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0, 0.5])
    expected = distribution(logits, sampling)
    sampler, count = Sampler(sampling), 4000
    counts = torch.bincount(torch.tensor([sampler.draw(logits) for _ in range(count)]), minlength=5)
    likely = expected > 0
    chi2 = ((counts - count * expected)[likely].square() / (count * expected)[likely]).sum()
    assert counts[~likely].sum() == 0
    assert chi2 < 18.5  # 0.1 % of true samplers exceed it at four degrees of freedom; the seed is fixed


def test_restriction_leaves_only_the_allowed() -> None:
    assert restrict(torch.tensor([1.0, 2.0, 3.0]), [1]).tolist() == [-math.inf, 2.0, -math.inf]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_k", 0),
        ("top_p", 0.0),
        ("top_p", 1.01),
        ("min_p", -0.1),
        ("min_p", 1.5),
        ("seed", 2**63),
        ("stop", ("a", "")),
        ("logprobs", -1),
        ("logprobs", 21),
        ("allowed_tokens", ()),
        ("choices", ()),
        ("choices", ("a", "")),
    ],
)
def test_a_parameter_out_of_range_is_named(name: str, value: object) -> None:
    with pytest.raises(BadRequest, match=name) as caught:
        Sampling(**{name: value})  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.param) == ("invalid_parameter", name)
