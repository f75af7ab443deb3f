"""NumPy's namespace of the standard, with the detours taken out of the functions that a training step calls.

A small network is bound by the number of Python calls. NumPy's own ``sum``, ``reshape`` and others are
wrappers in Python around the ufunc or the method that does the work; here the latter is called directly.
Results are the same to the bit, but for sums along one axis of a matrix, which are products with ones; whatever is
not named here is array-api-compat's.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any

import array_api_compat.numpy
import numpy
from xnn.backends.numpy_memory import copied, empty

__all__ = ["fast"]

_compat: Any = array_api_compat.numpy
_add: Any = numpy.add.reduce
_maximum: Any = numpy.maximum.reduce
_minimum: Any = numpy.minimum.reduce
_NARROW = 64
_BITS: dict[Any, Any] = {numpy.dtype("float32"): numpy.int32, numpy.dtype("float64"): numpy.int64}
_BOOL = numpy.dtype(bool)
_ZERO = (0.0).hex()  # -0.0 has another one


def _sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    if dtype is None and x.ndim == 2 and x.dtype.kind == "f":
        if axis == 0 and not keepdims:
            return _ones(x.shape[0], x.dtype) @ x  # a third of the time for (32, 16), two thirds for (200, 64)
        if axis in (1, -1):
            sums = x @ _ones(x.shape[1], x.dtype)  # a third for (32, 2), a fifth for (200, 10)
            return sums.reshape(-1, 1) if keepdims else sums
    return _add(x, axis, dtype, None, keepdims)


@lru_cache(64)
def _ones(n: int, dtype: Any) -> Any:
    ones = numpy.ones(n, dtype)
    ones.flags.writeable = False
    return ones


def _max(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    if axis in (1, -1) and x.ndim == 2 and x.shape[1] <= _NARROW:
        # Rows of few numbers, such as the outputs of a classifier, as columns: a quarter of the time for (200, 10).
        found = _maximum(x.T.copy(), 0, None, None, False)
        return found.reshape(-1, 1) if keepdims else found
    return _maximum(x, axis, None, None, keepdims)


def _min(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return _minimum(x, axis, None, None, keepdims)


def _reshape(x: Any, /, shape: Any, *, copy: bool | None = None) -> Any:
    return x.reshape(shape) if copy is None else numpy.reshape(x, shape, copy=copy)


def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return x.astype(dtype, copy=copy)


def _where(condition: Any, x1: Any, x2: Any, /) -> Any:
    bits = _BITS.get(getattr(x1, "dtype", None))
    masked = bits is not None and type(x2) is float and x2.hex() == _ZERO
    if not masked or getattr(condition, "dtype", None) != _BOOL or condition.shape != x1.shape:
        return _compat.where(condition, x1, x2)
    # All bits of a number, or none: a half of the time for (200, 10), a tenth for (128, 512) without order.
    return (x1.view(bits) & -condition.astype(bits)).view(x1.dtype)


def _take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    return x.take(indices, axis)


def _broadcast_to(x: Any, /, shape: Any) -> Any:
    if x.ndim or type(shape) is not tuple:
        return numpy.broadcast_to(x, shape)
    made = numpy.ndarray(shape, x.dtype, numpy.asarray(x), 0, (0,) * len(shape))  # a tenth of the time
    made.flags.writeable = False
    return made


def _asarray(x: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    as_it_is = type(x) is numpy.ndarray and dtype is None and device is None
    made = x if as_it_is else _compat.asarray(x, dtype=dtype, device=device, copy=None if copy else copy)
    return copied(made) if copy else made


def _full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    made = empty(x.shape, x.dtype if dtype is None else dtype)
    made.fill(fill_value)
    return made


def _ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    ones = numpy.empty(x.shape, x.dtype if dtype is None else dtype)
    ones.fill(1)  # half the time of numpy.ones
    return ones


fast = ModuleType("xnn.backends.numpy_namespace.fast", "NumPy, by the shortest way.")
fast.__dict__.update({name: value for name, value in vars(_compat).items() if not name.startswith("__")})
fast.__dict__.update(sum=_sum, max=_max, min=_min, reshape=_reshape, astype=_astype, take=_take)
fast.__dict__.update(asarray=_asarray, full_like=_full_like, where=_where)
fast.__dict__.update(broadcast_to=_broadcast_to, ones_like=_ones_like)
fast.__dict__.update(
    __array_namespace_info__=_compat.__array_namespace_info__,
    __array_api_version__=_compat.__array_api_version__,
)
