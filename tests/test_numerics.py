"""The functions of xnn.numerics: as accurate as promised, and silent, far from zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
from references import scaled_error

from xnn.numerics import log_softmax, log_sum_exp, normal, sigmoid, softmax, softplus

# z, Φ(z), φ(z), computed with 40 digits.
NORMAL = [
    (-37.0, 5.7255712225245768227e-300, 2.1200065515246056269e-298),
    (-30.0, 4.9067139271481870595e-198, 1.473646134878547519e-196),
    (-20.5, 1.0764673258790960335e-93, 2.2119843802105702634e-92),
    (-12.0, 1.7764821120776789977e-33, 2.146383735663060345e-32),
    (-8.25, 7.919726314642477341e-17, 6.6271374559687515356e-16),
    (-5.0, 2.8665157187919391167e-7, 1.4867195147342977079e-6),
    (-2.0, 0.0227501319481792072, 0.053990966513188051951),
    (-1.0, 0.15865525393145705141, 0.2419707245191433498),
    (-0.5, 0.30853753872598689636, 0.35206532676429947777),
    (0.0, 0.5, 0.39894228040143267794),
    (0.5, 1 - 0.30853753872598689636, 0.35206532676429947777),
    (2.0, 1 - 0.0227501319481792072, 0.053990966513188051951),
    (8.25, 1.0, 6.6271374559687515356e-16),
]
EXTREMES = np.array([-1e4, -1000.0, 1000.0, 1e4])


def call(backend, function, z, dtype="float64"):
    with backend.scope():
        result = function(backend.xp, backend.asarray(z, dtype))
    return [backend.to_numpy(a) for a in result] if isinstance(result, tuple) else backend.to_numpy(result)


def relative_error(a, b):
    return np.max(np.abs(a / b - 1))


def test_normal_distribution_keeps_its_relative_accuracy_in_the_tail(backend):
    z, Φ, φ = np.array(NORMAL).T
    a, b = call(backend, normal, z)
    assert relative_error(a, Φ) <= 1e-13
    assert relative_error(b, φ) <= 1e-13
    assert np.max(np.abs(a - Φ)) <= 1e-15


def test_normal_distribution_equals_erfc_densely(backend):
    z = np.linspace(-6, 6, 4001)
    Φ, _ = call(backend, normal, z)
    exact = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in z])
    assert np.max(np.abs(Φ - exact)) <= 1e-15
    assert relative_error(Φ, exact) <= 2e-14  # of which 8e-15 is the rounding of z/√2
    assert np.all(np.diff(Φ) >= 0)


def test_normal_distribution_in_float32(backend):
    z, Φ, _ = np.array([row for row in NORMAL if row[0] >= -5]).T
    a, b = call(backend, normal, z, "float32")
    assert a.dtype == b.dtype == np.float32
    assert relative_error(a, Φ) <= 2e-6
    assert np.max(np.abs(a - Φ)) <= 2e-7


def test_the_derivative_of_the_normal_distribution_is_its_density_at_zero_too():
    jax = pytest.importorskip("jax")
    z = jax.numpy.asarray([-30.0, -3.0, -0.1, 0.0, 0.1, 3.0])
    _, slope = jax.jvp(lambda z: normal(jax.numpy, z)[0], (z,), (jax.numpy.ones_like(z),))
    assert relative_error(np.asarray(slope), np.asarray(normal(jax.numpy, z)[1])) <= 1e-11


def test_sigmoid_keeps_its_relative_accuracy(backend):
    z = np.concatenate([np.linspace(-700, 50, 751), np.linspace(-2, 2, 101)])
    exact = np.array([1 / (1 + math.exp(-v)) for v in z])
    assert relative_error(call(backend, sigmoid, z), exact) <= 1e-15


def test_softplus_keeps_its_relative_accuracy(backend):
    z = np.concatenate([np.linspace(-700, 700, 1401), np.linspace(-2, 2, 101)])
    exact = np.array([math.log1p(math.exp(v)) for v in z])
    assert relative_error(call(backend, softplus, z), exact) <= 1e-15


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_limits_far_from_zero(backend, dtype):
    Φ, φ = call(backend, normal, EXTREMES, dtype)
    np.testing.assert_array_equal(Φ, [0, 0, 1, 1])
    np.testing.assert_array_equal(φ, [0, 0, 0, 0])
    np.testing.assert_array_equal(call(backend, sigmoid, EXTREMES, dtype), [0, 0, 1, 1])
    np.testing.assert_array_equal(call(backend, softplus, EXTREMES, dtype), [0, 0, 1000, 1e4])
    rows = np.array([[1000.0, -1000.0, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]])
    p = call(backend, softmax, rows, dtype)
    assert scaled_error(p, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]]) <= 1e-7
    expected = [[0, -2000, -1000], [-math.log(3)] * 3, [-math.log(2), -math.log(2), -2e4 - math.log(2)]]
    assert scaled_error(call(backend, log_softmax, rows, dtype), expected) <= 1e-7
    sums = [[1000], [-1e4 + math.log(3)], [1e4 + math.log(2)]]
    assert scaled_error(call(backend, log_sum_exp, rows, dtype), sums) <= 1e-7


@pytest.mark.parametrize("function", [softmax, log_softmax, log_sum_exp])
def test_normalizations_work_on_the_last_axis(backend, rng, function):
    z = rng.normal(0, 3, (2, 3, 4))
    e = np.exp(z)
    total = e.sum(axis=-1, keepdims=True)
    exact = {softmax: e / total, log_softmax: np.log(e / total), log_sum_exp: np.log(total)}[function]
    assert scaled_error(call(backend, function, z), exact) <= 1e-14


@pytest.mark.parametrize("function", [sigmoid, softplus, softmax, log_softmax, log_sum_exp, normal])
def test_nan_stays_nan_and_float32_stays_float32(backend, function):
    result = call(backend, function, np.full((1, 2), np.nan), "float32")
    for a in result if isinstance(result, list) else [result]:
        assert np.all(np.isnan(a))
        assert a.dtype == np.float32
