"""Trained routers as they were published: one for each budget, with two logits a unit or a layer.

- `informed`: routed units are forecast by a low-rank net that is trained first, and the router reads the normed input
  (Han et al., arXiv 2510.13831; code EIT-NLP/LLM-Pruning, `LFF/`).
- `skipgpt`: nothing stands in for a unit that is left out, and both routers of a block read its input (Zhao et al.,
  arXiv 2506.04179).
- `d-llm`: whole layers are left out, from the second on, and their tokens' keys and values with them (NeurIPS 2024).
- `mod`: every other layer takes its best tokens of a sequence, which later tokens may decide (arXiv 2404.02258).

Done otherwise than published, each in their favour: evaluation takes the likelier option and draws no noise; the budget
is counted in bytes, as the comparison is; widths are scaled to the model's; what they are trained for is met exactly by
an offset of the logits that is found on texts kept for that. Fine-tuning the model itself is a stage of its own, see
`tuning.py`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pointsman.engine import Branch, Decoder
from pointsman.unit.prices import Prices
from pointsman.unit.router import Tariff, counted
from pointsman.unit.routing import Taken
from pointsman.unit.whole import WholeAttend

Kind = Literal["informed", "skipgpt", "d-llm", "mod"]
KINDS: tuple[Kind, ...] = ("informed", "skipgpt", "d-llm", "mod")

FIRST_TOKENS = 2
"""Tokens of a text that D-LLM always executes."""


class Lff(nn.Module):
    """The lightweight feature forecaster: `W2 silu(W1 u + b1) + b2`.

    Published with rank 100 of 4,096; the rank is said to saturate at 50. Here it is an eighth of the width at least 8.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        rank = max(8, hidden_size // 8)
        self.layers = nn.Sequential(nn.Linear(hidden_size, rank), nn.SiLU(), nn.Linear(rank, hidden_size))
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0.0, 1e-3) if parameter.ndim > 1 else nn.init.zeros_(parameter)

    def forward(self, u: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        y: Tensor = self.layers(u)
        return y


def _logits_of(kind: Kind, hidden: int) -> nn.Module:
    """(..., D) to (..., 2): leave out, execute."""
    if kind == "informed":
        return nn.Sequential(nn.Linear(hidden, hidden // 5), nn.ReLU(), nn.Linear(hidden // 5, 2))
    if kind == "d-llm":
        inner = max(8, hidden // 8)
        last = nn.Linear(inner, 2)
        with torch.no_grad():
            last.bias.copy_(torch.tensor([0.1, 2.0]))  # begins by executing
        return nn.Sequential(nn.Linear(hidden, inner), nn.RMSNorm(inner), nn.SiLU(), last)
    return nn.Linear(hidden, 2)


class Published(nn.Module):
    """Routers, and forecasters where the kind has them, for a model of this shape."""

    def __init__(self, kind: Kind, decoder: Decoder) -> None:
        super().__init__()
        self.kind: Kind = kind
        config = decoder.config
        num_units = 2 * config.num_layers
        routers = [_logits_of(kind, config.hidden_size) if self.decides(unit) else None for unit in range(num_units)]
        self.routers = nn.ModuleList(nn.Identity() if router is None else router for router in routers)
        forecasters = num_units if kind == "informed" else 0
        self.forecasters = nn.ModuleList(Lff(config.hidden_size) for _ in range(forecasters))
        self.register_buffer("offset", torch.zeros(()))
        self.offset: Tensor

    @property
    def evicts(self) -> bool:
        """Whether a token whose attention is left out is not seen by later ones."""
        return self.kind in ("d-llm", "mod")

    def decides(self, unit: int) -> bool:
        """Whether this unit has a router; others do what the one before does, or are always executed."""
        by_layer = {"d-llm": unit >= 2, "mod": unit % 4 == 2}  # in layers, from the second on
        return unit % 2 == 0 and by_layer[self.kind] if self.kind in by_layer else True

    def follows(self, unit: int) -> bool:
        """Whether this unit does what the one before does."""
        return self.evicts and unit % 2 == 1 and self.decides(unit - 1)


def tariff_of(published: Published, prices: Prices) -> Tariff:
    """What leaving out and executing cost, by unit."""
    quantities = []
    for unit in range(prices.num_units):
        is_mlp, decides = unit % 2 == 1, published.decides(unit)
        router = sum(parameter.numel() for parameter in published.routers[unit].parameters())
        its = published.forecasters[unit].parameters() if published.kind == "informed" else ()
        left_out = counted(
            keys_values=not is_mlp and not published.evicts,
            values=router + sum(parameter.numel() for parameter in its),
            decided=decides,
        )
        executed = counted(attention=not is_mlp, mlp=is_mlp, values=router, decided=decides)
        quantities.append(torch.stack((left_out, executed)))
    return Tariff(prices, tuple(quantities))


@dataclass(frozen=True, slots=True)
class Noise:
    """Of training: the temperature of a Gumbel softmax, and where its noise comes from."""

    temperature: float
    generator: torch.Generator


class PublishedExecute:
    """An `Execute` for whole sequences. Use once.

    Args:
        published: what decides.
        decoder: whose residual stream is followed, since some routers read it and one loss does.
        tariff: of `tariff_of`.
        tokens: (B, T).
        is_routed: (B, T) bool.
        noise: in training; None takes the likelier option.

    Attributes:
        recoverability: by unit, how far what is left out would have turned the stream: the published loss's third term.
    """

    def __init__(
        self,
        published: Published,
        decoder: Decoder,
        tariff: Tariff,
        tokens: Tensor,
        is_routed: Tensor,
        noise: Noise | None = None,
    ) -> None:
        self._published, self._noise = published, noise
        self._stream = functional.embedding(tokens, decoder.embedding)
        self._block_input = self._stream
        self._executed = is_routed.new_ones(is_routed.shape, dtype=self._stream.dtype)
        self.attend, self.taken = WholeAttend(), Taken(tariff, is_routed, evicts=published.evicts)
        self.recoverability: list[Tensor] = []

    def __call__(self, unit: int, u: Tensor, branch: Branch) -> Tensor:
        """See `Execute`."""
        published, is_routed = self._published, self.taken.is_routed
        if unit % 2 == 0:
            self._block_input = self._stream
        if not published.follows(unit):
            self._executed = self._decided(unit, u) if published.decides(unit) else torch.ones_like(self._executed)
        executed = torch.where(is_routed, self._executed, 1.0)[..., None]
        if unit % 2 == 0 and published.evicts:
            self.attend.hide(executed.detach()[..., 0] < 0.5)
        self.taken.add(unit, torch.cat((1 - executed, executed), -1)[is_routed])
        full = branch(u)
        y = executed * full
        if published.kind == "informed":
            y = y + (1 - executed) * published.forecasters[unit](u)
            turned = 1 - functional.cosine_similarity(self._stream, self._stream + full, -1)
            left_out = (1 - executed[..., 0]) * is_routed
            self.recoverability.append((left_out * turned).sum() / (left_out.detach().sum() + 1))
        self._stream = self._stream + y
        return y

    def _decided(self, unit: int, u: Tensor) -> Tensor:
        """(B, T) 1 where the unit is executed; with a gradient in training."""
        published = self._published
        reads_stream = published.kind in ("skipgpt", "mod")
        logits: Tensor = published.routers[unit](self._block_input if reads_stream else u)
        if published.kind == "mod":
            return self._best_tokens(logits[..., 1] - logits[..., 0])
        logits = logits + torch.stack((torch.zeros_like(published.offset), published.offset))
        executed: Tensor
        if self._noise is None:
            executed = (logits[..., 1] >= logits[..., 0]).to(u)
        else:
            executed = _gumbel(logits, self._noise)[..., 1]
        if published.kind == "d-llm":
            begun = self.taken.is_routed.cumsum(1)
            executed = torch.where(begun <= FIRST_TOKENS, 1.0, executed)
        return executed

    def _best_tokens(self, score: Tensor) -> Tensor:
        """MoD's choice: the share `sigmoid(offset)` of each text's routed tokens with the highest scores."""
        is_routed = self.taken.is_routed
        ranked = torch.where(is_routed, score.detach(), -torch.inf).argsort(1, descending=True).argsort(1)
        most = (self._published.offset.sigmoid() * is_routed.sum(1, keepdim=True)).round()
        hard: Tensor = (ranked < most).to(score)
        soft = score.sigmoid()  # which weighs the layer's output in training, as published
        return hard + soft - soft.detach() if self._noise is not None else hard


def _gumbel(logits: Tensor, noise: Noise) -> Tensor:
    """A hard draw with the gradient of the soft one."""
    uniform = torch.rand(logits.shape, generator=noise.generator).clamp_min(1e-9)
    soft = ((logits - (-uniform.log()).log()) / noise.temperature).softmax(-1)
    hard = functional.one_hot(soft.argmax(-1), 2).to(soft)
    return hard + soft - soft.detach()
