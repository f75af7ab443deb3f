"""Hold the emulated CuPy against NumPy, in the functions that a neural-network library uses.

Values, data types and shapes are compared in float32 and float64, 292 checks in all. The exit status is
1 where one differs. Run it under the build of ``install``, in each thread order::

    CUDACPU_ORDER=2 PYTHONPATH=$SITE python check_fidelity.py
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import cudacpu
import cupy
import numpy as np

Check = tuple[str, Callable[..., Any], tuple[Any, ...], float]  # name, f(xp, *arrays), the arrays, tolerance

# fmt: off
UNARY = [
    "exp", "tanh", "sqrt", "log", "log1p", "expm1", "abs", "sign", "sin", "cos", "floor", "ceil", "isnan", "isfinite",
    "negative", "square", "reciprocal", "sinh", "arctan", "rint", "logical_not",
]
BINARY = [
    "add", "subtract", "multiply", "true_divide", "maximum", "minimum", "power", "greater", "less_equal", "equal",
    "logaddexp", "arctan2", "hypot", "copysign", "fmod", "floor_divide",
]
REDUCTIONS = ["sum", "mean", "max", "min", "prod", "argmax", "argmin", "var", "std", "any", "all"]
# fmt: on
CLOSE, SUMMED, TWICE_SUMMED = 1e-5, 1e-4, 1e-3


def elementwise(A: Any, v: Any) -> Iterator[Check]:
    positive = np.abs(A) + 1
    for name in UNARY:
        yield name, lambda xp, a, name=name: getattr(xp, name)(a), (positive,), CLOSE
    for name in BINARY:
        yield name, lambda xp, a, b, name=name: getattr(xp, name)(a, b), (positive, v), CLOSE

    def scalars(xp, a):
        return a * 2, a * 2.5, a * np.float32(2), a * True, a**2, a**0.5

    yield "scalars keep the type", scalars, (positive,), CLOSE
    yield "broadcasting", lambda xp, a, w: a + w[None, :], (A, v), CLOSE
    yield "where", lambda xp, a: xp.where(a > 0, a, 0), (A,), CLOSE
    yield "clip", lambda xp, a: xp.clip(a, -0.5, 0.5), (A,), CLOSE
    yield "astype", lambda xp, a: (a.astype("i4"), a.astype("f2"), a.astype("?")), (A,), TWICE_SUMMED


def reductions(A: Any, C: Any, v: Any) -> Iterator[Check]:
    for name, axis, keepdims in itertools.product(REDUCTIONS, (None, 0, 1), (False, True)):

        def reduce(xp, a, name=name, axis=axis, keepdims=keepdims):
            return getattr(xp, name)(a, axis=axis, keepdims=keepdims)

        yield f"{name} over {axis}, keepdims={keepdims}", reduce, (A / 4 + 1,), SUMMED
    yield "sum over two of three axes", lambda xp, c: xp.sum(c, axis=(0, 2)), (C,), SUMMED
    yield "cumsum of rows", lambda xp, a: xp.cumsum(a, axis=1), (A,), SUMMED
    yield "cumsum of all", lambda xp, a: xp.cumsum(a), (A,), TWICE_SUMMED
    yield "norm", lambda xp, a: xp.linalg.norm(a), (A,), SUMMED
    yield "percentile", lambda xp, a: xp.percentile(a, 30), (A,), CLOSE


def products(A: Any, B: Any, C: Any, v: Any) -> Iterator[Check]:
    yield "matrix product", lambda xp, a, b: a @ b, (A, B), SUMMED
    yield "transposed", lambda xp, a, b: a.T @ (a @ b), (A, B), TWICE_SUMMED
    yield "with strides", lambda xp, a, b: a[::2, ::-1] @ b[::-1, ::3], (A, B), SUMMED
    yield "a batch and a matrix", lambda xp, c, b: c @ b, (C, B), SUMMED
    yield "two batches", lambda xp, c: xp.matmul(c, xp.swapaxes(c, 1, 2)), (C,), SUMMED
    yield "matrix and vector", lambda xp, a, w: a @ w, (A, v), SUMMED
    yield "dot", lambda xp, w: xp.dot(w, w), (v,), SUMMED
    yield "outer", lambda xp, w: xp.outer(w, w), (v,), CLOSE
    yield "tensordot", lambda xp, c, b: xp.tensordot(c, b, axes=1), (C, B), SUMMED
    yield "einsum", lambda xp, c, b: xp.einsum("bij,jk->bik", c, b), (C, B), SUMMED


def indexing(A: Any, v: Any) -> Iterator[Check]:
    yield "a mask", lambda xp, a: a[a > 0], (A,), CLOSE
    yield "nonzero", lambda xp, a: xp.nonzero(a > 0), (A,), CLOSE
    yield "rows by an array", lambda xp, a: a[xp.asarray([3, 1, 3]), :], (A,), CLOSE
    yield "elements by arrays", lambda xp, a: a[xp.asarray([3, 1, 3]), xp.asarray([0, 1, 2])], (A,), CLOSE
    yield "take", lambda xp, a: xp.take(a, xp.asarray([3, 1]), axis=1), (A,), CLOSE
    yield "take_along_axis", lambda xp, a: xp.take_along_axis(a, xp.argsort(a, axis=1), axis=1), (A,), CLOSE
    yield "sort", lambda xp, a: xp.sort(a, axis=0), (A,), CLOSE
    yield "argsort", lambda xp, a: xp.argsort(a, axis=1), (A,), CLOSE
    yield "unique", lambda xp, a: xp.unique(xp.round(a)), (A,), CLOSE
    yield "searchsorted", lambda xp, w: xp.searchsorted(xp.sort(w), w), (v,), CLOSE

    def in_place(xp, a):
        a = a.copy()
        a += 1
        a[:, 0] = 7
        a[a > 1] *= 2
        a[2:5, ::2] -= a[5:8, ::2]
        return a

    def scatter(xp, a):
        b, index = a.copy(), xp.asarray([0, 0, 1])
        xp.add.at(b, index, 1)
        return b

    yield "in place", in_place, (A,), CLOSE
    yield "scatter", scatter, (A,), CLOSE


def shapes(A: Any, dtype: str) -> Iterator[Check]:
    yield "concatenate", lambda xp, a: xp.concatenate([a, a[:, ::-1]], axis=0), (A,), CLOSE
    yield "stack", lambda xp, a: xp.stack([a, a], axis=1), (A,), CLOSE
    yield "reshape", lambda xp, a: a.T.reshape(-1), (A,), CLOSE
    yield "pad", lambda xp, a: xp.pad(a, ((1, 2), (0, 3))), (A,), CLOSE
    yield "roll", lambda xp, a: xp.roll(a, 3, axis=1), (A,), CLOSE
    yield "flip", lambda xp, a: xp.flip(a, 0), (A,), CLOSE
    yield "tile", lambda xp, a: xp.tile(a, (2, 1)), (A,), CLOSE
    yield "repeat", lambda xp, a: xp.repeat(a, 3, axis=0), (A,), CLOSE
    yield "triangles", lambda xp, a: (xp.tril(a), xp.triu(a, 1), xp.diag(a)), (A,), CLOSE

    def created(xp):
        return xp.eye(4, dtype=dtype), xp.arange(5, dtype=dtype), xp.linspace(0, 1, 7)

    def integers(xp):
        six = xp.arange(6)
        return six / 2, six // 4, six % 4, six**2, xp.mean(six), xp.sum(xp.arange(6, dtype="i4"))

    yield "created", created, (), CLOSE
    yield "integers", integers, (), CLOSE


def checks(dtype: str, rng: np.random.Generator) -> Iterator[Check]:
    """All checks in one data type."""
    A, B, C, v = (rng.standard_normal(shape).astype(dtype) for shape in [(37, 53), (53, 19), (5, 37, 53), (53,)])
    yield from elementwise(A, v)
    yield from reductions(A, C, v)
    yield from products(A, B, C, v)
    yield from indexing(A, v)
    yield from shapes(A, dtype)


def difference(function: Callable[..., Any], arrays: tuple[Any, ...], tolerance: float) -> str:
    """What differs between NumPy and CuPy, in one line; an empty text where nothing does."""
    try:
        expected, found = function(np, *arrays), function(cupy, *map(cupy.asarray, arrays))
        if not isinstance(expected, (tuple, list)):
            expected, found = (expected,), (found,)
        for a, b in zip(map(np.asarray, expected), found, strict=True):
            assert isinstance(b, cupy.ndarray), f"expected an array of CuPy, found {type(b)}"
            b = b.get()
            assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{a.dtype} {a.shape} and {b.dtype} {b.shape}"
            np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance)
    except Exception as error:  # whatever it is, it is a difference
        return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return ""


def main() -> int:
    """Run the checks, print the differences, return the exit status."""
    start, total, failed = time.perf_counter(), 0, 0
    rng = np.random.default_rng(0)
    for dtype in ("f4", "f8"):
        for name, function, arrays, tolerance in checks(dtype, rng):
            total += 1
            if found := difference(function, arrays, tolerance):
                failed += 1
                print(f"{name} ({dtype}): {found}")
    divergent = cudacpu.counters()["divergent"]
    print(
        f"emulated CuPy {cupy.__version__} and NumPy {np.__version__}: {total - failed} of {total} checks agree, "
        f"{divergent} divergent barriers, {time.perf_counter() - start:.1f} s, "
        f"{cudacpu.stats['compiled']} kernels compiled in {cudacpu.stats['compile_s']:.1f} s"
    )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
