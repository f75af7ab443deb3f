"""Differentiating through the bodies of layers and losses gives the numbers of their hand-written equations."""

from __future__ import annotations

import numpy as np
import pytest
from references import central_differences, scaled_error

import xnn
from xnn.autodiff import cost, derivatives, grad, hessian, hvp, jacobian, jvp, operate, recording, vjp
from xnn.autodiff.tape import Tape
from xnn.layers.base import Key

LAYERS = {
    "Dense": (xnn.Dense(3), (4,)),
    "Dense without bias": (xnn.Dense(2, bias=False), (4,)),
    "Dense of sequences": (xnn.Dense(2), (3, 4)),
    "BatchNorm": (xnn.BatchNorm(), (4,)),
    "LayerNorm": (xnn.LayerNorm(), (4,)),
    "Dropout": (xnn.Dropout(0.4), (4,)),
    "Flatten": (xnn.Flatten(), (2, 3)),
    "Reshape": (xnn.Reshape((3, 2)), (6,)),
    "Standardize": (xnn.Standardize(0.3, 2.0), (4,)),
    "LeakyReLU, steep": (xnn.LeakyReLU(1.5), (4,)),
    "GELU, tanh": (xnn.GELU(approximate="tanh"), (4,)),
    "Softplus": (xnn.Softplus(beta=2.0, threshold=1.0), (4,)),
    **{
        f.__name__: (f(), (4,))
        for f in (xnn.ELU, xnn.GELU, xnn.HardTanh, xnn.Identity, xnn.LeakyReLU, xnn.LogSoftmax, xnn.PReLU, xnn.ReLU,
                  xnn.SELU, xnn.Sigmoid, xnn.SiLU, xnn.Softmax, xnn.Tanh)
    },
}  # fmt: skip


def operations(layer, shape, backend, rng):
    """The operations of a layer in both modes."""
    buffers = {}
    for name, buffer in layer.buffers(shape).items():
        value = 1.0 if buffer.value is None else buffer.value
        buffers[name] = backend.asarray(np.broadcast_to(value, buffer.shape) + rng.uniform(0.1, 0.2), "float64")
    return [layer.prediction(buffers), layer.training(buffers, Key(1, 2, 3))]


@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree_with_their_equations_to_second_order(backend, rng, name):
    layer, shape = LAYERS[name]
    x = backend.asarray(rng.normal(size=(5, *shape)), "float64")
    θ = [backend.asarray(rng.normal(size=p.shape), "float64") for p in layer.parameters(shape).values()]
    tangents = [backend.asarray(rng.normal(size=a.shape), "float64") for a in (x, *θ)]
    with backend.scope():
        xp = xnn.arrays.namespace(x)
        rec = recording(xp)
        for operation in operations(layer, shape, backend, rng):
            y, _ = operation.forward(xp, x, *θ)
            δ = backend.asarray(rng.normal(size=y.shape), "float64")

            def by_hand(args, operation=operation, δ=δ):
                y, kept = operation.forward(rec, *args)
                return [operation.delta(rec, δ, y, kept, *args), *operation.gradients(rec, δ, y, kept, *args)]

            def through_the_body(args, operation=operation, δ=δ):
                return vjp(lambda args: operation.forward(rec, *args)[0], args)[1](δ)

            def as_a_node(args, operation=operation, δ=δ):
                return vjp(lambda args: operate(operation, rec, *args), args)[1](δ)

            right, second = jvp(by_hand, [x, *θ], tangents)
            for derivative in (through_the_body, as_a_node):
                first, change = jvp(derivative, [x, *θ], tangents)
                for a, b in zip([*first, *change], [*right, *second], strict=True):
                    error = np.abs(backend.to_numpy(a) - backend.to_numpy(b))
                    assert np.max(error, initial=0) <= 1e-12 * max(1, np.max(np.abs(backend.to_numpy(b)), initial=0))


