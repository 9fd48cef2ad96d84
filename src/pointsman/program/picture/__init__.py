"""Pictures of a program: SVG with a small layered layout of its own, and Graphviz text.

``graph``: what is drawn. ``states`` and ``decisions``: from machines to graphs. ``layout``, ``legend``, ``svg``,
``dot``: drawing.
"""

from pointsman.program.picture.dot import to_dot
from pointsman.program.picture.svg import to_svg

__all__ = ["to_dot", "to_svg"]
