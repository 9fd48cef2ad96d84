"""Training of gates: the same few minutes for every kind, so that methods differ by what they are taught.

AdamW over shuffled states, a tenth of the *texts* held out, an early stop. The published releases train at rates of
1e-7 to 5e-5 for up to 1,000 epochs, which is for gates of millions of weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pointsman.token.gate import Gate, Observed
from pointsman.token.states import States

Loss = Callable[[Tensor, Tensor], Tensor]
"""(B, outputs) log-odds of the gate and (B,) indices of the states that they are for, to the mean loss."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast.

    Attributes:
        epochs: most passes over the states.
        batch_states: states a step.
        rate: peak learning rate, which falls along a cosine.
        decay: of the weights.
        patience: passes without a lower loss on the held-out texts after which training ends.
    """

    epochs: int = 30
    batch_states: int = 1024
    rate: float = 3e-3
    decay: float = 1e-3
    patience: int = 5


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gave.

    Attributes:
        loss: on the held-out texts, of the weights that were kept.
        area: under the ROC curve there, of the score against `targets`.
        epochs: passes until the end.
    """

    loss: float
    area: float
    epochs: int


def cross_entropy(targets: Tensor, positive_weight: float = 1.0) -> Loss:
    """Binary cross-entropy with (N,) float32 targets, of which those of 1 count `positive_weight` times."""
    weight = torch.tensor(positive_weight)
    return lambda logit, index: functional.binary_cross_entropy_with_logits(
        logit[:, 0], targets[index], pos_weight=weight
    )


def of_two(stands: Tensor, harmless: Tensor) -> Loss:
    """Cross-entropies of both outputs, with (N,) float32 targets each; what is not known is not a number."""
    targets = torch.stack((stands, harmless), -1)

    def loss(logit: Tensor, index: Tensor) -> Tensor:
        wanted = targets[index]
        is_known = ~wanted.isnan()
        each = functional.binary_cross_entropy_with_logits(logit[is_known], wanted[is_known], reduction="sum")
        return each / len(index)

    return loss


def rejection_weighted(accepted: Tensor, rejection_weight: float = 6.0) -> Loss:
    """SpecDec++'s: cross-entropy with (N,) chances of acceptance as soft labels, of which rejection counts more."""

    def loss(logit: Tensor, index: Tensor) -> Tensor:
        chance, odds = accepted[index], logit[:, 0]
        rejected = rejection_weight * (1 - chance) * functional.logsigmoid(-odds)
        return -(chance * functional.logsigmoid(odds) + rejected).mean()

    return loss


def marginal_likelihood(states: States) -> Loss:
    """Co-LLM's: the probability of the text's token where a coin of the gate's says which model writes it."""

    def loss(logit: Tensor, index: Tensor) -> Tensor:
        small = functional.logsigmoid(logit[:, 0]) + states.log_q[index]
        large = functional.logsigmoid(-logit[:, 0]) + states.log_p[index]
        return -torch.logaddexp(small, large).mean()

    return loss


def train_gate(
    gate: Gate,
    seen: Observed,
    text: Tensor,
    loss: Loss,
    targets: Tensor,
    schedule: Schedule | None = None,
    seed: int = 0,
    on_epoch: Callable[[int, float], None] = lambda _epoch, _loss: None,
) -> Trained:
    """Fits the gate's weights in place, and leaves those with the lowest loss on the held-out texts.

    Args:
        gate: to fit; its inputs are scaled to their mean and deviation first.
        seen: N proposals.
        text: (N,) of which text each is.
        loss: to minimise.
        targets: (N,) what the score should separate, for `Trained.area` alone.
        schedule: how long and how fast.
        seed: of weights, order and split.
        on_epoch: told each pass and its held-out loss.
    """
    schedule = schedule or Schedule()
    generator = torch.Generator().manual_seed(seed)
    inputs = gate.inputs(seen)
    learned, held_out = _split(text, generator)
    gate.mean.copy_(inputs[learned].mean(0))
    gate.scale.copy_(inputs[learned].std(0).clamp(min=1e-6))
    for parameter in gate.parameters():
        bound = parameter.shape[-1] ** -0.5 if parameter.ndim == 2 else 0.0
        torch.nn.init.uniform_(parameter, -bound, bound, generator=generator)
    optimizer = torch.optim.AdamW(gate.parameters(), schedule.rate, weight_decay=schedule.decay)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, schedule.epochs)
    best, kept, waited, epoch = float("inf"), gate.state_dict(), 0, 0
    while epoch < schedule.epochs and waited < schedule.patience:
        gate.train()
        order = learned[torch.randperm(len(learned), generator=generator)]
        for index in torch.split(order, schedule.batch_states):
            optimizer.zero_grad()
            loss(gate.logit(inputs[index]), index).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        cosine.step()
        epoch += 1
        with torch.no_grad():
            found = float(loss(gate.logit(inputs[held_out]), held_out))
        waited += 1
        if found < best:
            best, waited = found, 0
            kept = {name: tensor.clone() for name, tensor in gate.state_dict().items()}
        on_epoch(epoch, found)
    gate.load_state_dict(kept)
    gate.eval()
    with torch.no_grad():
        area = area_under_curve(gate.logit(inputs[held_out])[:, 0], targets[held_out])
    return Trained(best, area, epoch)


def area_under_curve(scores: Tensor, targets: Tensor) -> float:
    """The chance that a state of target 1 has a higher score than one of target 0; 0.5 where one kind is missing."""
    ranks = torch.empty(len(scores), dtype=torch.float64)
    ranks[scores.argsort()] = torch.arange(1, len(scores) + 1, dtype=torch.float64)
    is_positive = targets > 0.5
    num_positive, num_negative = int(is_positive.sum()), int((~is_positive).sum())
    if num_positive == 0 or num_negative == 0:
        return 0.5
    above = float(ranks[is_positive].sum()) - num_positive * (num_positive + 1) / 2
    return above / (num_positive * num_negative)


def _split(text: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Indices of the states to learn from and of those held out, a tenth of the texts."""
    numbers = torch.unique(text)
    out = numbers[torch.randperm(len(numbers), generator=generator)[: max(1, len(numbers) // 10)]]
    is_out = torch.isin(text, out)
    return (~is_out).nonzero()[:, 0], is_out.nonzero()[:, 0]
