"""Pictures as text for Graphviz, of any size. A second outline is what bars are in SVG: a question is asked there."""

from __future__ import annotations

import textwrap
from typing import Final

from pointsman.program.picture.graph import COLOURS, INDENT, Graph
from pointsman.program.picture.legend import legend_rows
from pointsman.program.picture.states import graphs
from pointsman.program.table.machine import Program

__all__ = ["to_dot"]

_WIDTH: Final = 100  # characters of a line of the legend


def to_dot(program: Program) -> str:
    """The same picture for Graphviz, each function a cluster."""
    out = [f"digraph {_quoted(program.entry)} {{"]
    out.append('  node [shape=box, style="rounded,filled", fontname="monospace", fontsize=11];')
    out.append('  edge [fontname="monospace", fontsize=10];')
    for number, graph in enumerate(graphs(program)):
        out += [f"  subgraph cluster_{number} {{", f"    label={_quoted(graph.heading)};"]
        if graph.legend:
            out.append(f"    legend{number} [{_legend(graph)}];")
        for i, box in enumerate(graph.boxes):
            fill, stroke = COLOURS[box.kind]
            shape = f'label={_quoted(*box.lines)}, tooltip={_quoted(box.title)}, fillcolor="{fill}", color="{stroke}"'
            out.append(f"    n{number}_{i} [{shape}{', peripheries=2' if box.asks else ''}];")
        for link in graph.links:
            dashed = ", style=dashed" if link.dashed else ""
            amber = f', fontcolor="{COLOURS["question"][1]}"' if link.asks else ""
            text = f"label={_quoted(*link.lines)}, tooltip={_quoted(link.title)}{dashed}{amber}"
            out.append(f"    n{number}_{link.source} -> n{number}_{link.target} [{text}];")
        out.append("  }")
    return "\n".join([*out, "}", ""])


def _legend(graph: Graph) -> str:
    fill, stroke = COLOURS["question"]
    titles = [row.title for row in legend_rows(graph.legend)]
    lines = [line for title in titles for line in textwrap.wrap(title, _WIDTH, subsequent_indent=2 * INDENT)]
    label = _quoted(*lines, "", newline="\\l")
    return f'shape=note, style=filled, label={label}, tooltip={_quoted(*titles)}, fillcolor="{fill}", color="{stroke}"'


def _quoted(*lines: str, newline: str = "\\n") -> str:
    """Lines as a string of Graphviz, which may say at each end of a line that it stands on the left."""
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in lines]
    return '"' + newline.join(escaped) + '"'
