"""Every rule, on every library: both modes and the second order, against five-point differences on NumPy."""

from __future__ import annotations

import contextlib
import functools

import numpy as np
import pytest
from references import scaled_error

import xnn
from xnn.autodiff import Derivative, grad, jvp, recording, vjp

POSITIVE, UNIT, ABOVE_ONE, ANY = (0.5, 2.0), (-0.8, 0.8), (1.2, 3.0), (-2.0, 2.0)


def spd(xp, a):
    """A symmetric positive definite matrix made from a."""
    return xp.matmul(a, xp.matrix_transpose(a)) + 2.0 * xp.eye(a.shape[-1], dtype=a.dtype, device=a.device)


def index(xp, values, like):
    return xp.asarray(values, device=like.device)


ONE = {
    "negative": ANY, "positive": ANY, "abs": ANY, "reciprocal": POSITIVE, "square": ANY, "sqrt": POSITIVE, "exp": ANY,
    "expm1": ANY, "log": POSITIVE, "log1p": POSITIVE, "log2": POSITIVE, "log10": POSITIVE, "sin": ANY, "cos": ANY,
    "tan": UNIT, "asin": UNIT, "acos": UNIT, "atan": ANY, "sinh": ANY, "cosh": ANY, "tanh": ANY, "asinh": ANY,
    "acosh": ABOVE_ONE, "atanh": UNIT,
}  # fmt: skip
TWO = {
    "add": ANY, "subtract": ANY, "multiply": ANY, "divide": POSITIVE, "pow": POSITIVE, "remainder": POSITIVE,
    "logaddexp": ANY, "atan2": POSITIVE, "hypot": POSITIVE, "copysign": ANY, "maximum": ANY, "minimum": ANY,
}  # fmt: skip

