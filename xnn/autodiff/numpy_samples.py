"""NumPy's functions of samples and signals beyond the standard, as compositions: gradient, convolve, interp, median, ….

Each has NumPy's arguments behind the namespace that records.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from array_api_compat import device

from xnn.autodiff.rule import is_complex
from xnn.autodiff.tracing import Derivative, Traced, raw
from xnn.contract import Array
from xnn.host import numpy

__all__ = ["OF_SAMPLES"]


def gradient(xp: Any, f: Array, varargs: Any = (), axis: Any = None, edge_order: int = 1) -> Any:
    """Central differences inside and one-sided ones at the ends, along each axis; for spacings or coordinates."""
    axes = list(range(f.ndim)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    steps = list(varargs) or [1.0]
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


def quantile(xp: Any, a: Array, q: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """The value below which the share q of the sorted entries lies, with straight lines between entries."""
    if not (axis is None or isinstance(axis, int)):
        raise Derivative("quantiles have derivatives here along one axis or all")
    if numpy.ndim(q):
        return xp.stack([quantile(xp, a, share, axis, keepdims) for share in q])
    kept = tuple(1 if axis is None or i == axis % a.ndim else n for i, n in enumerate(a.shape))
    s = xp.sort(xp.reshape(a, (-1,)) if axis is None else xp.moveaxis(a, axis, -1))
    place = float(q) * (s.shape[-1] - 1)
    low = math.floor(place)
    t, high = place - low, math.ceil(place)
    y = s[..., low] if t == 0 else (1.0 - t) * s[..., low] + t * s[..., high]
    y = xp.where(xp.isnan(s[..., -1]), s[..., -1], y)  # NaN comes last
    return xp.reshape(y, kept) if keepdims else y


def vander(xp: Any, x: Array, N: int | None = None, increasing: bool = False) -> Array:
    """The powers of x as columns."""
    powers = range(x.shape[0] if N is None else N)
    return xp.stack([x**k for k in (powers if increasing else powers[::-1])], axis=-1)


def nan_to_num(xp: Any, x: Array, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    """Numbers in the place of NaN and infinities."""
    limits = xp.finfo(x.dtype)
    x = xp.where(xp.isnan(x), nan, x)
    x = xp.where(raw(x) == math.inf, float(limits.max) if posinf is None else posinf, x)
    return xp.where(raw(x) == -math.inf, float(limits.min) if neginf is None else neginf, x)


def nanmean(xp: Any, a: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The mean of what is a number."""
    none = xp.isnan(a)
    o = {"axis": axis, "keepdims": keepdims}
    return xp.sum(xp.where(none, 0.0, a), **o) / xp.sum(xp.astype(~none, a.dtype), **o)


def _nan_extreme(name: str, least: float) -> Callable[..., Array]:
    def function(xp: Any, a: Array, axis: Any = None, keepdims: bool = False) -> Array:
        return getattr(xp, name)(xp.where(xp.isnan(a), least, a), axis=axis, keepdims=keepdims)

    return function


def rot90(xp: Any, m: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """Turned by k quarters."""
    for _ in range(k % 4):
        order = list(range(m.ndim))
        order[axes[0]], order[axes[1]] = order[axes[1]], order[axes[0]]
        m = xp.flip(xp.permute_dims(m, tuple(order)), axis=axes[0])
    return m


def delete(xp: Any, arr: Array, obj: Any, axis: int | None = None) -> Array:
    """Without these entries, rows or columns."""
    if axis is None:
        arr, axis = xp.reshape(arr, (-1,)), 0
    left = numpy.delete(numpy.arange(arr.shape[axis]), obj)
    return xp.take(arr, xp.asarray(left, device=device(raw(arr))), axis=axis)


def array_split(xp: Any, ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts of nearly equal length, or between these places."""
    ends = numpy.array_split(numpy.arange(ary.shape[axis]), indices_or_sections)
    before = (slice(None),) * (axis % ary.ndim)
    starts = numpy.cumsum([0, *map(len, ends)]).tolist()
    return [ary[(*before, slice(i, j), ...)] for i, j in pairwise(starts)]


#: The functions by NumPy's names.
OF_SAMPLES: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (gradient, diff, convolve, correlate, interp, select, heaviside, quantile, vander,
                               nan_to_num, nanmean, rot90, delete, array_split)},
    "median": lambda xp, a, axis=None, keepdims=False: quantile(xp, a, 0.5, axis, keepdims),
    "percentile": lambda xp, a, q, axis=None, keepdims=False: quantile(
        xp, a, numpy.true_divide(q, 100.0), axis, keepdims),
    "nanmax": _nan_extreme("max", -math.inf), "nanmin": _nan_extreme("min", math.inf),
    "broadcast_arrays": lambda xp, args: xp.broadcast_arrays(*args),
}  # fmt: skip
