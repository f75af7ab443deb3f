"""NumPy's functions beyond the standard, as compositions: for course code that is written with ``numpy``.

Each has NumPy's arguments behind ``xp``, the namespace that records; what is not here and not in the standard is
refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from array_api_compat import device

from xnn.autodiff.linear import axes_of
from xnn.autodiff.numpy_samples import OF_SAMPLES
from xnn.autodiff.rule import conj
from xnn.autodiff.tracing import Derivative, Traced, raw
from xnn.contract import Array
from xnn.host import numpy

__all__ = ["FUNCTIONS"]


def einsum(xp: Any, operands: Any, optimize: Any = False) -> Array:
    """Σ over the letters that the result lacks of the product of all operands; every letter becomes an axis."""
    subscripts, *arrays = operands
    arrays = _arrays(xp, arrays) if isinstance(subscripts, str) else arrays
    if not isinstance(subscripts, str) or "..." in subscripts:
        raise Derivative("numpy.einsum has a derivative for subscripts such as 'ij,jk->ik' only, without an ellipsis")
    inputs, _, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    letters = sorted(set(inputs) - {","})
    if "->" not in subscripts:
        output = "".join(letter for letter in letters if inputs.count(letter) == 1)
    if len(terms) == 2 and all(len(set(t)) == len(t) for t in terms):
        return _pair(xp, terms, arrays, output)
    order = [*output, *(letter for letter in letters if letter not in output)]
    total = None
    for term, a in zip(terms, arrays, strict=True):
        term, a = _without_repeats(xp, term, a)
        kept = [letter for letter in order if letter in term]
        a = xp.permute_dims(a, tuple(term.index(letter) for letter in kept))
        sizes = iter(a.shape)
        a = xp.reshape(a, tuple(next(sizes) if letter in term else 1 for letter in order))
        total = a if total is None else total * a
    summed = tuple(range(len(output), len(order)))
    return xp.sum(total, axis=summed) if summed else total


def _pair(xp: Any, terms: list[str], arrays: list[Array], output: str) -> Array:
    """Two operands by one product of matrices: letters in both and in the result, in one, in both but summed."""
    a, b = terms
    for i, (mine, other) in enumerate(((a, b), (b, a))):  # what only one operand has and nobody wants
        alone = [k for k, letter in enumerate(mine) if letter not in other and letter not in output]
        if alone:
            arrays[i] = xp.sum(arrays[i], axis=tuple(alone))
            terms[i] = "".join(letter for k, letter in enumerate(mine) if k not in alone)
    a, b = terms
    both = [letter for letter in a if letter in b and letter in output]
    summed = [letter for letter in a if letter in b and letter not in output]
    rows, columns = [c for c in a if c not in b], [c for c in b if c not in a]
    size = dict(zip(a + b, (*arrays[0].shape, *arrays[1].shape), strict=True))

    def matrix(which: int, *groups: list[str]) -> Array:
        order = [terms[which].index(letter) for group in groups for letter in group]
        shape = (*(size[letter] for letter in groups[0]), *(math.prod(size[c] for c in g) for g in groups[1:]))
        return xp.reshape(xp.permute_dims(arrays[which], tuple(order)), shape)

    y = matrix(0, both, rows, summed) @ matrix(1, both, summed, columns)
    found = [*both, *rows, *columns]
    y = xp.reshape(y, tuple(size[letter] for letter in found))
    return xp.permute_dims(y, tuple(found.index(letter) for letter in output)) if found else y


def _without_repeats(xp: Any, term: str, a: Array) -> tuple[str, Array]:
    """The diagonal where a letter comes twice."""
    for letter in set(term):
        while term.count(letter) > 1:
            i, j = term.index(letter), term.rindex(letter)
            a = xp.linalg.diagonal(xp.moveaxis(a, (i, j), (-2, -1)))
            term = "".join(c for k, c in enumerate(term) if k not in (i, j)) + letter
    return term, a


def diag(xp: Any, v: Array, k: int = 0) -> Array:
    """The diagonal of a matrix, or a matrix with this diagonal."""
    if v.ndim == 2:
        return xp.linalg.diagonal(v, offset=k)
    n = v.shape[0] + abs(k)
    rows = xp.zeros((n, n), dtype=v.dtype, device=device(raw(v)))
    side = v[None, :] if k >= 0 else v[:, None]
    before, after = max(k, 0) if k >= 0 else -k, 0
    wide = xp.concat([rows[:1, :before], side, rows[:1, :after]], axis=1) if k >= 0 else xp.concat(
        [rows[:before, :1], side], axis=0)  # fmt: skip
    return xp.where(xp.eye(n, k=k, dtype=xp.bool, device=device(raw(v))), wide, 0.0)


def norm(xp: Any, x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Of vectors, or of matrices where there are two axes and an order."""
    if ord is None or (x.ndim == 1 and axis is None) or isinstance(axis, int):
        return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)
    if axis is not None:
        x = xp.moveaxis(x, axis, (-2, -1))
    if keepdims and axis is not None:
        raise Derivative("numpy.linalg.norm of matrices with keepdims=True has no derivative here; reshape the result")
    return xp.linalg.matrix_norm(x, ord=ord, keepdims=keepdims)


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


