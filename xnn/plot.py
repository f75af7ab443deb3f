"""Pictures: learning curves, a confusion matrix, a cost surface with the path of descent, a heat map.

They need matplotlib. Every function draws on the axes ``ax`` (new ones by default) and returns them;
it shows nothing and saves nothing: ``ax.figure.savefig("curves.png")`` does. Colors are told apart by
the color-blind (Okabe & Ito, 2008) and in gray print.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from xnn.arrays import to_numpy
from xnn.host import numpy

if TYPE_CHECKING:
    from xnn.history import History

__all__ = ["confusion_matrix", "heat_map", "history", "surface"]

_COST = "#0072B2"  # dark blue: dark in gray print ...
_METRICS = ("#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")  # ... and these are lighter


def history(history: History, ax: Any = None) -> Any:
    """The learning curves of a training run: the cost on the left axis, metrics on the right one.

    Training is drawn solid, validation dashed. The axis of the cost is logarithmic where the cost spans
    more than two decades.
    """
    ax = _axes(ax)
    from matplotlib.ticker import MaxNLocator

    epochs = list(history.epochs)
    style = {"linewidth": 1.8, "marker": "o" if len(epochs) == 1 else None}
    columns = {name: _finite(values) for name, values in history.items()}
    costs = {name: column for name, column in columns.items() if _stem(name) == "loss"}
    others = {name: column for name, column in columns.items() if name not in costs}
    stems = list(dict.fromkeys(map(_stem, others)))
    lines = [
        ax.plot(epochs, column, color=_COST, label=name, **_dash(name), **style)[0] for name, column in costs.items()
    ]
    if _spans(list(costs.values()), 100):
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel="cost")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(True, color="0.9", linewidth=0.8)
    if len(epochs) > 1:
        ax.set_xlim(min(epochs), max(epochs))
    elif epochs:
        ax.set(xlim=(epochs[0] - 0.5, epochs[0] + 0.5), xticks=epochs, ymargin=0.4)  # no point on another
    if others:
        right = ax.twinx()
        for name, column in others.items():
            color = _METRICS[stems.index(_stem(name)) % len(_METRICS)]
            lines += right.plot(epochs, column, color=color, label=name, **_dash(name), **style)
        right.set_ylabel(stems[0] if len(stems) == 1 else "metrics")
        _limit(right, list(others.values()))
    if lines:
        _legend(ax, lines)
    return ax


def confusion_matrix(matrix: Any, labels: Sequence[object] | None = None, ax: Any = None) -> Any:
    """How often each class (row) was taken for each (column): counts, on the color of their share of the row.

    Raises:
        ValueError: for a matrix that is not square, or another number of labels.
    """
    counts = to_numpy(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"expected a square matrix (true classes, predicted classes); got shape {counts.shape}")
    k = counts.shape[0]
    labels = list(range(k) if labels is None else labels)
    if len(labels) != k:
        raise ValueError(f"expected {k} labels, one a class; got {len(labels)}")
    ax = _axes(ax, 2.2 + 0.4 * k, 1.2 + 0.4 * k)
    from matplotlib.colors import Normalize

    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    words = [[f"{value:g}" if value else "" for value in row] for row in counts]
    image = _cells(ax, shares, words, labels, labels, "Blues", Normalize(0, 1))
    ax.figure.colorbar(image, ax=ax, label="share of the true class")
    ax.set(xlabel="predicted class", ylabel="true class")
    return ax


def heat_map(
    values: Any,
    x: Sequence[Any],
    y: Sequence[Any],
    ax: Any = None,
    *,
    labels: tuple[str, str, str] = ("x", "y", "value"),
    best: str | None = None,
) -> Any:
    """A value for each pair of two settings, such as the accuracy over step size and penalty.

    ``values`` has the shape (len(y), len(x)); ``labels`` names x, y and the value. ``best="max"`` or
    ``"min"`` puts a frame around the best cell. Cells that are NaN or infinite stay gray. The colors
    are logarithmic where positive values span more than two decades.

    Raises:
        ValueError: for values of another shape, or an unknown ``best``.
    """
    table = _finite(values)
    if table.shape != (len(y), len(x)):
        raise ValueError(f"expected values of shape (len(y), len(x)) = ({len(y)}, {len(x)}); got {table.shape}")
    if best not in (None, "max", "min"):
        raise ValueError(f"expected best to be 'max', 'min' or None; got {best!r}")
    ax = _axes(ax, 2.4 + 0.6 * len(x), 1.2 + 0.45 * len(y))
    from matplotlib.patches import Rectangle

    words = [["–" if math.isnan(value) else f"{value:#.3g}".rstrip(".") for value in row] for row in table.tolist()]
    image = _cells(ax, table, words, _ticks(x), _ticks(y), "viridis", _norm(table))
    ax.figure.colorbar(image, ax=ax, label=labels[2])
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.invert_yaxis()  # small y below, as in a graph
    if best and not numpy.isnan(table).all():
        row, column = numpy.unravel_index((numpy.nanargmax if best == "max" else numpy.nanargmin)(table), table.shape)
        for color, width in (("black", 4.5), ("white", 2.0)):
            frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=color, linewidth=width)
            ax.add_patch(frame)
    return ax


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
    table = _finite([[float(to_numpy(cost(x, y))) for x in xs.tolist()] for y in ys.tolist()])
    ax = _axes(ax, 6.4, 5.0)
    from matplotlib.ticker import LogLocator

    norm, ticks = _norm(table, 10), None
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
    _legend(ax, ends)


# -- Within ----------------------------------------------------------------------------------------------------------


def _axes(ax: Any, width: float = 6.4, height: float = 4.0) -> Any:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("pictures need matplotlib; install it with: pip install matplotlib") from error
    return pyplot.subplots(figsize=(min(max(width, 4.0), 12.0), min(max(height, 3.2), 10.0)), layout="constrained")[1]


def _stem(name: str) -> str:
    return name.removeprefix("val_")


def _dash(name: str) -> dict[str, str]:
    return {"linestyle": "--", "fillstyle": "none"} if name.startswith("val_") else {"linestyle": "-"}


def _legend(ax: Any, lines: list[Any]) -> None:
    """A legend above the axes, where it covers no curve."""
    columns = min(len(lines), 4)
    ax.legend(handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, frameon=False)


def _finite(values: Any) -> Any:
    """The values as a NumPy array of floats, with NaN for infinity."""
    array = to_numpy(values).astype("float64")
    return numpy.where(numpy.isfinite(array), array, numpy.nan)


def _spans(columns: list[Any], ratio: float) -> bool:
    """Whether all values are positive and differ by more than this ratio."""
    seen = numpy.concatenate([numpy.ravel(column) for column in [*columns, []]])
    seen = seen[~numpy.isnan(seen)]
    return bool(seen.size and seen.min() > 0 and seen.max() / seen.min() > ratio)


def _norm(table: Any, ratio: float = 100) -> Any:
    """A logarithmic scale of colors for values ≥ 0 that span more than this ratio, six decades at most; else None."""
    from matplotlib.colors import LogNorm

    seen = table[~numpy.isnan(table)]
    positive = seen[seen > 0]
    if not positive.size or seen.min() < 0:
        return None
    low, high = max(positive.min(), positive.max() * 1e-6), positive.max()
    return LogNorm(low, high, clip=True) if high / low > ratio else None


def _limit(ax: Any, columns: list[Any]) -> None:
    """Keep the axis of metrics near 1 at most (accuracy, R²), and a bad start of R² from flattening the rest."""
    seen = numpy.concatenate(columns)
    seen = seen[~numpy.isnan(seen)]
    if not seen.size or seen.max() > 1:
        return
    bottom, top = ax.get_ylim()
    if seen.max() > 0 and bottom < -1:
        bottom = -1.0
    ax.set_ylim(bottom, min(top, 1 + 0.02 * (1 - bottom)))


def _ticks(values: Sequence[Any]) -> list[str]:
    return [value if isinstance(value, str) else f"{float(value):.3g}" for value in values]


def _cells(
    ax: Any, table: Any, words: list[list[str]], x: Sequence[object], y: Sequence[object], colors: str, norm: Any
) -> Any:
    """A table as colored cells with words in them, white on dark and black on light."""
    from matplotlib import colormaps

    rows, columns = table.shape
    image = ax.imshow(table, cmap=colormaps[colors].with_extremes(bad="0.85"), norm=norm, aspect="auto")
    box = ax.get_window_extent()  # in dots; letters are about 0.09 inches wide and take 0.2 in height
    inches = (box.width / ax.figure.dpi, box.height / ax.figure.dpi)
    turned = {}
    if max(len(str(v)) for v in x) * 0.09 * columns > inches[0]:
        turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    across, down = (math.ceil(0.2 * n / size) for n, size in zip((columns, rows), inches, strict=True))
    ax.set_xticks(range(0, columns, across), [str(v) for v in x[::across]], **turned)
    ax.set_yticks(range(0, rows, down), [str(v) for v in y[::down]])
    ax.tick_params(length=0)
    if max(rows, columns) > 25:  # no room for words
        return image
    for i, row in enumerate(words):
        for j, word in enumerate(row):
            red, green, blue, _ = image.cmap(image.norm(table[i, j]))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            ax.text(j, i, word, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    return image
