"""NumPy's functions of matrices beyond the standard, as compositions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from array_api_compat import device

from xnn.autodiff.composed import squares
from xnn.autodiff.linear import axes_of
from xnn.autodiff.numpy_einsum import einsum
from xnn.autodiff.rule import conj
from xnn.autodiff.tracing import Derivative, Traced, raw
from xnn.contract import Array

__all__ = ["OF_MATRICES"]


def diag(xp: Any, v: Array, k: int = 0) -> Array:
    """The diagonal of a matrix, or a matrix with this diagonal."""
    if v.ndim == 2:
        return xp.linalg.diagonal(v, offset=k)
    n, like = v.shape[0] + abs(k), {"device": device(raw(v))}
    rest = xp.zeros((abs(k),), dtype=v.dtype, **like)
    columns = xp.concat([rest, v] if k > 0 else [v, rest])
    return xp.where(xp.eye(n, k=k, dtype=xp.bool, **like), columns, 0.0)


def fill_diagonal(xp: Any, a: Array, val: Any) -> None:
    """Write into the diagonal of an array that carries a derivative."""
    if not isinstance(a, Traced):
        raise Derivative("numpy.fill_diagonal cannot write what carries a derivative into a plain array; make it by "
                         "numpy.zeros_like(x) or numpy.zeros((n, n), like=x)")  # fmt: skip
    i = xp.arange(min(a.shape), device=device(raw(a)))
    xp.setitem(a, (i,) * a.ndim, val)


def norm(xp: Any, x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Of vectors, or of matrices where there are two axes and an order."""
    if ord is None or (x.ndim == 1 and axis is None) or isinstance(axis, int):
        return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)
    axes = axes_of(axis, x.ndim)
    y = xp.linalg.matrix_norm(xp.moveaxis(x, axes, (-2, -1)), ord=ord)
    return xp.reshape(y, tuple(1 if i in axes else n for i, n in enumerate(x.shape))) if keepdims else y


def kron(xp: Any, a: Array, b: Array) -> Array:
    """Every entry of a times b."""
    ndim = max(a.ndim, b.ndim)
    a, b = (xp.reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape)) for x in (a, b))
    left = xp.reshape(a, tuple(n for m in a.shape for n in (m, 1)))
    right = xp.reshape(b, tuple(n for m in b.shape for n in (1, m)))
    return xp.reshape(left * right, tuple(n * m for n, m in zip(a.shape, b.shape, strict=True)))


def lstsq(xp: Any, a: Array, b: Array, rcond: Any = None) -> tuple[Array, Array, int, Array]:
    """The x of least |b − a x|, by the pseudoinverse; |b − a x|² (tall a of full rank); the rank; singular values."""
    rcond = max(a.shape) * float(xp.finfo(a.dtype).eps) if rcond is None else rcond
    x, s = xp.linalg.pinv(a, rtol=rcond) @ b, xp.linalg.svdvals(a)
    rank = int(xp.sum(xp.astype(raw(s) > rcond * raw(s)[0], xp.int64)))
    residuals = xp.sum(squares(xp, b - a @ x), axis=0, keepdims=b.ndim == 1)
    return x, residuals if rank == a.shape[1] < a.shape[0] else residuals[:0], rank, s


def cond(xp: Any, x: Array, p: Any = None) -> Array:
    """The condition of a matrix, |x| |x⁻¹|; of the 2-norm the ratio of the largest and the least singular value."""
    if p in (None, 2, -2):
        s = xp.linalg.svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return xp.linalg.matrix_norm(x, ord=p) * xp.linalg.matrix_norm(xp.linalg.inv(x), ord=p)


def multi_dot(xp: Any, arrays: Any) -> Array:
    """The product of several, from the right."""
    arrays = list(arrays)
    y = arrays[-1]
    for a in arrays[-2::-1]:
        y = a @ y
    return y


#: The functions by NumPy's names; ufuncs among them.
OF_MATRICES: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (einsum, diag, fill_diagonal, norm, kron, lstsq, cond, multi_dot)},
    "diagflat": lambda xp, v, k=0: diag(xp, xp.reshape(v, (-1,)), k),
    "matrix_power": lambda xp, a, n: xp.linalg.matrix_power(a, n),
    "vdot": lambda xp, a, b: xp.vecdot(xp.reshape(a, (-1,)), xp.reshape(b, (-1,))),
    "matvec": lambda xp, a, b: (a @ b[..., None])[..., 0],
    "vecmat": lambda xp, a, b: (conj(xp, a)[..., None, :] @ b)[..., 0, :],
}
