"""Decision regions: which class each place of a plane is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xnn.arrays import owner, to_numpy
from xnn.host import numpy
from xnn.plot.axes import COLORS, legend_above, new_axes

__all__ = ["regions"]

_MARKERS = "os^Dv*P"


def regions(
    predict: Any,
    x: Any,
    y: Any,
    ax: Any = None,
    *,
    threshold: float = 0.5,
    labels: Sequence[object] | None = None,
    axes: tuple[str, str] = ("first input", "second input"),
    points: int = 200,
) -> Any:
    """The class of every place of the plane, and the examples x, (n, 2), with their classes y, (n,).

    ``predict`` is a network, an estimator, or any function of points (m, 2). It gives scores (m, classes), of which the
    largest counts; one score a point, (m,) or (m, 1), which means class 1 where it is above ``threshold`` (0 for
    logits); or the classes themselves (m,). They are 0, 1, …, and then ``labels`` names them in the legend, or texts.

    Raises:
        ValueError: for shapes that do not fit, and for other classes.
    """
    words = owner(y) is None and _is_text(numpy.asarray(y))
    x, y = to_numpy(x), numpy.ravel(y if words else to_numpy(y))
    if x.ndim != 2 or x.shape[1] != 2 or len(x) != len(y) or not len(x):
        raise ValueError(f"expected examples of shape (n, 2) and n classes; got shapes {x.shape} and {y.shape}")
    room = 0.08 * numpy.maximum(numpy.ptp(x, axis=0), 1e-9)
    low, high = x.min(axis=0) - room, x.max(axis=0) + room
    columns, rows = (numpy.linspace(a, b, points) for a, b in zip(low, high, strict=True))
    places = numpy.stack([a.ravel() for a in numpy.meshgrid(columns, rows)], axis=1).astype(x.dtype)
    given = to_numpy(getattr(predict, "predict", predict)(places))
    if _is_text(y):
        texts = sorted({*y.tolist(), *(given.tolist() if _is_text(given) else ())}, key=str)
        labels, y, given = texts if labels is None else labels, _numbered(texts, y), _numbered(texts, given)
    elif _is_text(given) or (y < 0).any() or (y % 1 != 0).any():
        raise ValueError(
            f"expected the classes y as 0, 1, … or as texts, as they are predicted; got {numpy.unique(y)[:5].tolist()}"
        )
    y = y.astype("int64")
    classes = _classes(given, len(places), threshold).reshape(points, points)
    ax = new_axes(ax, 5.6, 4.8)
    from matplotlib.colors import ListedColormap

    k = int(max(classes.max(), y.max())) + 1
    names = list(range(k) if labels is None else labels)
    if len(names) < k:
        raise ValueError(f"expected {k} labels, one a class; got {len(names)}")
    colors = [COLORS[i % len(COLORS)] for i in range(k)]
    extent = (*(float(v) for v in (low[0], high[0])), *(float(v) for v in (low[1], high[1])))
    ax.imshow(
        classes, cmap=ListedColormap(colors), vmin=-0.5, vmax=k - 0.5, alpha=0.3, extent=extent, origin="lower",
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    for i in range(k - 1):  # the borders, sharper than the fields
        if (classes > i).any() and (classes <= i).any():
            ax.contour(columns, rows, classes > i, [0.5], colors=[ax.xaxis.label.get_color()], linewidths=0.8)
    lines = []
    for i in sorted(set(y.tolist())):
        style = {"marker": _MARKERS[i % len(_MARKERS)], "color": colors[i], "markeredgecolor": "white"}
        lines += ax.plot(
            *x[y == i].T, linestyle="none", markersize=6, markeredgewidth=0.6, label=str(names[i]), **style
        )
    ax.set(xlabel=axes[0], ylabel=axes[1], xlim=extent[:2], ylim=extent[2:])
    legend_above(ax, lines)
    return ax


def _is_text(classes: Any) -> bool:
    return classes.dtype.kind in "UOT"


def _numbered(texts: Sequence[object], given: Any) -> Any:
    """The numbers of classes that are given as texts; scores as they are."""
    if not _is_text(given):
        return given
    return numpy.asarray([texts.index(name) for name in given.tolist()])


def _classes(scores: Any, m: int, threshold: float) -> Any:
    if scores.shape == (m,) and scores.dtype.kind in "iu":
        return scores
    if scores.shape in ((m,), (m, 1)):
        return (numpy.ravel(scores) > threshold).astype("int64")
    if scores.ndim != 2 or scores.shape[0] != m:
        raise ValueError(f"expected predict to give scores of shape ({m}, classes) for {m} points; got {scores.shape}")
    return scores.argmax(axis=1)
