"""How a table's requests are parted, by seed. No row is in two parts of one split.

`halves`: at random. `task_halves`: half of the tasks learn, the others test. `thirds`: learn, calibrate, test, at
random. `task_thirds`: half of the tasks learn and calibrate, the others test.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pointsman.query.outcomes import Ints

__all__ = ["halves", "task_halves", "task_thirds", "thirds"]


def halves(num_rows: int, seed: int) -> tuple[Ints, Ints]:
    """Learn, test."""
    order = np.random.default_rng(seed).permutation(num_rows)
    return order[: num_rows // 2], order[num_rows // 2 :]


def task_halves(tasks: Sequence[str], seed: int) -> tuple[Ints, Ints]:
    """Learn, test. Raises ValueError for fewer than two tasks."""
    rng = np.random.default_rng(seed)
    found = np.array(tasks)
    names = rng.permutation(np.unique(found))
    if len(names) < 2:
        raise ValueError("tasks can be left out only where there are two or more")
    learns = np.isin(found, names[: len(names) // 2])
    return rng.permutation(np.flatnonzero(learns)), rng.permutation(np.flatnonzero(~learns))


def thirds(num_rows: int, seed: int) -> tuple[Ints, Ints, Ints]:
    """Learn, calibrate, test."""
    order = np.random.default_rng(seed).permutation(num_rows)
    size = num_rows // 3
    return order[:size], order[size : 2 * size], order[2 * size :]


def task_thirds(tasks: Sequence[str], seed: int) -> tuple[Ints, Ints, Ints]:
    """Learn and calibrate on half of the tasks, test on the others."""
    known, unknown = task_halves(tasks, seed)
    return known[: len(known) // 2], known[len(known) // 2 :], unknown
