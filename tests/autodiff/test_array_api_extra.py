"""array-api-extra's unmodified functions differentiate, in both modes and to second order, on every library.

They ask several arrays for one namespace and write into arrays that they made; so the arrays are lifted ones.
"""

from __future__ import annotations

import pickle
import warnings

import array_api_extra as xpx
import numpy as np
import pytest
from array_api_compat import array_namespace
from test_rules import device_library

import xnn
from xnn.autodiff import Derivative, check_gradients, grad, hvp, jvp, lifted

M = np.array([[2.2, 0.3, 0.1], [0.3, 1.5, 0.2], [0.15, 0.25, 1.1]])
W = np.array([1.0, 2.0, 3.0])

EXTRA = {
    "angle": lambda xp, x: xpx.angle(xp.astype(x, xp.complex128) * (1 + 1j) + 1j * x * x),
    "angle, real": lambda xp, x: xpx.angle(x) + x * x,
    "apply_where": lambda xp, x: xpx.apply_where(x > 0.5, (x, x * x), lambda a, b: a * b, lambda a, b: a + b),
    "apply_where, number": lambda xp, x: xpx.apply_where(x > 0.5, x, lambda a: a**3, fill_value=2.0) * x,
    "apply_where, array": lambda xp, x: xpx.apply_where(x > 0.5, x, lambda a: a**3, fill_value=x * x),
    "argpartition": lambda xp, x: x * xp.astype(xpx.argpartition(x, 1), x.dtype),
    "atleast_nd": lambda xp, x: xpx.atleast_nd(x, ndim=3) * x,
    "cov": lambda xp, x: xpx.cov(x),
    "cov, weights": lambda xp, x: xpx.cov(x, axis=0, correction=0.5, aweights=plain(xp, x, W)),
    "create_diagonal": lambda xp, x: xpx.create_diagonal(x * x),
    "create_diagonal, offset": lambda xp, x: xpx.create_diagonal(x[0, :] ** 2, offset=-1),
    "default_dtype": lambda xp, x: x * x if xpx.default_dtype(xp) in (xp.float32, xp.float64) else x,
    "deg2rad": lambda xp, x: xpx.deg2rad(x) * xpx.rad2deg(x),
    "diag_indices": lambda xp, x: x[xpx.diag_indices(3, xp=xp)] ** 2,
    "isclose": lambda xp, x: xp.where(xpx.isclose(x, 5.0 * xp.ones_like(x)), x * x, x),
    "isin": lambda xp, x: xp.where(xpx.isin(plain(xp, x, M), plain(xp, x, [0.1, 0.3])), x * x, x),
    "kron": lambda xp, x: xpx.kron(x, x[:2, :]),
    "lazy_apply": lambda xp, x: xpx.lazy_apply(lambda a: a * a, x),
    "nan_to_num": lambda xp, x: xpx.nan_to_num(x) * x,
    "nanmax": lambda xp, x: xpx.nanmax(x, axis=0) * x,
    "nanmean": lambda xp, x: xpx.nanmean(x, axis=1) * x,
    "nanmin": lambda xp, x: xpx.nanmin(x) * x,
    "nansum": lambda xp, x: xpx.nansum(x * x),
    "nunique": lambda xp, x: x * x * xp.astype(xpx.nunique(plain(xp, x, M)), x.dtype),
    "one_hot": lambda xp, x: xpx.one_hot(xp.argmax(x, axis=1), 3, dtype=x.dtype) * x,
    "pad": lambda xp, x: xpx.pad(x * x, [(1, 0), (0, 2)], constant_values=3.0),
    "partition": lambda xp, x: xpx.partition(x * x, 1, axis=0),
    "searchsorted": lambda xp, x: x * xp.astype(xpx.searchsorted(plain(xp, x, [0.5, 1.0]), x), x.dtype),
    "setdiff1d": lambda xp, x: xp.sum(xpx.setdiff1d(plain(xp, x, M), plain(xp, x, [0.1]))) * x,
    "sinc": lambda xp, x: xpx.sinc(x),
    "triu_indices": lambda xp, x: x[xpx.triu_indices(3, xp=xp)] ** 2,
    "union1d": lambda xp, x: xp.sum(xpx.union1d(plain(xp, x, M), plain(xp, x, [0.1]))) * x,
    "unravel_index": lambda xp, x: x * xp.astype(xpx.unravel_index(xp.argsort(x), (3, 3))[0], x.dtype),
    "at, into an array without a derivative": lambda xp, x: xpx.at(xp.zeros_like(x))[1, :].set(x[0, :] ** 2),
    "at, a mask": lambda xp, x: xpx.at(x * x, x > 0.5).set(2.0) * x,
    "at, neither": lambda xp, x: xpx.at(plain(xp, x, M), plain(xp, x, M) > 0.5).multiply(2.0, copy=True) * x,
}
for op in ("set", "add", "subtract", "multiply", "divide", "power", "min", "max"):
    EXTRA[f"at, {op}"] = lambda xp, x, op=op: getattr(xpx.at(x + 1, (slice(1, None), 0)), op)(x[0, 1:] + 0.7)
    EXTRA[f"at, {op}, a number"] = lambda xp, x, op=op: getattr(xpx.at(x)[0, :], op)(2.0, copy=True) * x

