"""Quality against cost: every arm, ours, the rivals and the oracle, as SVG or PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pointsman.bench.plotting import canvas, save
from pointsman.bench.query_entrants import OURS
from pointsman.bench.query_jobs import GRID, Measured
from pointsman.query.frontier import mixture
from pointsman.query.outcomes import Outcomes

__all__ = ["draw"]


def draw(splits: Sequence[Measured], outcomes: Outcomes, path: Path) -> None:
    """Means over splits; arms are means over the whole table.

    Raises BadRequest ``bad_plot`` as `plotting.save`.
    """
    cost, right = outcomes.nano_usd.mean(0) / 1e9, outcomes.right.mean(0)
    at = np.linspace(cost.min(), cost[outcomes.strongest], GRID)
    figure = canvas(8.5, 6.0)
    axis = figure.subplots()
    for index, name in enumerate(splits[0].curves):
        curve = np.mean([split.curves[name] for split in splits], axis=0)
        style = {"color": "black", "linewidth": 2.4, "zorder": 9} if name == OURS else {"color": f"C{index % 10}"}
        dashes = {"oracle": ":"}.get(name, "-" if index < 10 else "--")
        axis.plot(at, curve, dashes, label=name, **style)
    mixed = mixture(outcomes)
    axis.plot(mixed.nano_usd / 1e9, mixed.right, "--", color="gray", label="mixtures of single arms")
    axis.scatter(cost, right, color="gray", zorder=8)
    for number, arm in enumerate(outcomes.arms):
        axis.annotate(arm.name, (cost[number], right[number]), fontsize=6, xytext=(3, 3), textcoords="offset points")
    axis.set_xlabel("US dollars a request")
    axis.set_ylabel("share right, test rows")
    axis.set_xscale("log")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=6)
    save(figure, path)