# name: (function of (xp, *arrays), shapes, interval)
CASES = {name: (lambda xp, x, name=name: getattr(xp, name)(x), [(2, 3)], where) for name, where in ONE.items()}
CASES |= {
    name: (lambda xp, a, b, name=name: getattr(xp, name)(a, b), [(2, 3), (3,)], where) for name, where in TWO.items()
}
CASES |= {
    f"{name}, other way": (lambda xp, a, b, name=name: getattr(xp, name)(a, b), [(3, 1), (2, 1, 3)], where)
    for name, where in TWO.items()
}
CASES |= {
    "operators": (lambda _, a, b: (2.0 * a - b / 3.0 - a * b - 1.0 / b + 2.0**a) / (4.0 - a), [(2, 3), (3,)], POSITIVE),
    "powers": (lambda xp, a: a**2 + a**0.5 + a**0 + a**-1 + abs(a) + a % 0.7, [(4,)], POSITIVE),
    "x ** 2 of negative": (lambda xp, a: a**2 * a**3, [(4,)], (-2, -1)),
    "clip": (lambda xp, a: xp.clip(a, -0.5, 0.5), [(7,)], ANY),
    "clip from below": (lambda xp, a: xp.clip(a, 0.1), [(7,)], ANY),
    "where": (lambda xp, a, b: xp.where(a > 0.0, a, a * b), [(2, 3), (3,)], ANY),
    "where with numbers": (lambda xp, a: xp.where(a > 0.0, a * a, 0.0) + xp.where(a > 0.0, 1.0, a), [(2, 3)], ANY),
    # Reductions.
    "sum": (lambda xp, x: xp.sum(x * x), [(2, 3)], ANY),
    "sum, axes": (lambda xp, x: xp.sum(x * x, axis=(0, -1)), [(2, 3, 2)], ANY),
    "sum, kept": (lambda xp, x: xp.sum(x * x, axis=1, keepdims=True) * x, [(2, 3, 2)], ANY),
    "mean": (lambda xp, x: xp.mean(x * x, axis=0), [(2, 3)], ANY),
    "var": (lambda xp, x: xp.var(x, axis=-1, correction=1), [(2, 3)], ANY),
    "std": (lambda xp, x: xp.std(x, axis=0, keepdims=True), [(4, 3)], ANY),
    "prod": (lambda xp, x: xp.prod(x), [(2, 3)], ANY),
    "prod, axis": (lambda xp, x: xp.prod(x, axis=1, keepdims=True), [(2, 5, 2)], ANY),
    "max": (lambda xp, x: xp.max(x * x), [(2, 3)], ANY),
    "max over axes": (lambda xp, x: xp.max(x * x, axis=(0, 2)), [(2, 3, 2)], ANY),
    "min": (lambda xp, x: xp.min(x * x, axis=-1, keepdims=True), [(2, 3)], ANY),
    "cumulative_sum": (lambda xp, x: xp.cumulative_sum(x * x, axis=1), [(2, 4)], ANY),
    "cumulative_sum, initial": (lambda xp, x: xp.cumulative_sum(x * x, axis=0, include_initial=True), [(4, 2)], ANY),
    "sort": (lambda xp, x: xp.sort(x * x, axis=0), [(4, 2)], ANY),
    "sort, descending": (lambda xp, x: xp.sort(x * x, descending=True), [(2, 5)], ANY),
    "diff": (lambda xp, x: xp.diff(x * x, axis=0, n=2), [(5, 2)], ANY),
    # Shapes.
    "reshape": (lambda xp, x: xp.reshape(x * x, (3, -1)), [(2, 3)], ANY),
    "reshape by name": (lambda xp, x: xp.reshape(x * x, shape=(6,)), [(2, 3)], ANY),
    "permute_dims": (lambda xp, x: xp.permute_dims(x * x, (2, 0, 1)), [(2, 3, 4)], ANY),
    "moveaxis": (lambda xp, x: xp.moveaxis(x * x, 0, -1), [(2, 3, 4)], ANY),
    "matrix_transpose": (lambda xp, x: xp.matrix_transpose(x * x) + x.mT, [(2, 3, 4)], ANY),
    "T": (lambda xp, x: (x * x).T, [(2, 3)], ANY),
    "expand_dims": (lambda xp, x: xp.expand_dims(x * x, axis=1), [(2, 3)], ANY),
    "squeeze": (lambda xp, x: xp.squeeze(x * x, axis=1), [(2, 1, 3)], ANY),
    "broadcast_to": (lambda xp, x: xp.broadcast_to(x * x, (4, 2, 3)), [(2, 1)], ANY),
    "broadcast_arrays": (lambda xp, a, b: xp.multiply(*xp.broadcast_arrays(a, b)), [(2, 1), (3,)], ANY),
    "meshgrid": (lambda xp, a, b: xp.multiply(*xp.meshgrid(a, b)), [(2,), (3,)], ANY),
    "flip": (lambda xp, x: xp.flip(x * x, axis=1), [(2, 3)], ANY),
    "roll": (lambda xp, x: xp.roll(x * x, 2, axis=1), [(2, 5)], ANY),
    "tile": (lambda xp, x: xp.tile(x * x, (2, 3)), [(2, 2)], ANY),
    "repeat": (lambda xp, x: xp.repeat(x * x, 2, axis=1), [(2, 3)], ANY),
    "tril": (lambda xp, x: xp.tril(x * x, k=-1) + xp.triu(x), [(3, 3)], ANY),
    "concat": (lambda xp, a, b: xp.concat([a * a, b, a], axis=1), [(2, 3), (2, 1)], ANY),
    "concat, flat": (lambda xp, a, b: xp.concat([a * a, b], axis=None), [(2, 3), (2,)], ANY),
    "stack": (lambda xp, a, b: xp.stack([a * a, b, a], axis=-1), [(2, 3), (2, 3)], ANY),
    "unstack": (lambda xp, x: xp.unstack(x * x, axis=1)[2], [(2, 3)], ANY),
    "asarray": (lambda xp, a, b: xp.asarray([[a, b], [a * b, 1.0]]), [(), ()], ANY),
    "astype": (lambda xp, x: xp.astype(x * x, xp.float64), [(2, 3)], ANY),
    # Indexing.
    "x[i]": (lambda xp, x: (x * x)[1, ...], [(2, 3)], ANY),
    "x[i, j]": (lambda xp, x: (x * x)[1, -1], [(2, 3)], ANY),
    "x[::2]": (lambda xp, x: (x * x)[1::2, ...] * x[:1, ...], [(5, 2)], ANY),
    "x[:, 1:-1]": (lambda xp, x: (x * x)[:, 1:-1], [(2, 4)], ANY),
    "x[None]": (lambda xp, x: (x * x)[None, ..., 0:2], [(2, 4)], ANY),
    "take": (lambda xp, x: xp.take(x * x, index(xp, [2, 0, 2], x), axis=1), [(2, 3)], ANY),
    "take of one axis": (lambda xp, x: xp.take(x * x, index(xp, [2, 0, 2], x), axis=0), [(3,)], ANY),
    "take_along_axis": (
        lambda xp, x: xp.take_along_axis(x * x, index(xp, [[2, 2], [0, 1]], x), axis=1), [(2, 3)], ANY),
    # Products.
    "matmul": (lambda xp, a, b: xp.matmul(a, b), [(2, 3), (3, 4)], ANY),
    "matmul, batches": (lambda xp, a, b: a @ b, [(2, 1, 2, 3), (4, 3, 2)], ANY),
    "matmul, vector right": (lambda xp, a, b: a @ b, [(2, 4, 3), (3,)], ANY),
    "matmul, vector left": (lambda xp, a, b: a @ b, [(3,), (2, 3, 4)], ANY),
    "matmul, vectors": (lambda xp, a, b: a @ b, [(3,), (3,)], ANY),
    "tensordot": (lambda xp, a, b: xp.tensordot(a, b, axes=((0, 2), (2, 0))), [(2, 3, 4), (4, 2, 2)], ANY),
    "tensordot, 1": (lambda xp, a, b: xp.tensordot(a, b, axes=1), [(2, 3), (3, 2)], ANY),
    "vecdot": (lambda xp, a, b: xp.vecdot(a, b), [(2, 3), (3,)], ANY),
    "cumulative_prod": (lambda xp, x: xp.cumulative_prod(x, axis=1), [(2, 5)], ANY),
    # Linear algebra.
    "outer": (lambda xp, a, b: xp.linalg.outer(a, b), [(2,), (3,)], ANY),
    "cross": (lambda xp, a, b: xp.linalg.cross(a, b), [(2, 3), (2, 3)], ANY),
    "diagonal": (lambda xp, x: xp.linalg.diagonal(x * x, offset=1), [(2, 3, 4)], ANY),
    "trace": (lambda xp, x: xp.linalg.trace(x * x), [(2, 3, 3)], ANY),
    "vector_norm": (lambda xp, x: xp.linalg.vector_norm(x, axis=-1), [(2, 3)], ANY),
    "vector_norm, 3": (lambda xp, x: xp.linalg.vector_norm(x, ord=3), [(2, 3)], ANY),
    "matrix_norm": (lambda xp, x: xp.linalg.matrix_norm(x), [(2, 3, 3)], ANY),
    "matrix_power": (lambda xp, x: xp.linalg.matrix_power(x, 5), [(2, 2)], ANY),
    "matrix_power, -2": (lambda xp, x: xp.linalg.matrix_power(spd(xp, x), -2), [(2, 2)], ANY),
    "inv": (lambda xp, x: xp.linalg.inv(spd(xp, x)), [(2, 3, 3)], ANY),
    "det": (lambda xp, x: xp.linalg.det(x), [(2, 3, 3)], ANY),
    "slogdet": (lambda xp, x: xp.linalg.slogdet(x)[1], [(2, 3, 3)], ANY),
    "solve": (lambda xp, a, b: xp.linalg.solve(spd(xp, a), b), [(2, 3, 3), (2, 3, 2)], ANY),
    "solve, vector": (lambda xp, a, b: xp.linalg.solve(spd(xp, a), b), [(3, 3), (3,)], ANY),
    "cholesky": (lambda xp, x: xp.linalg.cholesky(spd(xp, x)), [(3, 3)], ANY),
    "eigh": (lambda xp, x: xp.linalg.eigh(spd(xp, x))[1] ** 2, [(3, 3)], ANY),
    "eigvalsh": (lambda xp, x: xp.linalg.eigvalsh(spd(xp, x)), [(3, 3)], ANY),
    "qr": (lambda xp, x: xp.matmul(*reversed(xp.linalg.qr(x)[::-1])) + xp.linalg.qr(x)[0] * x, [(4, 3)], ANY),
    "qr, R": (lambda xp, x: xp.linalg.qr(x)[1] ** 2, [(4, 3)], ANY),
}  # fmt: skip