#: What indexes by masks or arrays, has shapes that depend on values, or makes arrays on the default device only.
NOT_ON = {
    "array_api_strict": {"diag_indices", "triu_indices", "union1d", "setdiff1d", "nunique", "at, a mask", "at, neither",
                         "at, min, a number", "at, max, a number"},
}  # fmt: skip


#: JAX compiles each operation for each shape: some are enough.
ON_JAX = {"apply_where", "create_diagonal, offset", "cov", "pad", "kron", "nanmax", "at, a mask", "at, set", "at, add",
          "at, into an array without a derivative", "at, max, a number"}  # fmt: skip


def plain(xp, x, values):
    return xp.asarray(np.asarray(values), dtype=x.dtype, device=x.device)


@pytest.mark.parametrize("name", EXTRA)
def test_unmodified_code_of_array_api_extra(backend, name):
    if name in NOT_ON.get(backend.name, ()):
        pytest.skip("needs more of the library")
    if type(backend).__name__ == "ReadOnlyNumpy" or (backend.name == "jax" and name not in ON_JAX):
        pytest.skip("as on NumPy")
    xp = lifted(xnn.arrays.namespace(backend.asarray(M, "float64")))
    x = xp.asarray(backend.asarray(M, "float64"))

    def f(x):
        assert array_namespace(x) is xp
        return EXTRA[name](xp, x)

    with backend.scope(), device_library(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = jvp(grad(lambda x: xp.sum(f(x) * f(x))), x, x)
        if backend.name == "numpy":
            check_gradients(f, x)
            assert all(a.__array_namespace__() is xp for a in jvp(f, x, x))
    assert first.__array_namespace__() is xp
    assert second.__array_namespace__() is xp
    np.testing.assert_array_equal(backend.to_numpy(x), M)
    if backend.name != "numpy":
        own = lifted(xnn.get_backend("numpy").xp)
        right = lambda x: own.sum(EXTRA[name](own, x) ** 2)  # noqa: E731
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_allclose(backend.to_numpy(first), grad(right)(own.asarray(M)), rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(
                backend.to_numpy(second), hvp(right, own.asarray(M), own.asarray(M)), rtol=1e-12, atol=1e-13
            )


def test_what_array_api_extra_would_take_to_numpy_is_refused():
    xp = lifted(xnn.get_backend("numpy").xp)
    with pytest.raises(TypeError, match=r"numpy\.asarray of an array that carries a derivative"):
        grad(lambda x: xp.sum(xpx.lazy_apply(np.sin, x, as_numpy=True)))(xp.asarray(M))
    with pytest.raises(Derivative, match="unique"):
        grad(lambda x: xp.sum(xpx.union1d(x, x)))(xp.asarray(M))


def test_the_lifted_namespace_of_a_library(backend):
    xp = lifted(xnn.arrays.namespace(backend.asarray(M)))
    assert lifted(xp) is xp
    assert lifted(xnn.arrays.namespace(backend.asarray(W))) is xp
    x = xp.asarray(backend.asarray(M, "float64"))
    assert array_namespace(x, x > 1.0, x[0, ...], xp.zeros(3)) is xp
    assert xnn.arrays.owner(x).name == backend.name
    if backend.name == "numpy":  # of which xnn has a namespace of its own
        with pytest.raises(TypeError, match=r"pickle the array inside, x\.value"):
            pickle.dumps(x)
    elif backend.name != "array_api_strict":  # whose devices cannot be pickled
        again = pickle.loads(pickle.dumps(x))
        assert again.__array_namespace__() is xp
        np.testing.assert_array_equal(backend.to_numpy(again), M)
