"""Inside a network: activations, gradients, the first layer's weights, and δ layer by layer over training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from xnn.arrays import to_numpy
from xnn.host import numpy
from xnn.plot.axes import COLORS, grid, new_axes

__all__ = ["activations", "deltas", "gradients", "weights"]


def activations(network: Any, x: Any, ax: Any = None, *, training: bool = False, bins: int = 60) -> Any:
    """The distribution of every layer's output aˡ over a batch x, the first layer on top.

    Zeros are not drawn but counted beside it, as are dead units: those whose output is the same for all examples,
    so that nothing can be learned through them (a ReLU that is 0 everywhere, a sigmoid at its end).
    """
    outputs = [to_numpy(a) for a in network.activations(x, training=training)]
    notes = []
    for a in outputs:
        units = a.reshape(len(a), -1)
        dead = int(numpy.sum(numpy.ptp(units, axis=0) == 0.0)) if len(units) > 1 else 0
        notes.append([_share(a), f"{dead} of {units.shape[1]} units dead" if dead else ""])
    ax = new_axes(ax, 7.2, 1.2 + 0.6 * len(outputs))
    _ridges(ax, _names(network), [a.ravel() for a in outputs], notes, bins)
    ax.set_xlabel("activation")
    return ax


def gradients(network: Any, x: Any, y: Any, loss: Any, ax: Any = None, *, bins: int = 60) -> Any:
    """The sizes |∂C/∂θ| of the gradient of a batch, by parameter, on a logarithmic axis; zeros are counted beside it.

    Gradients that shrink, or grow, from the last layer to the first by a factor each are seen at a glance.
    The network is not changed.
    """
    found = network.gradients(x, y, loss, training=False)[1]
    sizes = {name: numpy.abs(to_numpy(g)).ravel() for name, g in found.items()}
    ax = new_axes(ax, 7.2, 1.2 + 0.6 * len(sizes))
    notes = [[_share(g)] for g in sizes.values()]
    with numpy.errstate(divide="ignore"):
        logs = [numpy.log10(g) for g in sizes.values()]
    _ridges(ax, list(sizes), [a[numpy.isfinite(a)] for a in logs], notes, bins)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
    ax.set_xlabel("size of an entry of the gradient")
    return ax


def deltas(values: Sequence[Sequence[Any]], ax: Any = None, *, names: Sequence[str] | None = None) -> Any:
    """The size of δˡ = ∂C/∂aˡ of every layer over training: vanishing and exploding gradients at a glance.

    ``values`` has one entry an epoch, each with one entry a layer: what ``network.deltas`` gives, of which the root
    of the mean square is drawn, or such a number. ``xnn.Record(lambda network: network.deltas(x, y, loss))``
    collects it from before the first epoch on. Lines go from dark (the first layer) to light (the last one).

    Raises:
        ValueError: where not all epochs have the same layers.
    """
    sizes = numpy.asarray([[_rms(δ) for δ in layers] for layers in values], dtype="float64")
    if sizes.ndim != 2 or not sizes.size:
        raise ValueError(f"expected one value for every layer in every epoch; got {[len(v) for v in values]} values")
    epochs, layers = sizes.shape
    ax = new_axes(ax, 7.2, 4.4)
    from matplotlib import colormaps
    from matplotlib.ticker import MaxNLocator

    shown = numpy.where(sizes > 0, sizes, numpy.nan)
    for i in range(layers):
        color = colormaps["viridis"](0.25 + 0.65 * i / max(layers - 1, 1))  # seen on white and on black
        marker = "o" if epochs == 1 else None
        label = f"{i}" if names is None else names[i]
        ax.plot(range(epochs), shown[:, i], color=color, linewidth=1.8, marker=marker, label=label)
    if numpy.isfinite(shown).any():
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel="root mean square of δ")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    grid(ax)
    ax.legend(title="layer", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, ncols=1 + layers // 16)
    return ax


def weights(
    network: Any, ax: Any = None, *, shape: tuple[int, int] | None = None, units: int = 100, columns: int | None = None
) -> Any:
    """What the units of the first Dense layer look for: each row of its weight as an image, red above 0, blue below.

    ``shape`` is that of the images (found where the inputs are a square); at most ``units`` of them are shown.

    Raises:
        ValueError: where there is no such layer, or the inputs do not have this shape.
    """
    matrices = [to_numpy(w) for name, w in network.parameters.items() if name.endswith("weight") and w.ndim == 2]
    if not matrices:
        raise ValueError("this network has no layer with a weight of shape (outputs, inputs)")
    w = matrices[0]
    side = math.isqrt(w.shape[1])
    shape = (side, side) if shape is None else shape
    if math.prod(shape) != w.shape[1]:
        raise ValueError(f"the first weight has {w.shape[1]} inputs, which are no image of shape {shape}; give shape=")
    n = min(len(w), units)
    across = min(n, math.ceil(math.sqrt(n * shape[0] / shape[1] * 1.4)) if columns is None else columns)
    down = math.ceil(n / across)
    height, width = shape[0] + 1, shape[1] + 1  # with a gap
    sheet = numpy.full((down * height - 1, across * width - 1), numpy.nan)
    for i in range(n):
        top, left = i // across * height, i % across * width
        sheet[top : top + shape[0], left : left + shape[1]] = w[i].reshape(shape)
    ax = new_axes(ax, 0.7 * across + 1.2, 0.7 * down + 0.6)
    limit = float(numpy.max(numpy.abs(w[:n]))) or 1.0
    image = ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlabel(f"{n} of {len(w)} units" if n < len(w) else f"{n} units")
    ax.figure.colorbar(image, ax=ax, label="weight")
    return ax


# -- Within ----------------------------------------------------------------------------------------------------------


def _ridges(ax: Any, names: Sequence[str], columns: Sequence[Any], notes: Sequence[Sequence[str]], bins: int) -> None:
    """Histograms one above the other on one axis, each to its own height, with notes at the right end."""
    seen = [column[numpy.isfinite(column) & (column != 0.0)] for column in columns]
    low, high = 0.0, 1.0
    if any(len(column) for column in seen):
        ends = numpy.asarray([numpy.percentile(column, (0.1, 99.9)) for column in seen if len(column)])
        low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    for i, (column, note) in enumerate(zip(seen, notes, strict=True)):
        counts, edges = numpy.histogram(column, bins, (low, high))
        base = float(len(seen) - 1 - i)
        heights = base + 0.85 * counts / max(int(counts.max()), 1)
        ax.stairs(heights, edges, baseline=base, fill=True, color=COLORS[0], alpha=0.55)
        ax.stairs(heights, edges, baseline=base, color=COLORS[0], linewidth=1.2)
        words = "\n".join(word for word in note if word)
        ax.text(1.02, base + 0.4, words, transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.set_yticks([len(seen) - 1 - i + 0.4 for i in range(len(seen))], names)
    ax.tick_params(axis="y", length=0)
    ax.set(xlim=(low, high), ylim=(-0.1, len(seen)))
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    grid(ax, "x")


def _names(network: Any) -> list[str]:
    return [f"{i} {type(layer).__name__}" for i, layer in enumerate(network.layers)]


def _share(a: Any) -> str:
    zeros = float(numpy.mean(a == 0.0)) if a.size else 0.0
    return f"{zeros:.0%} zeros" if zeros >= 0.005 else ""


def _rms(δ: Any) -> float:
    a = to_numpy(δ).astype("float64")
    return float(numpy.sqrt(numpy.mean(a * a))) if a.size else 0.0