@contextlib.contextmanager
def device_library():
    """Skips where the emulated device lacks cuSOLVER or batched products of cuBLAS."""
    try:
        yield
    except RuntimeError as error:
        if type(error).__name__ in ("CUSOLVERError", "CUBLASError") and "NOT_SUPPORTED" in str(error):
            pytest.skip(f"this device: {error}")
        raise


def differences(f, x, v, h=3e-4):
    """d/dt f(x + t v) at t = 0 by five points, f a function of a list of NumPy arrays."""

    def at(k):
        return f([a + k * h * t for a, t in zip(x, v, strict=True)])

    return [(d - 8 * c + 8 * b - a) / (12 * h) for d, c, b, a in zip(at(-2), at(-1), at(1), at(2), strict=True)]


@functools.cache
def expected(name):
    """x, v, g; J v; and the derivative along v of the gradient Jᵀ g, all on NumPy."""
    function, shapes, (low, high) = CASES[name]
    rng = np.random.default_rng(sum(map(ord, name)))
    x = [rng.uniform(low, high, size=s) for s in shapes]
    v = [rng.normal(size=s) for s in shapes]
    xp = recording(xnn.get_backend("numpy").xp)
    g = rng.normal(size=np.shape(function(xp, *x)))
    forward = differences(lambda x: [np.asarray(function(xp, *x))], x, v)[0]
    second = differences(lambda x: [np.asarray(a) for a in vjp(lambda x: function(xp, *x), x)[1](g)], x, v)
    return x, v, g, forward, second


