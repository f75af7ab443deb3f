"""The cost over two parameters, or over two directions, and the path of a descent on it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xnn.arrays import to_numpy
from xnn.host import generator, numpy
from xnn.plot.axes import finite, legend_above, logarithmic, new_axes

__all__ = ["landscape", "surface"]


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


def landscape(
    network: Any,
    x: Any,
    y: Any,
    loss: Any,
    path: Sequence[Mapping[str, Any]] | None = None,
    ax: Any = None,
    *,
    points: int = 25,
    seed: int = 0,
) -> Any:
    """The cost C(θ + a d₁ + b d₂) over a and b: the surface around the parameters θ in two of their directions.

    ``path`` lists the parameters that training went through, as ``network.parameters`` gives them, at least three;
    ``xnn.Record(lambda network: network.parameters)`` collects them. d₁ and d₂ are then the first two principal
    components of the path, as seen from its end, and the axes say which share of its variance each of them has.
    Without a path they are random, each row of a weight scaled to the length of that row in θ ("filter
    normalization"), and 0 for biases and the like. The network predicts (no dropout); it is not changed.

    Raises:
        ValueError: for fewer than three points of a path, or names and shapes that are not those of the network.

    Source: Li, Xu, Taylor, Studer & Goldstein (2018), "Visualizing the loss landscape of neural nets".
    """
    probe = copy.deepcopy(network)
    names = probe.layout.names
    if path is None:
        center = {name: to_numpy(a) for name, a in probe.parameters.items()}
        draws = generator(seed)
        d1, d2 = (numpy.concatenate([_like(draws, w) for w in center.values()]) for _ in range(2))
        steps, low, high = None, numpy.full(2, -1.0), numpy.ones(2)
        labels = "random direction, rows as long as those of the weights", "another one"
    else:
        if len(path) < 3:
            raise ValueError(f"two directions need a path of at least three points; got {len(path)}")
        center = {name: to_numpy(a) for name, a in path[-1].items()}
        end = _flat(center, names)
        away = numpy.stack([_flat(point, names) - end for point in path])
        _, s, directions = numpy.linalg.svd(away, full_matrices=False)
        d1, d2 = directions[:2]
        shares = s[:2] ** 2 / max(float(numpy.sum(s**2)), 1e-300)
        steps = away @ directions[:2].T
        room = 0.25 * numpy.maximum(numpy.ptp(steps, axis=0), 1e-3 * max(float(numpy.max(s)), 1e-12))
        low, high = steps.min(axis=0) - room, steps.max(axis=0) + room
        labels = (
            f"first principal direction ({shares[0]:.0%} of the variance)",
            f"second principal direction ({shares[1]:.0%})",
        )
    flat = _flat(center, names)
    ends = numpy.cumsum([w.size for w in center.values()])[:-1]

    def cost(a: float, b: float) -> float:
        parts = numpy.split(flat + a * d1 + b * d2, ends)
        values = {n: part.reshape(center[n].shape) for n, part in zip(names, parts, strict=True)}
        probe.set_parameters(values)
        return float(probe.evaluate(x, y, loss=loss)["loss"])

    (a_low, b_low), (a_high, b_high) = low.tolist(), high.tolist()
    return surface(cost, (a_low, a_high), (b_low, b_high), steps, ax, labels=(*labels, "cost"), points=points)


def _flat(parameters: Mapping[str, Any], names: Sequence[str]) -> Any:
    if list(parameters) != list(names):
        raise ValueError(f"expected the parameters {list(names)} at each point of the path; got {list(parameters)}")
    return numpy.concatenate([to_numpy(a).ravel().astype("float64") for a in parameters.values()])


def _like(draws: Any, w: Any) -> Any:
    """A random direction for the array w: its rows as long as those of w; 0 for what is no matrix."""
    if w.ndim < 2:
        return numpy.zeros(w.size)
    rows = w.reshape(w.shape[0], -1)
    d = draws.normal(size=rows.shape)
    return (d * (numpy.linalg.norm(rows, axis=1, keepdims=True) / numpy.linalg.norm(d, axis=1, keepdims=True))).ravel()