def split(xp: Any, ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts of equal length, or between these places."""
    n = ary.shape[axis]
    if isinstance(indices_or_sections, int):
        if n % indices_or_sections:
            raise ValueError(f"an axis of {n} entries is not split into {indices_or_sections} equal parts")
        step = n // indices_or_sections
        places = [step * i for i in range(1, indices_or_sections)]
    else:
        places = [int(i) for i in indices_or_sections]
    before = (slice(None),) * (axis % ary.ndim)
    return [ary[(*before, slice(i, j), ...)] for i, j in zip([0, *places], [*places, n], strict=True)]


def kron(xp: Any, a: Array, b: Array) -> Array:
    """Every entry of a times b."""
    ndim = max(a.ndim, b.ndim)
    a, b = (xp.reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape)) for x in (a, b))
    left = xp.reshape(a, tuple(n for m in a.shape for n in (m, 1)))
    right = xp.reshape(b, tuple(n for m in b.shape for n in (1, m)))
    return xp.reshape(left * right, tuple(n * m for n, m in zip(a.shape, b.shape, strict=True)))


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


def joined(axis: int, least: int) -> Callable[..., Array]:
    """vstack, hstack and dstack."""

    def stack(xp: Any, tup: Any) -> Array:
        arrays = [_at_least(xp, a, least) for a in _arrays(xp, tup)]
        return xp.concat(arrays, axis=0 if arrays[0].ndim == 1 else axis)

    return stack


def _arrays(xp: Any, every: Any) -> list[Array]:
    """Numbers as arrays, like the first of the others."""
    first = next(a for a in every if hasattr(a, "shape"))
    like = {"dtype": first.dtype, "device": device(raw(first))}
    return [a if hasattr(a, "shape") else xp.asarray(a, **like) for a in every]


def _at_least(xp: Any, a: Array, least: int) -> Array:
    if a.ndim >= least:
        return a
    shape = (1, *a.shape, 1) if least == 3 and a.ndim == 1 else (1,) * (least - a.ndim) + tuple(a.shape)
    return xp.reshape(a, (*a.shape, 1) if least == 3 and a.ndim == 2 else shape)


def column_stack(xp: Any, tup: Any) -> Array:
    """Vectors as columns."""
    return xp.concat([a[:, None] if a.ndim == 1 else a for a in _arrays(xp, tup)], axis=1)


def append(xp: Any, arr: Any, values: Any, axis: int | None = None) -> Array:
    """Behind the others; all along one axis where none is named."""
    both = _arrays(xp, (arr, values))
    return xp.concat([xp.reshape(a, (-1,)) for a in both] if axis is None else both, axis=axis or 0)


def atleast(least: int) -> Callable[..., Any]:
    """atleast_1d and atleast_2d."""

    def function(xp: Any, arys: Any) -> Any:
        every = tuple(_at_least(xp, a, least) for a in _arrays(xp, arys))
        return every[0] if len(every) == 1 else every

    return function


def cov(xp: Any, m: Array, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Array:
    """Covariances of the rows."""
    if y is not None:
        raise Derivative("numpy.cov with y= has no derivative here; stack the rows")
    m = _at_least(xp, m, 2)
    m = m if rowvar else m.T
    c = m - xp.mean(m, axis=1, keepdims=True)
    y = c @ conj(xp, c.T) / (m.shape[1] - (ddof if ddof is not None else 0 if bias else 1))
    return xp.reshape(y, ()) if y.shape == (1, 1) else y


def cumulative(name: str) -> Callable[..., Array]:
    """cumsum and cumprod, over all entries where no axis is named."""

    def function(xp: Any, a: Array, axis: int | None = None, dtype: Any = None) -> Array:
        a = xp.reshape(a, (-1,)) if axis is None else a
        return getattr(xp, name)(a, axis=axis or 0, dtype=dtype)

    return function


def pad(xp: Any, array: Array, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Array:
    """Constants around it."""
    if mode != "constant" or not isinstance(constant_values, (int, float)):
        raise Derivative(f"numpy.pad with mode={mode!r} has no derivative here; only with one constant")
    for axis, (before, after) in enumerate(numpy.broadcast_to(pad_width, (array.ndim, 2)).tolist()):
        like = {"dtype": array.dtype, "device": device(raw(array))}
        ends = [xp.full((*array.shape[:axis], n, *array.shape[axis + 1 :]), constant_values, **like)
                for n in (before, after)]  # fmt: skip
        array = xp.concat([ends[0], array, ends[1]], axis=axis)
    return array


def histogram(xp: Any, a: Array, bins: Any = 10, range: Any = None, weights: Any = None, density: Any = None) -> Any:
    """Counts, which are constant; not the sums of weights with a derivative."""
    if isinstance(weights, Traced):
        raise Derivative("numpy.histogram with weights that carry a derivative has none here; sum them by masks")
    return numpy.histogram(raw(a), raw(bins), range, weights=weights, density=density)


def _constant(name: str) -> Callable[..., Any]:
    """What carries no derivative, of NumPy arrays, as NumPy gives it."""

    def function(xp: Any, *args: Any, **options: Any) -> Any:
        return getattr(numpy, name)(*map(raw, args), **{key: raw(value) for key, value in options.items()})

    return function


#: The functions by NumPy's names; ufuncs among them.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **OF_SAMPLES,
    **{f.__name__: f for f in (einsum, diag, norm, average, split, kron, trapezoid, polyval, column_stack, append, cov,
                               pad, histogram)},
    "vstack": joined(0, 2), "hstack": joined(1, 1), "dstack": joined(2, 3),
    "atleast_1d": atleast(1), "atleast_2d": atleast(2), "atleast_3d": atleast(3),
    "cumsum": cumulative("cumulative_sum"), "cumprod": cumulative("cumulative_prod"),
    "diagflat": lambda xp, v, k=0: diag(xp, xp.reshape(v, (-1,)), k),
    "vdot": lambda xp, a, b: xp.vecdot(xp.reshape(a, (-1,)), xp.reshape(b, (-1,))),
    "multi_dot": lambda xp, arrays: _product(list(arrays)),
    "copy": lambda xp, a: xp.asarray(a, copy=True),
    "tile": lambda xp, A, reps: xp.tile(A, (reps,) if isinstance(reps, int) else tuple(reps)),
    "ptp": lambda xp, a, axis=None, keepdims=False: (
        xp.max(a, axis=axis, keepdims=keepdims) - xp.min(a, axis=axis, keepdims=keepdims)),
    "nansum": lambda xp, a, axis=None, keepdims=False: xp.sum(
        xp.where(xp.isnan(a), 0.0, a), axis=axis, keepdims=keepdims),
    "fliplr": lambda xp, m: xp.flip(m, axis=1),
    "flipud": lambda xp, m: xp.flip(m, axis=0),
    "meshgrid": lambda xp, xi, indexing="xy": xp.meshgrid(*xi, indexing=indexing),
    "matrix_power": lambda xp, a, n: xp.linalg.matrix_power(a, n),
    "astype": lambda xp, x, dtype: xp.astype(x, dtype),
    "exp2": lambda xp, x: 2.0**x,
    "cbrt": lambda xp, x: xp.sign(x) * xp.abs(x) ** (1.0 / 3.0),
    "deg2rad": lambda xp, x: x * (math.pi / 180.0), "radians": lambda xp, x: x * (math.pi / 180.0),
    "rad2deg": lambda xp, x: x * (180.0 / math.pi), "degrees": lambda xp, x: x * (180.0 / math.pi),
    "angle": lambda xp, z, deg=False: xp.atan2(xp.imag(z), xp.real(z)) * (180.0 / math.pi if deg else 1.0),
    "fmax": lambda xp, x1, x2: _but_nan(xp, xp.maximum, x1, x2),
    "fmin": lambda xp, x1, x2: _but_nan(xp, xp.minimum, x1, x2),
    "logaddexp2": lambda xp, a, b: xp.logaddexp(a * math.log(2.0), b * math.log(2.0)) / math.log(2.0),
    "fmod": lambda xp, a, b: a - b * xp.trunc(a / b),
    "sinc": lambda xp, x: _sinc(xp, x),
    **{name: _constant(name) for name in ("allclose", "isclose", "array_equal", "argwhere", "flatnonzero", "rint",
                                          "around", "fix", "digitize", "spacing", "signbit")},
}  # fmt: skip


def _but_nan(xp: Any, extreme: Any, a: Any, b: Any) -> Array:
    """The larger or smaller one; where one is NaN, the other."""
    a, b = _arrays(xp, (a, b))
    return xp.where(xp.isnan(a), b, xp.where(xp.isnan(b), a, extreme(a, b)))


def _product(arrays: list[Array]) -> Array:
    y = arrays[-1]
    for a in arrays[-2::-1]:
        y = a @ y
    return y


def _sinc(xp: Any, x: Array) -> Array:
    """sin πx / πx, by its series near 0, so that its derivatives there are right."""
    near = xp.abs(x) < 1e-2
    z = math.pi * xp.where(near, 1.0, x)
    s = (math.pi * xp.where(near, x, 0.0)) ** 2
    series = 1.0 - s / 6.0 * (1.0 - s / 20.0 * (1.0 - s / 42.0 * (1.0 - s / 72.0)))
    return xp.where(near, series, xp.sin(z) / z)
