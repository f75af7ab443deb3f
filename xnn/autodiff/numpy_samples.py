"""NumPy's functions of samples and signals beyond the standard, as compositions: gradient, convolve, interp, cov, ….

Each has NumPy's arguments behind the namespace that records.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from array_api_compat import device

from xnn.autodiff.linear import ADD_AT, axes_of
from xnn.autodiff.numpy_arrays import arrays_of, at_least
from xnn.autodiff.rule import conj, is_complex
from xnn.autodiff.tracing import Derivative, Traced, raw
from xnn.contract import Array
from xnn.host import numpy

__all__ = ["OF_SAMPLES"]


def gradient(xp: Any, f: Array, varargs: Any = (), axis: Any = None, edge_order: int = 1) -> Any:
    """Central differences inside and one-sided ones at the ends, along each axis; for spacings or coordinates."""
    axes = list(range(f.ndim)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    steps = arrays_of(xp, (f, *varargs))[1:] or [1.0]
    steps = steps * len(axes) if len(steps) == 1 else steps
    if edge_order != 1 or len(steps) != len(axes):
        raise Derivative("numpy.gradient has a derivative here for edge_order=1 and one spacing, or one for each axis")
    found = [_along(xp, f, h, a) for h, a in zip(steps, axes, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _along(xp: Any, f: Array, h: Any, axis: int) -> Array:
    f = xp.moveaxis(f, axis, -1)
    δ = f[..., 1:] - f[..., :-1]
    if getattr(h, "ndim", 0):
        h = h[1:] - h[:-1]
        before, after = h[:-1], h[1:]
        slope = δ / h
        inside = (before * slope[..., 1:] + after * slope[..., :-1]) / (before + after)
    else:
        slope, inside = δ / h, 0.5 * (δ[..., 1:] + δ[..., :-1]) / h
    return xp.moveaxis(xp.concat([slope[..., :1], inside, slope[..., -1:]], axis=-1), -1, axis)


def diff(xp: Any, a: Array, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """Differences of neighbors, n times over; a number may stand before or behind them."""
    at = axis % a.ndim

    def end(b: Any) -> Any:
        if b is None or getattr(b, "ndim", 0) > 0:
            return b
        return xp.full((*a.shape[:at], 1, *a.shape[at + 1 :]), b, dtype=a.dtype, device=device(raw(a)))

    return xp.diff(a, axis=axis, n=n, prepend=end(prepend), append=end(append))


def convolve(xp: Any, a: Array, v: Array, mode: str = "full") -> Array:
    """Σⱼ aⱼ vₖ₋ⱼ, as a product with the matrix whose columns are the longer one, each a place further down."""
    long, short = (a, v) if a.shape[0] >= v.shape[0] else (v, a)
    n, m = long.shape[0], short.shape[0]
    first, size = {"full": (0, n + m - 1), "same": ((m - 1) // 2, n), "valid": (m - 1, n - m + 1)}[mode]
    where = {"device": device(raw(long))}
    places = xp.arange(first, first + size, **where)[:, None] - xp.arange(m, **where)[None, :]
    inside = (places >= 0) & (places < n)
    columns = xp.take(long, xp.reshape(xp.where(inside, places, 0), (-1,)), axis=0)
    return xp.where(inside, xp.reshape(columns, (size, m)), 0.0) @ short


def correlate(xp: Any, a: Array, v: Array, mode: str = "valid") -> Array:
    """Σⱼ aₖ₊ⱼ conj(vⱼ); with a shorter a the other way round, so that "same" means the same places."""
    if a.shape[0] < v.shape[0]:
        return xp.flip(xp.conj(correlate(xp, v, a, mode)))
    return convolve(xp, a, xp.flip(xp.conj(v)), mode)


def interp(own: Any, x: Any, xp: Array, fp: Array, left: Any = None, right: Any = None) -> Array:
    """Straight lines between the points (xp, fp); the ends go on as constants."""
    if left is not None or right is not None:
        raise Derivative("numpy.interp with left= or right= has no derivative here; take numpy.where")
    if not hasattr(x, "dtype"):
        like = raw(fp if isinstance(fp, Traced) else xp)
        x = own.asarray(x, dtype=own.real(like).dtype if is_complex(like) else like.dtype, device=device(like))
    flat = own.clip(own.reshape(x, (-1,)), xp[0], xp[-1])
    i = own.clip(own.searchsorted(raw(xp), raw(flat)) - 1, 0, xp.shape[0] - 2)
    x0, x1, y0, y1 = (own.take(a, k, axis=0) for a in (xp, fp) for k in (i, i + 1))
    return own.reshape(y0 + (y1 - y0) * (flat - x0) / (x1 - x0), x.shape)


def select(xp: Any, condlist: Any, choicelist: Any, default: Any = 0.0) -> Array:
    """The choice of the first condition that holds."""
    y = default
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        y = xp.where(condition, choice, y)
    return y


def heaviside(xp: Any, x: Array, middle: Any) -> Array:
    """0, 1, and ``middle`` at 0: constant but for that."""
    x = raw(x)
    return xp.where(x == 0.0, middle, xp.astype(x > 0.0, x.dtype))


def vander(xp: Any, x: Array, N: int | None = None, increasing: bool = False) -> Array:
    """The powers of x as columns."""
    powers = range(x.shape[0] if N is None else N)
    return xp.stack([x**k for k in (powers if increasing else powers[::-1])], axis=-1)


def nan_to_num(xp: Any, x: Array, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    """Numbers in the place of NaN and infinities."""
    limits = xp.finfo(x.dtype)
    y = xp.where(xp.isnan(x), nan, x)
    y = xp.where(raw(y) == math.inf, float(limits.max) if posinf is None else posinf, y)
    y = xp.where(raw(y) == -math.inf, float(limits.min) if neginf is None else neginf, y)
    return y if copy else xp.write(x, y)


def rot90(xp: Any, m: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """Turned by k quarters."""
    for _ in range(k % 4):
        order = list(range(m.ndim))
        order[axes[0]], order[axes[1]] = order[axes[1]], order[axes[0]]
        m = xp.flip(xp.permute_dims(m, tuple(order)), axis=axes[0])
    return m


def average(xp: Any, a: Array, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Array:
    """Σ w a / Σ w."""
    if weights is None:
        return xp.mean(a, axis=axis, keepdims=keepdims)
    if weights.ndim != a.ndim:  # those of the axes, in their order
        axes = axes_of(axis, a.ndim)
        weights = xp.permute_dims(weights, tuple(sorted(range(len(axes)), key=axes.__getitem__)))
        weights = xp.reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(a.shape)))
    total = xp.sum(weights + 0.0 * a, axis=axis, keepdims=keepdims)
    return xp.sum(weights * a, axis=axis, keepdims=keepdims) / total


def cov(xp: Any, m: Array, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Array:
    """Covariances of the rows."""
    rows = [at_least(xp, a, 2) for a in (m, y) if a is not None]
    m = xp.concat([a if rowvar or a.shape[0] == 1 else a.T for a in rows])
    c = m - xp.mean(m, axis=1, keepdims=True)
    y = c @ conj(xp, c.T) / max(m.shape[1] - (ddof if ddof is not None else 0 if bias else 1), 0)
    return xp.reshape(y, ()) if y.shape == (1, 1) else y


def corrcoef(xp: Any, x: Array, y: Any = None, rowvar: bool = True) -> Array:
    """Correlations of the rows: their covariances over their standard deviations."""
    c = cov(xp, x, y, rowvar)
    if c.ndim == 0:
        return c / c
    s = xp.sqrt(xp.real(xp.linalg.diagonal(c)))
    return c / s[:, None] / s[None, :]


def histogram(xp: Any, a: Array, bins: Any = 10, range: Any = None, weights: Any = None, density: Any = None) -> Any:
    """Counts, which are constant, and the edges; not the sums of weights with a derivative."""
    if isinstance(weights, Traced) or isinstance(bins, str):
        raise Derivative("numpy.histogram has no derivative here with weights that carry one, nor with bins by name; "
                         "sum them by masks, or hand in the edges")  # fmt: skip
    found: tuple[Any, Any] = numpy.histogram(raw(a), raw(bins), range, weights=weights)
    counts, edges = found
    if isinstance(bins, int) and range is None:
        low, high = xp.min(a), xp.max(a)
        half = 0.5 * (raw(low) == raw(high))  # NumPy's, where all are the same
        edges = xp.linspace(low - half, high + half, bins + 1)
    elif isinstance(bins, Traced):
        edges = bins
    if density:
        counts = counts / ((edges[1:] - edges[:-1]) * counts.sum())
    return counts, edges


def bincount(xp: Any, x: Any, weights: Array, minlength: int = 0) -> Array:
    """The weights of each number, summed."""
    x = xp.asarray(x, device=device(raw(weights)))
    n = max(minlength, 1 + max(map(int, x), default=-1))
    return xp.apply(ADD_AT, (weights, x), {"shape": (n,), "axis": 0})


def piecewise(xp: Any, x: Array, condlist: Any, funclist: Any, args: Any = (), kw: Any = None) -> Array:
    """On the entries where a condition holds the function that belongs to it, or the number; last a default, or 0."""
    one = not isinstance(condlist, (list, tuple)) or (x.ndim and not hasattr(condlist[0], "__len__"))
    like = {"dtype": xp.bool, "device": device(raw(x))}
    conditions = [xp.asarray(c, **like) for c in ([condlist] if one else condlist)]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~xp.any(xp.stack(conditions), axis=0))
    if len(funclist) != len(conditions):
        raise ValueError(f"piecewise takes a function for each of {len(conditions)} conditions, and perhaps a default; "
                         f"got {len(funclist)}")  # fmt: skip
    y = xp.where(xp.zeros(x.shape, **like), x, 0.0)
    for condition, f in zip(conditions, funclist, strict=True):
        if bool(xp.any(condition)):
            y[condition] = f(x[condition], *args, **(kw or {})) if callable(f) else f
    return y


def trapezoid(xp: Any, y: Array, x: Any = None, dx: float = 1.0, axis: int = -1) -> Array:
    """Σ (yᵢ + yᵢ₊₁)/2 Δx."""
    y = xp.moveaxis(y, axis, -1)
    if x is not None:
        x = xp.moveaxis(x, axis, -1) if x.ndim > 1 else x
        dx = x[..., 1:] - x[..., :-1]
    return xp.sum(0.5 * (y[..., 1:] + y[..., :-1]) * dx, axis=-1)


def polyval(xp: Any, p: Any, x: Any) -> Array:
    """Horner's scheme, the highest power first."""
    y = 0.0 * x
    for i in range(len(p)):
        y = y * x + p[i]
    return y


#: The functions by NumPy's names.
OF_SAMPLES: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (gradient, diff, convolve, correlate, interp, select, heaviside, vander, nan_to_num,
                               rot90, average, cov, corrcoef, histogram, bincount, piecewise, trapezoid, polyval)},
    "broadcast_arrays": lambda xp, args: xp.broadcast_arrays(*args),
}  # fmt: skip
