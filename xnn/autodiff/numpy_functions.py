"""NumPy's functions beyond the standard, as compositions: for course code that is written with ``numpy``.

Each has NumPy's arguments behind ``xp``, the namespace that records; what is not here and not in the standard is
refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xnn.autodiff.numpy_arrays import arrays_of
from xnn.autodiff.numpy_joins import JOINS
from xnn.autodiff.numpy_matrices import OF_MATRICES
from xnn.autodiff.numpy_reductions import REDUCTIONS
from xnn.autodiff.numpy_samples import OF_SAMPLES
from xnn.autodiff.tracing import raw
from xnn.contract import Array
from xnn.host import numpy

__all__ = ["FUNCTIONS"]


def cumulative(name: str) -> Callable[..., Array]:
    """cumsum and cumprod, over all entries where no axis is named."""

    def function(xp: Any, a: Array, axis: int | None = None, dtype: Any = None) -> Array:
        a = xp.reshape(a, (-1,)) if axis is None else a
        return getattr(xp, name)(a, axis=axis or 0, dtype=dtype)

    return function


def _constant(name: str) -> Callable[..., Any]:
    """What carries no derivative, of NumPy arrays, as NumPy gives it."""

    def function(xp: Any, *args: Any, **options: Any) -> Any:
        return getattr(numpy, name)(*map(raw, args), **{key: raw(value) for key, value in options.items()})

    return function


#: The functions by NumPy's names; ufuncs among them.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **JOINS, **OF_MATRICES, **OF_SAMPLES, **REDUCTIONS,
    "cumsum": cumulative("cumulative_sum"), "cumprod": cumulative("cumulative_prod"),
    "copy": lambda xp, a: xp.asarray(a, copy=True),
    "tile": lambda xp, A, reps: xp.tile(A, (reps,) if isinstance(reps, int) else tuple(reps)),
    "ptp": lambda xp, a, axis=None, keepdims=False: (
        xp.max(a, axis=axis, keepdims=keepdims) - xp.min(a, axis=axis, keepdims=keepdims)),
    "fliplr": lambda xp, m: xp.flip(m, axis=1),
    "flipud": lambda xp, m: xp.flip(m, axis=0),
    "meshgrid": lambda xp, xi, indexing="xy": xp.meshgrid(*xi, indexing=indexing),
    "astype": lambda xp, x, dtype: xp.astype(x, dtype),
    "exp2": lambda xp, x: 2.0**x,
    "cbrt": lambda xp, x: xp.sign(x) * xp.abs(x) ** (1.0 / 3.0),
    "deg2rad": lambda xp, x: x * (math.pi / 180.0), "radians": lambda xp, x: x * (math.pi / 180.0),
    "rad2deg": lambda xp, x: x * (180.0 / math.pi), "degrees": lambda xp, x: x * (180.0 / math.pi),
    "angle": lambda xp, z, deg=False: xp.atan2(xp.imag(z), xp.real(z)) * (180.0 / math.pi if deg else 1.0),
    "fmax": lambda xp, x1, x2: _but_nan(xp, xp.maximum, x1, x2),
    "fmin": lambda xp, x1, x2: _but_nan(xp, xp.minimum, x1, x2),
    "logaddexp2": lambda xp, a, b: xp.logaddexp(a * math.log(2.0), b * math.log(2.0)) / math.log(2.0),
    "fmod": lambda xp, a, b: _fmod(xp, *arrays_of(xp, (a, b))),
    "divmod": lambda xp, a, b: (xp.floor_divide(a, b), xp.remainder(a, b)),
    "sinc": lambda xp, x: _sinc(xp, x),
    "rint": lambda xp, x: xp.round(x), "fix": lambda xp, x: xp.trunc(x),
    **{name: _constant(name) for name in ("allclose", "isclose", "array_equal", "argwhere", "flatnonzero", "around",
                                          "digitize", "spacing", "signbit", "isreal", "iscomplex", "isrealobj",
                                          "iscomplexobj", "argpartition")},
    # Those of scipy.special are ufuncs, too.
    "expit": lambda xp, x: xp.exp(-xp.logaddexp(xp.zeros_like(x), -x)),
    "log_expit": lambda xp, x: -xp.logaddexp(xp.zeros_like(x), -x),
    "logit": lambda xp, x: xp.log(x) - xp.log1p(-x),
    "xlogy": lambda xp, x, y: _xlogy(xp, *arrays_of(xp, (x, y))),
}  # fmt: skip


def _but_nan(xp: Any, extreme: Any, a: Any, b: Any) -> Array:
    """The larger or smaller one; where one is NaN, the other."""
    a, b = arrays_of(xp, (a, b))
    return xp.where(xp.isnan(a), b, xp.where(xp.isnan(b), a, extreme(a, b)))


def _fmod(xp: Any, a: Array, b: Array) -> Array:
    """The remainder with the sign of a."""
    b = xp.abs(b)
    return xp.where(raw(a) < 0.0, -xp.remainder(-a, b), xp.remainder(a, b))


def _xlogy(xp: Any, x: Array, y: Array) -> Array:
    """x log y, 0 for 0 log 0."""
    return x * xp.log(xp.where((x == 0.0) & (y == 0.0), 1.0, y))


def _sinc(xp: Any, x: Array) -> Array:
    """sin πx / πx, by its series near 0, so that its derivatives there are right."""
    near = xp.abs(x) < 1e-2
    z = math.pi * xp.where(near, 1.0, x)
    s = (math.pi * xp.where(near, x, 0.0)) ** 2
    series = 1.0 - s / 6.0 * (1.0 - s / 20.0 * (1.0 - s / 42.0 * (1.0 - s / 72.0)))
    return xp.where(near, series, xp.sin(z) / z)
