"""Line plots to files. matplotlib without a display; imported by whoever draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pointsman.core import BadRequest

__all__ = ["canvas", "draw_costs", "draw_lines", "draw_panels", "save"]

_PANEL_INCHES = (3.6, 2.9)
_COLUMNS = 3


def canvas(width_inches: float, height_inches: float) -> Figure:
    """An empty figure without a display."""
    figure = Figure((width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes it. Raises BadRequest ``bad_plot`` for a file whose ending is no format, or that cannot be written."""
    try:
        figure.savefig(path, dpi=130)
    except (OSError, ValueError) as exc:
        raise BadRequest(f"cannot draw to {path}: {exc}", code="bad_plot") from exc


def draw_panels(
    panels: Mapping[str, Mapping[str, Sequence[float]]], xs: Sequence[float], x_label: str, y_label: str, path: Path
) -> None:
    """A panel for each title, in it a line for each name, all over the same ``xs`` and shares from 0 to 1.

    Raises BadRequest ``bad_plot`` as `save`.
    """
    num_rows = -(-len(panels) // _COLUMNS)
    figure = canvas(_PANEL_INCHES[0] * _COLUMNS, _PANEL_INCHES[1] * num_rows)
    axes = figure.subplots(num_rows, _COLUMNS, sharey=True, squeeze=False).flatten()
    for axis, (title, lines) in zip(axes, panels.items(), strict=False):
        for index, (name, ys) in enumerate(lines.items()):
            axis.plot(xs, ys, "--" if index % 2 == 0 else "-", color=f"C{index // 2}", marker=".", label=name)
        axis.set_title(title, fontsize=10)
        axis.set_ylim(-0.03, 1.03)
        axis.set_xlabel(x_label)
        axis.grid(alpha=0.3)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    axes[0].set_ylabel(y_label)
    axes[0].legend(fontsize=7)
    save(figure, path)


def draw_lines(lines: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str, path: Path) -> None:
    """A line for each name, through points of any x and a share from 0 to 1.

    Raises BadRequest ``bad_plot`` as `save`.
    """
    figure = canvas(5.2, 4.0)
    axis = figure.subplots()
    for name, line in lines.items():
        axis.plot([x for x, _ in line], [y for _, y in line], marker=".", label=name)
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
    save(figure, path)


def draw_costs(curves: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Accuracy over bytes, seconds and operations, a panel each and a line for each method; see `token_curves.points`.

    Raises BadRequest ``bad_plot`` as `save`.
    """
    figure = canvas(5.2 * 3, 5.0)
    axes = figure.subplots(1, 3, sharey=True)
    for axis, cost in zip(axes, ("bytes", "seconds", "flops"), strict=True):
        for index, (name, found) in enumerate(curves.items()):
            ordered = sorted(found, key=lambda point: point[f"{cost}_share"])
            style = (
                {"color": "black", "linewidth": 2.2, "zorder": 9}
                if name == "pointsman"
                else {"color": f"C{index % 10}"}
            )
            xs, ys = [point[f"{cost}_share"] for point in ordered], [point["accuracy"] for point in ordered]
            axis.plot(xs, ys, "-" if index < 10 else "--", marker="o", markersize=3, label=name, **style)
        axis.set_xlabel(f"{cost}, share of the large model alone")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share right, held-out tasks")
    axes[0].legend(fontsize=7)
    save(figure, path)
