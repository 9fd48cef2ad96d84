"""Pictures as text for Graphviz, of any size."""

from __future__ import annotations

from pointsman.program.picture.graph import COLOURS
from pointsman.program.picture.states import graphs
from pointsman.program.table.machine import Program

__all__ = ["to_dot"]


def to_dot(program: Program) -> str:
    """The same picture for Graphviz, each function a cluster."""
    out = [f"digraph {_quoted(program.entry)} {{"]
    out.append('  node [shape=box, style="rounded,filled", fontname="monospace", fontsize=11];')
    out.append('  edge [fontname="monospace", fontsize=10];')
    for number, graph in enumerate(graphs(program)):
        out += [f"  subgraph cluster_{number} {{", f"    label={_quoted(graph.heading)};"]
        for i, box in enumerate(graph.boxes):
            fill, stroke = COLOURS[box.kind]
            shape = f'label={_quoted(*box.lines)}, tooltip={_quoted(box.title)}, fillcolor="{fill}", color="{stroke}"'
            out.append(f"    n{number}_{i} [{shape}];")
        for link in graph.links:
            dashed = ", style=dashed" if link.dashed else ""
            text = f"label={_quoted(*link.lines)}, tooltip={_quoted(link.title)}{dashed}"
            out.append(f"    n{number}_{link.source} -> n{number}_{link.target} [{text}];")
        out.append("  }")
    return "\n".join([*out, "}", ""])


def _quoted(*lines: str) -> str:
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in lines]
    return '"' + "\\n".join(escaped) + '"'
