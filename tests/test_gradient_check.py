"""Random networks against central differences, and a batch against its examples one by one, on every backend."""

from __future__ import annotations

import numpy as np
import pytest
from references import central_differences, scaled_error

import xnn

SMOOTH = [
    xnn.Sigmoid(),
    xnn.Tanh(),
    xnn.PReLU(),
    xnn.ELU(),
    xnn.GELU(),
    xnn.GELU(approximate="tanh"),
    xnn.SiLU(),
    xnn.Softplus(),
    xnn.Softmax(),
    xnn.LogSoftmax(),
    xnn.LeakyReLU(0.2),
    xnn.SELU(),
    xnn.ReLU(),
    xnn.HardTanh(),
]
LOSSES = [
    (xnn.SquaredError(), "real"),
    (xnn.MeanSquaredError(), "real"),
    (xnn.Huber(), "real"),
    (xnn.LogCosh(), "real"),
    (xnn.PoissonNLL(), "counts"),
    (xnn.BinaryCrossEntropy(), "shares"),
    (xnn.CrossEntropy(), "labels"),
    (xnn.CrossEntropy(label_smoothing=0.1, class_weights=(0.5, 2.0)), "labels"),
    (xnn.Hinge(), "signs"),
    (xnn.MeanAbsoluteError(), "real"),
]


def choose(seed, normalization, dropout=False):
    """(rng, layers, loss, x, y) of a random network with two outputs, and of four examples.

    There are few shapes, because JAX compiles every operation for each.
    """
    rng, layers, n, inputs = np.random.default_rng(seed), [], 4, 3
    for depth in range(int(rng.integers(1, 4))):
        layers += [xnn.Dense(int(rng.integers(2, 4)), bias=bool(rng.integers(3))), SMOOTH[rng.integers(len(SMOOTH))]]
        if normalization and depth == 0:
            layers.append(normalization)
        if dropout:
            layers.append(xnn.Dropout(0.3))
    layers.append(xnn.Dense(2))
    loss, kind = LOSSES[seed % len(LOSSES)]
    y = {
        "real": rng.normal(size=(n, 2)),
        "counts": rng.poisson(2, (n, 2)).astype(float),
        "shares": rng.uniform(size=(n, 2)),
        "labels": rng.integers(0, 2, n),
        "signs": rng.choice([-1.0, 1.0], (n, 2)),
    }[kind]
    return rng, layers, loss, rng.normal(size=(n, inputs)), y


def prepare(backend, seed, normalization=None, dropout=False):
    """(network, loss, x, y) with random parameters and running statistics, on the backend."""
    rng, layers, loss, x, y = choose(seed, normalization, dropout)
    network = xnn.Network(layers, inputs=x.shape[1], backend=backend, dtype="float64", seed=seed)
    network.set_parameters({name: rng.normal(size=tuple(p.shape)) for name, p in network.parameters.items()})
    network.set_buffers({name: rng.uniform(0.5, 2, tuple(b.shape)) for name, b in network.buffers.items()})
    return network, loss, backend.asarray(x, "float64"), backend.asarray(y)


def host(backend, arrays):
    return {name: backend.to_numpy(a) for name, a in arrays.items()}


CASES = [
    (0, None, False),
    (1, xnn.LayerNorm(), True),
    (2, xnn.BatchNorm(), False),
    (3, None, True),
    (4, xnn.LayerNorm(), False),
    (5, xnn.BatchNorm(), True),
    (6, None, False),
    (7, xnn.LayerNorm(), False),
    (8, xnn.BatchNorm(), False),
    (9, None, True),
]


@pytest.mark.parametrize(("seed", "normalization", "dropout"), CASES)
@pytest.mark.parametrize("training", [False, True], ids=["prediction", "training"])
def test_gradients_are_the_differences(backend, seed, normalization, dropout, training):
    """(C(θ + h eᵢ) − C(θ − h eᵢ)) / 2h; ``forward(training=True)`` has the masks of the coming step."""
    network, loss, x, y = prepare(backend, seed, normalization, dropout)
    parameters = host(backend, network.parameters)
    differences = {}
    for name, own in parameters.items():

        def cost(changed, name=name):
            network.set_parameters({name: changed})
            return backend.to_numpy(loss(network.forward(x, training=training), y))

        differences[name] = central_differences(cost, own)
        network.set_parameters({name: own})
    before = backend.to_numpy(loss(network.forward(x, training=training), y))
    cost, gradients = network.gradients(x, y, loss, training=training)
    assert backend.to_numpy(cost) == pytest.approx(float(before), rel=1e-14)
    gradients = host(backend, gradients)
    largest = max(np.max(np.abs(g)) for g in gradients.values())
    assert largest > 1e-3
    assert max(np.max(np.abs(gradients[name] - differences[name])) for name in parameters) <= 1e-7 * largest


