"""Dense: its three equations on every backend, and what it is told wrongly."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from references import differences, run, scaled_error, torch_derivative

from xnn.initializers import Normal, draw
from xnn.layers.base import Operation
from xnn.layers.dense import Dense

# (shape of the batch, units)
CASES = [((4, 3), 2), ((1, 3), 2), ((4, 1), 1), ((1, 1), 1), ((2, 3, 4), 2), ((2, 1, 2, 3), 1)]
cases = pytest.mark.parametrize(("shape", "units"), CASES)
bias = pytest.mark.parametrize("bias", [True, False])


def make(rng, shape, units, bias):
    """(x, δ, *parameters) with numbers of size 1."""
    arrays = [rng.normal(size=shape), rng.normal(size=(*shape[:-1], units)), rng.normal(size=(units, shape[-1]))]
    return [*arrays, rng.normal(size=units)] if bias else arrays


def test_by_hand(backend):
    # Acceptance row 20 (text 003): z¹ = W₁x + b₁, for x = (1, −2).
    W = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
    z, below, (dW, db) = run(backend, Dense(3), [[1, -2]], [[1, 0, 2]], W, [0.01, 0.02, 0.03])
    assert scaled_error(z, [[-0.29, -0.48, -0.67]]) <= 1e-15
    assert scaled_error(below, [[1.1, 1.4]]) <= 1e-15
    assert scaled_error(dW, [[1, -2], [0, 0], [2, -4]]) == 0
    assert scaled_error(db, [1, 0, 2]) == 0


@bias
@cases
def test_gradients_equal_central_differences(backend, rng, shape, units, bias):
    arrays = make(rng, shape, units, bias)
    _, below, gradients = run(backend, Dense(units, bias=bias), *arrays)
    expected = differences(backend, Dense(units, bias=bias), *arrays)
    for found, wanted in zip([below, *gradients], expected, strict=True):
        assert scaled_error(found, wanted) <= 1e-7


@bias
@pytest.mark.parametrize(("shape", "units"), [*CASES, ((0, 3), 2), ((0, 2, 3), 1), ((64, 30), 20)])
def test_equals_pytorch(backend, rng, shape, units, bias):
    linear = pytest.importorskip("torch").nn.functional.linear
    arrays = make(rng, shape, units, bias)
    y, below, gradients = run(backend, Dense(units, bias=bias), *arrays)
    expected_y, expected_below, expected_gradients = torch_derivative(linear, *arrays)
    for found, wanted in zip([y, below, *gradients], [expected_y, expected_below, *expected_gradients], strict=True):
        assert scaled_error(found, wanted) <= 1e-12


@pytest.mark.parametrize("shape", [(0, 3), (0, 2, 3)])
def test_batch_of_no_examples(backend, rng, shape):
    y, below, (dW, db) = run(backend, Dense(2), *make(rng, shape, 2, True))
    assert y.shape == (*shape[:-1], 2)
    assert below.shape == shape
    assert scaled_error(dW, np.zeros((2, 3))) == 0
    assert scaled_error(db, np.zeros(2)) == 0


@bias
@cases
def test_gradients_per_example(backend, rng, shape, units, bias):
    x, δ, *parameters = (backend.asarray(a, "float64") for a in make(rng, shape, units, bias))
    layer, xp = Dense(units, bias=bias), backend.xp
    with backend.scope():
        y, kept = layer.forward(xp, x, *parameters)
        found = layer.per_example(xp, δ, y, kept, x, *parameters)
        one_by_one = Operation.per_example(layer, xp, δ, y, kept, x, *parameters)
        batch = layer.gradients(xp, δ, y, kept, x, *parameters)
    for a, b, total in zip(found, one_by_one, batch, strict=True):
        assert scaled_error(backend.to_numpy(a), backend.to_numpy(b)) <= 1e-14
        assert scaled_error(backend.to_numpy(a).sum(axis=0), backend.to_numpy(total)) <= 1e-13


@pytest.mark.parametrize("shape", [(0, 3), (0, 2, 3)])
def test_gradients_per_example_of_no_examples(backend, rng, shape):
    x, δ, *parameters = (backend.asarray(a, "float64") for a in make(rng, shape, 2, True))
    with backend.scope():
        dW, db = Dense(2).per_example(backend.xp, δ, δ, (), x, *parameters)
    assert tuple(dW.shape) == (0, 2, 3)
    assert tuple(db.shape) == (0, 2)


@pytest.mark.parametrize("shape", [(4, 3), (4, 1, 3)])
def test_float32_stays(backend, rng, shape):
    y, below, gradients = run(backend, Dense(2), *make(rng, shape, 2, True), dtype="float32")
    assert {a.dtype.name for a in (y, below, *gradients)} == {"float32"}


def test_shapes_and_parameters():
    layer = Dense(7)
    assert layer.outputs((3,)) == (7,)
    assert layer.outputs((5, 3)) == (5, 7)
    weight, bias = layer.parameters((5, 3)).values()
    assert (weight.shape, weight.initializer, weight.penalized) == ((7, 3), "glorot_uniform", True)
    assert (bias.shape, bias.initializer, bias.penalized) == ((7,), "zeros", False)
    assert list(layer.parameters((3,))) == ["weight", "bias"]
    assert list(Dense(7, bias=False).parameters((3,))) == ["weight"]


def test_is_settings_alone():
    assert Dense(3) == Dense(np.int64(3)) != Dense(3, bias=False)
    assert type(Dense(np.int64(3)).units) is int
    assert len({Dense(3), Dense(3), Dense(3, weight_init=[[1.0]])}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dense(3).units = 4


def test_initial_values_from_an_array_are_copied(rng):
    W = np.ones((2, 3))
    layer = Dense(2, weight_init=W, bias_init=[1, 2])
    W[:] = 7
    weight, bias = layer.parameters((3,)).values()
    first = draw(weight.initializer, rng, weight.shape)
    assert (first == 1).all()
    first[:] = 7
    assert (draw(weight.initializer, rng, weight.shape) == 1).all()
    assert draw(bias.initializer, rng, bias.shape).tolist() == [1, 2]


def test_initial_values_of_pytorch(rng):
    # U(±1/√inputs) for both: the shape of the bias alone would say ±1/√units.
    for p in Dense(4000, weight_init="pytorch", bias_init="pytorch").parameters((25,)).values():
        values = draw(p.initializer, rng, p.shape)
        assert 0.19 < np.abs(values).max() <= 0.2


@pytest.mark.parametrize("units", [0, -1])
def test_too_few_units(units):
    with pytest.raises(ValueError, match=r"units must be at least 1"):
        Dense(units)


@pytest.mark.parametrize("units", ["3", 2.5, True, None, (3,)])
def test_units_that_are_no_number(units):
    with pytest.raises(TypeError, match="Dense: units"):
        Dense(units)


def test_other_wrong_settings():
    with pytest.raises(ValueError, match=r"unknown initializer 'glorot'; known are: .*glorot_uniform"):
        Dense(3, weight_init="glorot")
    with pytest.raises(TypeError, match="bias_init="):
        Dense(3, bias=[1, 2, 3])
    with pytest.raises(TypeError, match="an initializer is"):
        Dense(3, bias_init=None)
    assert Dense(3, weight_init=Normal(std=0.01)).weight_init == Normal(std=0.01)


def test_inputs_that_do_not_fit():
    with pytest.raises(ValueError, match=r"single numbers.*reshape\(-1, 1\)"):
        Dense(3).outputs(())
    with pytest.raises(ValueError, match="at least one feature"):
        Dense(3).parameters((4, 0))
