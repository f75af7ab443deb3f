"""Calls of NumPy's (or CuPy's) own functions on traced arrays: ``np.sin(x)``, ``np.sum(x, 0)``, ``a @ x``.

They arrive by the protocols ``__array_ufunc__`` and ``__array_function__``, and are sent on to the function of
the standard, under its name and with its arguments.
"""

from __future__ import annotations

import inspect
import math
from functools import cache
from typing import Any

from xnn.arrays import Array
from xnn.autodiff.tracing import Derivative, raw

__all__ = ["function", "ufunc"]

#: NumPy's name -> the standard's.
_NAMES = {
    "absolute": "abs", "fabs": "abs", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "power": "pow", "float_power": "pow",
    "true_divide": "divide", "mod": "remainder", "conjugate": "conj", "fmax": "maximum", "fmin": "minimum",
    "concatenate": "concat", "amax": "max", "amin": "min", "cumsum": "cumulative_sum", "cumprod": "cumulative_prod",
}  # fmt: skip
_REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
_KEYWORDS = {"axis": "axis", "keepdims": "keepdims", "dtype": "dtype", "ddof": "correction", "correction": "correction",
             "k": "k", "offset": "offset", "n": "n", "ord": "ord",
             "s": "s", "axes": "axes", "norm": "norm"}  # fmt: skip


def ufunc(xp: Any, called: Any, method: str, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
    """A ufunc of traced arrays; ``a += x`` for a plain array a binds a to a new array."""
    name = called.__name__
    out = options.pop("out", None)
    if method == "reduce" and name in _REDUCTIONS and out is None:
        return getattr(xp, _REDUCTIONS[name])(
            args[0], axis=options.get("axis", 0), keepdims=options.get("keepdims", False)
        )
    if method != "__call__" or options or (out is not None and out[0] is not args[0]):
        what = f"numpy.{name}" if method == "__call__" else f"numpy.{name}.{method}"
        raise Derivative(f"{what} with {', '.join(options) or 'out='} has no derivative; leave such arguments out")
    return getattr(xp, _NAMES.get(name, name))(*args)


def function(xp: Any, called: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A function of NumPy of traced arrays."""
    name, given = called.__name__, _signature(called).bind(*args, **options).arguments
    given = {key: value for key, value in given.items() if not (value is None and key in ("out", "dtype", "axis"))}
    if name in _SPECIAL:
        return _SPECIAL[name](xp, **given)
    inner = called.__module__.rpartition(".")[2]
    whole = getattr(xp, inner) if inner in ("linalg", "fft") else xp
    positional = [value for key, value in given.items() if key not in _KEYWORDS]
    keywords = {_KEYWORDS[key]: value for key, value in given.items() if key in _KEYWORDS}
    found = getattr(whole, _NAMES.get(name, name), None)
    if found is None or "out" in given:
        raise Derivative(f"numpy.{name} has no derivative here; write it with the functions of xnn's namespace")
    return found(*positional, **keywords)


@cache
def _signature(called: Any) -> inspect.Signature:
    return inspect.signature(called)


def _transpose(xp: Any, a: Array, axes: Any = None) -> Array:
    return xp.permute_dims(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


def _swapaxes(xp: Any, a: Array, axis1: int, axis2: int) -> Array:
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return xp.permute_dims(a, tuple(order))


def _dot(xp: Any, a: Array, b: Array) -> Array:
    return a * b if 0 in (a.ndim, b.ndim) else xp.tensordot(a, b, axes=((-1,), (max(b.ndim - 2, 0),)))


def _inner(xp: Any, a: Array, b: Array) -> Array:
    return xp.tensordot(a, b, axes=((-1,), (-1,)))


def _joined(axis: int, least: int) -> Any:
    """vstack and hstack."""

    def stack(xp: Any, tup: Any) -> Array:
        arrays = [a if a.ndim >= least else xp.reshape(a, (1,) * (least - a.ndim) + tuple(a.shape)) for a in tup]
        return xp.concat(arrays, axis=0 if arrays[0].ndim == 1 else axis)

    return stack


def _clip(xp: Any, a: Array, a_min: Any = None, a_max: Any = None, **bounds: Any) -> Array:
    return xp.clip(a, bounds.get("min", a_min), bounds.get("max", a_max))


def _norm(xp: Any, x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    if ord not in (None, 2) or (ord == 2 and axis is None and x.ndim == 2):
        raise Derivative(f"numpy.linalg.norm with ord={ord} has no derivative here; take xp.linalg.vector_norm")
    return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))


_SPECIAL: dict[str, Any] = {
    "transpose": _transpose,
    "swapaxes": _swapaxes,
    "dot": _dot,
    "inner": _inner,
    "tensordot": lambda xp, a, b, axes=2: xp.tensordot(a, b, axes=axes),
    "vstack": _joined(0, 2),
    "hstack": _joined(1, 1),
    "clip": _clip,
    "norm": _norm,
    "ravel": lambda xp, a, order="C": xp.reshape(a, (-1,)),
    "where": lambda xp, condition, x, y: xp.where(condition, x, y),
    "reshape": lambda xp, a, shape, order="C", copy=None: xp.reshape(
        a, shape if isinstance(shape, tuple) else (shape,)
    ),
    "shape": lambda xp, a: tuple(a.shape),
    "ndim": lambda xp, a: a.ndim,
    "size": lambda xp, a, axis=None: math.prod(a.shape) if axis is None else a.shape[axis],
    "allclose": lambda xp, a, b, **o: _host("allclose", a, b, **o),
    "result_type": lambda xp, **o: xp.result_type(*o["arrays_and_dtypes"]),
}


def _host(name: str, *args: Any, **options: Any) -> Any:
    from xnn.host import numpy

    return getattr(numpy, name)(*map(raw, args), **options)
