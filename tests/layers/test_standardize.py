"""Standardize: learned from data or given, and nothing before it is known."""

from __future__ import annotations

import numpy as np
import pytest
from references import differences, run, scaled_error

from xnn.errors import NotFittedError
from xnn.layers.base import Key
from xnn.layers.standardize import Standardize


def operation(backend, mean, scale, dtype="float64"):
    return Standardize().prediction({"mean": backend.asarray(mean, dtype), "scale": backend.asarray(scale, dtype)})


@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3), (1, 3), (0, 3)])
def test_both_directions(backend, rng, shape):
    x, δ = rng.normal(5, 2, shape), rng.normal(size=shape)
    mean, scale = [5.0, -1.0, 0.0], [2.0, 0.5, 1e3]
    layer = operation(backend, mean, scale)
    y, below, gradients = run(backend, layer, x, δ)
    assert scaled_error(y, (x - mean) / scale) <= 1e-15
    (expected,) = differences(backend, layer, x, δ)
    assert scaled_error(below, expected) <= 1e-7
    assert gradients == []


def test_float32_stays(backend, rng):
    layer = operation(backend, [1.0, 2.0], [1.0, 3.0], "float32")
    y, below, _ = run(backend, layer, rng.normal(size=(4, 2)), rng.normal(size=(4, 2)), dtype="float32")
    assert y.dtype == below.dtype == np.float32


def test_learns_what_scikit_learn_does(backend, rng):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = rng.normal([1, -20, 3e5, 0.1, 0], [1, 5, 1e-2, 0, 0], (100, 5))
    buffers = Standardize().fitted(x.mean(axis=0), x.var(axis=0))
    reference = preprocessing.StandardScaler().fit(x)
    assert scaled_error(buffers["mean"], reference.mean_) <= 1e-15
    assert scaled_error(buffers["scale"], reference.scale_) <= 1e-15
    y, _, _ = run(backend, operation(backend, buffers["mean"], buffers["scale"]), x, x)
    assert np.max(np.abs(y - reference.transform(x))) <= 1e-12


def test_a_constant_feature_becomes_zero():
    # The mean of equal numbers may be off by a rounding; the variance is then not exactly 0.
    mean = np.array([0.1, 5.0, 0.0, 1e-9])
    variance = np.array([(1e-17) ** 2, 0.0, 0.0, (1e-12) ** 2])
    assert Standardize().fitted(mean, variance)["scale"].tolist() == [1.0, 1.0, 1.0, 1e-12]


def test_is_unknown_before_fit():
    layer = Standardize()
    assert [(n, b.shape, b.value) for n, b in layer.buffers((4, 3)).items()] == [
        ("mean", (3,), None),
        ("scale", (3,), None),
    ]
    for ask in (layer.prediction, lambda buffers: layer.training(buffers, Key(0, 0, 0))):
        with pytest.raises(NotFittedError, match="has not seen training data: call fit, or give mean and scale"):
            ask({})
    assert layer.parameters((3,)) == {}
    assert layer.outputs((4, 3)) == (4, 3)


def test_given_values(backend):
    for mean, scale in [(1, 2.0), ([1.0, 1.0], [2, 2]), (backend.asarray([1.0, 1.0]), 2)]:
        buffers = Standardize(mean, scale).buffers((2,))
        assert np.broadcast_to(buffers["mean"].value, (2,)).tolist() == [1.0, 1.0]
        assert np.broadcast_to(buffers["scale"].value, (2,)).tolist() == [2.0, 2.0]


def test_given_values_are_copied():
    mean = np.zeros(2)
    layer = Standardize(mean, np.ones(2))
    mean[:] = 7
    assert layer.mean == (0.0, 0.0)


def test_its_text_is_short():
    assert repr(Standardize()) == "Standardize()"
    assert repr(Standardize(0, 255)) == "Standardize(0.0, 255.0)"
    assert repr(Standardize(np.zeros(1000), 1)) == "Standardize(<1000 numbers>, 1.0)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mean": 1}, "got mean without scale"),
        ({"scale": 1}, "got scale without mean"),
        ({"mean": 0, "scale": 0}, "must be above 0"),
        ({"mean": 0, "scale": [1, -1]}, "must be above 0"),
        ({"mean": float("nan"), "scale": 1}, "finite mean"),
        ({"mean": 0, "scale": [1, float("inf")]}, "finite scale"),
        ({"mean": [1, 2], "scale": [1, 2, 3]}, "2 and 3 numbers"),
        ({"mean": [[1]], "scale": 1}, r"shape \(1, 1\)"),
        ({"mean": 1j, "scale": 1}, "real number"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Standardize(**settings)


def test_inputs_that_do_not_fit():
    with pytest.raises(ValueError, match="a mean of 2 numbers for examples of shape \\(4, 3\\)"):
        Standardize([1, 2], 1).outputs((4, 3))
    with pytest.raises(ValueError, match="a scale of 2 numbers"):
        Standardize(1, [1, 2]).buffers((3,))
    with pytest.raises(ValueError, match="single numbers"):
        Standardize().outputs(())
