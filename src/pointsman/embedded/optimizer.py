"""Muon for matrices, AdamW for the rest.

Muon (Jordan et al. 2024) replaces a matrix's momentum by the nearest matrix with orthonormal rows or columns, found by
five Newton-Schulz steps, so that all directions are learned at one rate. Updates are scaled to AdamW's usual size
(`0.2 sqrt(max(rows, columns))`, Liu et al. 2025, arXiv 2502.16982), so one learning rate serves both. torch's own Muon
computes in bf16, which this project's reference machine multiplies ten times slower than float32.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, num_steps: int = 5) -> Tensor:
    """`U V^T` of the singular value decomposition, singular values within about 0.7 to 1.2. (..., rows, columns)."""
    a, b, c = _NEWTON_SCHULZ
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    x: Tensor = matrices.mT if is_tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(num_steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if is_tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised. Parameters may be several matrices on top of each other; each is its own.

    Matrices of one shape are orthogonalised in one batch: hundreds of small products a step would take a third of it.

    Args:
        parts: each parameter with the number of rows of each matrix in it.
        lr: step, in the units of AdamW.
        momentum: of the Nesterov average.
        weight_decay: decoupled, times `lr`.
    """

    def __init__(
        self,
        parts: Iterable[tuple[nn.Parameter, list[int]]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        listed = list(parts)
        self._rows = dict(listed)
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__([parameter for parameter, _ in listed], defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Updates every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}  # matrix and its direction
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                rows, direction = self._rows[parameter], self._direction(parameter, group["momentum"])
                for matrix, piece in zip(torch.split(parameter, rows), torch.split(direction, rows), strict=True):
                    by_shape.setdefault(matrix.shape, []).append((matrix, piece))
            for shape, pairs in by_shape.items():
                scale = 0.2 * max(shape) ** 0.5
                updates = orthogonalise(torch.stack([piece for _, piece in pairs]))
                for (matrix, _), update in zip(pairs, updates, strict=True):
                    matrix.add_(update, alpha=-group["lr"] * scale)

    def _direction(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        """The gradient after Nesterov's momentum."""
        assert parameter.grad is not None
        average: Tensor = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
        average.lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(average, momentum)