@pytest.mark.parametrize("name", CASES)
def test_a_rule_in_both_modes_and_to_second_order(backend, name):
    function = CASES[name][0]
    x, v, g, right, right_second = expected(name)
    xs, vs = ([backend.asarray(a, "float64") for a in arrays] for arrays in (x, v))
    with backend.scope(), device_library():
        xp = recording(xnn.arrays.namespace(xs[0]))
        _, tangent = jvp(lambda x: function(xp, *x), xs, vs)
        assert scaled_error(backend.to_numpy(tangent), right) < 1e-8
        _, pull = vjp(lambda x: function(xp, *x), xs)
        adjoints = [backend.to_numpy(a) for a in pull(backend.asarray(g, "float64"))]
        weights = backend.asarray(g, "float64")
        second = right_second
        if not backend.immutable:  # without compilation, JAX is too slow for the second order of all
            _, second = jvp(grad(lambda x: xp.sum(weights * function(xp, *x))), xs, vs)
    # Reverse is the transpose of forward, exactly: g·(J v) = (Jᵀ g)·v.
    inner = sum(float(np.sum(a * b)) for a, b in zip(adjoints, v, strict=True))
    assert inner == pytest.approx(float(np.sum(g * right)), rel=1e-8, abs=1e-8)
    for own, other in zip(second, right_second, strict=True):
        assert np.max(np.abs(xnn.to_numpy(own) - other), initial=0) <= 1e-7 * max(1.0, np.max(np.abs(other), initial=0))


def test_a_function_without_a_rule_raises_by_name(backend):
    x = backend.asarray([1.0, 2.0, 3.0], "float64")
    xp = recording(xnn.arrays.namespace(x))
    with pytest.raises(Derivative, match="unique_values"):
        grad(lambda x: xp.sum(xp.unique_values(x)))(x)
    with pytest.raises(Derivative, match="complex"):
        grad(lambda x: xp.sum(xp.abs(xp.astype(x, xp.complex128))))(x)


def test_what_is_constant_carries_no_derivative(backend):
    x = backend.asarray([1.5, 2.0, 3.0], "float64")

    def f(x):
        xp = x.__array_namespace__()
        for y in (xp.floor(x), xp.sign(x), xp.argmax(x), x > 2.0, xp.round(x), xp.astype(x, xp.int32), xp.isnan(x)):
            assert not hasattr(y, "__wrapped_array__")
        return xp.sum(x * xp.floor(x)) + x[xp.argmax(x)]

    np.testing.assert_array_equal(backend.to_numpy(grad(f)(x)), [1.0, 2.0, 4.0])


def test_ties_share_evenly(backend):
    x = backend.asarray([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], "float64")

    def f(x, name):
        xp = x.__array_namespace__()
        return xp.sum(getattr(xp, name)(x, axis=1))

    np.testing.assert_allclose(backend.to_numpy(grad(f)(x, "max")), [[0, 0.5, 0.5], [1 / 3] * 3])
    np.testing.assert_allclose(backend.to_numpy(grad(f)(x, "min")), [[1, 0, 0], [1 / 3] * 3])


def test_products_with_zeros(backend):
    x = backend.asarray([2.0, 0.0, 3.0], "float64")
    one = backend.to_numpy(grad(lambda x: x.__array_namespace__().prod(x))(x))
    np.testing.assert_array_equal(one, [0, 6, 0])
    run = backend.to_numpy(grad(lambda x: x.__array_namespace__().sum(x.__array_namespace__().cumulative_prod(x)))(x))
    np.testing.assert_array_equal(run, [1, 8, 0])
