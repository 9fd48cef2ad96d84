"""Trained scorers: small networks on what the small model computed anyway, and their files.

A gate belongs to the two models whose texts it learned from. It names them by the hash of their weights, and refuses
others. A folder holds `gate.safetensors` and `gate.json`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pointsman.core import BadRequest, NotFound
from pointsman.engine import LoadedModel, Traffic
from pointsman.engine.weights import weights_hash
from pointsman.token.pair import Pair

Feature = Literal["hidden", "confidence", "top_logits", "embedding", "length"]
FEATURES: tuple[Feature, ...] = ("hidden", "confidence", "top_logits", "embedding", "length")
NUM_TOP_LOGITS = 16
GATE_FILE, WEIGHTS_FILE = "gate.json", "gate.safetensors"
FORMAT = 1

_LEAST = 1e-9
"""Below it a probability's logarithm tells nothing more."""


@dataclass(frozen=True, slots=True)
class GateShape:
    """What a gate looks at, and its layers.

    Attributes:
        features: what is laid side by side as its input.
        widths: of the layers before the last one, which has width 1.
        activation: after the layers before the last.
        is_linear_at_the_end: the last of `widths` has no activation, as in CITER's release.
        outputs: 1, or 2 where it also says what is harmless; see `Scorer`.
    """

    features: tuple[Feature, ...]
    widths: tuple[int, ...]
    activation: Literal["relu", "gelu"] = "gelu"
    is_linear_at_the_end: bool = False
    outputs: int = 1


@dataclass(frozen=True, slots=True)
class GateCard:
    """What a gate was made from.

    Attributes:
        kind: which method's gate it is.
        shape: its inputs and layers.
        small: SHA-256 of the small model's weights.
        large: SHA-256 of the large model's.
        data: what its labels came from, with seeds and numbers.
        figures: what was measured when it was made, dials among them.
        format: version of the files.
    """

    kind: str
    shape: GateShape
    small: str
    large: str
    data: str
    figures: dict[str, float] = field(default_factory=dict)
    format: int = FORMAT


Made = dict[str, Callable[[], Tensor]]
"""Features by name, made when they are looked at."""


class Gate(nn.Module):
    """A `Scorer` with layers. It computes in float32 wherever the small model's numbers come from.

    Args:
        shape: its layers and inputs.
        small: the model whose tokens it scores; its embedding is read, not copied.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: GateShape, small: LoadedModel) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = small.decoder.embedding.detach()
        config = small.config
        sizes = {
            "hidden": config.hidden_size,
            "confidence": 4,
            "top_logits": min(NUM_TOP_LOGITS, config.vocab_size),
            "embedding": config.hidden_size,
            "length": 1,
        }
        width = sum(sizes[feature] for feature in shape.features)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        widths = (width, *shape.widths, shape.outputs)
        self.layers = nn.ModuleList(nn.Linear(inner, outer) for inner, outer in pairwise(widths))
        num_numbers = 2 * width + sum(parameter.numel() for parameter in self.parameters())
        row_numbers = config.hidden_size if "embedding" in shape.features else 0
        self.traffic = Traffic(weight_bytes=4 * (num_numbers + row_numbers), flops=2 * num_numbers)

    @torch.inference_mode()
    def forward(self, hidden: Tensor, logits: Tensor, proposals: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `Scorer`; `lengths` (B,) tokens before each proposal are for gates that look at them."""
        made: Made = {  # what is not looked at is not computed
            "hidden": lambda: hidden.float(),
            "confidence": lambda: _confidence(logits.float()),
            "top_logits": lambda: _top_logits(logits.float()),
        }
        return self.logit(self._side_by_side(made, proposals, lengths)).sigmoid()

    def inputs(self, seen: "Observed") -> Tensor:
        """(N, F) float32: the features of N proposals, before they are scaled."""
        made: Made = {
            "hidden": lambda: seen.hidden,
            "confidence": lambda: seen.confidence,
            "top_logits": lambda: seen.top_logits,
        }
        return self._side_by_side(made, seen.proposals, seen.lengths)

    def _side_by_side(self, made: Made, proposals: Tensor, lengths: Tensor | None) -> Tensor:
        more: Made = {
            "embedding": lambda: self.embedding[proposals].float(),
            "length": lambda: _require(lengths).float().log1p()[:, None],
        }
        return torch.cat([(made | more)[feature]() for feature in self.shape.features], -1)

    def logit(self, inputs: Tensor) -> Tensor:
        """(B, outputs) log-odds, from `inputs`."""
        x = (inputs - self.mean) / self.scale
        activation = torch.relu if self.shape.activation == "relu" else nn.functional.gelu
        num_active = len(self.layers) - 1 - self.shape.is_linear_at_the_end
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index < num_active:
                x = activation(x)
        return x


