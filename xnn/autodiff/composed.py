"""Functions that are compositions of others; ``xp`` is a namespace that records, so derivatives follow.

They are used for traced arrays only; with plain arrays the library's own function runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from array_api_compat import device
from array_api_compat import device as array_device

from xnn.autodiff import elementwise
from xnn.autodiff.linear import axes_of
from xnn.autodiff.rule import conj, is_complex
from xnn.autodiff.tracing import raw
from xnn.contract import Array

__all__ = ["COMPOSED", "gather", "root", "squares"]


def gather(xp: Any, x: Array, chosen: Callable[[Array], Array]) -> Array:
    """The entries of x that ``chosen`` picks from any array of that shape, by what it picks of their places."""
    size = math.prod(x.shape)
    places = chosen(xp.reshape(xp.arange(size, device=device(x)), x.shape))
    return xp.reshape(xp.take(xp.reshape(x, (size,)), xp.reshape(places, (-1,)), axis=0), places.shape)


def take_along_axis(xp: Any, x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """xⱼ for the indices j along an axis."""
    return gather(xp, x, lambda places: xp.base_namespace.take_along_axis(places, indices, axis=axis))


def sign(xp: Any, x: Array, /) -> Array:
    """x/|x|, and 0 for 0; constant for real numbers."""
    return elementwise.sign(xp, x) if is_complex(x) else xp.base_namespace.sign(raw(x))


def linspace(
    xp: Any, start: Any, stop: Any, /, num: int = 50, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Array:
    """(1 − t) x₀ + t x₁ for evenly spaced t, along a new first axis where x₀ or x₁ has axes."""
    end = next(a for a in (start, stop) if hasattr(a, "dtype"))
    where = {"dtype": xp.real(raw(end)).dtype if is_complex(end) else end.dtype, "device": array_device(end)}
    axes = max(getattr(a, "ndim", 0) for a in (start, stop))
    t = xp.reshape(xp.linspace(0.0, 1.0, num, endpoint=endpoint, **where), (num, *(1,) * axes))
    y = (1.0 - t) * start + t * stop
    return y if dtype is None else xp.astype(y, dtype)


def squares(xp: Any, x: Array) -> Array:
    """|x|²."""
    return x * x if not is_complex(x) else xp.real(x * xp.conj(x))


def root(xp: Any, x: Array) -> Array:
    """√x, with the derivative 0 at 0: of a norm or a standard deviation, as in PyTorch."""
    zero = x == 0.0
    return xp.where(zero, 0.0, xp.sqrt(xp.where(zero, 1.0, x)))


def mean(xp: Any, x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Σ x / n."""
    n = math.prod(x.shape[a] for a in axes_of(axis, x.ndim))
    return xp.sum(x, axis=axis, keepdims=keepdims) / n


