"""How good a network is on rows it has not seen: figures, and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xnn.cli.words import counts
from xnn.datasets.dataset import Dataset
from xnn.history import History
from xnn.host import ndarray, numpy
from xnn.metrics import confusion_matrix

__all__ = ["check_picture", "figures", "picture"]

_CLASSES = 30  # more of them make no table that can be read
_SIDE = 4.8  # inches of a panel


def figures(data: Dataset, y: ndarray, outputs: ndarray) -> str:
    """The lines of a report on outputs for targets y; ``data`` says what the classes are."""
    if not data.classes:
        return _of_numbers(y, outputs[:, 0].astype("float64"))
    matrix = confusion_matrix(outputs, y, len(data.classes))
    right, n = int(matrix.trace()), len(y)
    most = int(matrix.sum(axis=1).argmax())
    lines = [
        f"  accuracy  {right / n:.4f}   ({right} of {n} rows; always {data.classes[most]!r} would be "
        f"{matrix[most].sum() / n:.4f})"
    ]
    if len(data.classes) <= _CLASSES:
        lines += ["\nconfusion matrix (rows: the true class, columns: the predicted one)"]
        lines += [counts(matrix.tolist(), data.classes)]
    return "\n".join(lines)


def _of_numbers(y: ndarray, a: ndarray) -> str:
    error = a - y
    spread = float(((y - y.mean()) ** 2).mean())
    square = float((error**2).mean())
    r2 = f"{1 - square / spread:.4f}" if spread else "undefined: all true values are equal"
    return (
        f"  R2                       {r2}\n"
        f"  mean absolute error      {numpy.abs(error).mean():.5g}\n"
        f"  root mean squared error  {square**0.5:.5g}   (always the mean would be {spread**0.5:.5g})"
    )


def check_picture(path: Path) -> Path:
    """The path, if matplotlib can draw to a file with such an ending, or is not there.

    Raises:
        ValueError: with the endings that it knows.
    """
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        return path
    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix and path.suffix[1:].lower() not in known:
        raise ValueError(f"{path}: no picture has the ending {path.suffix}; known are: {', '.join(sorted(known))}")
    return path


def picture(path: Path, data: Dataset, y: ndarray, outputs: ndarray, history: History | None) -> str:
    """Draw the learning curves and what was predicted, and return the words for what came of it.

    Without a display, in a figure of its own; matplotlib may be missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return "no picture: matplotlib is not installed (pip install matplotlib)"
    panels = 1 if history is None else 2
    size = min(max(_SIDE, 2.2 + 0.4 * len(data.classes)), 12.0) if len(data.classes) <= _CLASSES else _SIDE
    figure = Figure(figsize=(panels * 1.25 * size, size), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    if history is not None:
        history.plot(axes[0])
    _draw(axes[-1], data, y, outputs)
    figure.savefig(path, dpi=120)
    return f"saved the picture as {path}"


def _draw(ax: Any, data: Dataset, y: ndarray, outputs: ndarray) -> None:
    from xnn import plot

    if data.classes:
        matrix = confusion_matrix(outputs, y, len(data.classes))
        plot.confusion_matrix(matrix, data.classes, ax)
        return
    ends = float(min(y.min(), outputs.min())), float(max(y.max(), outputs.max()))
    ax.plot(ends, ends, color="0.5", linewidth=1, label="as it should be")
    ax.plot(
        y, outputs[:, 0], ".", color="#0072B2", alpha=max(0.15, min(0.8, 60 / len(y))), markeredgewidth=0, markersize=8
    )
    ax.set(xlabel="true", ylabel="predicted")
    ax.legend(loc="upper left", frameon=False)
    ax.grid(True, color="0.9", linewidth=0.8)
