"""Random architectures against torch.nn.Sequential and its autograd: outputs, costs, gradients, running statistics."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from references import scaled_error

import xnn

torch = pytest.importorskip("torch")
nn = torch.nn

SEEDS = range(44)
TOLERANCE = 1e-11

#: Layers without parameters that take any shape, and the same in PyTorch.
ACTIVATIONS = [
    (xnn.Sigmoid(), nn.Sigmoid()),
    (xnn.Tanh(), nn.Tanh()),
    (xnn.ReLU(), nn.ReLU()),
    (xnn.LeakyReLU(), nn.LeakyReLU()),
    (xnn.LeakyReLU(0.2), nn.LeakyReLU(0.2)),
    (xnn.PReLU(), nn.PReLU(dtype=torch.float64)),
    (xnn.ELU(), nn.ELU()),
    (xnn.ELU(1.5), nn.ELU(1.5)),
    (xnn.SELU(), nn.SELU()),
    (xnn.GELU(), nn.GELU()),
    (xnn.GELU(approximate="tanh"), nn.GELU(approximate="tanh")),
    (xnn.SiLU(), nn.SiLU()),
    (xnn.Softplus(), nn.Softplus()),
    (xnn.Softplus(beta=2.0, threshold=3.0), nn.Softplus(beta=2.0, threshold=3.0)),
    (xnn.HardTanh(), nn.Hardtanh()),
    (xnn.HardTanh(-0.5, 2.0), nn.Hardtanh(-0.5, 2.0)),
    (xnn.Softmax(), nn.Softmax(dim=-1)),
    (xnn.LogSoftmax(), nn.LogSoftmax(dim=-1)),
    (xnn.Identity(), nn.Identity()),
]


def squared(a, y, half=False):
    return ((a - y) ** 2).sum() / len(a) / (2 if half else 1)


def choose_loss(rng, outputs):
    """A loss, the same in PyTorch, and targets of n examples by n."""
    weights = tuple(float(w) for w in rng.uniform(0.2, 2, outputs))
    real = partial(_real, rng, outputs)
    losses = [
        (xnn.SquaredError(), squared, real),
        (xnn.SquaredError(half=True), partial(squared, half=True), real),
        (xnn.MeanSquaredError(), nn.MSELoss(), real),
        (xnn.MeanAbsoluteError(), nn.L1Loss(), real),
        (xnn.Huber(), nn.HuberLoss(), real),
        (xnn.Huber(delta=0.3), nn.HuberLoss(delta=0.3), real),
        (xnn.PoissonNLL(), nn.PoissonNLLLoss(), lambda n: rng.poisson(2, (n, outputs)).astype(float)),
        (xnn.PoissonNLL(full=True), nn.PoissonNLLLoss(full=True), lambda n: rng.poisson(2, (n, outputs)).astype(float)),
        (xnn.BinaryCrossEntropy(), nn.BCEWithLogitsLoss(), lambda n: rng.integers(0, 2, (n, outputs)).astype(float)),
        (
            xnn.BinaryCrossEntropy(positive_weight=3.0),
            nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0)),
            lambda n: rng.uniform(0, 1, (n, outputs)),
        ),
        (xnn.CrossEntropy(), nn.CrossEntropyLoss(), lambda n: rng.integers(0, outputs, n)),
        (
            xnn.CrossEntropy(label_smoothing=0.1, class_weights=weights, ignore_index=0),
            nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.tensor(weights, dtype=torch.float64), ignore_index=0),
            lambda n: np.append(rng.integers(0, outputs, n - 1), outputs - 1),  # PyTorch gives NaN if all are ignored
        ),
        (
            xnn.CrossEntropy(label_smoothing=0.2),
            nn.CrossEntropyLoss(label_smoothing=0.2),
            lambda n: rng.dirichlet(np.ones(outputs), n),
        ),
    ]
    return losses[rng.integers(len(losses))]


def _real(rng, outputs, n):
    return rng.normal(size=(n, outputs))


def choose_network(rng, dropout=False):
    """(layers, the same in PyTorch, the shape of an example, the number of outputs), of a depth of 1 to 8."""
    depth = int(rng.integers(1, 9))
    shape = inputs = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 3)))
    ours, theirs = [], []

    def add(layer, same, outputs=None):
        nonlocal shape
        ours.append(layer)
        theirs.append(same)
        shape = shape if outputs is None else outputs

    for _ in range(depth - 1):
        kind = rng.choice(["dense", "dense", "activation", "activation", "norm", "layernorm", "shape", "dropout"])
        if kind == "dense":
            units, bias = int(rng.integers(1, 7)), bool(rng.integers(4))
            same = nn.Linear(shape[-1], units, bias=bias, dtype=torch.float64)
            add(xnn.Dense(units, bias=bias), same, (*shape[:-1], units))
        elif kind == "norm" and len(shape) == 1:
            momentum = float(rng.choice([0.1, 0.3]))
            add(xnn.BatchNorm(momentum=momentum), nn.BatchNorm1d(shape[0], momentum=momentum, dtype=torch.float64))
        elif kind == "layernorm":
            add(xnn.LayerNorm(), nn.LayerNorm(shape[-1], dtype=torch.float64))
        elif kind == "shape" and len(shape) > 1:
            add(xnn.Flatten(), nn.Flatten(), (int(np.prod(shape)),))
        elif kind == "shape" and shape[0] % 2 == 0:
            new = (2, shape[0] // 2)
            add(xnn.Reshape(new), nn.Unflatten(1, new), new)
        elif kind == "dropout" and dropout:
            add(xnn.Dropout(0.4), nn.Dropout(0.4))
        else:
            layer, same = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
            add(layer, same if not isinstance(same, nn.PReLU) else nn.PReLU(dtype=torch.float64))
    if len(shape) > 1:
        add(xnn.Flatten(), nn.Flatten(), (int(np.prod(shape)),))
    outputs = int(rng.integers(2, 5))
    add(xnn.Dense(outputs), nn.Linear(shape[0], outputs, dtype=torch.float64), (outputs,))
    return ours, nn.Sequential(*theirs), inputs, outputs


def hand_over(network, sequential, tmp_path, rng):
    """Give the Sequential the parameters of the network, after a shake, by a saved file or the other way round."""
    if rng.integers(2):
        with torch.no_grad():
            for p in sequential.parameters():
                p.copy_(torch.tensor(rng.normal(size=p.shape)))
            for name, b in sequential.named_buffers():
                if not name.endswith("num_batches_tracked"):
                    b.copy_(torch.tensor(rng.uniform(0.5, 2, b.shape)))
        network.set_parameters(dict(sequential.named_parameters()))
        network.set_buffers({name: b for name, b in sequential.named_buffers() if not name.endswith("tracked")})
        return
    parameters = network.parameters
    network.set_parameters({name: rng.normal(size=tuple(p.shape)) for name, p in parameters.items()})
    network.set_buffers({name: rng.uniform(0.5, 2, tuple(b.shape)) for name, b in network.buffers.items()})
    from safetensors.torch import load_file

    network.save(tmp_path / "network.safetensors")
    sequential.load_state_dict(load_file(tmp_path / "network.safetensors"), strict=True)


def derivative(sequential, loss, x, y):
    """(outputs, cost, gradients by name) of PyTorch's autograd."""
    names, parameters = zip(*sequential.named_parameters(), strict=True)
    outputs = sequential(torch.tensor(x))
    cost = loss(outputs, torch.tensor(y))
    gradients = torch.autograd.grad(cost, parameters)
    return outputs.detach().numpy(), cost.item(), dict(zip(names, (g.numpy() for g in gradients), strict=True))