@pytest.mark.parametrize("seed", [10, 11, 14])
def test_deltas_are_the_differences(backend, seed):
    """δˡ = ∂C/∂aˡ: the layers above l, as a network of their own, with aˡ for its inputs."""
    network, loss, x, y = prepare(backend, seed, xnn.LayerNorm())
    deltas = [backend.to_numpy(δ) for δ in network.deltas(x, y, loss, training=False)]
    assert len(deltas) == len(network.layers)
    largest = max(np.max(np.abs(δ)) for δ in deltas)
    for depth in range(1, len(network.layers)):
        below, above = network.layers[:depth], network.layers[depth:]
        under = xnn.Network(below, inputs=network.inputs, backend=backend, dtype="float64")
        a = backend.to_numpy(_share(network, under, 0).forward(x))
        over = xnn.Network(above, inputs=a.shape[1:], backend=backend, dtype="float64")
        _share(network, over, depth)
        differences = central_differences(
            lambda a, over=over: backend.to_numpy(loss(over.forward(backend.asarray(a, "float64")), y)), a
        )
        assert deltas[depth - 1].shape == a.shape
        assert np.max(np.abs(deltas[depth - 1] - differences)) <= 1e-7 * largest
    outputs = network.forward(x)
    assert scaled_error(deltas[-1], backend.to_numpy(loss.gradient(outputs, y))) <= 1e-14


def _share(network, part, first):
    """The part of a network from layer ``first`` on, with the same parameters."""
    names = {name: f"{int(name.partition('.')[0]) + first}.{name.partition('.')[2]}" for name in part.parameters}
    part.set_parameters({name: network.parameters[whole] for name, whole in names.items()})
    return part


@pytest.mark.parametrize(("seed", "normalization", "dropout", "training"), [
    (20, None, True, True), (21, xnn.LayerNorm(), False, True), (22, xnn.BatchNorm(), False, False),
    (26, None, True, False), (28, None, False, True),
])  # fmt: skip
def test_gradients_per_example(backend, seed, normalization, dropout, training):
    """Their mean is the gradient of the batch; without dropout each one is the gradient of its example alone."""
    network, loss, x, y = prepare(backend, seed, normalization, dropout)
    step = network.step
    cost, batch = network.gradients(x, y, loss, training=training)
    network.step = step  # the same masks again
    same, each = network.gradients(x, y, loss, training=training, per_example=True)
    batch, each = host(backend, batch), host(backend, each)
    assert float(cost) == float(same)
    n = x.shape[0]
    largest = max(np.max(np.abs(g)) for g in batch.values())
    for name, g in batch.items():
        assert each[name].shape == (n, *g.shape)
        assert np.max(np.abs(each[name].mean(axis=0) - g)) <= 1e-13 * largest, name
    if dropout and training:
        return  # the mask of an example depends on its place in the batch
    costs = []
    for i in range(n):
        cost, alone = network.gradients(x[i : i + 1, ...], y[i : i + 1, ...], loss, training=training)
        costs.append(float(cost))
        for name, g in alone.items():
            assert np.max(np.abs(backend.to_numpy(g) - each[name][i])) <= 1e-13 * largest, name
    assert np.mean(costs) == pytest.approx(float(same), rel=1e-13)


@pytest.mark.parametrize("seed", [30, 31, 35])
def test_a_batch_is_its_examples_one_by_one(backend, seed):
    network, _, x, _ = prepare(backend, seed, xnn.BatchNorm() if seed % 2 else xnn.LayerNorm(), dropout=True)
    batch = backend.to_numpy(network.forward(x))
    rows = [backend.to_numpy(network.forward(x[i : i + 1, ...])) for i in range(x.shape[0])]
    assert scaled_error(np.concatenate(rows), batch) <= 1e-14
    assert scaled_error(backend.to_numpy(network.predict(x, batch_size=2)), batch) <= 1e-14
