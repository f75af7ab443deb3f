"""Calls of NumPy's (or CuPy's) own functions on traced arrays: ``np.sin(x)``, ``np.sum(x, 0)``, ``a @ x``.

They arrive by the protocols ``__array_ufunc__`` and ``__array_function__``, and are sent on to the function of
the standard, under its name and with its arguments.
"""

from __future__ import annotations

import inspect
import math
from functools import cache
from typing import Any

from xnn.autodiff.linear import ADD_AT
from xnn.autodiff.methods import shape_of
from xnn.autodiff.numpy_functions import FUNCTIONS
from xnn.autodiff.tracing import Derivative, Traced
from xnn.contract import Array
from xnn.host import numpy

__all__ = ["function", "ufunc"]

#: NumPy's name -> the standard's.
_NAMES = {
    "absolute": "abs", "fabs": "abs", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "power": "pow", "float_power": "pow",
    "true_divide": "divide", "mod": "remainder", "conjugate": "conj",
    "concatenate": "concat", "amax": "max", "amin": "min",
}  # fmt: skip
_REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
_ACCUMULATIONS = {"add": "cumulative_sum", "multiply": "cumulative_prod"}
#: Arguments that may be lists.
_ARRAYS = {"a", "append", "arr", "b", "fp", "prepend", "v", "values", "weights", "x", "x1", "x2", "xp", "y"}
#: Arguments with a default that the standard's functions have, too, under NumPy's name -> the standard's.
_OPTIONS = {
    **{name: name for name in (
        "axes", "axis", "correction", "decimals", "dtype", "endpoint", "include_initial", "k", "keepdims", "mode", "n",
        "norm", "num", "offset", "ord", "s", "shape", "side", "upper")},
    "ddof": "correction", "rcond": "rtol", "rtol": "rtol",
}  # fmt: skip


