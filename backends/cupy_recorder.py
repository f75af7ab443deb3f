"""The namespace of the standard that takes notes: its functions make deferred arrays (``cupy_deferred``).

All that is not named here is CuPy's, done at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import array_api_compat.cupy
import cupy
import numpy
from xnn.backends.cupy_deferred import (
    Deferred,
    View,
    astype,
    at_once,
    broadcast,
    common,
    defer,
    matmul,
    note,
    number,
    pair,
    power,
    twin,
)
from xnn.backends.cupy_expressions import ENTRYWISE

__all__ = ["namespace"]

_LONG_VECTOR = 1 << 16  # one block sums this many numbers; CuPy does better beyond


def _where(condition: Any, a: Any, b: Any, /) -> Any:
    found = [defer(x) for x in (condition, a, b)]
    arrays = [x for x in found[1:] if type(x) is Deferred]
    char = arrays[0].char if arrays else ""
    shape = common(arrays, char) if char in ("f", "d", "i") else None
    if shape is not None and type(found[0]) is Deferred and found[0].char == "?":
        shape = broadcast(shape, found[0].shape)
        values = [x if type(x) is Deferred else number(x, char) for x in found]
        if shape is not None and not any(x is None for x in values):
            return Deferred("where", tuple(values), shape, char)
    return at_once("where", condition, a, b)


def _clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    given, x = x, defer(x)
    # Whole numbers, and NumPy's as bounds: there the type of the result has rules of its own.
    if type(x) is not Deferred or x.char not in ("f", "d") or any(isinstance(a, numpy.generic) for a in (min, max)):
        return at_once("clip", given, min, max)
    x = twin(x) if min is None else pair("maximum", x, min)
    return x if max is None else pair("minimum", x, max)


def _reduction(op: str, x: Any, /, *, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
    """Along the first axis or the last one, or over all of them."""
    x = defer(x)
    again = partial(at_once, op, x, axis=axis, keepdims=keepdims, **options)
    if type(x) is not Deferred or x.char not in ("f", "d") or options:
        return again()
    n = len(x.shape)
    axes = tuple(range(n)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    along = {a % n if n else a for a in axes}
    if len(along) == n <= 2 and not keepdims:  # the sums of the rows first: that takes one kernel with much else
        while x.shape:
            if len(x.shape) == 1 and x.shape[0] > _LONG_VECTOR:
                return at_once(op, x)
            x = Deferred(op, (x,), x.shape[:-1], x.char, 1)
        return x
    if n >= 2 and along == {n - 1}:
        return Deferred(op, (x,), (*x.shape[:-1], 1) if keepdims else x.shape[:-1], x.char, 1)
    if n >= 2 and along == set(range(n - 1)):
        return Deferred(op, (x,), (1,) * (n - 1) + x.shape[-1:] if keepdims else x.shape[-1:], x.char, 0)
    return again()


def _vecdot(a: Any, b: Any, /, *, axis: int = -1) -> Any:
    a, b = defer(a), defer(b)
    if type(a) is type(b) is Deferred and a.char == b.char and a.char in ("f", "d") and a.shape == b.shape:
        return _reduction("sum", a * b, axis=axis)
    return at_once("vecdot", a, b, axis=axis)


def _mean(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    total = _reduction("sum", x, axis=axis, keepdims=keepdims)
    x = defer(x)
    if type(x) is not Deferred or x.char not in ("f", "d"):
        return at_once("mean", x, axis=axis, keepdims=keepdims)
    return total / float(x.size // total.size)


def _reshape(x: Any, /, shape: Any, *, copy: bool | None = None) -> Any:
    given, x = x, defer(x)
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if type(x) is not Deferred or copy is not None or not all(type(s) is int for s in shape) or not x.char:
        return at_once("reshape", x, shape, copy=copy)
    if -1 in shape:
        known = -math.prod(shape)
        shape = tuple(x.size // known if s == -1 and known > 0 else s for s in shape)
    if math.prod(shape) != x.size or min(shape, default=1) < 0:
        return at_once("reshape", x, shape)
    return View(_reshaped(x, shape, {}), given) if isinstance(given, Deferred) else _reshaped(x, shape, {})


def _reshaped(x: Deferred, shape: tuple[int, ...], done: dict[int, Deferred]) -> Deferred:
    """x in another shape; for a function of entries, the same function of arguments in that shape."""
    if x.shape == shape:
        return x
    if id(x) in done:
        return done[id(x)]
    if x.value is not None:
        y = Deferred("given", (), shape, x.char, None, x.value.reshape(shape))
    elif x.op in ("arange", "full"):
        y = Deferred(x.op, x.args, shape, x.char)
    elif x.op == "reshape":
        y = _reshaped(x.args[0], shape, done)
    elif x.op in ENTRYWISE and all(_follows(a, x, shape) for a in x.args):
        args = tuple(_reshaped(a, shape, done) if isinstance(a, Deferred) and a.shape == x.shape else a for a in x.args)
        y = Deferred(x.op, args, shape, x.char)
    else:
        y = Deferred("reshape", (x,), shape, x.char)
    done[id(x)] = y
    return y


def _follows(a: Any, x: Deferred, shape: tuple[int, ...]) -> bool:
    """Whether the argument a of x has the shape of x, or is repeated in the same way in the new shape."""
    return not isinstance(a, Deferred) or a.shape in (x.shape, ()) or (a.shape == x.shape[-1:] == shape[-1:])


def _full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    char = None if dtype is None else numpy.dtype(dtype).char
    value = number(fill_value, char) if char in ("f", "d", "i") else None
    if value is None or 0 in shape:
        return at_once("full", shape, fill_value, dtype=dtype, device=device)
    return Deferred("full", (value,), shape, str(char))


def _filled(value: float, shape: Any, *, dtype: Any = None, device: Any = None) -> Any:
    return _full(shape, value, dtype=numpy.float64 if dtype is None else dtype, device=device)


def _full_like(x: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    return _full(x.shape, fill_value, dtype=x.dtype if dtype is None else dtype, device=device)


def _arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Any:
    if stop is None:
        start, stop = 0, start
    char = None if dtype is None else numpy.dtype(dtype).char
    if not all(type(s) is int for s in (start, stop, step)) or step != 1 or stop <= start or char not in ("h", "i"):
        return at_once("arange", start, stop, step, dtype=dtype, device=device)
    return Deferred("arange", (start,), (stop - start,), str(char))


def _asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    if isinstance(obj, Deferred) and not copy:
        return obj if dtype is None else astype(obj, dtype, copy=False)
    if type(obj) is tuple and all(type(item) is float for item in obj) and not copy:  # settings of a layer or a loss
        return defer(constant(obj, numpy.dtype(dtype or "float64").char, cupy.cuda.Device().id))
    return at_once("asarray", obj, dtype=dtype, device=device, copy=copy)


@lru_cache(256)
def constant(numbers: Sequence[float], char: str, device: int) -> Any:
    """These numbers on this device, where they stay: a step uploads nothing."""
    return cupy.asarray(numbers, dtype=char)


class _Namespace:
    """Functions by name: those given, else CuPy's."""

    def __init__(self, functions: dict[str, Callable[..., Any]]) -> None:
        self.__dict__.update(functions)

    def __getattr__(self, name: str) -> Any:
        found = getattr(array_api_compat.cupy, name)
        if callable(found) and not isinstance(found, type):
            found = partial(at_once, name)
        setattr(self, name, found)
        return found


def _plainly(function: Callable[..., Any], op: str) -> Callable[..., Any]:
    """The function of this name, noted where only arrays are given; its options are CuPy's."""

    def called(*args: Any, **options: Any) -> Any:
        return at_once(op, *args, **options) if options else function(op, *args)

    return called


namespace: Any = _Namespace(
    {op: _plainly(note, op) for op in ENTRYWISE}
    | {op: _plainly(pair, op) for op in ("maximum", "minimum", "add", "subtract", "multiply", "divide")}
    | {op: partial(_reduction, op) for op in ("sum", "max", "min")}
    | {
        "where": _where, "astype": astype, "pow": power, "clip": _clip, "matmul": matmul, "mean": _mean,
        "vecdot": _vecdot,
        "reshape": _reshape, "full": _full, "full_like": _full_like, "arange": _arange, "asarray": _asarray,
        "zeros": partial(_filled, 0.0), "ones": partial(_filled, 1.0),
        "zeros_like": lambda x, **options: _full_like(x, 0.0, **options),
        "ones_like": lambda x, **options: _full_like(x, 1.0, **options),
        "matrix_transpose": lambda x: x.mT, "positive": twin,
    }
)  # fmt: skip
