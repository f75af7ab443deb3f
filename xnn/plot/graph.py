"""The computational graph of a function."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from xnn.plot.axes import COLORS, new_axes

if TYPE_CHECKING:
    from xnn.autodiff.show import Graph, Step

__all__ = ["graph"]

WIDTH, COLUMN = 1.5, 2.0  # of a box, and from one column to the next, in inches
LINE, BETWEEN, LANE = 0.21, 0.28, 0.22  # of a line of text, between boxes, of an arrow that passes by


def graph(graph: Graph, ax: Any = None) -> Any:
    """The graph that ``xnn.show`` gives, from the arguments on the left to the result on the right.

    A box for each step: the operation, its value, and below, in color, its tangent (→, the derivative by the first
    argument) and its adjoint (←, the derivative of the result by it), as far as the graph shows them.
    """
    high = LINE * (4 if graph.mode is None else 3) + 0.1
    nodes, lanes = _layout(graph.steps, high)
    heights = [y for _, y in (*nodes, *(point for points in lanes.values() for point in points))]
    width, low, top = 1 + max(x for x, _ in nodes), min(heights) - high / 2 - 0.1, max(heights) + high / 2 + 0.1
    ax = new_axes(ax, width * COLUMN, top - low)
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    ink = ax.spines["left"].get_edgecolor()
    size = 9.0 * min(1.0, 12.0 / (width * COLUMN), ax.figure.get_figwidth() / (width * COLUMN))
    for (source, target), points in lanes.items():
        path = _curve([nodes[source], *points, nodes[target]])
        ax.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=size, color=ink, linewidth=1.0,
                                     alpha=0.55, zorder=1))  # fmt: skip
    for step, (column, y) in zip(graph.steps, nodes, strict=True):
        x = column * COLUMN
        color = COLORS[1] if not step.operation else COLORS[2] if step is graph.steps[-1] else COLORS[0]
        ax.add_patch(FancyBboxPatch((x - WIDTH / 2, y - high / 2), WIDTH, high, facecolor=color + "1f", edgecolor=color,
                                    boxstyle="round,pad=0,rounding_size=0.1", linewidth=1.3, zorder=2))  # fmt: skip
        lines = [(step.written, ink, "bold"), (step.value, ink, "normal")]
        lines += [(f"→ {step.tangent}", COLORS[5], "normal")] * (graph.mode != "reverse")
        lines += [(f"← {step.adjoint}", COLORS[0], "normal")] * (graph.mode != "forward")
        for k, (words, tint, weight) in enumerate(lines):
            words = words if len(words) <= 26 else words[:24] + "…"
            ax.text(x, y + high / 2 - 0.05 - (k + 0.5) * LINE, words, ha="center", va="center", color=tint, zorder=3,
                    fontweight=weight, fontsize=size * min(1.0, 18.0 / len(words)))  # fmt: skip
    ax.set(xlim=(-WIDTH / 2 - 0.1, (width - 1) * COLUMN + WIDTH / 2 + 0.1), ylim=(low, top), aspect="equal")
    ax.axis("off")
    return ax


def _curve(points: Sequence[tuple[int, float]]) -> Any:
    """From the right edge of a box through the lanes to the left edge of another, level at every column."""
    from matplotlib.path import Path

    corners: list[tuple[float, float]] = [(points[0][0] * COLUMN + WIDTH / 2, points[0][1])]
    for x, y in points[1:-1]:
        corners += [(x * COLUMN - WIDTH / 2, y), (x * COLUMN + WIDTH / 2, y)]
    corners.append((points[-1][0] * COLUMN - WIDTH / 2 - 0.02, points[-1][1]))
    vertices, codes = [corners[0]], [Path.MOVETO]
    for (a, b), (c, d) in pairwise(corners):
        middle = (a + c) / 2
        vertices += [(middle, b), (middle, d), (c, d)]
        codes += [Path.CURVE4] * 3
    return Path(vertices, codes)


def _layout(steps: Sequence[Step], high: float) -> tuple[list[tuple[int, float]], dict[Any, list[tuple[int, float]]]]:
    """(column, height) of each step, and the points through which each arrow passes columns on its way.

    The column is the longest way from an argument. In a column everything, boxes and arrows that pass, lies in the
    order of the mean height of what it comes from (K. Sugiyama et al., 1981), as near to it as there is room.
    """
    depth: list[int] = []
    for step in steps:
        depth.append(1 + max((depth[s] for s in step.sources), default=-1))
    edges = [(s, t) for t, step in enumerate(steps) for s in step.sources]
    height: dict[Any, float] = {}  # of a step, or of an edge in a column that it passes
    for column in range(max(depth) + 1):
        members: dict[Any, float] = {
            i: sum(_before(height, s, i, column) for s in steps[i].sources) / max(len(steps[i].sources), 1)
            for i, d in enumerate(depth) if d == column
        }  # fmt: skip
        for edge in edges:
            if depth[edge[0]] < column < depth[edge[1]]:
                members[(*edge, column)] = _before(height, edge[0], edge[1], column) + 1e-3
        order = sorted(members, key=lambda k: -members[k])
        stacked, y = {}, 0.0
        for k in order:
            room = high + BETWEEN if isinstance(k, int) else LANE
            stacked[k], y = y - room / 2, y - room
        shift = sum(members[k] - stacked[k] for k in order) / len(order)
        boxes = [k for k in order if isinstance(k, int)]
        if len(boxes) == 1:  # a single box stays on the line of what it comes from
            shift = members[boxes[0]] - stacked[boxes[0]]
        height.update({k: stacked[k] + shift for k in order})
    lanes = {e: [(c, height[(*e, c)]) for c in range(depth[e[0]] + 1, depth[e[1]])] for e in edges}
    return [(depth[i], height[i]) for i in range(len(steps))], lanes


def _before(height: dict[Any, float], source: int, target: int, column: int) -> float:
    """The height of an edge in the column before this one."""
    return height.get((source, target, column - 1), height[source])