def ufunc(xp: Any, called: Any, method: str, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
    """A ufunc of traced arrays; ``a += x``, which hands a plain array a over as ``out``, binds a to a new array."""
    name = called.__name__.removeprefix("cupy_")
    if [a for a in args if isinstance(a, (list, tuple))]:
        like = next(a for a in args if hasattr(a, "device"))
        args = tuple(_of_list(xp, a, like) for a in args)
    if options:
        options = {key: value for key, value in options.items() if value is not None or key == "axis"}
    if method == "outer" and not options and len(args) == 2:
        a, b = args
        args = (xp.reshape(a, (*a.shape, *(1,) * b.ndim)), b)
    elif method == "at" and name == "add" and isinstance(args[0], Traced):
        return _add_at(xp, *args)
    elif method != "__call__":
        way = _REDUCTIONS if method == "reduce" else _ACCUMULATIONS if method == "accumulate" else {}
        if name not in way or not set(options) <= {"axis", "keepdims", "dtype"}:
            raise Derivative(f"numpy.{name}.{method}{_with(options)} has no derivative here")
        return getattr(xp, way[name])(args[0], **{"axis": 0, **options})
    elif "out" in options and isinstance(options["out"][0], Traced):
        (into,) = options.pop("out")
        return xp.write(into, ufunc(xp, called, method, args, options))
    elif "out" in options and options["out"][0] is args[0]:
        options.pop("out")
    if options:
        raise Derivative(f"numpy.{name}{_with(options)} has no derivative; leave such arguments out")
    if name in FUNCTIONS:
        return FUNCTIONS[name](xp, *args)
    found = getattr(xp, _NAMES.get(name, name), None)
    if found is None:  # such as those of scipy.special
        raise Derivative(f"{name} has no derivative here; give it a rule by xnn.autodiff.custom")
    return found(*args)


def _add_at(xp: Any, a: Traced, indices: Any, b: Any) -> None:
    """Add b to the entries, or rows, at the indices, each time that one comes."""
    i = xp.asarray(indices, device=a.device)
    if isinstance(indices, (tuple, slice)) or not xp.isdtype(i.dtype, "integral"):
        raise Derivative("numpy.add.at has a derivative here for one array of whole numbers as indices")
    b = xp.asarray(b, copy=True) if hasattr(b, "dtype") else xp.asarray(b, dtype=a.dtype, device=a.device)
    b = xp.reshape(xp.broadcast_to(b, (*i.shape, *a.shape[1:])), (-1, *a.shape[1:]))
    added = xp.apply(ADD_AT, (b, xp.reshape(i, (-1,))), {"shape": a.shape, "axis": 0})
    xp.write(a, a + added)


def _of_list(xp: Any, a: Any, like: Any) -> Any:
    return xp.beside(a, like) if isinstance(a, (list, tuple)) else a


def _with(options: Any) -> str:
    return f" with {', '.join(f'{key}=' for key in options)}" if options else ""


def function(xp: Any, called: Any, args: tuple[Any, ...], options: dict[str, Any], like: Any) -> Any:
    """A function of NumPy of traced arrays, or one that makes an array like a traced one."""
    if called.__name__ in ("array", "asarray"):
        return xp.asarray(*args, device=like.device, **{"copy": called.__name__ == "array" or None, **options})
    if called.__name__ in ("zeros", "ones", "empty", "full"):
        options = {key: value for key, value in options.items() if key not in ("order", "device")}
        made = getattr(xp, called.__name__)(*args, **options, device=like.device)
        return made if isinstance(made, Traced) else _to_fill(xp, made, like)
    y = _function(xp, called, args, options, like)
    return _to_fill(xp, y, like) if called.__name__ in ("zeros_like", "ones_like", "empty_like") else y


def _to_fill(xp: Any, y: Array, like: Any) -> Array:
    """y as an array of the level of ``like``, into which arrays with a derivative can be written."""
    if not isinstance(like, Traced) or not xp.isdtype(y.dtype, ("real floating", "complex floating")):
        return y
    return like.level.constant(y, like.mark)


def _function(xp: Any, called: Any, args: tuple[Any, ...], options: dict[str, Any], like: Any) -> Any:
    name, parameters = called.__name__, _signature(called).parameters
    given: dict[str, Any] = {  # without what is said by default; axes and the like are Python's integers
        key: int(value) if isinstance(value, numpy.integer) and key not in _ARRAYS else value
        for key, value in _bound(called, args, options).items()
        if value is not parameters[key].default
    }
    given.update(given.pop("kwargs", {}))
    for key in _ARRAYS.intersection(given):
        given[key] = _of_list(xp, given[key], like)
    if name in ("concatenate", "stack", "concat"):
        given["arrays"] = [_of_list(xp, a, like) for a in given["arrays"]]
    inner = _place(called)
    if name in _SPECIAL and not (inner == "linalg" and name in _OF_STANDARD):
        known = _signature(_SPECIAL[name]).parameters
        if "options" not in known:
            _refuse(name, [key for key in given if key not in known])
        return _SPECIAL[name](xp, **given)
    whole = getattr(xp, inner) if inner in ("linalg", "fft") else xp
    keywords = {key: value for key, value in given.items() if _has_default(parameters, key)}
    _refuse(name, [key for key in keywords if key not in _OPTIONS])
    found = getattr(whole, _NAMES.get(name, name), None)
    if found is None:
        raise Derivative(f"numpy.{name} has no derivative here; write it with the functions of xnn's namespace")
    positional = [value for key, value in given.items() if key not in keywords]
    return found(*positional, **{_OPTIONS[key]: value for key, value in keywords.items()})


def _bound(called: Any, args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments by their names."""
    names, needed = _names(called)
    given = dict(zip(names, args, strict=False), **options)
    if 0 < len(given) == len(args) + len(options) and needed <= given.keys() <= names.keys():
        return given  # as ``bind`` has it, which takes five times as long
    try:
        return _signature(called).bind(*args, **options).arguments
    except TypeError as error:
        raise TypeError(f"numpy.{called.__name__}: {error}") from None


@cache
def _names(called: Any) -> tuple[dict[str, None], set[str]]:
    """The parameters and those without a default; none where some are given by position, or by name, only."""
    parameters = _signature(called).parameters
    if any(p.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD for p in parameters.values()):
        return {}, set()
    return dict.fromkeys(parameters), {name for name in parameters if not _has_default(parameters, name)}


@cache
def _place(called: Any) -> str:
    """Where the function is: "linalg", "fft" or "numpy". Another of this name, as numpy.emath.sqrt is, is refused."""
    inner = called.__module__.rpartition(".")[2]
    inner = inner if inner in ("linalg", "fft") else "numpy"
    if getattr(numpy if inner == "numpy" else getattr(numpy, inner), called.__name__, None) is not called:
        raise Derivative(f"{called.__module__}.{called.__name__} has no derivative here")
    return inner


def _refuse(name: str, arguments: list[str]) -> None:
    if arguments:
        raise Derivative(f"numpy.{name}{_with(arguments)} has no derivative here; leave such arguments out")


def _has_default(parameters: Any, key: str) -> bool:
    return key not in parameters or parameters[key].default is not inspect.Parameter.empty


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
    return a * b if 0 in (_ndim(a), _ndim(b)) else xp.tensordot(a, b, axes=((-1,), (max(b.ndim - 2, 0),)))


def _ndim(a: Any) -> int:
    return getattr(a, "ndim", 0)


def _matrices(xp: Any, a: Array, axis1: int, axis2: int) -> Array:
    """With these two axes as the last ones; NumPy's trace takes the first two where none are named."""
    return xp.moveaxis(a, (axis1, axis2), (-2, -1))


def _of_axis(name: str) -> Any:
    """sort or argsort along an axis, or of all entries."""

    def function(xp: Any, a: Array, axis: int | None = -1, **options: Any) -> Array:
        if set(options) - {"kind", "stable"}:
            raise Derivative(f"numpy.{name}{_with(options)} has no derivative here; leave such arguments out")
        return getattr(xp, name)(xp.reshape(a, (-1,)) if axis is None else a, axis=-1 if axis is None else axis)

    return function


def _take(xp: Any, a: Array, indices: Any, axis: int | None = None, mode: str = "raise") -> Array:
    if axis is None:
        a, axis = xp.reshape(a, (-1,)), 0
    indices, n = xp.asarray(indices, device=a.device), a.shape[axis]
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"the mode of take is 'raise', 'wrap' or 'clip'; got {mode!r}")
    if mode != "raise":
        indices = indices % n if mode == "wrap" else xp.clip(indices, 0, n - 1)
    before = tuple(a.shape[: axis % a.ndim])
    taken = xp.take(a, xp.reshape(indices, (-1,)), axis=axis)
    return xp.reshape(taken, (*before, *indices.shape, *a.shape[len(before) + 1 :]))


def _inner(xp: Any, a: Array, b: Array) -> Array:
    return a * b if 0 in (_ndim(a), _ndim(b)) else xp.tensordot(a, b, axes=((-1,), (-1,)))


def _clip(xp: Any, a: Array, a_min: Any = None, a_max: Any = None, min: Any = None, max: Any = None) -> Array:
    return xp.clip(a, a_min if min is None else min, a_max if max is None else max)


def _reshape(xp: Any, a: Array, shape: Any, order: str = "C") -> Array:
    """In the order of C, or with the first axis fastest, "F"."""
    shape = shape_of(shape)
    if order == "F":
        return _transpose(xp, xp.reshape(_transpose(xp, a), shape[::-1]))
    if order != "C":
        raise Derivative(f"order={order!r} has no derivative here; take 'C' or 'F'")
    return xp.reshape(a, shape)


#: What numpy.linalg has in the form of the standard, and numpy in another one.
_OF_STANDARD = ("trace", "diagonal", "outer", "tensordot")

_SPECIAL: dict[str, Any] = {
    **FUNCTIONS,
    "transpose": _transpose,
    "swapaxes": _swapaxes,
    "dot": _dot,
    "inner": _inner,
    "tensordot": lambda xp, a, b, axes=2: xp.tensordot(a, b, axes=axes),
    "clip": _clip,
    "linspace": lambda xp, start, stop, num=50, axis=0, **options: xp.moveaxis(
        xp.linspace(start, stop, num, **options), 0, axis
    ),
    "sort": _of_axis("sort"),
    "argsort": _of_axis("argsort"),
    "take": _take,
    "svd": lambda xp, a, full_matrices=True, compute_uv=True: (
        xp.linalg.svd(a, full_matrices=full_matrices) if compute_uv else xp.linalg.svdvals(a)
    ),
    "trace": lambda xp, a, offset=0, axis1=0, axis2=1: xp.linalg.trace(_matrices(xp, a, axis1, axis2), offset=offset),
    "diagonal": lambda xp, a, offset=0, axis1=0, axis2=1: xp.linalg.diagonal(
        _matrices(xp, a, axis1, axis2), offset=offset
    ),
    "outer": lambda xp, a, b: xp.linalg.outer(xp.reshape(a, (-1,)), xp.reshape(b, (-1,))),
    "reshape": _reshape,
    "ravel": lambda xp, a, order="C": _reshape(xp, a, -1, order),
    "squeeze": lambda xp, a, axis=None: xp.squeeze(
        a, axis=tuple(i for i, n in enumerate(a.shape) if n == 1) if axis is None else axis
    ),
    "where": lambda xp, condition, x, y: xp.where(condition, x, y),
    "qr": lambda xp, a, mode="reduced": xp.linalg.qr(a).R if mode == "r" else xp.linalg.qr(a, mode=mode),
    "shape": lambda xp, a: tuple(a.shape),
    "ndim": lambda xp, a: a.ndim,
    "size": lambda xp, a, axis=None: math.prod(a.shape) if axis is None else a.shape[axis],
    "result_type": lambda xp, arrays_and_dtypes: xp.result_type(*arrays_and_dtypes),
}