def var(xp: Any, x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """Σ |x − mean|² / (n − correction)."""
    n = math.prod(x.shape[a] for a in axes_of(axis, x.ndim))
    c = x - xp.sum(x, axis=axis, keepdims=True) / n
    return xp.sum(squares(xp, c), axis=axis, keepdims=keepdims) / max(n - correction, 0)


def std(xp: Any, x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """√ of the variance."""
    return root(xp, var(xp, x, axis=axis, correction=correction, keepdims=keepdims))


def prod(xp: Any, x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """Π x by halves, (x₁ x₂)(x₃ x₄)…, whose derivative is right for zeros too."""
    x = x if dtype is None else xp.astype(x, dtype)
    shape = tuple(1 if i in axes_of(axis, x.ndim) else n for i, n in enumerate(x.shape))
    for a in axes_of(axis, x.ndim):
        x = xp.moveaxis(x, a, 0)
        if x.shape[0] == 0:
            x = xp.ones((1, *x.shape[1:]), dtype=x.dtype, device=device(x))
        while (n := x.shape[0]) > 1:
            y = x[0 : n - 1 : 2, ...] * x[1:n:2, ...]
            x = xp.concat([y, x[n - 1 :, ...]]) if n % 2 else y
        x = xp.moveaxis(x, 0, a)
    return x if keepdims else xp.reshape(x, tuple(n for i, n in enumerate(shape) if i not in axes_of(axis, len(shape))))


def cumulative_prod(
    xp: Any, x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """x₁, x₁x₂, …: after the step s = 1, 2, 4, … each entry is the product of the last 2s."""
    x = xp.moveaxis(x if dtype is None else xp.astype(x, dtype), axis or 0, 0)
    s = 1
    while s < x.shape[0]:
        x = xp.concat([x[:s, ...], x[s:, ...] * x[:-s, ...]])
        s *= 2
    if include_initial:
        x = xp.concat([xp.ones((1, *x.shape[1:]), dtype=x.dtype, device=device(x)), x])
    return xp.moveaxis(x, 0, axis or 0)


def clip(xp: Any, x: Array, /, min: Any = None, max: Any = None) -> Array:
    """x between two bounds; on a bound the derivative by x is 1 and by the bound 0, as in PyTorch."""
    if min is not None:
        x = xp.where(raw(x) < raw(min), min, x)
    if max is not None:
        x = xp.where(raw(x) > raw(max), max, x)
    return x


def tensordot(xp: Any, a: Array, b: Array, /, *, axes: Any = 2) -> Array:
    """Σ over pairs of axes: a product of two matrices, after the summed axes of a went last and those of b first."""
    if isinstance(axes, int):
        axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    mine, theirs = axes_of(axes[0], a.ndim), axes_of(axes[1], b.ndim)
    rows = tuple(i for i in range(a.ndim) if i not in mine)
    columns = tuple(i for i in range(b.ndim) if i not in theirs)
    m = math.prod(a.shape[i] for i in mine)
    left = xp.reshape(xp.permute_dims(a, (*rows, *mine)), (math.prod(a.shape[i] for i in rows), m))
    right = xp.reshape(xp.permute_dims(b, (*theirs, *columns)), (m, math.prod(b.shape[i] for i in columns)))
    return xp.reshape(left @ right, (*(a.shape[i] for i in rows), *(b.shape[i] for i in columns)))


def vecdot(xp: Any, a: Array, b: Array, /, *, axis: int = -1) -> Array:
    """Σ conj(a) b along an axis."""
    return xp.sum(conj(xp, a) * b, axis=axis)


def outer(xp: Any, a: Array, b: Array, /) -> Array:
    """aᵢ bⱼ."""
    return a[:, None] * b[None, :]


def repeat(xp: Any, x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Each entry several times."""
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    places = xp.arange(x.shape[axis], device=device(x))
    repeats = xp.asarray(repeats, device=device(x)) if isinstance(repeats, (list, tuple)) else repeats
    return xp.take(x, xp.base_namespace.repeat(places, repeats), axis=axis)


def tile(xp: Any, x: Array, repetitions: tuple[int, ...], /) -> Array:
    """The array several times along each axis."""
    ndim = max(x.ndim, len(repetitions))
    times = (1,) * (ndim - len(repetitions)) + tuple(repetitions)
    shape = (1,) * (ndim - x.ndim) + tuple(x.shape)
    pairs = tuple(n for n in shape for n in (1, n))
    wide = tuple(n for t, m in zip(times, shape, strict=True) for n in (t, m))
    return xp.reshape(
        xp.broadcast_to(xp.reshape(x, pairs), wide), tuple(t * n for t, n in zip(times, shape, strict=True))
    )


def unstack(xp: Any, x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The slices along an axis."""
    before = (slice(None),) * axes_of(axis, x.ndim)[0]
    return tuple(x[(*before, i, ...)] for i in range(x.shape[axis]))


def broadcast_arrays(xp: Any, *arrays: Array) -> tuple[Array, ...]:
    """All of one shape."""
    shape = xp.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(xp.broadcast_to(a, shape) for a in arrays)


def meshgrid(xp: Any, *arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    """Coordinates of a grid."""
    n = len(arrays)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    shaped = [xp.reshape(a, tuple(-1 if k == order[i] else 1 for k in range(n))) for i, a in enumerate(arrays)]
    return broadcast_arrays(xp, *shaped)


def diff(
    xp: Any, x: Array, /, *, axis: int = -1, n: int = 1, prepend: Array | None = None, append: Array | None = None
) -> Array:
    """Differences of neighbors, n times over."""
    parts = [a for a in (prepend, x, append) if a is not None]
    x = xp.concat(parts, axis=axis) if len(parts) > 1 else x
    before = (slice(None),) * axes_of(axis, x.ndim)[0]
    for _ in range(n):
        x = x[(*before, slice(1, None), ...)] - x[(*before, slice(None, -1), ...)]
    return x


def diagonal(xp: Any, x: Array, /, *, offset: int = 0) -> Array:
    """The entries (k, k + offset) of the last two axes."""
    n, m = x.shape[-2:]
    r, c = max(-offset, 0), max(offset, 0)
    length = max(min(n - r, m - c), 0)
    eye = xp.eye(length, dtype=xp.bool, device=device(x))
    return xp.sum(xp.where(eye, x[..., r : r + length, c : c + length], 0.0), axis=-1)


def trace(xp: Any, x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """Σ of the diagonal."""
    y = xp.sum(diagonal(xp, x, offset=offset), axis=-1)
    return y if dtype is None else xp.astype(y, dtype)


def vector_norm(xp: Any, x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:
    """(Σ |x|ᵖ)^(1/p); the derivative by an entry is 0 where none exists, as in PyTorch."""
    o = {"axis": axis, "keepdims": keepdims}
    if ord == 2:
        return root(xp, xp.sum(squares(xp, x), **o))
    if ord == 0:
        x = raw(x)
        return xp.sum(xp.astype(x != 0, xp.abs(x).dtype), **o)
    x = xp.abs(x)
    if ord == 1:
        return xp.sum(x, **o)
    if math.isinf(ord):
        return (xp.max if ord > 0 else xp.min)(x, **o)
    zero = raw(x) == 0.0
    y = xp.sum(xp.where(zero, 0.0, xp.where(zero, 1.0, x) ** ord), **o)
    none = xp.any(zero, **o) if ord < 0 else raw(y) == 0.0
    return xp.where(none, 0.0, xp.where(none, 1.0, y) ** (1.0 / ord))


def cross(xp: Any, a: Array, b: Array, /, *, axis: int = -1) -> Array:
    """(a₂b₃ − a₃b₂, a₃b₁ − a₁b₃, a₁b₂ − a₂b₁)."""
    a, b = xp.broadcast_arrays(a, b)
    if a.shape[axis] != 3:
        raise ValueError(
            f"cross takes vectors of 3 numbers, got {a.shape[axis]} along axis {axis}; "
            "of vectors of 2 it is a[..., 0]*b[..., 1] - a[..., 1]*b[..., 0]"
        )
    (a1, a2, a3), (b1, b2, b3) = xp.unstack(a, axis=axis), xp.unstack(b, axis=axis)
    return xp.stack([a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1], axis=axis)


_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    sign, linspace, take_along_axis, mean, var, std, prod, cumulative_prod, clip, tensordot, vecdot, outer, repeat,
    tile, unstack, broadcast_arrays, meshgrid, diff, diagonal, trace, vector_norm, cross,
)  # fmt: skip

#: The functions by their names.
COMPOSED: dict[str, Callable[..., Any]] = {f.__name__: f for f in _FUNCTIONS}
