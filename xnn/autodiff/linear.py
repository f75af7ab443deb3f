"""The linear functions of the standard, each with its transpose; and the two products.

A linear function y = L x is its own forward derivative, ẏ = L ẋ, so only the transpose x̄ = Lᵀ ȳ is to be
known: what reads is answered by what adds into the same place, a sum by copies, copies by a sum. Every
transpose is itself made of functions of the standard, and differentiable again.

Each entry of ``LINEAR`` is (xp, i, g, args, options) -> Lᵀ g for the i-th argument.
"""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import Any

from array_api_compat import device

from xnn.autodiff.rule import Linear, Rule, Tangents, cast, conj, is_complex, reduce_to
from xnn.autodiff.tracing import apply, raw
from xnn.contract import Array

__all__ = ["ADD_AT", "GETITEM", "LINEAR", "SELECT", "SETITEM", "axes_of"]


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes as a tuple of numbers from 0; None is all."""
    if axis is None or not ndim:
        return tuple(range(ndim))
    given = (axis,) if hasattr(axis, "__index__") else axis
    for a in given:
        if not -ndim <= a < ndim:
            raise IndexError(f"axis {a} of an array with {ndim} axes")
    return tuple([a % ndim for a in given])


def kept(xp: Any, y: Array, x: Array, axis: Any, keepdims: bool) -> Array:
    """The result y of a reduction of x, with its axes kept as axes of length 1, so that it broadcasts to x."""
    if keepdims or axis is None:
        return y
    axes = axes_of(axis, x.ndim)
    return xp.reshape(y, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def _sum(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    x = args[0]
    g = xp.broadcast_to(kept(xp, g, x, o.get("axis"), o.get("keepdims", False)), x.shape)
    return cast(xp, g, x)


def _shaped(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    return xp.reshape(g, args[0].shape)


def _permute(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    axes = axes_of(args[1], g.ndim)
    return xp.permute_dims(g, tuple(axes.index(k) for k in range(g.ndim)))


def _moveaxis(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    return xp.moveaxis(g, args[2], args[1])


def _roll(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    back = tuple(-s for s in args[1]) if isinstance(args[1], (tuple, list)) else -args[1]
    return xp.roll(g, back, **o)


def _cumulative_sum(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    axis = o.get("axis")
    axis = 0 if axis is None else axis
    if o.get("include_initial", False):
        g = g[(slice(None),) * (axis % g.ndim) + (slice(1, None), ...)]
    g = xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis)
    return xp.reshape(cast(xp, g, args[0]), args[0].shape)


def _concat(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    axis = o.get("axis", 0)
    if axis is None:
        first = sum(prod(a.shape) for a in args[:i])
        g = xp.reshape(g[first : first + prod(args[i].shape)], args[i].shape)
    else:
        ends = list(accumulate(a.shape[axis] for a in args))
        g = g[(slice(None),) * (axis % g.ndim) + (slice(ends[i] - args[i].shape[axis], ends[i]), ...)]
    return cast(xp, g, args[i])


def _stack(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    g = g[(slice(None),) * (o.get("axis", 0) % g.ndim) + (i, ...)]
    return cast(xp, g, args[i])


def _where(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    return reduce_to(xp, xp.where(args[0], g, 0.0) if i == 1 else xp.where(args[0], 0.0, g), args[i])


def _astype(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    return cast(xp, g, args[0])


def _take(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    x, indices = args
    return _apply(ADD_AT, xp, (g, indices), shape=x.shape, axis=o.get("axis", 0) or 0)


def _apply(rule: Rule, xp: Any, args: Any, **options: Any) -> Array:
    return apply(rule, getattr(xp, "base_namespace", xp), args, options)


# -- Indexing: reading at a key, and its transpose, zeros with the values placed at the key ---------------------


def _read(xp: Any, x: Array, key: Any) -> Array:
    return x[key]


def _write(xp: Any, x: Array, v: Any, *, key: Any) -> Array:
    """x with v at the key, as a new array."""
    z = xp.asarray(x, copy=None if hasattr(x, "at") else True)
    if hasattr(z, "at"):  # JAX
        return z.at[key].set(v)
    z[key] = v
    return z


def _written(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
    """Of x: g with zeros at the key. Of v: g read there; where an index comes again, the last entry of v was kept."""
    key = o["key"]
    if i == 0:
        return _apply(SETITEM, xp, (g, 0.0), key=key)
    read = g[key]
    if any("int" in str(getattr(k, "dtype", "")) for k in (key if isinstance(key, tuple) else (key,))):
        base = getattr(xp, "base_namespace", xp)
        where = {"device": device(raw(g))}
        order = base.reshape(base.arange(prod(read.shape), **where), read.shape)
        last = _write(base, base.zeros(g.shape, dtype=order.dtype, **where), order, key=key)[key]
        read = xp.where(last == order, read, 0.0)
    return reduce_to(xp, read, args[1])


def _place(xp: Any, g: Array, *, key: Any, shape: Any) -> Array:
    z = xp.zeros(shape, dtype=g.dtype, device=device(g))
    if isinstance(key, tuple) and None in key:  # new axes are for reading only
        key = tuple(k for k in key if k is not None)
        g = xp.reshape(g, z[key].shape)
    elif key is None:
        key, g = ..., xp.reshape(g, shape)
    if hasattr(z, "at"):  # an immutable library
        return z.at[key].set(g)
    z[key] = g
    return z


def _add_at(xp: Any, g: Array, indices: Array, *, shape: Any, axis: int) -> Array:
    """Zeros with the slices of g added at the indices along one axis; an index may come again."""
    axis %= len(shape)
    z = xp.zeros(shape, dtype=g.dtype, device=device(g))
    before = (slice(None),) * axis
    if hasattr(z, "at"):  # JAX
        return z.at[(*before, indices)].add(g)
    if hasattr(z, "index_add"):  # PyTorch
        return z.index_add(axis, indices % shape[axis] if shape[axis] else indices, g)
    if hasattr(xp.add, "at"):  # NumPy, and CuPy, which adds complex numbers by their parts only
        for into, part in ((z.real, g.real), (z.imag, g.imag)) if z.dtype.kind == "c" else ((z, g),):
            xp.add.at(into, (*before, indices), part)
        return z
    # Everywhere else by a product with rows of 0 and 1.
    places = xp.arange(shape[axis], dtype=indices.dtype, device=device(indices))
    indices = xp.where(indices < 0, indices + shape[axis], indices)
    rows = xp.astype(indices[:, None] == places[None, :], g.dtype)
    return xp.moveaxis(xp.matmul(xp.moveaxis(g, axis, -1), rows), -1, axis) if g.ndim > 1 else xp.matmul(g, rows)


GETITEM: Linear = Linear(
    "getitem",
    lambda xp, i, g, args, o: _apply(PLACE, xp, (g,), key=args[1], shape=args[0].shape),
    _read,
)
SETITEM: Linear = Linear("setitem", _written, _write, arguments=(0, 1))
PLACE: Linear = Linear("place", lambda xp, i, g, args, o: g[o["key"]], _place)
ADD_AT: Linear = Linear("add_at", lambda xp, i, g, args, o: xp.take(g, args[1], axis=o["axis"]), _add_at)


# -- Choices -----------------------------------------------------------------------------------------------------


class Select(Rule):
    """max or min along axes: the tangent of the entry that was chosen; equal ones share it evenly.

    ẏ = Σⱼ wⱼ ẋⱼ with wⱼ = [xⱼ = y] / #{k: xₖ = y}, which is PyTorch's amax.
    """

    linear = frozenset((0,))

    def _weights(self, xp: Any, y: Array, x: Array, o: dict[str, Any]) -> Array:
        chosen = xp.astype(x == kept(xp, y, x, o.get("axis"), o.get("keepdims", False)), x.dtype)
        return chosen / xp.sum(chosen, axis=o.get("axis"), keepdims=True) if x.ndim else chosen

    def push(self, xp: Any, tangents: Tangents, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Σⱼ wⱼ ẋⱼ."""
        return xp.sum(self._weights(xp, y, args[0], options) * tangents[0], **options)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Wⱼ ȳ."""
        g = kept(xp, g, args[0], options.get("axis"), options.get("keepdims", False))
        return self._weights(xp, y, args[0], options) * g


class Sort(Rule):
    """Sorting is a permutation P of the entries along an axis, constant between ties: ẏ = P ẋ, x̄ = Pᵀ ȳ."""

    linear = frozenset((0,))

    def push(self, xp: Any, tangents: Tangents, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """P ẋ."""
        order = xp.argsort(raw(args[0]), **options)
        return xp.take_along_axis(tangents[0], order, axis=options.get("axis", -1))

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Pᵀ ȳ."""
        axis = options.get("axis", -1)
        order = xp.argsort(xp.argsort(raw(args[0]), **options), axis=axis)
        return xp.take_along_axis(g, order, axis=axis)


