"""Tables as colored cells: a confusion matrix, and a heat map over two settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from xnn.arrays import to_numpy
from xnn.host import numpy
from xnn.plot.axes import finite, logarithmic, new_axes

__all__ = ["confusion_matrix", "heat_map"]


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
    ax = new_axes(ax, 2.2 + 0.4 * k, 1.2 + 0.4 * k)
    from matplotlib.colors import Normalize

    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    words = [[f"{value:g}" if value else "" for value in row] for row in counts]
    image = cells(ax, shares, words, labels, labels, "Blues", Normalize(0, 1))
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
    table = finite(values)
    if table.shape != (len(y), len(x)):
        raise ValueError(f"expected values of shape (len(y), len(x)) = ({len(y)}, {len(x)}); got {table.shape}")
    if best not in (None, "max", "min"):
        raise ValueError(f"expected best to be 'max', 'min' or None; got {best!r}")
    ax = new_axes(ax, 2.4 + 0.6 * len(x), 1.2 + 0.45 * len(y))
    from matplotlib.patches import Rectangle

    words = [["–" if math.isnan(value) else f"{value:#.3g}".rstrip(".") for value in row] for row in table.tolist()]
    image = cells(ax, table, words, _ticks(x), _ticks(y), "viridis", logarithmic(table))
    ax.figure.colorbar(image, ax=ax, label=labels[2])
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.invert_yaxis()  # small y below, as in a graph
    if best and not numpy.isnan(table).all():
        row, column = numpy.unravel_index((numpy.nanargmax if best == "max" else numpy.nanargmin)(table), table.shape)
        for color, width in (("black", 4.5), ("white", 2.0)):
            frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=color, linewidth=width)
            ax.add_patch(frame)
    return ax


def _ticks(values: Sequence[Any]) -> list[str]:
    return [value if isinstance(value, str) else f"{float(value):.3g}" for value in values]


def cells(
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
