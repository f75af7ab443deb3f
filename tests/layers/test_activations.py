"""Every activation, forward and backward, on every backend."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from references import SHAPES, differences, run, scaled_error, torch_derivative

from xnn.layers.activations import (
    ELU,
    GELU,
    SELU,
    HardTanh,
    Identity,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)

λ, α = 1.0507009873554805, 1.6732632423543772  # SELU

# The layer, and the name and the settings of the function of torch.nn.functional that it equals.
LAYERS = [
    (Identity(), "", {}),
    (Sigmoid(), "sigmoid", {}),
    (Tanh(), "tanh", {}),
    (ReLU(), "relu", {}),
    (LeakyReLU(), "leaky_relu", {}),
    (LeakyReLU(0.3), "leaky_relu", {"negative_slope": 0.3}),
    (LeakyReLU(2.5), "leaky_relu", {"negative_slope": 2.5}),
    (LeakyReLU(-0.5), "leaky_relu", {"negative_slope": -0.5}),
    (PReLU(), "prelu", {}),
    (ELU(), "elu", {}),
    (ELU(0.3), "elu", {"alpha": 0.3}),
    (ELU(alpha=2.0), "elu", {"alpha": 2.0}),
    (SELU(), "selu", {}),
    (GELU(), "gelu", {}),
    (GELU("tanh"), "gelu", {"approximate": "tanh"}),
    (SiLU(), "silu", {}),
    (Softplus(), "softplus", {}),
    (Softplus(beta=0.5, threshold=3.0), "softplus", {"beta": 0.5, "threshold": 3.0}),
    (Softplus(2.0, 200.0), "softplus", {"beta": 2.0, "threshold": 200.0}),
    (HardTanh(), "hardtanh", {}),
    (HardTanh(-0.5, 2.0), "hardtanh", {"min_val": -0.5, "max_val": 2.0}),
    (Softmax(), "softmax", {"dim": -1}),
    (LogSoftmax(), "log_softmax", {"dim": -1}),
]
every_layer = pytest.mark.parametrize(("layer", "name", "settings"), LAYERS, ids=[repr(row[0]) for row in LAYERS])
W = np.array([0.25])


def parameters_of(layer):
    return [W] if isinstance(layer, PReLU) else []


def by_torch(name, settings, x, δ, *parameters):
    functional = pytest.importorskip("torch").nn.functional
    return torch_derivative(
        lambda z, *w: getattr(functional, name)(z, *w, **settings) if name else z * 1, x, δ, *parameters
    )


@every_layer
@pytest.mark.parametrize("shape", [*SHAPES, (40, 5)])
def test_equals_pytorch(backend, rng, layer, name, settings, shape):
    x, δ, w = rng.normal(0, 4, shape), rng.normal(0, 1, shape), parameters_of(layer)
    y, below, gradients = run(backend, layer, x, δ, *w)
    expected_y, expected_below, expected_gradients = by_torch(name, settings, x, δ, *w)
    assert scaled_error(y, expected_y) <= 1e-12
    assert scaled_error(below, expected_below) <= 1e-12
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        assert scaled_error(gradient, expected) <= 1e-12


@every_layer
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_central_differences(backend, rng, layer, name, settings, shape):
    x, δ, w = rng.normal(0, 2, shape), rng.normal(0, 1, shape), parameters_of(layer)
    x += np.where(np.abs(x) < 1e-3, 0.1, 0.0)  # no difference across a kink
    _, below, gradients = run(backend, layer, x, δ, *w)
    for found, expected in zip([below, *gradients], differences(backend, layer, x, δ, *w), strict=True):
        assert scaled_error(found, expected) <= 1e-7


@every_layer
def test_derivatives_of_both_bodies(rng, layer, name, settings):
    """Differentiating forward gives delta, and delta can be differentiated: second derivatives are right."""
    jax = pytest.importorskip("jax")
    xp = jax.numpy
    x, δ, direction = rng.normal(0, 3, (3, 6, 5))
    x[0, 0] = 0.25  # short of the kinks, where the two may differ
    w = [xp.asarray(a) for a in parameters_of(layer)]

    def delta(x):
        y, kept = layer.forward(xp, x, *w)
        return layer.delta(xp, xp.asarray(δ), y, kept, x, *w)

    _, pull = jax.vjp(lambda x: layer.forward(xp, x, *w)[0], xp.asarray(x))
    assert scaled_error(delta(xp.asarray(x)), pull(xp.asarray(δ))[0]) <= 1e-12
    _, second = jax.jvp(delta, (xp.asarray(x),), (xp.asarray(direction),))
    h = 1e-5
    difference = (delta(xp.asarray(x + h * direction)) - delta(xp.asarray(x - h * direction))) / (2 * h)
    assert scaled_error(second, difference) <= 1e-8


# Layer: f and f′ far to the left, and far to the right, as functions of z.
LIMITS = [
    (Identity(), lambda z: (z, 1), lambda z: (z, 1)),
    (Sigmoid(), lambda z: (0, 0), lambda z: (1, 0)),
    (Tanh(), lambda z: (-1, 0), lambda z: (1, 0)),
    (ReLU(), lambda z: (0, 0), lambda z: (z, 1)),
    (LeakyReLU(), lambda z: (0.01 * z, 0.01), lambda z: (z, 1)),
    (PReLU(), lambda z: (0.25 * z, 0.25), lambda z: (z, 1)),
    (ELU(2.0), lambda z: (-2, 0), lambda z: (z, 1)),
    (SELU(), lambda z: (-λ * α, 0), lambda z: (λ * z, λ)),
    (GELU(), lambda z: (0, 0), lambda z: (z, 1)),
    (GELU("tanh"), lambda z: (0, 0), lambda z: (z, 1)),
    (SiLU(), lambda z: (0, 0), lambda z: (z, 1)),
    (Softplus(), lambda z: (0, 0), lambda z: (z, 1)),
    (Softplus(0.5, 2000.0), lambda z: (0, 0), lambda z: (z, 1)),
    (HardTanh(), lambda z: (-1, 0), lambda z: (1, 0)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("layer", "left", "right"), LIMITS, ids=[repr(row[0]) for row in LIMITS])
def test_limits_far_from_zero(backend, layer, left, right, dtype):
    x = np.array([[-1000.0, -1e4, 1000.0, 1e4]])
    y, slope, gradients = run(backend, layer, x, np.ones_like(x), *parameters_of(layer), dtype=dtype)
    assert {a.dtype.name for a in (y, slope, *gradients)} == {dtype}
    expected = np.array([[left(z) if z < 0 else right(z) for z in x[0]]], dtype=np.float64)
    tolerance = 1e-15 if dtype == "float64" else 2e-7
    np.testing.assert_allclose(y, expected[..., 0], rtol=tolerance, atol=1e-200)
    np.testing.assert_allclose(slope, expected[..., 1], rtol=tolerance, atol=tolerance)
    for gradient in gradients:
        assert scaled_error(gradient, [-11000.0]) <= tolerance


@pytest.mark.parametrize("α", [0.0, 0.3, 2.5, -0.5])
def test_leaky_relu_at_infinity(backend, α):
    expected = by_torch("leaky_relu", {"negative_slope": α}, np.array([[math.inf, -1e4]]), np.ones((1, 2)))
    found = run(backend, LeakyReLU(α), np.array([[math.inf, -1e4]]), np.ones((1, 2)))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_limits_of_the_normalizations(backend, dtype):
    x, δ = np.array([[1000.0, -1000.0, 0.0], [1e4, 1e4, -1e4]]), np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 5.0]])
    tolerance = 1e-15 if dtype == "float64" else 2e-7
    y, below, _ = run(backend, Softmax(), x, δ, dtype=dtype)
    assert y.dtype == below.dtype == dtype
    assert scaled_error(y, [[1, 0, 0], [0.5, 0.5, 0]]) <= tolerance
    assert scaled_error(below, [[0, 0, 0], [-0.5, 0.5, 0]]) <= tolerance
    y, below, _ = run(backend, LogSoftmax(), x, δ, dtype=dtype)
    assert y.dtype == below.dtype == dtype
    assert scaled_error(y, [[0, -2000, -1000], [-math.log(2), -math.log(2), -2e4 - math.log(2)]]) <= tolerance
    assert scaled_error(below, [[-5, 2, 3], [-3.5, -1.5, 5]]) <= tolerance


# Layer, a kink, and f and f′ there; PyTorch's side.
KINKS = [
    (ReLU(), 0.0, 0.0, 0.0),
    (LeakyReLU(), 0.0, 0.0, 0.01),
    (LeakyReLU(3.0), 0.0, 0.0, 3.0),
    (PReLU(), 0.0, 0.0, 0.25),
    (ELU(0.5), 0.0, 0.0, 0.5),
    (SELU(), 0.0, 0.0, λ * α),
    (HardTanh(), 1.0, 1.0, 0.0),
    (HardTanh(), -1.0, -1.0, 0.0),
    (HardTanh(-0.5, 2.0), 2.0, 2.0, 0.0),
    (Softplus(), 20.0, math.log1p(math.exp(20.0)), 1 / (1 + math.exp(-20.0))),
    (Softplus(), 20.0 + 1e-9, 20.0 + 1e-9, 1.0),
    (Softplus(2.0, 0.0), 0.0, math.log(2) / 2, 0.5),
]


@pytest.mark.parametrize(("layer", "z", "value", "slope"), KINKS, ids=[f"{row[0]!r} at {row[1]:g}" for row in KINKS])
def test_kinks(backend, layer, z, value, slope):
    y, below, _ = run(backend, layer, np.array([[z]]), np.array([[2.0]]), *parameters_of(layer))
    assert y[0, 0] == pytest.approx(value, rel=1e-15, abs=0)
    assert below[0, 0] == pytest.approx(2 * slope, rel=1e-15, abs=0)


@every_layer
def test_the_sides_of_kinks_are_those_of_pytorch(layer, name, settings):
    from xnn.backends.numpy_backend import NumpyBackend

    x = np.array([[-1.0, -0.5, 0.0, 1.0, 2.0, 6.0, 10.0, 20.0]])
    found = run(NumpyBackend(), layer, x, np.ones_like(x), *parameters_of(layer))
    expected = by_torch(name, settings, x, np.ones_like(x), *parameters_of(layer))
    assert scaled_error(found[0], expected[0]) <= 1e-12
    assert scaled_error(found[1], expected[1]) <= 1e-12


@every_layer
def test_float32_stays_float32(backend, rng, layer, name, settings):
    x, δ, w = rng.normal(0, 2, (3, 4)), rng.normal(0, 1, (3, 4)), parameters_of(layer)
    y, below, gradients = run(backend, layer, x, δ, *w, dtype="float32")
    assert {a.dtype.name for a in (y, below, *gradients)} == {"float32"}
    exact = run(backend, layer, x, δ, *w)
    assert scaled_error(y, exact[0]) <= 2e-6
    assert scaled_error(below, exact[1]) <= 2e-6


def test_settings_given_as_numpy_scalars_become_python_floats():
    for layer in (
        LeakyReLU(np.float64(0.1)),
        ELU(np.float32(2)),
        Softplus(np.float64(1), np.int64(9)),
        HardTanh(-2, 3),
    ):
        values = dataclasses.astuple(layer)
        assert {type(value) for value in values} == {float}
        assert type(layer)(**json.loads(json.dumps(dataclasses.asdict(layer)))) == layer


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (LeakyReLU, {"negative_slope": math.nan}, "negative_slope .* finite number; got nan"),
        (LeakyReLU, {"negative_slope": math.inf}, "negative_slope"),
        (ELU, {"alpha": 0}, "ELU expects alpha .* above 0; got 0"),
        (ELU, {"alpha": -1.0}, "alpha"),
        (ELU, {"alpha": math.inf}, "alpha"),
        (Softplus, {"beta": 0.0}, "beta .* above 0"),
        (Softplus, {"beta": -1.0}, "beta"),
        (Softplus, {"threshold": -1.0}, "threshold .* at least 0"),
        (Softplus, {"threshold": math.nan}, "threshold"),
        (HardTanh, {"min_val": 1.0, "max_val": 1.0}, "min_val < max_val"),
        (HardTanh, {"min_val": -math.inf}, "min_val"),
        (GELU, {"approximate": "erf"}, "approximate='none' or approximate='tanh'; got 'erf'"),
        (GELU, {"approximate": None}, "approximate"),
    ],
)
def test_bad_settings(kind, settings, words):
    with pytest.raises(ValueError, match=words):
        kind(**settings)


@pytest.mark.parametrize("value", ["0.1", None, True, [0.1], 1j])
def test_settings_that_are_no_numbers(value):
    with pytest.raises(TypeError, match="LeakyReLU expects negative_slope to be a finite number"):
        LeakyReLU(value)


@every_layer
def test_shapes(layer, name, settings):
    assert layer.outputs((3, 4)) == (3, 4)
    assert dataclasses.is_dataclass(layer)
    assert dataclasses.replace(layer) == layer
    assert layer.buffers((3, 4)) == {}


@pytest.mark.parametrize("layer", [Softmax(), LogSoftmax()])
@pytest.mark.parametrize("shape", [(), (0,)])
def test_normalizations_need_something_to_normalize(layer, shape):
    with pytest.raises(ValueError, match=f"{type(layer).__name__} expects examples with at least one entry"):
        layer.outputs(shape)


def test_prelu_learns_one_number(rng):
    (parameter,) = PReLU().parameters((3, 4)).values()
    assert list(PReLU().parameters((3, 4))) == ["weight"]
    assert parameter.shape == (1,)
    assert not parameter.penalized
    np.testing.assert_array_equal(parameter.initializer(rng, (1,)), [0.25])


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (2, 3, 4), (3,)])
def test_prelu_per_example(backend, rng, shape):
    x, δ = rng.normal(0, 1, shape), rng.normal(0, 1, shape)
    arrays = [backend.asarray(a, "float64") for a in (x, δ, W)]
    with backend.scope():
        y, kept = PReLU().forward(backend.xp, arrays[0], arrays[2])
        (rows,) = PReLU().per_example(backend.xp, arrays[1], y, kept, arrays[0], arrays[2])
    expected = (δ * np.minimum(x, 0)).reshape(shape[0], -1).sum(axis=1, keepdims=True)
    assert scaled_error(backend.to_numpy(rows), expected) <= 1e-15


@every_layer
def test_arguments_are_not_changed(backend, rng, layer, name, settings):
    x, δ, w = rng.normal(0, 2, (3, 4)), rng.normal(0, 1, (3, 4)), parameters_of(layer)
    arrays = [backend.asarray(np.array(a), "float64") for a in (x, δ, *w)]
    with backend.scope():
        y, kept = layer.forward(backend.xp, arrays[0], *arrays[2:])
        before = [np.array(backend.to_numpy(a)) for a in (y, *kept)]
        layer.delta(backend.xp, arrays[1], y, kept, arrays[0], *arrays[2:])
        layer.gradients(backend.xp, arrays[1], y, kept, arrays[0], *arrays[2:])
    for a, old in zip([*arrays, y, *kept], [x, δ, *w, *before], strict=True):
        np.testing.assert_array_equal(backend.to_numpy(a), old)
