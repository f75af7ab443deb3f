"""What the pictures have in common: new axes, colors, legends, scales."""

from __future__ import annotations

from typing import Any

from xnn.arrays import to_numpy
from xnn.host import numpy

__all__ = ["COLORS", "finite", "grid", "legend_above", "logarithmic", "new_axes"]

#: Dark blue, which is dark in gray print, and lighter ones; the color-blind can tell them apart (Okabe & Ito, 2008).
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def new_axes(ax: Any, width: float = 6.4, height: float = 4.0) -> Any:
    """The axes given, or new ones of this size in inches, within reason."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("pictures need matplotlib; install it with: pip install matplotlib") from error
    return pyplot.subplots(figsize=(min(max(width, 4.0), 12.0), min(max(height, 3.2), 10.0)), layout="constrained")[1]


def legend_above(ax: Any, lines: list[Any]) -> None:
    """A legend above the axes, where it covers no curve."""
    columns = min(len(lines), 4)
    ax.legend(handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, frameon=False)


def finite(values: Any) -> Any:
    """The values as a NumPy array of floats, with NaN for infinity."""
    array = to_numpy(values).astype("float64")
    return numpy.where(numpy.isfinite(array), array, numpy.nan)


def logarithmic(table: Any, ratio: float = 100) -> Any:
    """A logarithmic scale of colors for values ≥ 0 that span more than this ratio, six decades at most; else None."""
    from matplotlib.colors import LogNorm

    seen = table[~numpy.isnan(table)]
    positive = seen[seen > 0]
    if not positive.size or seen.min() < 0:
        return None
    low, high = max(positive.min(), positive.max() * 1e-6), positive.max()
    return LogNorm(low, high, clip=True) if high / low > ratio else None


def grid(ax: Any, axis: str = "both") -> None:
    """Faint lines in the color of the frame, so that they are faint on a dark background, too."""
    ax.grid(True, axis=axis, color=ax.spines["left"].get_edgecolor(), alpha=0.15, linewidth=0.8)
    ax.set_axisbelow(True)
