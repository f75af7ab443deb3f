"""Learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xnn.host import numpy
from xnn.plot.axes import COLORS, finite, grid, legend_above, new_axes

if TYPE_CHECKING:
    from xnn.history import History

__all__ = ["history"]


def history(history: History, ax: Any = None) -> Any:
    """The learning curves of a training run: the cost on the left axis, metrics on the right one.

    Training is drawn solid, validation dashed. The axis of the cost is logarithmic where the cost spans
    more than two decades.
    """
    ax = new_axes(ax)
    from matplotlib.ticker import MaxNLocator

    epochs = list(history.epochs)
    style = {"linewidth": 1.8, "marker": "o" if len(epochs) == 1 else None}
    columns = {name: finite(values) for name, values in history.items()}
    costs = {name: column for name, column in columns.items() if _stem(name) == "loss"}
    others = {name: column for name, column in columns.items() if name not in costs}
    stems = list(dict.fromkeys(map(_stem, others)))
    lines = [
        ax.plot(epochs, column, color=COLORS[0], label=name, **_dash(name), **style)[0]
        for name, column in costs.items()
    ]
    if _spans(list(costs.values()), 100):
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel="cost")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    grid(ax)
    if len(epochs) > 1:
        ax.set_xlim(min(epochs), max(epochs))
    elif epochs:
        ax.set(xlim=(epochs[0] - 0.5, epochs[0] + 0.5), xticks=epochs, ymargin=0.4)  # no point on another
    if others:
        right = ax.twinx()
        for name, column in others.items():
            color = COLORS[1:][stems.index(_stem(name)) % (len(COLORS) - 1)]
            lines += right.plot(epochs, column, color=color, label=name, **_dash(name), **style)
        right.set_ylabel(stems[0] if len(stems) == 1 else "metrics")
        _limit(right, list(others.values()))
    if lines:
        legend_above(ax, lines)
    return ax


def _stem(name: str) -> str:
    return name.removeprefix("val_")


def _dash(name: str) -> dict[str, str]:
    return {"linestyle": "--", "fillstyle": "none"} if name.startswith("val_") else {"linestyle": "-"}


def _spans(columns: list[Any], ratio: float) -> bool:
    """Whether all values are positive and differ by more than this ratio."""
    seen = numpy.concatenate([numpy.ravel(column) for column in [*columns, []]])
    seen = seen[~numpy.isnan(seen)]
    return bool(seen.size and seen.min() > 0 and seen.max() / seen.min() > ratio)


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