SELECT = {"max": Select("max"), "min": Select("min"), "sort": Sort("sort")}

#: The linear rules by the names of the standard.
LINEAR: dict[str, Linear] = {
    rule.name: rule
    for rule in (
        Linear("sum", _sum),
        Linear("cumulative_sum", _cumulative_sum),
        Linear("astype", _astype),
        # Complex numbers, as pairs of real ones.
        Linear("real", lambda xp, i, g, args, o: cast(xp, g, args[0])),
        Linear("imag", lambda xp, i, g, args, o: 1j * cast(xp, g, args[0]) if is_complex(args[0]) else 0.0 * g),
        Linear("conj", lambda xp, i, g, args, o: conj(xp, g)),
        Linear("where", _where, arguments=(1, 2)),
        # Arrays in another order or shape.
        Linear("reshape", _shaped),
        Linear("expand_dims", _shaped),
        Linear("squeeze", _shaped),
        Linear("broadcast_to", lambda xp, i, g, args, o: reduce_to(xp, g, args[0])),
        Linear("permute_dims", _permute),
        Linear("moveaxis", _moveaxis),
        Linear("matrix_transpose", lambda xp, i, g, args, o: xp.matrix_transpose(g)),
        Linear("flip", lambda xp, i, g, args, o: xp.flip(g, **o)),
        Linear("roll", _roll),
        Linear("tril", lambda xp, i, g, args, o: reduce_to(xp, xp.tril(g, **o), args[0])),  # NumPy repeats a row
        Linear("triu", lambda xp, i, g, args, o: reduce_to(xp, xp.triu(g, **o), args[0])),
        Linear("concat", _concat, lambda xp, *a, **o: xp.concat(list(a), **o), arguments=None),
        Linear("stack", _stack, lambda xp, *a, **o: xp.stack(list(a), **o), arguments=None),
        # Reading by indices.
        Linear("take", _take),
    )
}