@dataclass(frozen=True, slots=True)
class Observed:
    """What gates see of N proposals of a small model.

    Attributes:
        hidden: (N, D) last hidden states, float32.
        confidence: (N, 4): logarithms of the best probability, of all others together and of the second, and the
            negative entropy.
        top_logits: (N, NUM_TOP_LOGITS), or of the whole vocabulary where it is smaller, the best first.
        proposals: (N,) ids.
        lengths: (N,) tokens before each, the prompt's counted, or None.
    """

    hidden: Tensor
    confidence: Tensor
    top_logits: Tensor
    proposals: Tensor
    lengths: Tensor | None = None


def _require(lengths: Tensor | None) -> Tensor:
    assert lengths is not None, "this gate looks at lengths"
    return lengths


def observe(hidden: Tensor, logits: Tensor, proposals: Tensor) -> Observed:
    """What gates see of (N, D), (N, V) and (N,)."""
    wide = logits.float()
    return Observed(hidden.float(), _confidence(wide), _top_logits(wide), proposals)


def _confidence(logits: Tensor) -> Tensor:
    logs = logits.log_softmax(-1)
    best = logs.topk(2, -1).values
    others = (1 - best[:, 0].exp()).clamp(min=_LEAST).log()
    entropy = (logs.exp() * logs).nan_to_num().sum(-1)
    return torch.stack((best[:, 0], others, best[:, 1].clamp(min=math.log(_LEAST)), entropy), -1)


def _top_logits(logits: Tensor) -> Tensor:
    return logits.topk(min(NUM_TOP_LOGITS, logits.shape[-1]), -1).values


def save_gate(folder: Path, gate: Gate, card: GateCard) -> None:
    """Writes both files; the description last, so that a folder with it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in gate.state_dict().items()}, folder / WEIGHTS_FILE)
    (folder / GATE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(card, order="deterministic"), indent=1))


def load_gate(folder: Path, pair: Pair) -> tuple[Gate, GateCard]:
    """The gate that lies in `folder`, for this pair.

    Raises:
        NotFound: `gate_not_found` where there is none.
        BadRequest: `invalid_gate` for files that are broken, `gate_of_other_models` where it was made for others.
    """
    card = _read_card(folder / GATE_FILE)
    for role, model, made_for in (("small", pair.small, card.small), ("large", pair.large, card.large)):
        if (found := weights_hash(model.decoder)) != made_for:
            problem = f"the gate in {folder} was made for another {role} model than {model.name}"
            told = f"its weights are {made_for[:12]}..., these {found[:12]}..."
            raise BadRequest(f"{problem}: {told}; fit one for this pair", code="gate_of_other_models")
    gate = Gate(card.shape, pair.small)
    try:
        gate.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except (SafetensorError, OSError, RuntimeError) as exc:
        problem = f"{folder / WEIGHTS_FILE} does not hold the weights that {GATE_FILE} describes"
        raise BadRequest(problem, code="invalid_gate") from exc
    return gate.eval(), card


def _read_card(path: Path) -> GateCard:
    try:
        card = msgspec.json.decode(path.read_bytes(), type=GateCard)
    except FileNotFoundError as exc:
        raise NotFound(f"there is no gate in {path.parent}; expected {path.name}", code="gate_not_found") from exc
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadRequest(f"{path} is no description of a gate: {exc}", code="invalid_gate") from exc
    if card.format != FORMAT:
        raise BadRequest(f"{path} has format {card.format}; expected {FORMAT}", code="invalid_gate")
    return card