LOSSES = {
    "SquaredError": (xnn.SquaredError(), "numbers"),
    "SquaredError, half": (xnn.SquaredError(half=True), "numbers"),
    "MeanSquaredError": (xnn.MeanSquaredError(), "numbers"),
    "MeanAbsoluteError": (xnn.MeanAbsoluteError(), "numbers"),
    "Huber": (xnn.Huber(), "numbers"),
    "LogCosh": (xnn.LogCosh(), "numbers"),
    "PoissonNLL": (xnn.PoissonNLL(full=True), "counts"),
    "CrossEntropy": (xnn.CrossEntropy(label_smoothing=0.1, class_weights=(1.0, 2.0, 0.5)), "labels"),
    "CrossEntropy of rows": (xnn.CrossEntropy(), "rows"),
    "BinaryCrossEntropy": (xnn.BinaryCrossEntropy(positive_weight=2.0), "rows"),
    "Hinge": (xnn.Hinge(), "signs"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_agree_with_their_equations_to_second_order(backend, rng, name):
    loss, kind = LOSSES[name]
    targets = {
        "numbers": rng.normal(size=(4, 3)),
        "counts": rng.integers(0, 5, size=(4, 3)).astype(float),
        "labels": np.array([0, 2, 1, -100]),
        "rows": rng.dirichlet(np.ones(3), size=4),
        "signs": rng.choice([-1.0, 1.0], size=(4, 3)),
    }[kind]
    a, v = (backend.asarray(rng.normal(size=(4, 3)), "float64") for _ in range(2))
    weights = backend.asarray(rng.uniform(0.5, 2.0, size=4), "float64")
    y = loss.targets(backend, targets, (3,), "float64")
    with backend.scope():
        rec = recording(xnn.arrays.namespace(a))
        for w in (None, weights):

            def body(a, w=w):
                return loss.cost_and_delta(rec, a, y, w)[0]

            def node(a, w=w):
                return cost(loss, rec, a, y, w)

            right, second = jvp(lambda a, w=w: loss.cost_and_delta(rec, a, y, w)[1], a, v)
            for f in (body, node):
                for first, change in (
                    jvp(grad(f), a, v),
                    (grad(f)(a), grad(lambda a, f=f: rec.sum(grad(f)(a) * v))(a)),  # reverse over reverse
                    (jacobian(f, mode="forward")(a), hvp(f, a, v)),
                ):
                    assert scaled_error(backend.to_numpy(first), backend.to_numpy(right)) < 1e-12
                    assert scaled_error(backend.to_numpy(change), backend.to_numpy(second)) < 1e-12


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_one_node_that_the_user_gets_by_calling_it(backend, rng, name):
    loss, kind = LOSSES[name]
    a = backend.asarray(rng.normal(size=(4, 3)), "float64")
    y = backend.asarray(
        np.array([0, 2, 1, -100]) if kind == "labels" else rng.integers(0, 2, size=(4, 3)).astype(float)
    )
    with backend.scope():
        tape = Tape(lambda a: loss(a, y), (a,), (0,))
        assert [entry[0].name for entry in tape.level.tape if entry] == [type(loss).__name__]
        slope = backend.to_numpy(grad(lambda a: loss(a, y))(a))
        np.testing.assert_allclose(slope, backend.to_numpy(loss.gradient(a, y)), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("name", [n for n, (_, kind) in LOSSES.items() if kind != "labels"])
def test_targets_and_weights_may_carry_a_derivative(backend, rng, name):
    loss, kind = LOSSES[name]
    a = backend.asarray(rng.normal(size=(4, 3)), "float64")
    values = {"rows": rng.dirichlet(np.ones(3), size=4), "counts": 1.5 + rng.uniform(size=(4, 3))}
    y = backend.asarray(values.get(kind, rng.choice([-1.0, 1.0], size=(4, 3))), "float64")
    w = backend.asarray(rng.uniform(0.5, 2.0, size=4), "float64")
    with backend.scope():
        by_y, by_w = grad(lambda y, w: loss(a, y, w), (0, 1))(y, w)

        def value(y, w):
            return backend.to_numpy(
                loss.cost_and_delta(xnn.arrays.namespace(a), a, backend.asarray(y), backend.asarray(w))[0]
            )

        host_y, host_w = backend.to_numpy(y), backend.to_numpy(w)
        if kind != "signs":  # of which there are but two
            measured = central_differences(lambda y: value(y, host_w), host_y)
            assert scaled_error(backend.to_numpy(by_y), measured) < 1e-7
        assert scaled_error(backend.to_numpy(by_w), central_differences(lambda w: value(host_y, w), host_w)) < 1e-7


def test_a_network_is_differentiable_in_both_arguments(backend, rng):
    network = xnn.Network(
        [xnn.Dense(6), xnn.Tanh(), xnn.LayerNorm(), xnn.Dense(3)], inputs=2, backend=backend, dtype="float64", seed=0
    )
    x, y = rng.normal(size=(5, 2)), rng.integers(0, 3, size=5)
    loss = xnn.CrossEntropy()
    _, right = network.gradients(x, y, loss, training=False)
    parameters, xs, ys = network.parameters, backend.asarray(x, "float64"), backend.asarray(y)
    with backend.scope():
        by_parameters, by_x = grad(lambda p, x: loss(network.apply(p, x), ys), (0, 1))(parameters, xs)
    for name, g in right.items():
        assert scaled_error(backend.to_numpy(by_parameters[name]), backend.to_numpy(g)) < 1e-12
    measured = central_differences(lambda x: backend.to_numpy(loss(network.forward(backend.asarray(x)), ys)), x)
    assert scaled_error(backend.to_numpy(by_x), measured) < 1e-8


def test_a_residual_loss_trains_through_second_derivatives_by_the_input(backend, rng):
    """C = mean (u″ + u)²: ∂C/∂θ along a direction equals the difference of C."""
    network = xnn.Network([xnn.Dense(5), xnn.Tanh(), xnn.Dense(1)], inputs=1, backend=backend, dtype="float64", seed=0)
    x = backend.asarray(np.linspace(0, 1, 6)[:, None], "float64")
    θ = network.parameters
    v = {name: backend.asarray(rng.normal(size=a.shape), "float64") for name, a in θ.items()}

    def cost(θ):
        u, _, u2 = derivatives(lambda x: network.apply(θ, x), 2)(x)
        e = u2 + u
        return xnn.arrays.namespace(e).mean(e * e)

    with backend.scope():
        gradient = grad(cost)(θ)
        slope = sum(float(np.sum(backend.to_numpy(gradient[k]) * backend.to_numpy(v[k]))) for k in θ)

        def along(t):
            return float(backend.to_numpy(cost({k: θ[k] + t * v[k] for k in θ})))

        h = 1e-3
        measured = (along(-2 * h) - 8 * along(-h) + 8 * along(h) - along(2 * h)) / (12 * h)
        assert slope == pytest.approx(measured, rel=1e-8)
        curvature = hvp(cost, θ, v)
        assert set(curvature) == set(θ)


def test_nodes_take_the_layers_own_side_of_a_kink(backend):
    x = backend.asarray([[0.0, -1.0, 2.0]], "float64")
    with backend.scope():
        for layer, right in (
            (xnn.ReLU(), [0, 0, 1]),
            (xnn.LeakyReLU(0.1), [0.1, 0.1, 1]),
            (xnn.HardTanh(0.0, 2.0), [0, 0, 0]),
        ):
            slope = grad(lambda x, f=layer: xnn.arrays.namespace(x).sum(operate(f, None, x)))(x)
            np.testing.assert_array_equal(backend.to_numpy(slope)[0], right)


def test_the_hessian_through_nodes(backend, rng):
    """Nodes on two tapes, of which the outer one is pushed forward."""
    layers = [xnn.Dense(2), xnn.Tanh(), xnn.Dense(1)]
    θ = {
        "W": backend.asarray(rng.normal(size=(2, 2)), "float64"),
        "v": backend.asarray(rng.normal(size=(1, 2)), "float64"),
    }
    b, c, x = (backend.asarray(rng.normal(size=s), "float64") for s in ((2,), (1,), (3, 2)))

    def cost(θ, call):
        y = x
        for layer, own in zip(layers, ((θ["W"], b), (), (θ["v"], c)), strict=True):
            y = call(layer, y, *own)
        return xnn.arrays.namespace(y).sum(y * y)

    def body(layer, y, *own):
        return layer.forward(xnn.arrays.namespace(own[0] if own else y), y, *own)[0]

    def node(layer, y, *own):
        return operate(layer, xnn.arrays.namespace(x), y, *own)

    with backend.scope():
        right, found = (hessian(lambda θ, call=call: cost(θ, call))(θ) for call in (body, node))
        other = jacobian(grad(lambda θ: cost(θ, node)), mode="reverse")(θ)
    for row in θ:
        for column in θ:
            expected = backend.to_numpy(right[row][column])
            assert scaled_error(backend.to_numpy(found[row][column]), expected) < 1e-13
            assert scaled_error(backend.to_numpy(other[row][column]), expected) < 1e-13
