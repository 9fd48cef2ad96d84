"""All small inputs of a function: what an `exhaustive` certificate rests on.

A domain is every combination of the values that its checked parameters can have: both bools, and the ints from -N to N
for the largest N that keeps the number of inputs small. Without int parameters it is the whole domain.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pointsman.program.table.machine import Machine

__all__ = ["Domain", "small_domain"]

_MAX_INPUTS = 150  # chosen: some 30 ms of the differential test
_MIN_BOUND = 2  # chosen: a claim about -1, 0 and 1 alone is not worth making


@dataclass(frozen=True, slots=True)
class Domain:
    """``bound``: N, where the ints are those from -N to N; None where no int is among the parameters."""

    inputs: tuple[tuple[Any, ...], ...]
    bound: int | None


def small_domain(machine: Machine | None) -> Domain | None:
    """None where a parameter is not checked to be an int or a bool, or where there are too many of them."""
    if machine is None or not machine.params or any(p.kind not in {"plain", "positional_only"} for p in machine.params):
        return None
    kinds = dict(machine.guards)
    wanted = [kinds.get(p.name) for p in machine.params]
    if not set(wanted) <= {"int", "bool"}:
        return None
    num_ints, num_bools = wanted.count("int"), wanted.count("bool")
    bound = _largest_bound(num_ints, 2**num_bools)
    if 2**num_bools > _MAX_INPUTS or (num_ints and bound < _MIN_BOUND):
        return None
    ints = sorted(range(-bound, bound + 1), key=lambda n: (abs(n), n))  # small ones first, in case time ends
    values: list[Sequence[Any]] = [ints if kind == "int" else (False, True) for kind in wanted]
    return Domain(tuple(itertools.product(*values)), bound if num_ints else None)


def _largest_bound(num_ints: int, others: int) -> int:
    bound = 0
    while num_ints and (2 * bound + 3) ** num_ints * others <= _MAX_INPUTS:
        bound += 1
    return bound