def compare(backend, ours, theirs, cancels):
    """Gradients by name: the largest difference over the largest entry, of each array, or of all where some cancel."""
    assert list(ours) == list(theirs)
    whole = max(np.max(np.abs(g)) for g in theirs.values())
    for name, g in theirs.items():
        difference = np.max(np.abs(backend.to_numpy(ours[name]) - g))
        assert ours[name].shape == g.shape
        assert difference <= TOLERANCE * (whole if cancels else np.max(np.abs(g))), (name, difference, whole)


def check(backend, seed, tmp_path):
    rng = np.random.default_rng(seed)
    layers, sequential, inputs, outputs = choose_network(rng, dropout=True)
    loss, same, targets = choose_loss(rng, outputs)
    network = xnn.Network(layers, inputs=inputs, backend=backend, dtype="float64", seed=seed)
    hand_over(network, sequential, tmp_path, rng)
    n = 1 + seed % 7
    x, y = rng.normal(size=(n, *inputs)), targets(n)

    # Prediction: running statistics, no dropout. A normalization may cancel what reaches the layers below.
    cancels = any(isinstance(layer, (xnn.BatchNorm, xnn.LayerNorm)) for layer in layers)
    sequential.eval()
    a, cost, gradients = derivative(sequential, same, x, y)
    ours, own = network.gradients(x, y, loss, training=False)
    assert scaled_error(backend.to_numpy(network.forward(backend.asarray(x, "float64"))), a) <= TOLERANCE
    assert scaled_error(backend.to_numpy(ours), cost) <= TOLERANCE
    compare(backend, own, gradients, cancels)

    # Training, where both would do the same: three steps of descent, in which the running statistics move.
    batch_norm = any(isinstance(layer, xnn.BatchNorm) for layer in layers)
    if any(isinstance(layer, xnn.Dropout) for layer in layers) or (batch_norm and n < 4):
        return  # PyTorch refuses a batch of one, and with two or three all but rounding may cancel
    sequential.train()
    descent = torch.optim.SGD(sequential.parameters(), lr=0.01)
    state = xnn.SGD(lr=0.01).init(network.parameters)
    for _ in range(3):
        x, y = rng.normal(size=(n, *inputs)), targets(n)
        a, cost, gradients = derivative(sequential, same, x, y)
        assert (
            scaled_error(backend.to_numpy(network.forward(backend.asarray(x, "float64"), training=True)), a)
            <= TOLERANCE
        )
        ours, own = network.gradients(x, y, loss)
        assert scaled_error(backend.to_numpy(ours), cost) <= TOLERANCE
        compare(backend, own, gradients, cancels)
        θ, state = xnn.SGD(lr=0.01).update(network.parameters, own, state)
        network.set_parameters(θ)
        for name, p in sequential.named_parameters():
            p.grad = torch.tensor(gradients[name])
        descent.step()
    buffers = dict(sequential.named_buffers())
    for name, own in network.buffers.items():
        assert scaled_error(backend.to_numpy(own), buffers[name].numpy()) <= TOLERANCE, name


@pytest.mark.parametrize("seed", SEEDS)
def test_random_architecture(seed, tmp_path):
    check(xnn.get_backend("numpy"), seed, tmp_path)


@pytest.mark.parametrize("seed", [6, 11, 18])
def test_random_architecture_on_every_backend(backend, seed, tmp_path):
    check(backend, seed, tmp_path)


def test_the_random_architectures_reach_everything():
    """Every layer and loss that both libraries have is among the architectures, and batches of 1 to 7."""
    layers, losses, trained = set(), set(), 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        own, _, _, outputs = choose_network(rng, dropout=True)
        layers |= {type(layer) for layer in own}
        losses.add(type(choose_loss(rng, outputs)[0]))
        trained += (
            xnn.BatchNorm in {type(layer) for layer in own}
            and xnn.Dropout not in {type(x) for x in own}
            and seed % 7 > 2
        )
    assert layers == set(xnn.layers.LAYERS.values()) - {xnn.Standardize}
    assert losses == set(xnn.losses.LOSSES.values()) - {xnn.LogCosh, xnn.Hinge}
    assert trained >= 3
