"""The picture of `bench all-levels`: quality over cost, a point for each configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pointsman.bench.plotting import canvas, save

__all__ = ["draw"]

_COLOURS = {"all": "C3", "only": "C0", "without": "C1", "large": "black"}


def draw(points: Sequence[Mapping[str, object]], path: Path) -> None:
    """Raises BadRequest ``bad_plot`` as `plotting.save`."""
    figure = canvas(8, 5.5)
    axis = figure.subplots()
    for point in points:
        name, cost, quality = str(point["name"]), float(str(point["cost"])), float(str(point["quality"]))
        colour = _COLOURS[name.partition(".")[0]]
        axis.plot([cost], [quality], marker="o" if point["certified"] else "x", color=colour)
        axis.annotate(name, (cost, quality), fontsize=7, xytext=(4, 3), textcoords="offset points")
    axis.axhline(0.99, color="grey", linestyle=":", linewidth=1)
    axis.set_xscale("log")
    axis.set_xlabel("bytes moved over the large model with steps")
    axis.set_ylabel("right answers over the large model's")
    axis.grid(alpha=0.3)
    save(figure, path)
