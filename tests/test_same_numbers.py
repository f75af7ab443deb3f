"""One seed, the same numbers on every backend: initial weights, shuffles and masks bit for bit, training to rounding.

The reference is NumPy. A parameter whose gradient is zero in theory, such as a bias directly before a
BatchNorm, is excluded: Adam scales the rounding noise of its gradient to full steps.
"""

from __future__ import annotations

import numpy as np
import pytest
from references import scaled_error

import xnn

DTYPES = ["float32", "float64"]
# fmt: off
STARTS = [
    "zeros", "ones", "normal", "uniform", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform",
    "lecun_normal", "orthogonal", "symmetric", "pytorch",
]
# fmt: on


def host(backend, arrays):
    return {name: backend.to_numpy(a) for name, a in arrays.items()}


def same_bits(ours, reference):
    assert list(ours) == list(reference)
    for name, a in reference.items():
        assert ours[name].dtype == a.dtype
        assert ours[name].shape == a.shape
        assert ours[name].tobytes() == a.tobytes(), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_initial_weights(backend, dtype):
    layers = [layer for start in STARTS for layer in (xnn.Dense(5, weight_init=start, bias_init="normal"), xnn.PReLU())]
    layers += [xnn.BatchNorm(), xnn.LayerNorm()]

    def start(b):
        network = xnn.Network(layers, inputs=4, backend=b, dtype=dtype, seed=11)
        return host(b, network.parameters), host(b, network.buffers)

    (ours, buffers), (reference, same) = start(backend), start(xnn.get_backend("numpy"))
    same_bits(ours, reference)
    same_bits(buffers, same)
    assert len({a.tobytes() for name, a in reference.items() if name.endswith("weight")}) > len(STARTS)


def test_a_seed_that_was_drawn_can_be_used_again(backend):
    first = xnn.Network([xnn.Dense(5)], inputs=4, backend=backend)
    again = xnn.Network([xnn.Dense(5)], inputs=4, backend="numpy", seed=first.seed)
    assert (backend.to_numpy(first.parameters["0.weight"]) == again.parameters["0.weight"]).all()


def test_shuffles(backend):
    """The targets, in the order in which two epochs see them."""
    y = np.arange(23.0)

    def orders(b):
        seen = []

        def order(outputs, targets):
            seen.append(b.to_numpy(targets).ravel().astype(int).tolist())
            return 0.0

        network = xnn.Network([xnn.Dense(1)], inputs=1, backend=b, dtype="float64", seed=4)
        network.fit(y, y, loss=xnn.SquaredError(), optimizer=xnn.SGD(lr=1e-9), epochs=3, batch_size=5, metrics=[order])
        return seen

    ours = orders(backend)
    assert ours == orders(xnn.get_backend("numpy"))
    assert all(sorted(order) == list(range(23)) for order in ours)
    assert ours[0] != ours[1] != ours[2]


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks(backend, dtype):
    """y = x ⊙ m shows m where x = 1; each step, each layer and each seed has masks of its own."""

    def masks(b):
        seen, ones = [], b.asarray(np.ones((11, 7, 5)), dtype)
        for seed in (0, 1, 2**40 + 3):
            for p, layers in ((0.3, 1), (0.9, 2)):
                dropout = [xnn.Identity()] * layers + [xnn.Dropout(p)]
                network = xnn.Network(dropout, inputs=(7, 5), backend=b, dtype=dtype, seed=seed)
                for step in (0, 1, 1000):
                    network.step = step
                    seen.append(b.to_numpy(network.forward(ones, training=True)))
        return seen

    ours = masks(backend)
    same_bits(dict(enumerate(ours)), dict(enumerate(masks(xnn.get_backend("numpy")))))
    assert len({m.tobytes() for m in ours}) == len(ours)
    assert all(abs((m == 0).mean() - p) < 0.1 for m, p in zip(ours, [0.3, 0.3, 0.3, 0.9, 0.9, 0.9] * 3, strict=True))


# All layers are equally wide because JAX compiles an operation for every shape.
ARCHITECTURES = {
    "classifier": (
        [xnn.Dense(8), xnn.Tanh(), xnn.Dropout(0.3), xnn.Dense(8), xnn.GELU(), xnn.Dropout(0.1), xnn.Dense(8)],
        xnn.CrossEntropy(),
    ),
    "normalized": (
        [xnn.Dense(8), xnn.BatchNorm(), xnn.SiLU(), xnn.Dropout(0.2), xnn.Dense(8), xnn.LayerNorm(), xnn.Dense(8)],
        xnn.MeanSquaredError(),
    ),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_200_steps_of_adam_with_dropout(backend, name, dtype, tolerance):
    """Final weights, the difference relative to the largest entry of each array."""
    layers, loss = ARCHITECTURES[name]
    rng = np.random.default_rng(7)
    x = rng.normal(size=(80, 8)).astype(dtype)
    y = np.argmax(x, axis=1) if name == "classifier" else np.sin(2 * x)

    def train(b):
        network = xnn.Network(layers, inputs=8, backend=b, dtype=dtype, seed=3)
        history = network.fit(x, y, loss=loss, optimizer=xnn.Adam(lr=0.01), epochs=40, batch_size=16)
        assert network.step == 200
        return host(b, network.parameters) | host(b, network.buffers), history["loss"]

    (ours, costs), (reference, same) = train(backend), train(xnn.get_backend("numpy"))
    assert same[-1] < 0.7 * same[0]
    assert scaled_error(costs, same) <= tolerance
    for key, a in reference.items():
        index, kind = key.split(".")
        before_norm = int(index) + 1 < len(layers) and isinstance(layers[int(index) + 1], xnn.BatchNorm)
        follows_bias = isinstance(layers[int(index)], xnn.BatchNorm) and kind == "running_mean"
        if (before_norm and kind == "bias") or follows_bias:
            continue
        assert ours[key].dtype == a.dtype == dtype
        assert scaled_error(ours[key], a) <= tolerance, key
