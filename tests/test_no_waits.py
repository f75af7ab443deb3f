"""A training step never waits for the device, shown without one.

PyTorch's ``meta`` device holds shapes and no numbers, and JAX's ``eval_shape`` runs a function on such
arrays, too. Both refuse whatever needs a number on the host: ``float``, ``bool``, ``.item``, a mask, a
shape that depends on values. So what runs here would run on a GPU without a wait. Every layer, loss and
optimizer of the library takes part.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest

import xnn
from xnn.clipping import clip_by_norm, clip_by_value
from xnn.layers import LAYERS
from xnn.losses import LOSSES

EXAMPLES, INPUTS, OUTPUTS = 8, 6, 3

NETWORKS = {
    "activations": [
        xnn.Standardize(mean=0.5, scale=2.0),
        *(layer for kind in (xnn.Sigmoid, xnn.Tanh, xnn.ReLU, xnn.LeakyReLU) for layer in (xnn.Dense(5), kind())),
        *(layer for kind in (xnn.PReLU, xnn.ELU, xnn.SELU, xnn.SiLU) for layer in (xnn.Dense(5, bias=False), kind())),
        *(layer for kind in (xnn.Softplus, xnn.HardTanh, xnn.Identity) for layer in (xnn.Dense(5), kind())),
        *(xnn.Dense(5), xnn.GELU(), xnn.Dense(5), xnn.GELU(approximate="tanh")),
        *(xnn.Dense(5), xnn.Softmax(), xnn.Dense(5), xnn.LogSoftmax()),
        xnn.Dense(OUTPUTS),
    ],
    "the others": [
        *(xnn.Reshape((2, 3)), xnn.Dense(4), xnn.LayerNorm(), xnn.Flatten()),
        *(xnn.Dense(7), xnn.BatchNorm(), xnn.ReLU(), xnn.Dropout(0.3)),
        xnn.Dense(OUTPUTS),
    ],
    "one output": [xnn.Dense(4), xnn.Tanh(), xnn.Dense(1)],
}
TARGETS = {
    "CrossEntropy": np.arange(EXAMPLES) % OUTPUTS,
    "BinaryCrossEntropy": np.arange(EXAMPLES * OUTPUTS).reshape(EXAMPLES, OUTPUTS) % 2,
    "Hinge": np.arange(EXAMPLES * OUTPUTS).reshape(EXAMPLES, OUTPUTS) % 2 * 2 - 1,
}
OTHER_TARGETS = np.linspace(0.0, 2.0, EXAMPLES * OUTPUTS).reshape(EXAMPLES, OUTPUTS)
#: Those that take one step for one gradient; a solver's line search reads the cost, as it says.
ONE_STEP = [
    kind for kind in map(vars(xnn.optimizers).get, xnn.optimizers.__all__)
    if isinstance(kind, type) and issubclass(kind, xnn.Optimizer) and kind is not xnn.Optimizer
]  # fmt: skip
OPTIMIZERS = [
    xnn.SGD(lr=0.1),
    xnn.SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    *(kind() for kind in ONE_STEP if kind is not xnn.SGD),
    xnn.Adam(lr=xnn.schedules.Cosine(0.1, 10)),
]
X = np.random.default_rng(0).normal(size=(EXAMPLES, INPUTS))


@dataclass(frozen=True)
class Looking(xnn.Layer):
    """A layer that asks on the host what it should not."""

    how: str

    def forward(self, xp, x):
        if self.how == "float":
            return x / float(xp.max(x)), ()
        if self.how == "bool":
            return (x if xp.any(x > 0) else -x), ()
        return x - xp.sum(x[x > 0]), ()

    def delta(self, xp, δ, y, kept, x):
        return δ


def test_everything_takes_part():
    assert {type(layer).__name__ for layers in NETWORKS.values() for layer in layers} == set(LAYERS)
    assert {type(o) for o in OPTIMIZERS} == set(ONE_STEP)
    assert len(ONE_STEP) == 10
    assert set(TARGETS) < set(LOSSES)


def step(network, optimizer, x, y, weights, state):
    """What ``fit`` does with a batch: the new parameters, the cost, the new state."""
    loss = network.loss
    cost, g, _ = network.differentiate(x, y, weights, loss, xnn.ElasticNet(1e-3, 1e-3), packed=True)
    g = clip_by_norm(clip_by_value(g, 0.1), 1.0)
    θ, state = optimizer.step(network.backend, network.flat, g, state)
    network.update(θ)
    return θ, cost, state


def on_meta(layers, loss, optimizer, y=None):
    """Two steps on the meta device, after which every array is still there, and still without numbers."""
    pytest.importorskip("torch")
    network, y = made(layers, loss, y, "torch:meta")
    x, y, weights = network.prepare(X, y, loss, np.ones(EXAMPLES))
    state = optimizer.begin(network.backend, network.flat)
    for _ in range(2):
        θ, cost, state = step(network, optimizer, x, y, weights, state)
    assert (θ.device.type, tuple(θ.shape)) == ("meta", (network.layout.size,))
    assert (cost.device.type, tuple(cost.shape)) == ("meta", ())
    assert network.step == 2


def under_eval_shape(layers, loss, optimizer, y=None):
    """A step of which JAX sees the shapes alone."""
    jax = pytest.importorskip("jax")
    network, y = made(layers, loss, y, "jax")
    x, y, weights = network.prepare(X, y, loss, np.ones(EXAMPLES))
    state = optimizer.begin(network.backend, network.flat)
    numbers = {name: value for name, value in state.items() if not hasattr(value, "shape")}
    arrays = {name: value for name, value in state.items() if name not in numbers}

    def one(θ, x, y, weights, arrays):
        network.update(θ)
        θ, cost, state = step(network, optimizer, x, y, weights, numbers | arrays)
        return θ, cost, {name: state[name] for name in arrays}

    θ, cost, after = jax.eval_shape(one, network.flat, x, y, weights, arrays)
    assert (θ.shape, θ.dtype, cost.shape) == ((network.layout.size,), np.float32, ())
    assert {name: (a.shape, a.dtype) for name, a in after.items()} == {n: (a.shape, a.dtype) for n, a in arrays.items()}


def made(layers, loss, y, backend):
    network = xnn.Network(layers, inputs=INPUTS, backend=backend, seed=0)
    network.loss = loss
    if y is None:
        y = TARGETS.get(type(loss).__name__, OTHER_TARGETS)
    return network, y[:, :1] if network.shapes[-1] == (1,) and np.ndim(y) == 2 else y


DEVICES = [on_meta, under_eval_shape]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NETWORKS)
def test_layers(name, device):
    device(NETWORKS[name], xnn.SquaredError(half=True), xnn.Adam())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("loss", LOSSES.values())
def test_losses(loss, device):
    device([xnn.Dense(OUTPUTS)], loss(), xnn.SGD(lr=0.1))


@pytest.mark.parametrize("device", DEVICES)
def test_settings_of_losses(device):
    for loss in (
        xnn.CrossEntropy(label_smoothing=0.1, class_weights=(1.0, 2.0, 3.0)),
        xnn.CrossEntropy(ignore_index=1),
        xnn.PoissonNLL(log_input=False, full=True),
    ):
        device([xnn.Dense(OUTPUTS), xnn.Softplus()], loss, xnn.SGD(lr=0.1))
    probabilities = np.full((EXAMPLES, OUTPUTS), 1 / OUTPUTS)
    device([xnn.Dense(OUTPUTS)], xnn.CrossEntropy(), xnn.SGD(lr=0.1), probabilities)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_optimizers(optimizer, device):
    device(NETWORKS["one output"], xnn.MeanSquaredError(), optimizer)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("how", ["float", "bool", "mask"])
def test_a_layer_that_waits_is_found(how, device):
    with pytest.raises(Exception, match=r"(?i)meta|concret|trace|boolean"):
        device([xnn.Dense(4), Looking(how), xnn.Dense(OUTPUTS)], xnn.MeanSquaredError(), xnn.SGD(lr=0.1))


@contextmanager
def counted_reads(monkeypatch):
    """Let what is read back from the meta device be zeros, and list the shapes."""
    import torch

    kind, shapes = type(xnn.get_backend("torch")), []

    def read(cls, a):
        if a.device.type != "meta":
            return a.detach().numpy()
        shapes.append(tuple(a.shape))
        return torch.zeros(a.shape, dtype=a.dtype).numpy()

    with monkeypatch.context() as patch:
        patch.setattr(kind, "to_numpy", classmethod(read))
        yield shapes


def test_fit_reads_the_costs_once_an_epoch(monkeypatch):
    """A whole ``fit`` on the meta device: batches are gathered there, and only the costs of an epoch come back.

    Without weights: ``fit`` looks at their values once, before the first step.
    """
    pytest.importorskip("torch")
    network = xnn.Network(NETWORKS["the others"], inputs=INPUTS, backend="torch:meta", seed=0)
    y = TARGETS["CrossEntropy"]
    with counted_reads(monkeypatch) as shapes:
        history = network.fit(
            X, y, loss=xnn.CrossEntropy(), optimizer=xnn.AdamW(), epochs=3, batch_size=3, clip_norm=1.0,
            penalty=xnn.L2(1e-3),
        )  # fmt: skip
    assert shapes == [(3,)] * 3  # three epochs of three steps
    assert history["loss"] == [0.0, 0.0, 0.0]
