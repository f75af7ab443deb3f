"""NumPy's reductions, with the arguments that the standard lacks, ``where=``, ``initial=``, ``dtype=``, or without NaN.

An entry that ``where`` leaves out counts as the neutral one, so it has no part in the derivative, whatever it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import add, mul
from typing import Any

from xnn.autodiff.composed import root, squares
from xnn.autodiff.tracing import Derivative
from xnn.contract import Array
from xnn.host import numpy

__all__ = ["REDUCTIONS"]


def _reduction(name: str, neutral: float, combine: Callable[[Any, Any, Any], Array]) -> Callable[..., Array]:
    def reduction(xp: Any, a: Array, initial: Any = None, where: Any = None, **options: Any) -> Array:
        y = getattr(xp, name)(a if where is None else xp.where(where, a, neutral), **options)
        return y if initial is None else combine(xp, y, initial)

    return reduction


def _mean(xp: Any, a: Array, dtype: Any = None, where: Any = None, **options: Any) -> Array:
    """Σ x / n, over those entries that count."""
    a = a if dtype is None else xp.astype(a, dtype)
    if where is None:
        return xp.mean(a, **options)
    return xp.sum(xp.where(where, a, 0.0), **options) / _count(xp, where, a, options)


def _count(xp: Any, where: Any, a: Array, options: dict[str, Any]) -> Array:
    return xp.sum(xp.where(where, xp.ones_like(xp.real(a)), 0.0), **options)


def _var(
    xp: Any, a: Array, ddof: float = 0, dtype: Any = None, where: Any = None, correction: float | None = None,
    **options: Any,
) -> Array:  # fmt: skip
    """Σ |x − mean|² / (n − ddof), over those entries that count."""
    a = a if dtype is None else xp.astype(a, dtype)
    ddof = ddof if correction is None else correction
    if where is None:
        return xp.var(a, correction=ddof, **options)
    a = xp.where(where, a, 0.0)
    c = xp.where(where, a - _mean(xp, a, where=where, **{**options, "keepdims": True}), 0.0)
    n = xp.clip(_count(xp, where, a, options) - ddof, 0.0)
    return xp.sum(squares(xp, c), **options) / n


def _std(xp: Any, a: Array, **options: Any) -> Array:
    return root(xp, _var(xp, a, **options))


def _but_nan(reduction: Callable[..., Array]) -> Callable[..., Array]:
    """The reduction of what is a number."""

    def function(xp: Any, a: Array, *, where: Any = True, **options: Any) -> Array:
        return reduction(xp, a, where=where & ~xp.isnan(a), **options)

    return function


def quantile(xp: Any, a: Array, q: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """The value below which the share q of the sorted entries lies, with straight lines between entries."""
    if not (axis is None or isinstance(axis, int)):
        raise Derivative("quantiles have derivatives here along one axis or all")
    if numpy.ndim(q):
        return xp.stack([quantile(xp, a, share, axis, keepdims) for share in q])
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"the share of a quantile is from 0 to 1 (a percentile from 0 to 100); got {q}")
    kept = tuple(1 if axis is None or i == axis % a.ndim else n for i, n in enumerate(a.shape))
    s = xp.sort(xp.reshape(a, (-1,)) if axis is None else xp.moveaxis(a, axis, -1))
    place = float(q) * (s.shape[-1] - 1)
    low = math.floor(place)
    t, high = place - low, math.ceil(place)
    y = s[..., low] if t == 0 else (1.0 - t) * s[..., low] + t * s[..., high]
    y = xp.where(xp.isnan(s[..., -1]), s[..., -1], y)  # NaN comes last
    return xp.reshape(y, kept) if keepdims else y


_PLAIN: dict[str, Callable[..., Array]] = {
    "sum": _reduction("sum", 0.0, lambda xp, y, a: add(y, a)),
    "prod": _reduction("prod", 1.0, lambda xp, y, a: mul(y, a)),
    "max": _reduction("max", -math.inf, lambda xp, y, a: xp.maximum(y, xp.asarray(a, dtype=y.dtype, device=y.device))),
    "min": _reduction("min", math.inf, lambda xp, y, a: xp.minimum(y, xp.asarray(a, dtype=y.dtype, device=y.device))),
    "mean": _mean,
    "var": _var,
    "std": _std,
}

#: The functions by NumPy's names.
REDUCTIONS: dict[str, Callable[..., Any]] = {
    **_PLAIN,
    **{f"nan{name}": _but_nan(reduction) for name, reduction in _PLAIN.items()},
    "amax": _PLAIN["max"], "amin": _PLAIN["min"],
    "quantile": quantile,
    "median": lambda xp, a, axis=None, keepdims=False: quantile(xp, a, 0.5, axis, keepdims),
    "percentile": lambda xp, a, q, axis=None, keepdims=False: quantile(
        xp, a, numpy.true_divide(q, 100.0), axis, keepdims),
}  # fmt: skip
