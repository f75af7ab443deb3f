"""The ways to ask BLAS for a product: all are right, and the one that is taken gives the bits of the plain one."""

from __future__ import annotations

import numpy as np
import pytest
from xnn.backends.numpy_products import _tried, plain, quickest, straightened, turned

import xnn

WAYS = [plain, turned, straightened]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_product(way, dtype, rng):
    x, W = rng.normal(size=(5, 7)).astype(dtype), rng.normal(size=(3, 7)).astype(dtype)
    z = way(x, W.T)
    np.testing.assert_allclose(z, np.einsum("nk,mk->nm", x, W), rtol=1e-5, atol=1e-6)
    assert z.dtype == dtype
    assert z.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shapes", [(1, 5, 3), (8, 256, 256), (32, 784, 100), (200, 64, 64), (129, 33, 77)])
def test_the_quickest_way_gives_the_bits_of_the_plain_one(shapes, dtype, rng):
    n, k, m = shapes
    x, W = rng.normal(size=(n, k)).astype(dtype), rng.normal(size=(m, k)).astype(dtype)
    way = quickest(x, W.T)
    assert way in WAYS
    assert way(x, W.T).tobytes() == plain(x, W.T).tobytes()


def test_the_quickest_way_is_taken(monkeypatch):
    """The clock is told what to say: each way in turn is said to be the quickest, and all to give the same bits."""
    monkeypatch.setattr("numpy.array_equal", lambda a, b: True)
    for fast in WAYS:
        monkeypatch.setattr("xnn.backends.numpy_products._time", lambda way, *_, fast=fast: 1.0 + (way is not fast))
        assert _tried.__wrapped__(3, 8, 2, np.dtype("float32")) is fast  # not what is remembered


def test_a_way_to_other_bits_is_not_taken(monkeypatch):
    def rounded(a, b):
        return turned(a, b) * np.float32(1.0000001)

    for name in ("turned", "straightened"):
        monkeypatch.setattr(f"xnn.backends.numpy_products.{name}", rounded)
    monkeypatch.setattr("xnn.backends.numpy_products._time", lambda way, *_: 1.0 + (way is plain))
    assert _tried.__wrapped__(3, 8, 2, np.dtype("float32")) is plain


def test_what_is_not_tried():
    def never(*_):
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xnn.backends.numpy_products._time", never)
        x, W = np.zeros((4, 6), "float32"), np.zeros((6, 5), "float32")
        assert quickest(x, W) is plain  # nothing is transposed
        assert quickest(x[0], W) is plain
        assert quickest(np.zeros((4, 1 << 13), "float32"), np.zeros((1 << 13, 1 << 13), "float32").T) is plain


@pytest.mark.parametrize("way", WAYS)
def test_a_network_is_planned_with_every_way(way, rng, monkeypatch):
    layers = [xnn.Dense(6), xnn.ReLU(), xnn.Dense(5, bias=False), xnn.Tanh(), xnn.Dense(3)]
    network = xnn.Network(layers, inputs=4, seed=1, backend="numpy", dtype="float64")
    x, y, loss = rng.normal(size=(8, 4)), rng.integers(0, 3, 8), xnn.CrossEntropy()
    _, expected = network.gradients(x, y, loss, training=False)
    outputs = network.predict(x)
    monkeypatch.setattr("xnn.backends.numpy_notes.quickest", lambda a, b: way)
    for _ in range(3):
        _, found = network.gradients(x, y, loss, training=False)
        np.testing.assert_allclose(network.predict(x), outputs, rtol=1e-12)
    assert sum(task.planned for task in network._tasks.values()) == 2
    for name, g in expected.items():
        np.testing.assert_allclose(found[name], g, rtol=1e-10, atol=1e-15)
