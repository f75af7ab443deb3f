"""The meter: what many batches cost, and their metrics, as if they were one; and going on from what was kept."""

from __future__ import annotations

import numpy as np
import pytest

import xnn
from xnn.losses import CrossEntropy
from xnn.meter import Meter, named


def test_many_batches_make_one_mean(backend, rng):
    measures = named(["mae", "r2"], 0.5)
    sizes = rng.integers(1, 4, 700)
    costs, a, y = rng.normal(size=700), rng.normal(size=(sizes.sum(), 2)), rng.normal(size=(sizes.sum(), 2))
    bounds = np.cumsum([0, *sizes])

    def batches(numbers):
        for i in numbers:
            rows = slice(bounds[i], bounds[i + 1])
            yield tuple(backend.asarray(b, "float64") for b in (costs[i], a[rows], y[rows])), int(sizes[i])

    meter = Meter(backend.xp, measures)
    for (cost, outputs, targets), n in batches(range(300)):
        meter.add(cost, n, outputs, targets)
    other = Meter(backend.xp, measures)
    other.load_state_dict(meter.state_dict())
    for (cost, outputs, targets), n in batches(range(300, 700)):
        other.add(cost, n, outputs, targets)
    np.testing.assert_array_equal(other.numbers("cost"), costs)
    np.testing.assert_array_equal(other.numbers("weight"), sizes)
    found = other.metrics()
    np.testing.assert_allclose(found["mae"], abs(a - y).mean(), rtol=1e-12)
    expected = 1 - (((a - y) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)).mean()
    np.testing.assert_allclose(found["r2"], expected, rtol=1e-12)


def test_accuracy_of_many_batches_is_over_the_examples_that_count(backend, rng, monkeypatch):
    monkeypatch.setattr("xnn.meter._HELD", 20)
    loss, a, y = CrossEntropy(), rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    y[:20] = -100
    y[3] = 1
    meter = Meter(backend.xp, named(["accuracy"], 0.5))
    for i in range(0, 40, 10):
        targets = loss.targets(backend, y[i : i + 10], (3,), "float64")
        meter.add(0.0, 10, backend.asarray(a[i : i + 10]), targets)
    counts = y >= 0
    assert meter.metrics()["accuracy"] == pytest.approx((a.argmax(axis=1) == y)[counts].mean())


def test_numbers_of_the_host_are_kept_as_they_are():
    meter = Meter(np, [])
    for i in range(600):
        meter.add(np.float32(i) / 3, i, None, None)
    assert meter.numbers("cost").tolist() == [float(np.float32(i) / 3) for i in range(600)]
    assert meter.numbers("cost").dtype == "float64"


def test_numbers_and_arrays_keep_their_order(backend):
    meter = Meter(backend.xp, [])
    for i in range(600):
        meter.add(float(i) if i % 7 < 3 else backend.asarray(float(i), "float64"), 1.0, None, None)
    assert meter.numbers("cost").tolist() == list(range(600))


def test_labels_are_wide_enough_to_compute_with(backend):
    """The cell of a confusion matrix of 300 classes has a number beyond what the int16 of the labels can hold."""
    k, y = 300, np.asarray([0, 299])
    network = xnn.Network([xnn.Identity(), xnn.Dense(k, weight_init="zeros")], inputs=1, backend=backend)

    def last_cell(a, y):
        return backend.xp.max(y * k + backend.xp.argmax(a, axis=1))

    found = network.evaluate(y[:, None], y, loss=CrossEntropy(), metrics=[last_cell])
    assert found["last_cell"] == 299 * k
