"""A gate over a few rows as one compiled call: the fast twin of `Gate.forward`.

In torch a gate is some twenty calls, 200 to 400 us for one row of the embedded pair; here it is 5.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pointsman.engine import Traffic
from pointsman.engine.step import usable_kernels
from pointsman.token.gate import FEATURES, Gate
from pointsman.token.scores import Scorer

MOST_ROWS = 8
"""Rows up to which the loops are taken; torch is as fast from about 20 on. Measured on a Zen 4."""


class FastGate:
    """A `Scorer`.

    Args:
        gate: its weights are copied.
    """

    def __init__(self, gate: Gate) -> None:
        from pointsman.token import kernels

        self._gate, self._kernels = gate, kernels
        self._arrays, self._embedding = gate_arrays(gate), array_of(gate.embedding)
        self.traffic: Traffic = gate.traffic

    @classmethod
    def of(cls, scorer: Scorer | None) -> Scorer | None:
        """The fast one of a gate on a CPU; anything else as it is."""
        if type(scorer) is not Gate or scorer.embedding.device.type != "cpu" or usable_kernels() is None:
            return scorer
        return cls(scorer)

    def __call__(self, hidden: Tensor, logits: Tensor, proposals: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `Gate.forward`."""
        if len(proposals) > MOST_ROWS:
            return self._gate.forward(hidden, logits, proposals, lengths)
        scores, counts = np.empty((len(proposals), 2), np.float32), proposals if lengths is None else lengths
        rows = (array_of(hidden.float()), array_of(logits.float()))
        self._kernels.score(self._arrays, *rows, self._embedding, proposals.numpy(), counts.numpy(), scores)
        return torch.from_numpy(scores[:, : self._gate.shape.outputs])


def gate_arrays(gate: Gate) -> tuple[Any, ...]:
    """What `kernels` reads of a gate."""
    layers = [layer for layer in gate.layers if isinstance(layer, nn.Linear)]
    widths = np.array([gate.mean.shape[0], *(layer.out_features for layer in layers)])
    flat = np.concatenate(
        [array_of(part.detach().float()).ravel() for layer in layers for part in (layer.weight, layer.bias)]
    )
    features = np.array([FEATURES.index(feature) for feature in gate.shape.features])
    num_active = len(layers) - 1 - gate.shape.is_linear_at_the_end
    scaling = array_of(gate.mean.float()), array_of(gate.scale.float())
    return features, *scaling, widths, flat, num_active, gate.shape.activation == "relu"


def array_of(tensor: Tensor) -> Any:
    """A tensor's memory, rows one after another; bf16 as its bits."""
    plain = tensor.detach().contiguous()
    return (plain.view(torch.uint16) if plain.dtype is torch.bfloat16 else plain).numpy()
