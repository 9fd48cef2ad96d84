"""The seams of the decoder: how a layer looks back, and what executes a unit.

A *unit* is one residual branch of a block, its attention or its MLP. The decoder hands each to an `Execute` in order,
which adds what the unit gives (`executed`) or something else, and so decides which weights are read. Nothing here or
elsewhere in the engine knows who that may be.

Axes: B rows, T new tokens, D hidden, H query heads, K key and value heads, E head width.
"""

from typing import Protocol, runtime_checkable

from torch import Tensor


class Attend(Protocol):
    """How a layer looks at the tokens before."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of new tokens over everything that they may see.

        Args:
            layer: which block asks, from 0.
            q: (B, T, H, E) rotated queries.
            k: (B, T, K, E) rotated keys of the new tokens, to be stored where there is a store.
            v: (B, T, K, E) values of the new tokens.

        Returns:
            (B, T, H, E).
        """


@runtime_checkable
class Remember(Protocol):
    """An `Attend` with a store."""

    def remember(self, layer: int, k: Tensor, v: Tensor) -> None:
        """Stores keys and values of new tokens as `Attend` does, without looking back."""


class Branch(Protocol):
    """A unit, ready for the tokens of one forward: the attention or the MLP of one block, without its norm."""

    def __call__(self, u: Tensor) -> Tensor:
        """(B, T, D) normed input to (B, T, D), what is added to the residual stream."""

    def remember(self, u: Tensor) -> None:
        """Stores what later tokens look at, where the unit itself is not executed. Nothing for an MLP."""


class Execute(Protocol):
    """What executes a unit. Unit 2 l is the attention of block l, and 2 l + 1 its MLP."""

    def __call__(self, unit: int, u: Tensor, branch: Branch) -> Tensor:
        """What is added to the residual stream for the normed input `u`, both (B, T, D): `branch(u)`, or another."""


def executed(unit: int, u: Tensor, branch: Branch) -> Tensor:  # noqa: ARG001  its type's
    """The model itself; see `Execute`."""
    return branch(u)
