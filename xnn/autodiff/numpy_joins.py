"""NumPy's functions that join arrays, split them, and put something around or leave something out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from array_api_compat import device

from xnn.autodiff.numpy_arrays import arrays_of, at_least
from xnn.autodiff.tracing import Derivative, raw
from xnn.contract import Array
from xnn.host import numpy

__all__ = ["JOINS"]


def joined(axis: int, least: int) -> Callable[..., Array]:
    """vstack, hstack and dstack."""

    def stack(xp: Any, tup: Any) -> Array:
        arrays = [at_least(xp, a, least) for a in arrays_of(xp, tup)]
        return xp.concat(arrays, axis=0 if arrays[0].ndim == 1 else axis)

    return stack


def column_stack(xp: Any, tup: Any) -> Array:
    """Vectors as columns."""
    columns = [at_least(xp, a, 1) for a in arrays_of(xp, tup)]
    return xp.concat([a[:, None] if a.ndim == 1 else a for a in columns], axis=1)


def block(xp: Any, arrays: Any) -> Array:
    """One array of nested lists: the innermost along the last axis, those around them along the axes before."""
    parts = arrays_of(xp, list(_parts(arrays)))
    depth = _depth(arrays)
    ndim = max(depth, *(a.ndim for a in parts))
    every = iter([xp.reshape(a, (1,) * (ndim - a.ndim) + tuple(a.shape)) for a in parts])

    def join(branch: Any, axis: int) -> Array:
        return xp.concat([join(b, axis + 1) for b in branch], axis=axis) if isinstance(branch, list) else next(every)

    return join(arrays, -depth)


def _depth(branch: Any) -> int:
    return 1 + _depth(branch[0]) if isinstance(branch, list) else 0


def _parts(branch: Any) -> Iterator[Any]:
    if isinstance(branch, list):
        for b in branch:
            yield from _parts(b)
    else:
        yield branch


def append(xp: Any, arr: Any, values: Any, axis: int | None = None) -> Array:
    """Behind the others; all along one axis where none is named."""
    both = arrays_of(xp, (arr, values))
    return xp.concat([xp.reshape(a, (-1,)) for a in both] if axis is None else both, axis=axis or 0)


def atleast(least: int) -> Callable[..., Any]:
    """atleast_1d and atleast_2d."""

    def function(xp: Any, arys: Any) -> Any:
        every = tuple(at_least(xp, a, least) for a in arrays_of(xp, arys))
        return every[0] if len(every) == 1 else every

    return function


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


def array_split(xp: Any, ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts of nearly equal length, or between these places."""
    ends = numpy.array_split(numpy.arange(ary.shape[axis]), indices_or_sections)
    before = (slice(None),) * (axis % ary.ndim)
    starts = numpy.cumsum([0, *map(len, ends)]).tolist()
    return [ary[(*before, slice(i, j), ...)] for i, j in pairwise(starts)]


def pad(xp: Any, array: Array, pad_width: Any, mode: Any = "constant", constant_values: Any = 0.0) -> Array:
    """Constants around it, or entries of it."""
    if mode in ("edge", "reflect", "symmetric", "wrap"):
        places = numpy.pad(numpy.arange(array.size).reshape(array.shape), pad_width, mode)
        flat = xp.asarray(places.reshape(-1), device=device(raw(array)))
        return xp.reshape(xp.take(xp.reshape(array, (-1,)), flat, axis=0), places.shape)
    if mode != "constant":
        raise Derivative(f"numpy.pad with mode={mode!r} has no derivative here; only with constants or entries")
    widths, values = (numpy.broadcast_to(a, (array.ndim, 2)).tolist() for a in (pad_width, constant_values))
    like = {"dtype": array.dtype, "device": device(raw(array))}
    for axis in range(array.ndim):
        before, after = (
            xp.full((*array.shape[:axis], n, *array.shape[axis + 1 :]), value, **like)
            for n, value in zip(widths[axis], values[axis], strict=True)
        )
        array = xp.concat([before, array, after], axis=axis)
    return array


def delete(xp: Any, arr: Array, obj: Any, axis: int | None = None) -> Array:
    """Without these entries, rows or columns."""
    if axis is None:
        arr, axis = xp.reshape(arr, (-1,)), 0
    left = numpy.delete(numpy.arange(arr.shape[axis]), obj)
    return xp.take(arr, xp.asarray(left, device=device(raw(arr))), axis=axis)


def compress(xp: Any, condition: Any, a: Array, axis: int | None = None) -> Array:
    """The entries, rows or columns where the condition holds."""
    if axis is None:
        a, axis = xp.reshape(a, (-1,)), 0
    return xp.take(a, xp.asarray(numpy.flatnonzero(condition), device=device(raw(a))), axis=axis)


#: The functions by NumPy's names.
JOINS: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (column_stack, block, append, split, array_split, pad, delete, compress)},
    "vstack": joined(0, 2), "hstack": joined(1, 1), "dstack": joined(2, 3),
    "atleast_1d": atleast(1), "atleast_2d": atleast(2), "atleast_3d": atleast(3),
    "vsplit": lambda xp, ary, indices_or_sections: split(xp, ary, indices_or_sections, 0),
    "hsplit": lambda xp, ary, indices_or_sections: split(xp, ary, indices_or_sections, min(1, ary.ndim - 1)),
    "dsplit": lambda xp, ary, indices_or_sections: split(xp, ary, indices_or_sections, 2),
    "extract": lambda xp, condition, arr: compress(xp, numpy.ravel(condition), arr),
}  # fmt: skip
