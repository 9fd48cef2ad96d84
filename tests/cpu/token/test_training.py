"""Gates learn what there is to learn, the same from the same seed."""

from dataclasses import replace

import pytest
import torch

from pointsman.token.gate import Gate, GateShape
from pointsman.token.pair import Pair
from pointsman.token.states import States
from pointsman.token.training import (
    Schedule,
    area_under_curve,
    cross_entropy,
    marginal_likelihood,
    of_two,
    rejection_weighted,
    train_gate,
)


def states_of(count: int = 2000) -> States:
    """States whose hidden state says in two places whether the proposal may stand: 1 where they have the same sign."""
    generator = torch.Generator().manual_seed(0)
    hidden, zeros = torch.randn(count, 32, generator=generator), torch.zeros(count, dtype=torch.long)
    text = torch.arange(count) // 10
    flat = torch.zeros(count)
    return States(
        *(
            hidden,
            torch.zeros(count, 4),
            torch.zeros(count, 16),
            zeros,
            zeros,
            zeros,
            flat,
            flat,
            flat,
            flat,
            text,
            zeros,
        ),
        reached=zeros == 0,
    )


def same_sign(states: States) -> torch.Tensor:
    return (states.hidden[:, 0] * states.hidden[:, 1] > 0).float()


def test_a_deep_gate_learns_what_a_linear_one_cannot(pair: Pair) -> None:
    states, schedule = states_of(), Schedule(epochs=60, batch_states=128, rate=1e-2)
    targets = same_sign(states)
    deep, linear = (Gate(GateShape(("hidden",), widths), pair.small) for widths in ((64, 32), ()))
    learned = train_gate(deep, states.observed, states.text, cross_entropy(targets), targets, schedule)
    unable = train_gate(linear, states.observed, states.text, cross_entropy(targets), targets, schedule)
    assert learned.area > 0.9 > 0.65 > unable.area
    assert unable.epochs < 60  # it stopped early


def test_a_seed_repeats_a_training(pair: Pair) -> None:
    states = states_of(500)
    targets = same_sign(states)
    found = []
    for seed in (1, 1, 2):
        gate = Gate(GateShape(("hidden",), (8,)), pair.small)
        train_gate(gate, states.observed, states.text, cross_entropy(targets), targets, Schedule(epochs=2), seed)
        found.append(gate.layers[0].weight.detach().clone())  # type: ignore[union-attr,operator]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_marginal_likelihood_gives_each_model_what_it_knows(pair: Pair) -> None:
    states = states_of()
    knows = states.hidden[:, 0] > 0
    told = replace(states, log_q=torch.where(knows, -0.1, -4.0), log_p=torch.where(knows, -4.0, -0.1))
    gate = Gate(GateShape(("hidden",), ()), pair.small)
    trained = train_gate(
        gate, told.observed, told.text, marginal_likelihood(told), knows.float(), Schedule(30, 128, 3e-2)
    )
    assert trained.area > 0.97


def test_positive_states_can_count_more(pair: Pair) -> None:
    states = states_of(1000)
    targets = (torch.arange(1000) % 10 == 0).float()
    means = []
    for weight in (1.0, 9.0):
        gate = Gate(GateShape(("hidden",), ()), pair.small)
        train_gate(gate, states.observed, states.text, cross_entropy(targets, weight), targets, Schedule(40, 128, 3e-2))
        with torch.no_grad():
            means.append(float(gate.logit(gate.inputs(states.observed)).sigmoid().mean()))
    assert means[0] < 0.2 < 0.4 < means[1]


def test_two_outputs_learn_from_what_is_known_of_each(pair: Pair) -> None:
    states = states_of()
    first, second = (states.hidden[:, 0] > 0).float(), (states.hidden[:, 1] > 0).float()
    even = torch.arange(len(states)) % 2 == 0
    loss = of_two(torch.where(even, first, torch.nan), torch.where(even, torch.nan, second))
    gate = Gate(GateShape(("hidden",), (), outputs=2), pair.small)
    train_gate(gate, states.observed, states.text, loss, first, Schedule(30, 128, 3e-2))
    with torch.no_grad():
        found = gate.logit(gate.inputs(states.observed))
    assert area_under_curve(found[:, 0], first) > 0.97
    assert area_under_curve(found[:, 1], second) > 0.97
    assert not of_two(torch.full((4,), torch.nan), torch.full((4,), torch.nan))(torch.zeros(4, 2), torch.arange(4))


def test_rejections_count_more_in_soft_labels(pair: Pair) -> None:
    states = states_of(1000)
    means = []
    for weight in (1.0, 6.0):
        gate = Gate(GateShape(("hidden",), ()), pair.small)
        loss = rejection_weighted(torch.full((1000,), 0.7), weight)
        train_gate(gate, states.observed, states.text, loss, torch.ones(1000), Schedule(40, 128, 3e-2))
        with torch.no_grad():
            means.append(float(gate.logit(gate.inputs(states.observed)).sigmoid().mean()))
    assert means[0] == pytest.approx(0.7, abs=0.03)
    assert means[1] == pytest.approx(0.7 / (0.7 + 6 * 0.3), abs=0.03)


@pytest.mark.parametrize(
    ("targets", "area"), [([0, 0, 1, 1], 1.0), ([1, 1, 0, 0], 0.0), ([0, 1, 0, 1], 0.75), ([1, 1, 1, 1], 0.5)]
)
def test_area_under_the_curve(targets: list[float], area: float) -> None:
    assert area_under_curve(torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor(targets, dtype=torch.float32)) == area
