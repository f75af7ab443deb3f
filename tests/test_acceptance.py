"""The five texts as tests: what they claim, with their figures, on every backend.

The texts are 000 to 004; σ is the logistic sigmoid, δ the error of a layer. A figure is written as it is
printed, and holds to half a unit of its last digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from references import central_differences, scaled_error

import xnn

XOR = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [[0.0], [1.0], [1.0], [0.0]]


def build(backend, inputs, *layers, seed=0, **parameters):
    """A float64 network; ``w0=…`` gives layer 0 its weight, ``b0=…`` its bias."""
    network = xnn.Network(layers, inputs=inputs, backend=backend, dtype="float64", seed=seed)
    kinds = {"w": "weight", "b": "bias"}
    network.set_parameters({f"{name[1:]}.{kinds[name[0]]}": value for name, value in parameters.items()})
    return network


def host(backend, arrays):
    """The arrays of a backend, one or a dictionary of them, as NumPy arrays."""
    if isinstance(arrays, dict):
        return {name: backend.to_numpy(a) for name, a in arrays.items()}
    return backend.to_numpy(arrays)


def shows(actual, *printed):
    """Whether the numbers, in order, are those printed, to half a unit of the last digit of each."""
    actual = np.asarray(actual, dtype=np.float64).ravel()
    assert len(actual) == len(printed)
    for value, text in zip(actual, printed, strict=True):
        digits = len(text.partition(".")[2])
        assert abs(value - float(text)) <= 0.5 * 10.0**-digits * (1 + 1e-9), f"{value!r} is not {text}"
    return True


def exactly(actual, *expected):
    """Whether the numbers, in order, are these to rounding in float64."""
    actual = np.asarray(actual, dtype=np.float64).ravel()
    return bool(np.allclose(actual, expected, rtol=1e-14, atol=1e-14)) and actual.shape == (len(expected),)


def σ(z):
    return 1 / (1 + np.exp(-z))


# -- 1: one linear neuron ------------------------------------------------------------------------------------------


def test_row_1_one_linear_neuron(backend):
    """Text 000: C = ½(a−y)² with a = wx + b and data y = 2x + 1; one step with η = .1."""
    loss = xnn.SquaredError(half=True)
    network = build(backend, 1, xnn.Dense(1), w0=[[0.5]], b0=[0.1])
    x, y = backend.asarray([[2.0]], "float64"), backend.asarray([[5.0]], "float64")

    assert exactly(host(backend, network.forward(x)), 1.1)
    assert exactly(host(backend, loss(network.forward(x), y)), 7.605)
    assert exactly(host(backend, network.deltas(x, y, loss)[0]), -3.9)
    cost, gradients = network.gradients(x, y, loss)
    assert exactly(host(backend, cost), 7.605)
    assert exactly(host(backend, gradients["0.weight"]), -7.8)
    assert exactly(host(backend, gradients["0.bias"]), -3.9)

    network.fit(x, y, loss=loss, optimizer=xnn.SGD(lr=0.1))
    new = host(backend, network.parameters)
    assert exactly(new["0.weight"], 1.28)
    assert exactly(new["0.bias"], 0.49)
    assert exactly(host(backend, loss(network.forward(x), y)), 1.90125)


def test_row_1_gradients_are_exactly_zero_at_the_solution(backend):
    """Text 000: at (w, b) = (2, 1) nothing is left to correct."""
    network = build(backend, 1, xnn.Dense(1), w0=[[2.0]], b0=[1.0])
    x = np.array([[2.0], [-1.0], [0.25]])
    cost, gradients = network.gradients(
        backend.asarray(x, "float64"), backend.asarray(2 * x + 1, "float64"), xnn.SquaredError(half=True)
    )
    assert float(cost) == 0
    assert float(gradients["0.weight"][0, 0]) == 0
    assert float(gradients["0.bias"][0]) == 0


# -- 2: the update rule run to convergence --------------------------------------------------------------------------


def test_row_2_update_rule_run_to_convergence(backend):
    """Text 000: wₙ = 2(1−.95ⁿ) and bₙ = 1−.9ⁿ after n steps with η = .1 from 0."""
    x = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    network = build(backend, 1, xnn.Dense(1, weight_init="zeros"))
    path = []
    history = network.fit(
        backend.asarray(x, "float64"),
        backend.asarray(2 * x + 1, "float64"),
        loss=xnn.SquaredError(half=True),
        optimizer=xnn.SGD(lr=0.1),
        epochs=1000,
        batch_size=None,
        tol=1e-6,
        callbacks=[lambda epoch, logs: path.append([float(p) for p in _numbers(backend, network)])],
    )
    n = np.arange(1, len(path) + 1)
    assert 200 < len(path) < 1000
    assert history.stop_reason.startswith("gradient norm")
    assert np.allclose(path, np.stack([2 * (1 - 0.95**n), 1 - 0.9**n], axis=1), rtol=0, atol=1e-13)
    assert np.allclose(path[-1], [2, 1], rtol=0, atol=1e-5)


def _numbers(backend, network):
    return [value for p in network.parameters.values() for value in host(backend, p).ravel()]


def test_row_2_without_a_network(backend):
    """Text 000: the same descent by ``xnn.minimize``, which needs no network."""
    x = backend.asarray([-1.0, -0.5, 0.0, 0.5, 1.0], "float64")
    xp, path = backend.xp, []

    def cost(θ):
        return xp.mean((θ["w"] * x + θ["b"] - (2.0 * x + 1.0)) ** 2) / 2

    def gradient(θ):
        path.append((float(θ["w"]), float(θ["b"])))
        δ = θ["w"] * x + θ["b"] - (2.0 * x + 1.0)
        return {"w": xp.mean(δ * x), "b": xp.mean(δ)}

    zero = backend.asarray(0.0, "float64")
    found = xnn.minimize(cost, {"w": zero, "b": zero}, gradient=gradient, optimizer=xnn.SGD(lr=0.1), tol=1e-4)
    n = np.arange(len(path))
    assert np.allclose(path, np.stack([2 * (1 - 0.95**n), 1 - 0.9**n], axis=1), rtol=0, atol=1e-13)
    assert found.stop_reason.startswith("gradient norm")
    assert found.iterations > 100
    assert abs(float(found.theta["w"]) - 2) < 1e-3


# -- 3: one hidden layer --------------------------------------------------------------------------------------------


def test_row_3_one_hidden_layer(backend):
    """Text 000: δ¹ = δ²w₂σ′, sigmoid then linear."""
    loss = xnn.SquaredError(half=True)
    network = build(backend, 1, xnn.Dense(1), xnn.Sigmoid(), xnn.Dense(1), w0=[[0.3]], b0=[-0.1], w2=[[0.7]], b2=[0.2])
    x, y = backend.asarray([[1.5]], "float64"), backend.asarray([[4.0]], "float64")
    before = host(backend, network.parameters)

    δ = [host(backend, d) for d in network.deltas(x, y, loss)]
    assert shows(δ[2], "-3.3893676948")
    assert shows(δ[0], "-0.5753389857")
    gradients = host(backend, network.gradients(x, y, loss)[1])
    assert shows(gradients["2.weight"], "-1.9882626712")
    assert shows(gradients["0.weight"], "-0.8630084786")
    assert shows(gradients["2.bias"], "-3.3893676948")
    assert shows(gradients["0.bias"], "-0.5753389857")

    # All δ come from the weights before the update, so that one large step is the old weights minus η times these.
    network.fit(x, y, loss=loss, optimizer=xnn.SGD(lr=1.0))
    for name, new in host(backend, network.parameters).items():
        assert exactly(new, *(before[name] - gradients[name]).ravel()), name


# -- 4: the important components ------------------------------------------------------------------------------------

# fmt: off
ACTIVATIONS = [
    "Sigmoid", "Tanh", "ReLU", "LeakyReLU", "PReLU", "ELU", "SELU", "GELU", "SiLU", "Softplus", "HardTanh", "Softmax",
    "LogSoftmax", "Identity",
]
COSTS = [
    "SquaredError", "MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "CrossEntropy", "BinaryCrossEntropy",
    "PoissonNLL", "Hinge",
]
METHODS = [
    "SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Rprop",
]
STARTS = [
    "zeros", "ones", "constant", "normal", "uniform", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
    "lecun_uniform", "lecun_normal", "orthogonal", "symmetric", "pytorch",
]
# fmt: on
DATA = [[0.0, 1.0], [1.0, -1.0], [0.5, 2.0]], [[0.0], [1.0], [1.0]]


def trains(backend, layers, loss=None, optimizer=None, **settings):
    """Whether one epoch in batches of two changes the parameters, and leaves them finite."""
    network = xnn.Network(layers, inputs=2, backend=backend, dtype="float64", seed=1)
    before = host(backend, network.parameters)
    settings = {"batch_size": 2, **settings}
    network.fit(*DATA, loss=loss or xnn.SquaredError(), optimizer=optimizer or xnn.SGD(lr=0.1), **settings)
    after = host(backend, network.parameters)
    assert all(np.isfinite(a).all() for a in after.values())
    return any((after[name] != before[name]).any() for name in before)


def test_row_4_layers_and_nodes(backend):
    """Text 001: the number of hidden layers, and of the nodes in each."""
    for nodes in ((), (3,), (1, 2, 4)):
        hidden = [layer for n in nodes for layer in (xnn.Dense(n), xnn.Tanh())]
        network = xnn.Network([*hidden, xnn.Dense(1)], inputs=2, backend=backend)
        weights = [p.shape for name, p in network.parameters.items() if name.endswith("weight")]
        assert [tuple(shape) for shape in weights] == list(zip((*nodes, 1), (2, *nodes), strict=True))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_row_4_activations(backend, name):
    """Text 001: activation functions (sigmoid, tanh, ReLU, ELU, …), another in each layer where wanted."""
    assert trains(backend, [xnn.Dense(2), getattr(xnn, name)(), xnn.Dense(1), xnn.Tanh()])


@pytest.mark.parametrize("name", COSTS)
def test_row_4_costs(backend, name):
    """Text 001: the type of the cost function."""
    loss = getattr(xnn, name)()
    layers = [xnn.Dense(1)]
    targets = DATA[1]
    if name == "CrossEntropy":
        layers, targets = [xnn.Dense(3)], [0, 1, 2]
    network = xnn.Network(layers, inputs=2, backend=backend, dtype="float64", seed=1)
    first, _ = network.gradients(DATA[0], targets, loss)
    network.fit(DATA[0], targets, loss=loss, optimizer=xnn.SGD(lr=0.01), epochs=3, batch_size=None)
    assert float(network.gradients(DATA[0], targets, loss)[0]) < float(first)


@pytest.mark.parametrize("penalty", [xnn.L1(0.1), xnn.L2(0.1), xnn.ElasticNet(0.1, 0.1)], ids=repr)
def test_row_4_regularization(backend, penalty):
    """Text 001: regularization adds to the cost, and pulls at the weights, not at the biases."""
    network = build(backend, 2, xnn.Dense(1), w0=[[1.0, 2.0]], b0=[3.0])
    loss = xnn.SquaredError()
    plain, g = network.gradients(*DATA, loss)
    cost, h = network.gradients(*DATA, loss, penalty=penalty)
    expected = {xnn.L1: 0.3, xnn.L2: 0.5, xnn.ElasticNet: 0.8}[type(penalty)]
    slope = {xnn.L1: [0.1, 0.1], xnn.L2: [0.2, 0.4], xnn.ElasticNet: [0.3, 0.5]}[type(penalty)]
    assert exactly(float(cost) - float(plain), expected)
    assert exactly(host(backend, h["0.weight"]) - host(backend, g["0.weight"]), *slope)
    assert exactly(host(backend, h["0.bias"]), *host(backend, g["0.bias"]))


@pytest.mark.parametrize("name", METHODS)
def test_row_4_methods_of_descent(backend, name):
    """Text 001: the gradient-descent method."""
    assert trains(backend, [xnn.Dense(2), xnn.Tanh(), xnn.Dense(1)], optimizer=getattr(xnn, name)())


def test_row_4_batch_and_step_size(backend):
    """Text 001: SGD, its batch and its step size: half the step, half the change; n/batch steps an epoch."""
    moved = {}
    for lr in (0.1, 0.05):
        network = build(backend, 2, xnn.Dense(1), w0=[[0.0, 0.0]])
        network.fit(*DATA, loss=xnn.SquaredError(), optimizer=xnn.SGD(lr=lr), batch_size=None)
        moved[lr] = host(backend, network.parameters["0.weight"])
    assert exactly(moved[0.1], *(2 * moved[0.05]).ravel())
    for batch_size, steps in ((1, 3), (2, 2), (3, 1), (None, 1)):
        network = build(backend, 2, xnn.Dense(1))
        network.fit(*DATA, loss=xnn.SquaredError(), optimizer=xnn.SGD(), batch_size=batch_size)
        assert network.step == steps


def test_row_4_pre_processing(backend):
    """Text 001: pre-processing, (x − mean)/scale learned from the training data."""
    network = build(backend, 2, xnn.Standardize(), xnn.Dense(1, weight_init="ones"))
    network.fit(*DATA, loss=xnn.SquaredError(), optimizer=xnn.SGD(lr=1e-300))
    x = np.array(DATA[0])
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    assert np.allclose(host(backend, network.forward(DATA[0])), standard.sum(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("name", STARTS)
def test_row_4_initialization(backend, name):
    """Text 001: the initialization, by name."""
    network = build(backend, 3, xnn.Dense(4, weight_init=name))
    w = host(backend, network.parameters["0.weight"])
    assert w.shape == (4, 3)
    assert np.isfinite(w).all()
    distinct = {"zeros": 1, "ones": 1, "constant": 1, "symmetric": 1}.get(name, 12)
    assert len(np.unique(w)) == distinct


def test_row_4_dropout_and_batch_normalization(backend):
    """Text 001: dropout and batch normalization."""
    assert trains(backend, [xnn.Dense(4), xnn.Dropout(0.5), xnn.Dense(1)])
    # With a batch of two, an activation before it keeps the normalized values from being ±1 whatever the weights.
    assert trains(backend, [xnn.Dense(4), xnn.Tanh(), xnn.BatchNorm(), xnn.Dense(1)], batch_size=3)


@pytest.mark.parametrize(
    "name",
    [
        "Dense",
        "Dropout",
        "BatchNorm",
        "LayerNorm",
        "Standardize",
        "L1",
        "L2",
        "ElasticNet",
        *ACTIVATIONS,
        *COSTS,
        *METHODS,
    ],
)
def test_row_4_documented_with_its_equation(name):
    """Text 001: each component is documented with its equation."""
    assert any(sign in getattr(xnn, name).__doc__ for sign in ("=", "←"))


# -- 5: feed-forward ------------------------------------------------------------------------------------------------


def test_row_5_composed_function(backend, rng):
    """Texts 001, 002, 003: a = σ(W²σ(W¹x + b¹) + b²), W of shape (outputs, inputs); a batch equals its examples."""
    W1, b1, W2, b2 = rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=(2, 4)), rng.normal(size=2)
    layers = xnn.Dense(4), xnn.Sigmoid(), xnn.Dense(2), xnn.Sigmoid()
    network = build(backend, 3, *layers, w0=W1, b0=b1, w2=W2, b2=b2)
    x = rng.normal(size=(5, 3))
    batch = host(backend, network.forward(backend.asarray(x, "float64")))
    assert batch.shape == (5, 2)
    for row, one in zip(x, batch, strict=True):
        assert np.allclose(one, σ(W2 @ σ(W1 @ row + b1) + b2), rtol=1e-14)
        alone = host(backend, network.forward(backend.asarray(row[None, :], "float64")))
        assert np.allclose(one, alone[0], rtol=1e-14)
    assert "Wᵀ" in xnn.Dense.__doc__
    assert "(units, inputs)" in xnn.Dense.__doc__


# -- 6: the cost of text 001 ----------------------------------------------------------------------------------------


def test_row_6_mean_of_squares(backend):
    """Text 001: C = 1/n ‖t − a‖² of three examples."""
    t, a = backend.asarray([1.0, 2.0, 3.0], "float64"), backend.asarray([1.0, 1.0, 5.0], "float64")
    for loss in (xnn.SquaredError(), xnn.MeanSquaredError()):
        assert exactly(host(backend, loss(a, t)), 5 / 3)
        assert exactly(host(backend, loss.gradient(a, t)), 0, -2 / 3, 4 / 3)


def test_row_6_one_cost_four_conventions(backend):
    """The factors in which the texts differ: ½ (000), none (002, 004), the mean (001, 003), the sum over outputs."""
    a, y = backend.asarray([[1.0, 2.0], [4.0, -1.0]], "float64"), backend.asarray([[0.0, 2.5], [1.0, 1.0]], "float64")
    squares = [1.25, 13.0]
    assert exactly(host(backend, xnn.SquaredError().per_example(a, y)), *squares)
    assert exactly(host(backend, xnn.SquaredError()(a, y)), sum(squares) / 2)
    assert exactly(host(backend, xnn.SquaredError(half=True)(a, y)), sum(squares) / 4)
    assert exactly(host(backend, xnn.MeanSquaredError()(a, y)), sum(squares) / 4)


# -- 11: the general δ equations ------------------------------------------------------------------------------------


def test_row_11_delta_equations(backend, rng):
    """Text 001: δᴸ = σ′(zᴸ) ∂C/∂aᴸ and δˡ = Σₖ δₖˡ⁺¹wₖⱼˡ⁺¹σ′(zⱼˡ) for l = L−1 … 1, against central differences."""
    sizes = (3, 4, 3, 5, 2)
    layers = [layer for units in sizes[1:] for layer in (xnn.Dense(units), xnn.Sigmoid())]
    network = build(backend, sizes[0], *layers)
    network.set_parameters({name: rng.normal(size=p.shape) for name, p in network.parameters.items()})
    θ = host(backend, network.parameters)
    loss = xnn.SquaredError()
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))

    a = [x]
    for i in range(4):
        a.append(σ(a[-1] @ θ[f"{2 * i}.weight"].T + θ[f"{2 * i}.bias"]))
    δ = 2 * (a[4] - y) / 6 * a[4] * (1 - a[4])
    x, y = backend.asarray(x, "float64"), backend.asarray(y, "float64")
    deltas = network.deltas(x, y, loss)
    gradients = host(backend, network.gradients(x, y, loss)[1])
    for i in (3, 2, 1, 0):
        assert scaled_error(host(backend, deltas[2 * i]), δ) <= 1e-13
        assert scaled_error(gradients[f"{2 * i}.weight"], δ.T @ a[i]) <= 1e-13
        assert scaled_error(gradients[f"{2 * i}.bias"], δ.sum(axis=0)) <= 1e-13
        δ = δ @ θ[f"{2 * i}.weight"] * a[i] * (1 - a[i])

    errors, sizes = [], []
    for name, own in θ.items():

        def cost(changed, name=name):
            network.set_parameters({name: changed})
            return host(backend, loss(network.forward(x), y))

        errors.append(np.max(np.abs(central_differences(cost, own, step=6e-6) - gradients[name])))
        sizes.append(np.max(np.abs(gradients[name])))
        network.set_parameters({name: own})
    assert max(errors) <= 1e-8 * max(sizes)


# -- 12: when training stops ----------------------------------------------------------------------------------------

LINE = [[1.0], [2.0], [3.0]], [[2.0], [4.0], [6.0]]


def test_row_12_fit_says_why_it_stopped(backend):
    """Texts 001, 003: one iteration is a feed-forward and a backprop; "until ∇J = 0", or the cost converges."""

    def fit(**settings):
        network = build(backend, 1, xnn.Dense(1, bias=False, weight_init="zeros"))
        optimizer = xnn.SGD(lr=0.05)
        history = network.fit(*LINE, loss=xnn.SquaredError(), optimizer=optimizer, batch_size=None, **settings)
        return history, network

    history, network = fit(epochs=100, tol=1e-6)
    assert history.stop_reason.startswith("gradient norm")
    assert len(history) == network.step < 100
    _, gradients = network.gradients(*LINE, xnn.SquaredError())
    assert abs(float(gradients["0.weight"][0, 0])) < 1e-6

    history, _ = fit(epochs=100, tol=1e-6, stop_on="cost")
    assert history.stop_reason.startswith("cost change")
    assert abs(history["loss"][-1] - history["loss"][-2]) < 1e-6 <= abs(history["loss"][-2] - history["loss"][-3])

    history, network = fit(epochs=5, tol=1e-6)
    assert history.stop_reason.startswith("iteration limit")
    assert len(history) == network.step == 5


def test_row_12_minimize_says_why_it_stopped(backend):
    """Texts 001, 003: the same without a network."""
    x = backend.asarray([1.0, 2.0, 3.0], "float64")
    start = backend.asarray(0.0, "float64")

    def minimize(**settings):
        return xnn.minimize(
            lambda w: backend.xp.mean((w * x - 2.0 * x) ** 2),
            start,
            gradient=lambda w: backend.xp.mean(2.0 * (w * x - 2.0 * x) * x),
            optimizer=xnn.SGD(lr=0.05),
            **settings,
        )

    assert minimize(tol=1e-6).stop_reason.startswith("gradient norm")
    assert minimize(tol=1e-6, stop_on="cost").stop_reason.startswith("cost change")
    limited = minimize(tol=1e-6, max_iterations=5)
    assert limited.stop_reason.startswith("iteration limit")
    assert limited.iterations == 5
    assert float(start) == 0


# -- 13: the matrix form --------------------------------------------------------------------------------------------


def test_row_13_matrix_form_and_recursion(backend, rng):
    """Text 002: ∂C/∂aₙ = Σₘ ∂C/∂aₘ g′(zₘ) wₘₙ over the M units of the layer above; the base case is 2(x̂ − y)."""
    M, N = 3, 2
    network = build(backend, 4, xnn.Dense(N), xnn.Tanh(), xnn.Dense(M), xnn.Sigmoid(), seed=3)
    θ = host(backend, network.parameters)
    x, y = rng.normal(size=4), rng.normal(size=M)
    W, b = θ["2.weight"], θ["2.bias"]
    assert W.shape == (M, N)
    a1 = np.tanh(θ["0.weight"] @ x + θ["0.bias"])
    z = [sum(W[m, n] * a1[n] for n in range(N)) + b[m] for m in range(M)]
    a2 = [σ(z[m]) for m in range(M)]
    top = [2 * (a2[m] - y[m]) for m in range(M)]
    g = [top[m] * a2[m] * (1 - a2[m]) for m in range(M)]
    below = [sum(g[m] * W[m, n] for m in range(M)) for n in range(N)]

    x, y = backend.asarray(x[None, :], "float64"), backend.asarray(y[None, :], "float64")
    deltas = [host(backend, δ) for δ in network.deltas(x, y, xnn.SquaredError())]
    assert exactly(deltas[3], *top)
    assert exactly(deltas[2], *g)
    assert exactly(deltas[1], *below)
    gradients = host(backend, network.gradients(x, y, xnn.SquaredError())[1])
    assert exactly(gradients["2.weight"], *[g[m] * a1[n] for m in range(M) for n in range(N)])
    assert exactly(gradients["2.bias"], *g)


# -- 14: the average over the data set ------------------------------------------------------------------------------


def test_row_14_average_over_the_data_set(backend):
    """Text 002: the true correction is the average over the data set."""
    network = build(backend, 1, xnn.Dense(1), w0=[[0.0]])
    loss = xnn.SquaredError()
    x, y = backend.asarray([[1.0], [2.0]], "float64"), backend.asarray([[3.0], [5.0]], "float64")
    each = host(backend, network.gradients(x, y, loss, per_example=True)[1])
    assert exactly(each["0.weight"], -6, -20)
    assert exactly(each["0.bias"], -6, -10)
    cost, gradients = network.gradients(x, y, loss)
    assert exactly(host(backend, cost), 17)
    assert exactly(host(backend, gradients["0.weight"]), -13)
    assert exactly(host(backend, gradients["0.bias"]), -8)

    network.fit(x, y, loss=loss, optimizer=xnn.SGD(lr=0.1))
    assert exactly(host(backend, network.parameters["0.weight"]), 1.3)
    assert exactly(host(backend, network.parameters["0.bias"]), 0.8)
    assert exactly(network.evaluate(x, y, loss=loss)["loss"], 1.685)


# -- 15: one sigmoid neuron -----------------------------------------------------------------------------------------


def test_row_15_one_example_and_the_full_data_set(backend):
    """Text 003: 2(y − y_d)σ′x for one example, and its mean for the full data set."""
    loss = xnn.SquaredError()
    network = build(backend, 1, xnn.Dense(1), xnn.Sigmoid(), w0=[[0.5]], b0=[-0.5])
    x, y = backend.asarray([[2.0]], "float64"), backend.asarray([[1.0]], "float64")
    assert shows(host(backend, network.forward(x)), "0.6224593312")
    _, gradients = network.gradients(x, y, loss)
    assert shows(host(backend, gradients["0.weight"]), "-0.3548938347")
    # ∂w = x ∂b = 2 ∂b. (The …9167 that was once printed for ∂b is a slip: it is not half of …8347.)
    assert shows(host(backend, gradients["0.bias"]), "-0.1774469173")
    assert exactly(2 * host(backend, gradients["0.bias"]), float(gradients["0.weight"][0, 0]))

    x, y = backend.asarray([0.0, 1.0, 2.0, 3.0], "float64"), backend.asarray([0.0, 0.0, 1.0, 1.0], "float64")
    cost, gradients = network.gradients(x, y, loss)
    assert shows(host(backend, cost), "0.1518508503")
    assert shows(host(backend, gradients["0.weight"]), "-0.1055390979")
    assert shows(host(backend, gradients["0.bias"]), "0.0360614536")


# -- 16: linear regression, and divergence --------------------------------------------------------------------------


def test_row_16_linear_regression_in_one_step(backend):
    """Text 003: y = wx through (1, 2), (2, 4), (3, 6) from w = 0; α = 3/28 is exact in one step."""
    loss = xnn.SquaredError()
    network = build(backend, 1, xnn.Dense(1, bias=False), w0=[[0.0]])
    each = network.gradients(*LINE, loss, per_example=True)[1]["0.weight"]
    assert exactly(host(backend, each), -4, -16, -36)
    assert exactly(host(backend, network.gradients(*LINE, loss)[1]["0.weight"]), -56 / 3)

    history = network.fit(*LINE, loss=loss, optimizer=xnn.SGD(lr=3 / 28), epochs=2, batch_size=None)
    assert exactly(host(backend, network.parameters["0.weight"]), 2)
    assert exactly(history["loss"], 56 / 3, 0)


def _line(backend):
    x = backend.asarray([1.0, 2.0, 3.0], "float64")
    mean = backend.xp.mean
    return lambda w: mean((w * x - 2.0 * x) ** 2), lambda w: mean(2.0 * (w * x - 2.0 * x) * x)


def test_row_16_minimize_in_one_step(backend):
    """Text 003: the same without a network: iterate until ∂J/∂w = 0."""
    cost, gradient = _line(backend)
    start = backend.asarray(0.0, "float64")
    found = xnn.minimize(cost, start, gradient=gradient, optimizer=xnn.SGD(lr=3 / 28), tol=1e-12)
    assert exactly(host(backend, found.theta), 2)
    assert found.iterations == 1
    assert found.stop_reason.startswith("gradient norm")


@pytest.mark.parametrize("α", [0.22, 0.3, 5.0])
def test_row_16_divergence_is_told(backend, α):
    """Text 003: above α = 3/14 = .2142… every step makes it worse, and the user is told."""
    network = build(backend, 1, xnn.Dense(1, bias=False), w0=[[0.0]])
    with pytest.warns(xnn.DivergenceWarning, match="diverged"):
        history = network.fit(
            *LINE, loss=xnn.SquaredError(), optimizer=xnn.SGD(lr=α), epochs=1000, batch_size=None, verbose=False
        )
    assert history.stop_reason.startswith("diverged")
    assert len(history) < 1000

    cost, gradient = _line(backend)
    with pytest.warns(xnn.DivergenceWarning, match="diverged"):
        found = xnn.minimize(cost, backend.asarray(0.0, "float64"), gradient=gradient, optimizer=xnn.SGD(lr=α))
    assert found.stop_reason.startswith("diverged")
    assert found.iterations < 1000


def test_row_16_no_divergence_below(backend):
    """Text 003: just below 3/14 it overshoots each time, but converges, and nobody is alarmed."""
    network = build(backend, 1, xnn.Dense(1, bias=False), w0=[[0.0]])
    optimizer = xnn.SGD(lr=0.2)
    history = network.fit(*LINE, loss=xnn.SquaredError(), optimizer=optimizer, epochs=300, batch_size=None, tol=1e-6)
    assert history.stop_reason.startswith("gradient norm")
    assert abs(host(backend, network.parameters["0.weight"])[0, 0] - 2) < 1e-6


# -- 17: the cost surface -------------------------------------------------------------------------------------------


def test_row_17_steepest_descent(backend, rng):
    """Text 003: of all directions, −∇J(w, b) lowers J the most; along the path of descent J falls."""
    loss = xnn.SquaredError()
    network = build(backend, 1, xnn.Dense(1), xnn.Sigmoid(), w0=[[0.5]], b0=[-0.5])
    x, y = backend.asarray([0.0, 1.0, 2.0, 3.0], "float64"), backend.asarray([0.0, 0.0, 1.0, 1.0], "float64")
    start = np.array([0.5, -0.5])

    def J(θ):
        network.set_parameters({"0.weight": [[float(θ[0])]], "0.bias": [float(θ[1])]})
        return float(loss(network.forward(x), y))

    cost, gradients = network.gradients(x, y, loss)
    slope = np.array([float(gradients["0.weight"][0, 0]), float(gradients["0.bias"][0])])
    steepest, h = -slope / np.linalg.norm(slope), 1e-5
    lowest = J(start + h * steepest)
    assert (lowest - float(cost)) / h == pytest.approx(-np.linalg.norm(slope), rel=1e-4)
    for angle in rng.uniform(0.1, 2 * np.pi - 0.1, 50):  # away from −∇J, of which it is the angle
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        assert J(start + h * turn @ steepest) > lowest

    J(start)
    history = network.fit(x, y, loss=loss, optimizer=xnn.SGD(lr=1.0), epochs=30, batch_size=None)
    assert np.all(np.diff(history["loss"]) < 0)


def test_row_17_minimum_of_the_surface(backend):
    """Text 003: J(w, b) of y = wx + b over a grid is lowest where the data come from, at (2, 1)."""
    loss = xnn.SquaredError()
    x = backend.asarray([-1.0, -0.5, 0.0, 0.5, 1.0], "float64")
    w, b = np.meshgrid(np.linspace(0, 4, 9), np.linspace(-1, 3, 9))
    # One linear unit for each point of the surface.
    grid = np.stack([w.ravel(), b.ravel()])
    network = build(backend, 1, xnn.Dense(81), w0=grid[0][:, None], b0=grid[1])
    outputs = network.forward(x)
    J = np.array([float(loss(outputs[:, k], 2.0 * x + 1.0)) for k in range(81)])
    assert J.min() == 0
    assert list(grid[:, J.argmin()]) == [2, 1]
    assert np.allclose(J, (0.5 * (grid[0] - 2) ** 2 + (grid[1] - 1) ** 2), atol=1e-14)


# -- 18, 19: how weights start --------------------------------------------------------------------------------------


def _xor(backend, lr=2.0, epochs=300, optimizer=None, **settings):
    """A trained 2-3-1 network of sigmoids on XOR, and its history."""
    dense = {"weight_init": settings.pop("start", "glorot_uniform")}
    layers = xnn.Dense(3, **dense), xnn.Sigmoid(), xnn.Dense(1, **dense), xnn.Sigmoid()
    network = build(backend, 2, *layers, **settings)
    x, y = (backend.asarray(a, "float64") for a in XOR)
    optimizer = optimizer or xnn.SGD(lr=lr)
    history = network.fit(x, y, loss=xnn.SquaredError(), optimizer=optimizer, epochs=epochs, batch_size=None)
    return network, history


SYMMETRIC = [
    {"start": "symmetric"},
    {"start": "ones"},
    {"w0": [[0.4, -0.7]] * 3, "w2": [[0.9] * 3]},
]


@pytest.mark.parametrize("settings", SYMMETRIC, ids=["by name", "all ones", "by hand"])
def test_row_18_symmetric_weights_stay_symmetric(backend, settings):
    """Text 003: equal rows stay equal, so that three hidden units are one, and XOR is not learned."""
    network, history = _xor(backend, **settings)
    W, b = (host(backend, network.parameters[name]) for name in ("0.weight", "0.bias"))
    v = host(backend, network.parameters["2.weight"])
    assert np.abs(W - W[0]).max() <= 1e-12
    assert np.abs(b - b[0]).max() <= 1e-12
    assert np.abs(v - v[0, 0]).max() <= 1e-12
    assert np.linalg.matrix_rank(W, tol=1e-10) == 1
    assert min(history["loss"]) > 1 / 6
    assert network.evaluate(*XOR, loss=xnn.SquaredError())["loss"] > 1 / 6


def test_row_18_random_weights_solve_it(backend):
    """Text 003: random weights with zero biases break the symmetry."""
    network, history = _xor(backend, optimizer=xnn.Adam(lr=0.1), seed=0)
    assert history["loss"][-1] < 1e-2
    a = host(backend, network.predict(XOR[0]))
    assert (np.abs(a - np.array(XOR[1])) < 0.5).all()
    assert np.linalg.matrix_rank(host(backend, network.parameters["0.weight"]), tol=0.1) == 2


@pytest.mark.parametrize("settings", [{"start": "zeros"}, {"w0": [[0.0, 0.0]] * 3, "w2": [[0.0] * 3]}])
def test_row_19_zero_weights_learn_nothing(backend, settings):
    """Text 003: from all zeros every output is ½, and XOR stays at J = .25."""
    network, history = _xor(backend, epochs=50, **settings)
    assert np.allclose(history["loss"], 0.25, rtol=0, atol=1e-15)
    assert np.allclose(host(backend, network.predict(XOR[0])), 0.5, atol=1e-15)
    assert (host(backend, network.parameters["0.weight"]) == 0).all()


# -- 20: sums, vectors, matrices ------------------------------------------------------------------------------------


def test_row_20_sums_vectors_matrices(backend):
    """Text 003: the same network as sums, as vectors and as matrices."""
    W1, b1 = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]), np.array([0.01, 0.02, 0.03])
    W2, b2 = np.array([[0.7, 0.8, 0.9]]), np.array([0.1])
    x = np.array([1.0, -2.0])
    layers = xnn.Dense(3), xnn.Sigmoid(), xnn.Dense(1), xnn.Sigmoid()
    # The first layers alone show z¹ and z².
    z1, z2, a2 = (
        host(backend, build(backend, 2, *layers[:depth], **own).forward(backend.asarray(x[None, :], "float64")))
        for depth, own in (
            (1, {"w0": W1, "b0": b1}),
            (3, {"w0": W1, "b0": b1, "w2": W2, "b2": b2}),
            (4, {"w0": W1, "b0": b1, "w2": W2, "b2": b2}),
        )
    )
    assert shows(z1, "-0.29", "-0.48", "-0.67")
    assert exactly(z1, -0.29, -0.48, -0.67)
    assert shows(z2, "1.01005156")
    assert shows(a2, "0.73303024")
    sums = σ(sum(W2[0, k] * σ(sum(W1[k, j] * x[j] for j in range(2)) + b1[k]) for k in range(3)) + b2[0])
    vectors = σ(W2[0] @ np.array([σ(W1[j] @ x + b1[j]) for j in range(3)]) + b2[0])
    matrices = σ(W2 @ σ(W1 @ x + b1) + b2)[0]
    for written in (sums, vectors, matrices):
        assert exactly(a2, written)

    network = build(backend, 2, *layers, w0=W1, b0=b1, w2=W2, b2=b2)
    x, y = backend.asarray(x[None, :], "float64"), backend.asarray([[1.0]], "float64")
    cost, gradients = network.gradients(x, y, xnn.SquaredError())
    assert shows(host(backend, cost), "0.0712728526")
    assert shows(host(backend, gradients["2.weight"]), "-0.04472226", "-0.03994164", "-0.03536964")


# -- 21: universal approximation ------------------------------------------------------------------------------------

CURVES = {
    "x²": (lambda x: x**2, 0.01),
    "sin x": (np.sin, 0.01),
    "abs x": (np.abs, 0.03),
    "step": (lambda x: np.where(x < 0, 0.0, 1.0), 0.05),
}


@pytest.mark.parametrize("name", CURVES)
def test_row_21_universal_approximation(name):
    """Text 003 (Bishop ch. 4): three tanh units fit four curves on 50 points of (−1, 1), to these errors."""
    f, error = CURVES[name]
    x = np.linspace(-1, 1, 50)[:, None]
    start = xnn.initializers.Normal(std=3.0)
    network = build("numpy", 1, xnn.Dense(3, weight_init=start), xnn.Tanh(), xnn.Dense(1), seed=3)
    optimizer = xnn.Adam(lr=xnn.schedules.Cosine(0.1, steps=2000))
    network.fit(x, f(x), loss=xnn.SquaredError(), optimizer=optimizer, epochs=2000, batch_size=None)
    assert np.sqrt(np.mean((network.predict(x) - f(x)) ** 2)) < error


# -- 22: what finite differences and backprop cost ------------------------------------------------------------------


@dataclass(frozen=True)
class Counting(xnn.Layer):
    """y = x, and a count of the passes through it."""

    passes = {"forward": 0, "backward": 0}  # noqa: RUF012 -- one layer for all tests here

    def forward(self, xp, x):
        """Count, and hand x on."""
        self.passes["forward"] += 1
        return x, ()

    def delta(self, xp, δ, y, kept, x):
        """Count, and hand δ on."""
        self.passes["backward"] += 1
        return δ


def _passes(work):
    Counting.passes.update(forward=0, backward=0)
    work()
    return dict(Counting.passes)


def test_row_22_finite_differences_cost_a_pass_a_weight(backend):
    """Text 003: "for 1M weights, have to do 1M forward passes"; backprop is one pass forward and one back."""
    loss = xnn.SquaredError()
    network = build(backend, 3, xnn.Dense(4), Counting(), xnn.Dense(2))
    weights = sum(math.prod(p.shape) for p in network.parameters.values())
    x, y = backend.asarray([[1.0, 2.0, 3.0]], "float64"), backend.asarray([[0.0, 1.0]], "float64")

    def differences():
        """J(w + ε eⱼ) for every weight; the one J(w) that they all share is not counted."""
        for name, own in host(backend, network.parameters).items():
            for place in np.ndindex(own.shape):
                changed = own.copy()
                changed[place] += 1e-6
                network.set_parameters({name: changed})
                network.forward(x)
            network.set_parameters({name: own})

    assert weights == 26
    assert _passes(differences) == {"forward": 26, "backward": 0}
    assert _passes(lambda: network.gradients(x, y, loss)) == {"forward": 1, "backward": 1}


def test_row_22_a_million_weights_two_passes():
    """Text 003: 10⁶ weights cost backprop two passes, where differences would take 10⁶."""
    network = xnn.Network([xnn.Dense(1000), Counting(), xnn.Dense(1)], inputs=998, backend="numpy", seed=0)
    weights = sum(math.prod(p.shape) for p in network.parameters.values())
    assert weights == 1_000_001
    x, y = np.ones((1, 998), "float32"), np.ones((1, 1), "float32")
    assert _passes(lambda: network.gradients(x, y, xnn.SquaredError())) == {"forward": 1, "backward": 1}


# -- 23 to 25: forward and back propagation by hand -----------------------------------------------------------------


def test_row_23_chain_of_two_neurons(backend):
    """Texts 003, 004: E = (x − y)², and the Δ bookkeeping from the last layer down."""
    loss = xnn.SquaredError()
    layers = xnn.Dense(1), xnn.Sigmoid(), xnn.Dense(1), xnn.Sigmoid()
    network = build(backend, 1, *layers, w0=[[0.6]], b0=[0.1], w2=[[-0.4]], b2=[0.3])
    x, y = backend.asarray([[1.5]], "float64"), backend.asarray([[0.2]], "float64")
    Δ = [host(backend, δ) for δ in network.deltas(x, y, loss)]
    assert shows(Δ[2], "0.1509449003")
    assert shows(Δ[0], "-0.0118710275")
    cost, gradients = network.gradients(x, y, loss)
    assert shows(host(backend, cost), "0.0911400676")
    in_order = np.concatenate([g.ravel() for g in host(backend, gradients).values()])
    assert shows(in_order, "-0.0178065412", "-0.0118710275", "0.1103495643", "0.1509449003")


HIDDEN = {"w0": [[0.5], [-0.3], [0.8]], "b0": [0.1, 0.2, -0.1]}


def test_row_24_three_hidden_units(backend):
    """Text 003: one input, three hidden units, one output."""
    layers = xnn.Dense(3), xnn.Sigmoid(), xnn.Dense(1), xnn.Sigmoid()
    network = build(backend, 1, *layers, **HIDDEN, w2=[[0.4, -0.6, 0.2]], b2=[0.05])
    x, y = backend.asarray([[2.0]], "float64"), backend.asarray([[1.0]], "float64")
    cost, gradients = network.gradients(x, y, xnn.SquaredError())
    assert shows(host(backend, cost), "0.1868072909")
    assert shows(host(backend, gradients["0.weight"]), "-0.03179799", "0.06116092", "-0.0126556")
    assert shows(host(backend, gradients["2.weight"]), "-0.15915556", "-0.08513193", "-0.17343522")


def test_row_25_multiple_outputs(backend):
    """Text 003: J = Σⱼ over the outputs; w¹₂ is reached through both of them."""
    layers = xnn.Dense(3), xnn.Sigmoid(), xnn.Dense(2), xnn.Sigmoid()
    network = build(backend, 1, *layers, **HIDDEN, w2=[[0.4, -0.6, 0.2], [0.3, 0.1, -0.7]], b2=[0.05, -0.05])
    x, y = backend.asarray([[2.0]], "float64"), backend.asarray([[1.0, 0.0]], "float64")
    cost, gradients = network.gradients(x, y, xnn.SquaredError())
    assert shows(host(backend, cost), "0.3562741136")
    assert shows(host(backend, gradients["2.weight"])[0, 1], "-0.0851319287")
    assert shows(host(backend, gradients["0.weight"])[1, 0], "0.07074286")


# -- 26: the four steps of training ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "dtype", "shuffle", "on_host"),
    [
        (xnn.SGD(lr=0.1), "float32", False, False),
        (xnn.SGD(lr=0.1), "float64", True, True),
        (xnn.SGD(lr=0.1, momentum=0.9), "float32", True, False),
        (xnn.SGD(lr=0.1, momentum=0.9), "float64", False, True),
        (xnn.Adam(lr=0.01), "float32", True, True),
        (xnn.Adam(lr=0.01), "float64", True, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, xnn.Optimizer) else str(value),
)
def test_row_26_loop_equals_the_four_steps_by_hand(backend, rng, optimizer, dtype, shuffle, on_host):
    """Text 003: forward, cost, gradients and update called alone; the loop gives the same weights bit for bit."""

    def build():
        layers = xnn.Dense(4), xnn.Tanh(), xnn.BatchNorm(), xnn.Dropout(0.3), xnn.Dense(4)
        return xnn.Network(layers, inputs=4, backend=backend, dtype=dtype, seed=5)

    # The last batch is a small one, but not on JAX, which compiles every operation for that shape, too.
    loss, n, epochs, size = xnn.CrossEntropy(), 12 if backend.name == "jax" else 11, 2, 3
    x, y = rng.normal(size=(n, 4)).astype(dtype), rng.integers(0, 4, n)
    looped = build()
    history = looped.fit(x, y, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=size, shuffle=shuffle)

    network = build()
    state, means = None, []
    for epoch in range(epochs):
        # The order of an epoch follows from the seed of the network and the number of the epoch.
        order = np.random.default_rng((network.seed, 1, epoch)).permutation(n) if shuffle else np.arange(n)
        costs = []
        for start in range(0, n, size):
            rows = order[start : start + size]
            batch, targets = backend.asarray(x[rows], dtype), backend.asarray(y[rows], "int32")
            parameters = network.parameters
            outputs = network.forward(batch, training=True)
            cost = loss(outputs, targets)
            again, gradients = network.gradients(*((x[rows], y[rows]) if on_host else (batch, targets)), loss)
            assert float(cost) == float(again)
            state = optimizer.init(parameters) if state is None else state
            parameters, state = optimizer.update(parameters, gradients, state)
            network.set_parameters(parameters)
            costs.append(float(cost) * len(rows))
        means.append(sum(costs) / n)

    assert np.allclose(history["loss"], means, rtol=1e-6)
    assert looped.step == network.step == 8
    for arrays in ("parameters", "buffers"):
        hand, loop = host(backend, getattr(network, arrays)), host(backend, getattr(looped, arrays))
        assert list(hand) == list(loop)
        for name in hand:
            if backend.name == "cupy":  # one fused kernel may contract products and sums, to rounding
                assert scaled_error(loop[name], hand[name]) <= (1e-5 if dtype == "float32" else 1e-12), name
            else:
                assert (loop[name] == hand[name]).all(), name


# -- 27: the average of the gradients of the examples ---------------------------------------------------------------


def test_row_27_mean_of_the_examples_gradients(backend, rng):
    """Text 004: ∇E⁽ⁱ⁾ averaged to ∇E, with one stable order of the parameters."""
    layers = xnn.Dense(3), xnn.Tanh(), xnn.LayerNorm(), xnn.Dense(2), xnn.Sigmoid()
    network = build(backend, 4, *layers)
    x, y = backend.asarray(rng.normal(size=(5, 4)), "float64"), backend.asarray(rng.normal(size=(5, 2)), "float64")
    loss = xnn.SquaredError()
    cost, batch = network.gradients(x, y, loss)
    same, each = network.gradients(x, y, loss, per_example=True)
    assert float(cost) == float(same)
    names = ["0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias"]
    assert list(network.parameters) == list(batch) == list(each) == names
    for name in names:
        assert each[name].shape == (5, *batch[name].shape)
        assert scaled_error(host(backend, each[name]).mean(axis=0), host(backend, batch[name])) <= 1e-13
