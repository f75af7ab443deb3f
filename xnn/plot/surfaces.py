"""The cost over two parameters, or over two directions, and the path of a descent on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xnn.arrays import to_numpy
from xnn.host import numpy
from xnn.plot.axes import finite, legend_above, logarithmic, new_axes

__all__ = ["surface"]


def surface(
    cost: Callable[[float, float], Any],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    path: Any = None,
    ax: Any = None,
    *,
    labels: tuple[str, str, str] = ("first parameter", "second parameter", "cost"),
    points: int = 80,
) -> Any:
    """The contours of a cost C(x, y) over two parameters, with the path of a descent on them (text 003).

    ``cost`` is called with two floats at points × points places. ``path`` lists the pairs (x, y) that
    the descent went through, shape (steps, 2); its start is a circle, its end a star. The levels are
    logarithmic where the cost is never negative and spans more than a decade.

    Raises:
        ValueError: for a path of another shape.
    """
    steps = None if path is None else to_numpy(path)
    if steps is not None and (steps.ndim != 2 or steps.shape[0] == 0 or steps.shape[1] != 2):
        raise ValueError(f"expected a path of pairs (x, y), shape (steps, 2); got shape {steps.shape}")
    xs, ys = (numpy.linspace(low, high, points) for low, high in (x_range, y_range))
    table = finite([[float(to_numpy(cost(x, y))) for x in xs.tolist()] for y in ys.tolist()])
    ax = new_axes(ax, 6.4, 5.0)
    from matplotlib.ticker import LogLocator

    norm, ticks = logarithmic(table, 10), None
    if norm is None:
        contours = ax.contourf(xs, ys, table, 24, cmap="viridis")
    else:
        # Levels at powers of ten and so many between two of them that there are about twenty-five.
        low, high = math.log10(norm.vmin), math.log10(norm.vmax)
        each = max(round(25 / (high - low)), 2)
        levels = 10.0 ** (numpy.arange(math.floor(low * each), math.ceil(high * each) + 1) / each)
        table = numpy.maximum(table, levels[0] / 2)  # a cost of 0 lies below the lowest level
        contours = ax.contourf(xs, ys, table, levels, norm=norm, cmap="viridis", extend="min")
        ticks = LogLocator(subs=(1, 2, 5) if high - low < 3 else (1,))
    ax.figure.colorbar(contours, ax=ax, label=labels[2], ticks=ticks, format="{x:g}")
    ax.set(xlabel=labels[0], ylabel=labels[1], xlim=x_range, ylim=y_range)
    if steps is not None:
        _descent(ax, steps)
    return ax


def _descent(ax: Any, steps: Any) -> None:
    from matplotlib.patheffects import Normal, Stroke

    outline = [Stroke(linewidth=3.2, foreground="black"), Normal()]
    dots = "." if len(steps) <= 100 else None
    ax.plot(*steps.T, color="white", linewidth=1.6, marker=dots, markersize=4, path_effects=outline)
    mark = {"linestyle": "none", "markerfacecolor": "white", "markeredgecolor": "black", "zorder": 5}
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    x, y = steps[-1]
    many = f"{len(steps) - 1} step{'' if len(steps) == 2 else 's'}"
    where = "" if left <= x <= right and low <= y <= high else ", outside the picture"
    ends = [
        *ax.plot(*steps[0], marker="o", markersize=9, label="start", **mark),
        *ax.plot(x, y, marker="*", markersize=15, label=f"end, after {many}{where}", **mark),
    ]
    legend_above(ax, ends)
