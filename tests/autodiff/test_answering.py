"""One function, written with ``x.__array_namespace__()``, for every library: evaluations without derivatives too."""

from __future__ import annotations

import numpy as np
import pytest
from test_rules import device_library

import xnn
from xnn.autodiff import checkpoint, derivatives, grad

V = np.array([0.3, 0.7, 1.2])
C = np.array([0.4, 0.9, 1.1])


@pytest.fixture
def x(backend):
    return backend.asarray(V, "float64")


def residuals(x):
    xp = x.__array_namespace__()
    return xp.concat([xp.sin(x) - 0.5, x * x - 0.5])


def cost(x):
    return x.__array_namespace__().sum(residuals(x) ** 2)


def test_a_check_of_gradients(backend, x):
    c = backend.asarray(C, "float64")
    with backend.scope():
        xnn.check_gradients(cost, x)
        xnn.check_gradients(lambda θ: cost(θ["w"][0]) * 2.0, {"w": [x]})
        xnn.check_gradients(lambda x: c * x + c**x - x[:, None] @ c[:1] / x, x)
        if backend.name not in ("jax", "array_api_strict"):  # of whose plain arrays NumPy's functions make NumPy's
            xnn.check_gradients(lambda x: np.where(x > 0.5, np.sin(c * x), 0.0) + np.linalg.norm(x), x)
        wrong = xnn.autodiff.custom(lambda x: x**3, vjp=lambda g, y, x: g * x**2, jvp=lambda v, y, x: v * x**2)
        with pytest.raises(AssertionError, match=r"argument 0\[\d\] differs"):
            xnn.check_gradients(lambda x: x.__array_namespace__().sum(wrong(x)), x, order=1)


def test_descents(backend, x):
    with backend.scope(), device_library():
        for found in (xnn.least_squares(residuals, x), xnn.minimize(cost, x, optimizer=xnn.LBFGS())):
            assert type(found.theta) is type(x)
            assert backend.to_numpy(grad(cost)(found.theta)) == pytest.approx(0.0, abs=1e-6)


def test_what_is_evaluated_without_derivatives(backend, x):
    with backend.scope():
        (y,) = derivatives(residuals, 0)(x)
        assert type(y) is type(x)
        g = grad(checkpoint(cost))(x)
    assert type(g) is type(x)
    np.testing.assert_allclose(backend.to_numpy(g), 2 * ((np.sin(V) - 0.5) * np.cos(V) + (V * V - 0.5) * 2 * V))


def test_the_namespace_that_records_takes_them(backend, x):
    xp, c = xnn.recording(xnn.arrays.namespace(x)), backend.asarray(C, "float64")
    with backend.scope():
        for f in (
            lambda x: xp.exp(c) * xp.exp(x) + xp.where(c > 0.5, x, 0.0), lambda x: xp.concat([c, x]),
            lambda x: xp.tensordot(c, x, axes=1), lambda x: xp.linalg.vector_norm(x) * xp.asarray(x, copy=True),
        ):  # fmt: skip
            xnn.check_gradients(f, x)
        if backend.name in ("torch", "cupy"):  # where f gets lifted ones
            xnn.check_gradients(lambda x: xp.asarray([x[0], 1.0]) * xp.full((2,), x[1]), x)
            xnn.check_gradients(lambda x: x * xp.full_like(c, x[0]), x)
